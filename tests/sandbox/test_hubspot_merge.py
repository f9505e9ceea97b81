"""Merging: what comes of two records, what their old ids still mean, and what is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, VERSIONS, Answered, Api, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def merge(api: Api, primary: str, other: str, kind: str = "companies") -> Answered:
    """Merge through the API."""
    body = {"primaryObjectId": primary, "objectIdToMerge": other}
    return await api.call("POST", f"/crm/objects/V/{kind}/merge", body)


async def two(api: Api) -> tuple[str, str]:
    """Two companies with keys K1 and K2; gives their ids."""
    await api.upsert({"K1": {"name": "One", "city": "Rome"}, "K2": {"name": "Two", "zip": "7"}})
    return (
        api.portal.one("companies", KEY, "K1")["hs_object_id"],
        api.portal.one("companies", KEY, "K2")["hs_object_id"],
    )


async def test_a_merge_makes_a_new_record_of_both(api: Api) -> None:
    """The id is new, the primary's values win, gaps are filled, the old ids are listed."""
    first, second = await two(api)

    answer = await merge(api, first, second)
    held = api.portal.record("companies", answer.body["id"])

    assert answer.status == 200
    assert answer.body["id"] not in (first, second)
    assert api.portal.count("companies") == 1
    assert held is not None
    assert (held["name"], held["city"], held["zip"]) == ("One", "Rome", "7")
    assert held["hs_merged_object_ids"] == f"{first};{second}"


async def test_the_others_unique_key_is_lost(api: Api) -> None:
    """The key of the primary survives; an upsert by the other key makes a new record."""
    first, second = await two(api)
    merged = (await merge(api, first, second)).body["id"]

    by_first = await api.upsert({"K1": {"name": "Again"}})
    by_second = await api.upsert({"K2": {"name": "Back"}})

    assert (by_first.results[0]["id"], by_first.results[0]["new"]) == (merged, False)
    assert by_second.results[0]["new"] is True


async def test_old_ids_lead_to_the_new_record_when_read(api: Api) -> None:
    """GET, PATCH and batch/read by either old id answer the merged record, with its own id."""
    first, second = await two(api)
    merged = (await merge(api, first, second)).body["id"]
    paths = [f"/crm/objects/V/companies/{one}" for one in (first, second)]

    got = [(await api.call("GET", path)).body["id"] for path in paths]
    changed = await api.call("PATCH", paths[1], {"properties": {"city": "Elgin"}})
    read = await api.call(
        "POST",
        "/crm/objects/V/companies/batch/read",
        {
            "inputs": [{"id": first}, {"id": second}],
            "properties": ["city"],
            "propertiesWithHistory": [],
        },
    )

    assert got == [merged, merged]
    assert (changed.status, changed.body["id"]) == (200, merged)
    assert [(one["id"], one["properties"]["city"]) for one in read.results] == [(merged, "Elgin")]


async def test_a_batch_update_by_an_old_id_is_left_out_in_silence(api: Api) -> None:
    """Neither result nor error tells of an input that names a merged-away id; others are done."""
    first, second = await two(api)
    third = api.portal.add("companies", {"name": "Three"})
    merged = (await merge(api, first, second)).body["id"]
    before = api.portal.record("companies", merged)

    answer = await api.batch(
        "update",
        [
            {"id": second, "properties": {"city": "X"}, "objectWriteTraceId": "a"},
            {"id": third, "properties": {"city": "Y"}, "objectWriteTraceId": "b"},
        ],
    )

    assert (answer.status, answer.errors) == (200, [])
    assert [one["id"] for one in answer.results] == [third]
    assert api.portal.record("companies", merged) == before


async def test_a_batch_update_by_an_old_id_can_be_carried_out() -> None:
    """`merged_in_batch="write"`: the merged record is changed, and answered with its own id."""
    async with serving(options=HubSpotOptions(limits=None, merged_in_batch="write")) as api:
        first, second = await two(api)
        merged = (await merge(api, first, second)).body["id"]

        answer = await api.batch("update", [{"id": second, "properties": {"city": "X"}}])

    assert [one["id"] for one in answer.results] == [merged]


async def test_the_beta_keeps_the_primarys_id() -> None:
    """`merge="keep_primary"`: the other id leads to the primary one."""
    async with serving(options=HubSpotOptions(limits=None, merge="keep_primary")) as api:
        first, second = await two(api)
        merged = await merge(api, first, second)
        by_other = await api.call("GET", f"/crm/objects/V/companies/{second}")
        by_key = await api.upsert({"K2": {"name": "Back"}})

    assert (merged.body["id"], by_other.body["id"]) == (first, first)
    assert by_key.results[0]["new"] is True


async def test_merged_contacts_keep_both_addresses(api: Api) -> None:
    """The other contact's address becomes an additional one and still finds the contact."""
    first = api.portal.add("contacts", {"email": "a@x.test", "lifecyclestage": "lead"})
    second = api.portal.add("contacts", {"email": "b@x.test", "lifecyclestage": "customer"})

    merged = (await merge(api, first, second, "contacts")).body["id"]
    held = api.portal.record("contacts", merged)
    taken = await api.batch("create", [{"properties": {"email": "B@x.test"}}], "contacts")

    assert held is not None
    assert (held["email"], held["hs_additional_emails"]) == ("a@x.test", "b@x.test")
    assert held["lifecyclestage"] == "customer"
    assert (taken.status, taken.body["message"]) == (
        409,
        f"Contact already exists. Existing ID: {merged}",
    )


async def test_associations_of_both_go_to_the_merged_record(api: Api) -> None:
    """The merged contact has the companies of both, one of them primary."""
    contacts = [api.portal.add("contacts", {"email": f"{one}@x.test"}) for one in "ab"]
    companies = [api.portal.add("companies", {"name": one}) for one in "AB"]
    for contact, company in zip(contacts, companies, strict=True):
        api.portal.associate("contacts", contact, "companies", company)

    merged = (await merge(api, contacts[0], contacts[1], "contacts")).body["id"]
    types = [
        api.portal.association_types("contacts", merged, "companies", one) for one in companies
    ]

    assert api.portal.associations("contacts", "companies") == {(merged, one) for one in companies}
    assert types == [(1, 279), (279,)]


async def test_associating_by_an_old_id_is_refused(api: Api) -> None:
    """An association needs the id that came of the merge."""
    first, second = await two(api)
    contact = api.portal.add("contacts", {"email": "a@x.test"})
    await merge(api, first, second)

    answer = await api.call(
        "POST",
        "/crm/associations/V/contacts/companies/batch/associate/default",
        {"inputs": [{"from": {"id": contact}, "to": {"id": first}}]},
    )

    assert (answer.status, answer.errors[0]["context"]["id"]) == (207, [first])


async def test_merging_twice_lists_every_old_id(api: Api) -> None:
    """A merged record merged again stands for all ids before it."""
    first, second = await two(api)
    third = api.portal.add("companies", {"name": "Three"})
    middle = (await merge(api, first, second)).body["id"]

    last = (await merge(api, third, middle)).body["id"]
    held = api.portal.record("companies", last)

    assert held is not None
    assert held["hs_merged_object_ids"] == f"{third};{middle};{first};{second}"
    assert (await api.call("GET", f"/crm/objects/V/companies/{first}")).body["id"] == last


async def test_what_cannot_be_merged(api: Api) -> None:
    """Unknown ids are a 404, a record with itself and invoices a 400."""
    first, _ = await two(api)

    codes = [
        (await merge(api, first, "9")).status,
        (await merge(api, first, first)).status,
        (await merge(api, "1", "2", "invoices")).status,
    ]

    assert codes == [404, 400, 400]
