"""Other hands in the portal: edits, merges, deletions, and the history that names who did what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .clock import Clock
from .hubspot_api import KEY, VERSIONS, Api, order, serving

ANN = 7_001


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def history(api: Api, record_id: str, name: str) -> list[dict[str, Any]]:
    """The history of one property of a company, by batch/read."""
    answer = await api.call(
        "POST",
        "/crm/objects/V/companies/batch/read",
        {"inputs": [{"id": record_id}], "properties": [], "propertiesWithHistory": [name]},
    )
    found = answer.results[0]["propertiesWithHistory"][name]
    assert isinstance(found, list)
    return found


async def test_another_user_adds_edits_merges_deletes_and_restores(api: Api) -> None:
    """Everything a person can do to records goes through /control, under a user's name."""
    portal = api.portal
    ids = [
        (await order(portal, "add", {"object": "companies", "properties": {"name": one}}))["id"]
        for one in "ABC"
    ]
    edit = {"object": "companies", "id": ids[0], "properties": {"city": "Rome"}, "user_id": ANN}
    await order(portal, "edit", edit)
    contact = (
        await order(portal, "add", {"object": "contacts", "properties": {"email": "a@x.test"}})
    )["id"]
    pair = {"object": "contacts", "id": contact, "to": "companies", "to_id": ids[2]}
    await order(portal, "associate", pair)
    await order(portal, "archive", {"object": "companies", "id": ids[2]})
    alone = portal.associations("contacts", "companies")
    await order(portal, "recycle", {"object": "companies", "id": ids[2]})
    restored = portal.associations("contacts", "companies")
    await order(portal, "dissociate", pair)
    merged = await order(
        portal, "merge", {"object": "companies", "primary": ids[0], "other": ids[1]}
    )

    assert (alone, restored) == (set(), {(contact, ids[2])})
    assert portal.associations("contacts", "companies") == set()
    assert set(portal.records("companies")) == {merged["id"], ids[2]}
    assert portal.records("companies")[merged["id"]]["city"] == "Rome"
    assert len(portal.calls) == 0


async def test_the_history_names_who_changed_a_value() -> None:
    """Newest first: value, time, and whether an app or which person it came from."""
    now = Clock(1_780_000_000.0)
    async with serving(now=now) as api:
        await api.upsert({"K": {"name": "A", "city": "Rome"}})
        company = api.portal.one("companies", KEY, "K")["hs_object_id"]
        now.time += 60
        api.portal.edit("companies", company, {"city": "Elgin"}, user_id=ANN)
        now.time += 60
        await api.upsert({"K": {"name": "A", "city": ""}})
        found = await history(api, company, "city")
        unchanged = await history(api, company, "name")

    app = str(api.portal.options.app_id)
    assert found == [
        {
            "value": "",
            "timestamp": "2026-05-28T20:28:40Z",
            "sourceType": "INTEGRATION",
            "sourceId": app,
        },
        {
            "value": "Elgin",
            "timestamp": "2026-05-28T20:27:40Z",
            "sourceType": "CRM_UI",
            "sourceId": f"userId:{ANN}",
            "updatedByUserId": ANN,
        },
        {
            "value": "Rome",
            "timestamp": "2026-05-28T20:26:40Z",
            "sourceType": "INTEGRATION",
            "sourceId": app,
        },
    ]
    assert [one["value"] for one in unchanged] == ["A"]


async def test_a_history_ends_after_twenty_values(api: Api) -> None:
    """Only the newest 20 values of a property are told."""
    company = api.portal.add("companies", {"name": "0"})
    for number in range(1, 25):
        api.portal.edit("companies", company, {"name": str(number)})

    found = await history(api, company, "name")

    assert [one["value"] for one in found] == [str(number) for number in range(24, 4, -1)]


async def test_a_merged_record_keeps_the_histories_of_both(api: Api) -> None:
    """After a merge a property's history goes on; the values that came with it are marked."""
    first = api.portal.add("companies", {"name": "A"})
    second = api.portal.add("companies", {"name": "B", "city": "Rome"})

    merged = api.portal.merge("companies", first, second)
    names, cities = await history(api, merged, "name"), await history(api, merged, "city")

    assert names[0]["value"] == "A"
    assert {one["value"] for one in names} == {"A", "B"}
    assert cities[0]["value"] == "Rome"
    ids = await history(api, merged, "hs_merged_object_ids")
    assert ids[0]["sourceType"] == "MERGE_OBJECTS"


async def test_what_was_taken_back_has_no_history(api: Api) -> None:
    """A batch that fails as a whole leaves no entry in any history."""
    await api.upsert({"K1": {"name": "A"}, "K2": {"name": "B"}})
    company = api.portal.one("companies", KEY, "K1")["hs_object_id"]

    refused = await api.upsert({"K1": {"name": "X"}, "K3": {KEY: "K2"}}, traced=False)

    assert refused.status == 400
    assert [one["value"] for one in await history(api, company, "name")] == ["A"]


async def test_a_deleted_record_is_restored_unless_its_key_was_taken(api: Api) -> None:
    """The recycle bin gives a record back with its id, not against another's unique value."""
    await api.upsert({"K": {"name": "A"}})
    company = api.portal.one("companies", KEY, "K")["hs_object_id"]
    api.portal.archive("companies", company)
    gone = await api.call("GET", f"/crm/objects/V/companies/{company}")
    api.portal.recycle("companies", company)
    back = await api.upsert({"K": {"name": "B"}})
    api.portal.archive("companies", company)
    anew = await api.upsert({"K": {"name": "C"}})

    assert gone.status == 404
    assert (back.results[0]["id"], back.results[0]["new"]) == (company, False)
    assert anew.results[0]["new"] is True
    with pytest.raises(ValueError, match=KEY):
        api.portal.recycle("companies", company)
    with pytest.raises(LookupError, match="no deleted record"):
        api.portal.recycle("companies", "9")


async def test_the_recycle_bin_is_emptied_after_ninety_days() -> None:
    """A record deleted more than 90 days ago cannot be read as archived, nor restored."""
    now = Clock(1_780_000_000.0)
    async with serving(options=HubSpotOptions(limits=None), now=now) as api:
        company = api.portal.add("companies", {"name": "A"})
        api.portal.archive("companies", company)
        path = f"/crm/objects/V/companies/{company}"
        now.time += 89 * 86_400
        before = await api.call("GET", path, archived="true")
        now.time += 2 * 86_400
        after = await api.call("GET", path, archived="true")
        with pytest.raises(LookupError):
            api.portal.recycle("companies", company)

    assert (before.status, after.status) == (200, 404)
