"""Two who set the same portal up at once, and a definition that HubSpot will not have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.hubspot.schema import is_ensured, setup
from connector.sandbox.hubspot import Hold
from projections.mapping.rules import Definition, Rule
from tests.e2e.waiting import until

from .rig import MAPPING, a_client, a_portal, a_store
from .test_schema import SOURCE, no_wait, with_rule

CREATE = "properties.batch.create"
TERMS = "sage100_terms"


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
async def test_a_property_that_somebody_made_meanwhile_is_no_trouble(
    tmp_path: Path, version: str
) -> None:
    """The 207 has an error for that one and creates the others: ours is what we made."""
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal, api_version=version) as hubspot,
    ):
        held = portal.inject(Hold(), route=CREATE, object="companies")
        work = asyncio.create_task(setup(store, hubspot, SOURCE, MAPPING.digest, sleep=no_wait))
        await until(held.reached.is_set, "the properties are about to be made")
        body = {"name": TERMS, "label": "Terms", "type": "string", "fieldType": "text"}
        async with a_client(portal, api_version=version) as rival:
            made = await rival.create_properties("companies", [body | {"groupName": "sage100"}])
            assert made.ok
        held.release()
        report = await work
        assert 207 in [call.status for call in portal.calls if call.route == CREATE]
        assert report.ready, report.problems
        assert f"companies.{TERMS}" not in report.created
        assert "companies.sage100_customer_key" in report.created
        assert await is_ensured(store, MAPPING.digest)


async def test_one_definition_that_is_refused_hides_no_other(tmp_path: Path) -> None:
    """HubSpot's words for it are told, all others are made, and the portal is not called ready."""
    odd = Rule(
        property="Sage 100 odd",
        source="CustomerName",
        define=Definition(label="Odd", type="string"),
    )
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        report = await setup(store, hubspot, with_rule(odd), "digest", sleep=no_wait)
        assert 207 in [call.status for call in portal.calls if call.route == CREATE]
        assert {one.subject for one in report.problems} >= {"companies.Sage 100 odd"}
        assert any("HubSpot did not create it: " in one.detail for one in report.problems)
        assert all(
            one.subject in {"companies", "companies.Sage 100 odd"} for one in report.problems
        )
        assert f"companies.{TERMS}" in report.created
        assert TERMS in portal.properties("companies")
        assert not report.ready
        assert not await is_ensured(store, "digest")
