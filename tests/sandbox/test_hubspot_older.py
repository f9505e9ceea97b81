"""The paths before date versions: v3 for objects and definitions, v4 for associations."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, Api, serving


async def made(api: Api) -> tuple[str, str]:
    """A contact and a company, made through v3."""
    ids = []
    for kind, properties in (
        ("contacts", {"email": "a@x.test", KEY: "C1"}),
        ("companies", {"name": "A", KEY: "K1"}),
    ):
        one = {"id": properties[KEY], "idProperty": KEY, "properties": properties}
        answer = await api.call("POST", f"/crm/v3/objects/{kind}/batch/upsert", {"inputs": [one]})
        assert answer.status == 200, answer.text
        ids.append(answer.results[0]["id"])
    return ids[0], ids[1]


async def test_objects_answer_under_v3() -> None:
    """Upsert, read, search, update and delete work as under a date version of before 2026-09."""
    async with serving() as api:
        _, company = await made(api)
        path = f"/crm/v3/objects/companies/{company}"
        search = {"filterGroups": [], "limit": 1}
        codes = [
            (await api.call("GET", path)).status,
            (await api.call("POST", "/crm/v3/objects/companies/search", search)).status,
            (await api.call("PATCH", path, {"properties": {"city": "Rome"}})).status,
            (await api.call("GET", "/crm/v3/properties/companies")).status,
            (await api.call("GET", "/crm/v3/pipelines/deals")).status,
            (await api.call("GET", "/crm/v3/schemas")).status,
            (await api.call("GET", "/account-info/v3/details")).status,
            (await api.call("DELETE", path)).status,
        ]
        versions = {call.version for call in api.portal.calls}

    assert codes == [200] * 7 + [204]
    assert versions == {"v3"}


async def test_associations_answer_under_v4_with_their_own_codes() -> None:
    """batch/create is 201, archiving is a 204 without a body, ids of ends are numbers."""
    async with serving() as api:
        contact, company = await made(api)
        base = "/crm/v4/associations/contacts/companies/batch"
        pair: dict[str, Any] = {"from": {"id": contact}, "to": {"id": company}}
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
        default = await api.call("POST", f"{base}/associate/default", {"inputs": [pair]})
        typed = await api.call("POST", f"{base}/create", {"inputs": [pair | {"types": types}]})
        read = await api.call("POST", f"{base}/read", {"inputs": [{"id": contact}]})
        one = await api.call("GET", f"/crm/v4/objects/contacts/{contact}/associations/companies")
        gone = await api.call(
            "POST", f"{base}/archive", {"inputs": [pair | {"to": [{"id": company}]}]}
        )

    assert [x.status for x in (default, typed, read, one, gone)] == [200, 201, 200, 200, 204]
    assert read.results[0]["to"][0]["toObjectId"] == int(company)
    assert (one.results[0]["toObjectId"], gone.text) == (int(company), "")
    assert api.portal.associations("contacts", "companies") == set()


@pytest.mark.parametrize("path", ["/crm/v3/objects/companies", "/crm/v3/properties/companies"])
async def test_older_versions_can_be_switched_off(path: str) -> None:
    """Where they are no longer there, their paths are a 404."""
    async with serving(options=HubSpotOptions(limits=None, versions=("2026-09",))) as api:
        assert (await api.call("GET", path)).status == 404


async def test_a_v4_path_is_not_a_v3_path() -> None:
    """Objects are not under v4, nor associations under v3 in v4's form."""
    async with serving() as api:
        codes = [
            (await api.call("GET", "/crm/v4/objects/companies")).status,
            (await api.call("POST", "/crm/v3/associations/a/b/batch/read", {})).status,
        ]

    assert codes == [404, 404]
