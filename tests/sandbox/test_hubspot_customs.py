"""Custom object types: made by a schema, then used like any other type."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, VERSIONS, Api, serving

SCHEMAS = "/crm-object-schemas/V/schemas"
WANTED: dict[str, Any] = {
    "name": "erp_invoice",
    "labels": {"singular": "ERP invoice", "plural": "ERP invoices"},
    "primaryDisplayProperty": "number",
    "requiredProperties": ["number"],
    "searchableProperties": ["number"],
    "secondaryDisplayProperties": ["balance"],
    "associatedObjects": ["COMPANY", "0-1"],
    "properties": [
        {"name": "number", "label": "Number", "type": "string", "fieldType": "text"},
        {"name": "balance", "label": "Balance", "type": "number", "fieldType": "number"},
        {
            "name": KEY,
            "label": "Key",
            "type": "string",
            "fieldType": "text",
            "hasUniqueValue": True,
        },
    ],
}


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def test_a_type_is_made_and_written_by_its_key(api: Api) -> None:
    """A schema makes a type; its records are upserted by their unique key under any spelling."""
    made = await api.call("POST", SCHEMAS, WANTED)
    type_id, full = made.body["objectTypeId"], made.body["fullyQualifiedName"]
    first = await api.upsert({"I1": {"number": "1", "balance": "7"}}, kind=type_id)
    second = await api.upsert({"I1": {"balance": "8"}}, kind=full)
    lacking = await api.upsert({"I2": {"balance": "8"}}, kind="erp_invoice")

    assert (made.status, full) == (201, f"p{api.portal.options.portal_id}_erp_invoice")
    assert (first.results[0]["new"], second.results[0]["new"]) == (True, False)
    assert api.portal.one("erp_invoice", KEY, "I1")["balance"] == "8"
    assert lacking.errors[0]["context"]["properties"] == ["number"]


async def test_a_custom_type_is_associated_by_the_portals_own_ids(api: Api) -> None:
    """The schema names the association types; the default one is USER_DEFINED."""
    made = await api.call("POST", SCHEMAS, WANTED)
    ids = {one["name"]: int(one["id"]) for one in made.body["associations"]}
    await api.upsert({"I1": {"number": "1"}}, kind="erp_invoice")
    invoice = api.portal.one("erp_invoice", KEY, "I1")["hs_object_id"]
    company = api.portal.add("companies", {"name": "A"})

    answer = await api.call(
        "POST",
        f"/crm/associations/V/{made.body['objectTypeId']}/companies/batch/associate/default",
        {"inputs": [{"from": {"id": invoice}, "to": {"id": company}}]},
    )

    specs = [one["associationSpec"] for one in answer.results]
    assert {one["associationCategory"] for one in specs} == {"USER_DEFINED"}
    assert [one["associationTypeId"] for one in specs] == [
        ids["erp_invoice_to_company"],
        ids["company_to_erp_invoice"],
    ]
    assert api.portal.associations("companies", "erp_invoice") == {(company, invoice)}


async def test_schemas_are_listed_read_and_deleted(api: Api) -> None:
    """A type can be deleted once it has no records; then its paths mean nothing."""
    await api.call("POST", SCHEMAS, WANTED)
    await api.upsert({"I1": {"number": "1"}}, kind="erp_invoice")
    listed = await api.call("GET", SCHEMAS)
    one = await api.call("GET", f"{SCHEMAS}/erp_invoice")
    native = await api.call("GET", f"{SCHEMAS}/companies")
    full = await api.call("DELETE", f"{SCHEMAS}/erp_invoice")
    api.portal.archive("erp_invoice", api.portal.one("erp_invoice", KEY, "I1")["hs_object_id"])
    gone = await api.call("DELETE", f"{SCHEMAS}/erp_invoice")
    after = await api.call("GET", "/crm/objects/V/erp_invoice")

    assert [found["name"] for found in listed.results] == ["erp_invoice"]
    assert {found["name"] for found in one.body["properties"]} >= {"number", "hs_object_id"}
    assert (native.status, full.status, gone.status, after.status) == (404, 400, 204, 400)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "Cars"}, 400),
        ({"name": "companies"}, 409),
        ({"requiredProperties": []}, 400),
        ({"requiredProperties": ["nosuch"]}, 400),
        ({"associatedObjects": ["butterflies"]}, 400),
        ({"properties": [WANTED["properties"][0] | {"type": "nosuch"}]}, 400),
    ],
)
async def test_a_schema_must_make_sense(api: Api, change: dict[str, Any], status: int) -> None:
    """Names, required properties, types and associated objects are checked first."""
    answer = await api.call("POST", SCHEMAS, WANTED | change)

    assert answer.status == status
    assert (await api.call("GET", SCHEMAS)).results == []


async def test_ten_types_are_the_limit(api: Api) -> None:
    """The eleventh definition is refused."""
    codes = [
        (await api.call("POST", SCHEMAS, WANTED | {"name": f"type_{number}"})).status
        for number in range(11)
    ]

    assert codes == [201] * 10 + [400]


async def test_an_account_may_be_without_custom_objects() -> None:
    """Below Enterprise, and without the scope, a schema is a 403."""
    async with serving(options=HubSpotOptions(limits=None, custom_objects=False)) as api:
        account = await api.call("POST", SCHEMAS, WANTED)
    scopes = ("crm.schemas.custom.read",)
    async with serving(options=HubSpotOptions(limits=None, scopes=scopes)) as api:
        scope = await api.call("POST", SCHEMAS, WANTED)
        listed = await api.call("GET", SCHEMAS)

    assert (account.status, scope.status, listed.status) == (403, 403, 200)
    assert scope.body["errors"][0]["context"]["requiredGranularScopes"] == [
        "crm.schemas.custom.write"
    ]
