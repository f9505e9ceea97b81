"""Associations: batches, directions, types, limits, and what a bad id does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from .hubspot_api import VERSIONS, Answered, Api, serving

INVOICES = "/crm/associations/V/invoices/companies/batch"


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal with two companies, two contacts and two invoices; ids 50001 and 50002 each."""
    async with serving(request.param) as caller:
        for n in range(2):
            caller.portal.add("companies", {"name": f"Company {n}"})
            caller.portal.add("contacts", {"email": f"c{n}@acme.test"})
            caller.portal.add("invoices", {"hs_currency": "USD"})
        yield caller


def pair(from_id: str, to_id: str, *types: int) -> dict[str, Any]:
    one: dict[str, Any] = {"from": {"id": from_id}, "to": {"id": to_id}}
    if types:
        one["types"] = [
            {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": n} for n in types
        ]
    return one


async def send(api: Api, verb: str, inputs: list[Any], path: str = INVOICES) -> Answered:
    return await api.call("POST", f"{path}/{verb}", {"inputs": inputs})


async def test_default_association_answers_both_directions(api: Api) -> None:
    """associate/default is a 200 with each pair in both directions and their type ids."""
    answer = await send(api, "associate/default", [pair("50001", "50002")])

    assert answer.status == 200
    assert answer.results == [
        {
            "from": {"id": "50001"},
            "to": {"id": "50002"},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": 179,
            },
        },
        {
            "from": {"id": "50002"},
            "to": {"id": "50001"},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": 180,
            },
        },
    ]
    assert api.portal.associations("invoices", "companies") == {("50001", "50002")}
    assert api.portal.associations("companies", "invoices") == {("50002", "50001")}


async def test_associating_twice_changes_nothing(api: Api) -> None:
    """A second association of a pair succeeds and leaves the portal as it is."""
    await send(api, "associate/default", [pair("50001", "50001")])
    before = api.portal.snapshot()

    answer = await send(api, "associate/default", [pair("50001", "50001")])

    assert answer.status == 200
    assert api.portal.snapshot() == before


async def test_create_answers_numeric_ids_and_its_own_code(api: Api) -> None:
    """batch/create is 201 in 2026-03 and 200 in 2026-09; its ids are numbers."""
    answer = await send(api, "create", [pair("50001", "50002", 179)])

    assert answer.status == (201 if api.version == "2026-03" else 200)
    assert answer.results == [
        {
            "fromObjectTypeId": "0-53",
            "fromObjectId": 50001,
            "toObjectTypeId": "0-2",
            "toObjectId": 50002,
            "labels": [],
        }
    ]


@pytest.mark.parametrize("verb", ["associate/default", "create"])
async def test_a_bad_id_fails_alone(api: Api, verb: str) -> None:
    """One unknown id makes a 207 with INVALID_IDENTIFIER; the other pairs are made."""
    types = (179,) if verb == "create" else ()
    answer = await send(api, verb, [pair("50001", "50001", *types), pair("50002", "999", *types)])

    assert answer.status == 207
    assert answer.errors[0]["category"] == "VALIDATION_ERROR"
    assert answer.errors[0]["subCategory"] == "crm.associations.INVALID_IDENTIFIER"
    assert answer.errors[0]["context"] == {"id": ["999"]}
    assert api.portal.associations("invoices", "companies") == {("50001", "50001")}


async def test_a_type_of_the_other_direction_is_refused(api: Api) -> None:
    """180 goes from company to invoice, so invoice to company refuses it."""
    answer = await send(api, "create", [pair("50001", "50001", 180)])

    assert answer.status == 207
    assert answer.errors[0]["context"]["INVALID_ASSOCIATION_TYPE_ID"] == ["180"]
    assert api.portal.associations("invoices", "companies") == set()


@pytest.mark.parametrize(
    ("verb", "limit"), [("associate/default", 2000), ("create", 2000), ("read", 1000)]
)
async def test_batches_have_their_own_limits(api: Api, verb: str, limit: int) -> None:
    """2,000 pairs may be made and 1,000 ids read at once; one more is a 400."""
    one: dict[str, Any] = {"id": "50001"} if verb == "read" else pair("50001", "50001", 179)
    if verb == "associate/default":
        del one["types"]

    fits = await send(api, verb, [one] * limit)
    too_many = await send(api, verb, [one] * (limit + 1))

    assert fits.status in (200, 201, 207)
    assert too_many.status == 400


async def test_read_gives_ends_and_names_those_without(api: Api) -> None:
    """batch/read answers ends with their types; an id without any is an error of a 207."""
    await send(api, "associate/default", [pair("50001", "50001"), pair("50001", "50002")])

    answer = await send(api, "read", [{"id": "50001"}, {"id": "50002"}])

    assert answer.status == 207
    assert answer.results == [
        {
            "from": {"id": "50001"},
            "to": [
                {
                    "toObjectId": end,
                    "associationTypes": [
                        {"category": "HUBSPOT_DEFINED", "typeId": 179, "label": None}
                    ],
                }
                for end in ("50001", "50002")
            ],
        }
    ]
    assert answer.errors[0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
    assert answer.errors[0]["message"] == "No company is associated with invoice 50002."


async def test_read_pages_at_500_ends(api: Api) -> None:
    """An id with more ends than a page holds is read on from `paging.next.after`."""
    for _ in range(501):
        invoice = api.portal.add("invoices", {"hs_currency": "USD"})
        api.portal.associate("invoices", invoice, "companies", "50001")
    path = "/crm/associations/V/companies/invoices/batch"

    first = await send(api, "read", [{"id": "50001"}], path)
    after = first.results[0]["paging"]["next"]["after"]
    second = await send(api, "read", [{"id": "50001", "after": after}], path)

    assert [len(one.results[0]["to"]) for one in (first, second)] == [500, 1]
    assert "paging" not in second.results[0]


async def test_archive_removes_every_type_with_a_body(api: Api) -> None:
    """batch/archive is a 200 with an empty batch body; unknown pairs do not matter."""
    await send(api, "associate/default", [pair("50001", "50001"), pair("50001", "50002")])
    one = {"from": {"id": "50001"}, "to": [{"id": "50001"}, {"id": "999"}]}

    answer = await send(api, "archive", [one])

    assert (answer.status, answer.results) == (200, [])
    assert api.portal.associations("invoices", "companies") == {("50001", "50002")}


async def test_the_first_company_of_a_contact_is_its_primary(api: Api) -> None:
    """The first company is primary by itself; naming another as primary demotes it."""
    path = "/crm/associations/V/contacts/companies/batch"
    await send(api, "associate/default", [pair("50001", "50001"), pair("50001", "50002")], path)
    types = api.portal.association_types
    first = [types("contacts", "50001", "companies", c) for c in ("50001", "50002")]

    await send(api, "create", [pair("50001", "50002", 1, 279)], path)
    second = [types("contacts", "50001", "companies", c) for c in ("50001", "50002")]

    assert first == [(1, 279), (279,)]
    assert second == [(279,), (1, 279)]
    assert types("companies", "50002", "contacts", "50001") == (2, 280)


async def test_labels_archive_removes_named_types_only(api: Api) -> None:
    """batch/labels/archive takes away one type and leaves the others."""
    path = "/crm/associations/V/contacts/companies/batch"
    await send(api, "create", [pair("50001", "50001", 279, 931)], path)

    answer = await send(api, "labels/archive", [pair("50001", "50001", 931)], path)

    assert answer.status == 200
    assert api.portal.association_types("contacts", "50001", "companies", "50001") == (1, 279)


async def test_single_associations_are_put_and_deleted(api: Api) -> None:
    """PUT default is a 200 that may be repeated, PUT with types a 201, DELETE a 204."""
    base = "/crm/objects/V/invoices/50001/associations"
    statuses = [
        (await api.call("PUT", f"{base}/default/companies/50001")).status,
        (await api.call("PUT", f"{base}/default/companies/50001")).status,
        (await api.call("PUT", f"{base}/contacts/50001", pair("", "", 177)["types"])).status,
    ]
    listed = await api.call("GET", f"{base}/companies")
    deleted = await api.call("DELETE", f"{base}/companies/50001")

    assert statuses == [200, 200, 201]
    assert [one["toObjectId"] for one in listed.results] == ["50001"]
    assert deleted.status == 204
    assert api.portal.associations("invoices", "companies") == set()
    assert api.portal.associations("invoices", "contacts") == {("50001", "50001")}


async def test_archiving_a_record_takes_its_associations(api: Api) -> None:
    """An archived record is associated with nothing."""
    await send(api, "associate/default", [pair("50001", "50001")])

    await api.call("DELETE", "/crm/objects/V/companies/50001")

    assert api.portal.associations("invoices", "companies") == set()


async def test_types_that_do_not_go_together_are_refused(api: Api) -> None:
    """A direction without any association type is a 400."""
    answer = await send(
        api,
        "associate/default",
        [pair("50001", "50001")],
        "/crm/associations/V/invoices/invoices/batch",
    )

    assert answer.status == 400


async def test_an_array_instead_of_an_object_is_refused(api: Api) -> None:
    """The body must be an object with `inputs`."""
    answer = await api.call("POST", f"{INVOICES}/associate/default", [pair("50001", "50001")])

    assert answer.status == 400
    assert "Invalid input JSON" in answer.body["message"]


async def test_an_inline_association_to_nothing_fails_the_create(api: Api) -> None:
    """A create with an invalid association target is refused and the record is not made."""
    one = {
        "properties": {"hs_currency": "USD"},
        "associations": [
            {
                "to": {"id": "999"},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 179}],
            }
        ],
    }

    answer = await api.batch("create", [one], "invoices")

    assert answer.status == 400
    assert answer.body["message"] == "One or more associations are invalid"
    assert answer.body["context"] == {"INVALID_OBJECT_IDS": ["COMPANY=999 is not valid"]}
    assert api.portal.count("invoices") == 2


async def test_an_inline_association_is_made_with_the_record(api: Api) -> None:
    """A create may associate the new record with an existing one."""
    company = api.portal.add("companies", {"name": "A"})
    one = {
        "properties": {"hs_currency": "USD"},
        "associations": [
            {
                "to": {"id": company},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 179}],
            }
        ],
    }

    answer = await api.batch("create", [one], "invoices")

    assert api.portal.associations("invoices", "companies") == {(answer.results[0]["id"], company)}
