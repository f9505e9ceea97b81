"""Single records and pages: create, read, change, archive, list."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .hubspot_api import KEY, VERSIONS, Api, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


@pytest.mark.parametrize("spelling", ["companies", "company", "0-2"])
async def test_a_type_may_be_spelled_by_name_or_id(api: Api, spelling: str) -> None:
    """`companies`, `company` and `0-2` are the same type."""
    made = await api.call("POST", f"/crm/objects/V/{spelling}", {"properties": {"name": "A"}})

    assert made.status == 201
    assert made.headers["Location"].endswith(f"/0-2/{made.body['id']}")
    assert api.portal.record("companies", made.body["id"]) is not None


async def test_an_unknown_type_is_a_400_without_category(api: Api) -> None:
    """A path with an unknown object type is refused in HubSpot's words."""
    answer = await api.call("GET", "/crm/objects/V/butterflies")

    assert answer.status == 400
    assert answer.body["message"] == "Unable to infer object type from: butterflies"
    assert "category" not in answer.body


async def test_a_record_is_read_by_id_and_by_unique_property(api: Api) -> None:
    """GET takes the record id, or the value of a unique property named by idProperty."""
    await api.upsert({"ABC:01-A/B": {"name": "A", "city": "X"}})
    by_key = await api.call(
        "GET", "/crm/objects/V/companies/ABC:01-A%2FB", idProperty=KEY, properties=f"city,{KEY}"
    )
    by_id = await api.call("GET", f"/crm/objects/V/companies/{by_key.body['id']}")

    assert by_key.body["properties"] == {
        "city": "X",
        "createdate": by_key.body["createdAt"],
        "hs_lastmodifieddate": by_key.body["updatedAt"],
        "hs_object_id": by_key.body["id"],
        KEY: "ABC:01-A/B",
    }
    assert sorted(by_id.body["properties"]) == [
        "createdate",
        "domain",
        "hs_lastmodifieddate",
        "hs_object_id",
        "name",
    ]


async def test_reading_by_a_non_unique_property_is_refused(api: Api) -> None:
    """idProperty must name a unique property."""
    answer = await api.call("GET", "/crm/objects/V/companies/acme.test", idProperty="domain")

    assert answer.status == 400
    assert "non-unique 0-2 property domain" in answer.body["message"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_an_unknown_record_is_a_bare_404(api: Api, method: str) -> None:
    """The 404 of a single record has no category."""
    body = {"properties": {"name": "B"}} if method == "PATCH" else None
    answer = await api.call(method, "/crm/objects/V/companies/999", body)

    assert answer.status == 404
    assert answer.body["message"] == "resource not found"
    assert "category" not in answer.body


async def test_patch_changes_and_echoes_what_was_sent(api: Api) -> None:
    """PATCH answers the changed properties and the record's own three, not the whole record."""
    record_id = api.portal.add("companies", {"name": "A", "city": "X"})

    answer = await api.call(
        "PATCH", f"/crm/objects/V/companies/{record_id}", {"properties": {"zip": "1"}}
    )

    assert answer.status == 200
    assert sorted(answer.body["properties"]) == [
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
        "zip",
    ]
    assert api.portal.records("companies")[record_id]["city"] == "X"


async def test_delete_archives_and_stays_readable_as_archived(api: Api) -> None:
    """A deleted record is a 404 unless archived records are asked for; deleting again is a 204."""
    record_id = api.portal.add("companies", {"name": "A"})
    path = f"/crm/objects/V/companies/{record_id}"

    first, second = await api.call("DELETE", path), await api.call("DELETE", path)
    gone, binned = await api.call("GET", path), await api.call("GET", path, archived="true")

    assert (first.status, second.status, gone.status) == (204, 204, 404)
    assert binned.body["archived"] is True
    assert binned.body["archivedAt"] >= binned.body["createdAt"]


async def test_pages_go_through_every_record_once(api: Api) -> None:
    """Following `paging.next.after` visits all live records in order of id, then ends."""
    ids = [api.portal.add("companies", {"name": str(n)}) for n in range(7)]
    api.portal.archive("companies", ids[3])
    seen: list[str] = []
    after = "0"
    while after:
        answer = await api.call("GET", "/crm/objects/V/companies", limit="3", after=after)
        seen += [one["id"] for one in answer.results]
        after = answer.body.get("paging", {}).get("next", {}).get("after", "")

    assert seen == [one for one in ids if one != ids[3]]


@pytest.mark.parametrize("limit", ["0", "101", "x"])
async def test_a_page_holds_at_most_100(api: Api, limit: str) -> None:
    """`limit` outside 1 to 100 is refused."""
    answer = await api.call("GET", "/crm/objects/V/companies", limit=limit)

    assert answer.status == 400


async def test_a_read_may_bring_associations(api: Api) -> None:
    """`associations=companies` adds the ids of the associated records."""
    company = api.portal.add("companies", {"name": "A"})
    invoice = api.portal.add("invoices", {"hs_currency": "USD"})
    api.portal.associate("invoices", invoice, "companies", company)

    answer = await api.call(
        "GET", f"/crm/objects/V/invoices/{invoice}", associations="companies,contacts"
    )

    assert answer.body["associations"] == {
        "companies": {"results": [{"id": company, "type": "invoice_to_company"}]}
    }


async def test_times_come_from_the_clock_given() -> None:
    """Record times are the injected clock's, in ISO 8601 UTC with milliseconds where there are."""
    times = iter([1_780_000_000.0 + step / 4 for step in range(1000)])
    async with serving(now=lambda: next(times)) as api:
        made = await api.call("POST", "/crm/objects/V/companies", {"properties": {"name": "A"}})
        changed = await api.call(
            "PATCH", f"/crm/objects/V/companies/{made.body['id']}", {"properties": {"zip": "1"}}
        )

    assert made.body["createdAt"].startswith("2026-05-28T20:2")
    assert made.body["createdAt"].endswith("Z")
    assert changed.body["createdAt"] == made.body["createdAt"]
    assert changed.body["updatedAt"] > made.body["updatedAt"]
