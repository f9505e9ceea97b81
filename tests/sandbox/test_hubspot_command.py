"""The command that starts a portal alone passes its options on."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.cli.command import inside
from tests.sandbox.command import started


async def test_options_of_the_command_reach_the_portal(tmp_path: Path) -> None:
    """Scopes, zone, currency, limits and the lag of Search are those of the command line."""
    options = "--no-limits --scope crm.objects.companies.write --scope crm.objects.companies.read"
    account = "--timezone Europe/Rome --currency EUR --additional-currency USD"
    async with (
        started(tmp_path, "hubspot", *options.split(), *account.split()) as told,
        aiohttp.ClientSession(
            told["base_url"], headers={"Authorization": f"Bearer {told['token']}"}
        ) as session,
    ):
        async with session.get("/account-info/2026-09/details") as response:
            details = await response.json()
            limited = "X-HubSpot-RateLimit-Max" in response.headers
        async with session.get("/crm/objects/2026-09/contacts") as response:
            contacts = response.status
        new = {"properties": {"name": "A"}}
        async with session.post("/crm/objects/2026-09/companies", json=new) as response:
            made = response.status
        async with session.post("/crm/objects/2026-09/companies/search", json={}) as response:
            found = await response.json()

    assert (details["timeZone"], details["companyCurrency"]) == ("Europe/Rome", "EUR")
    assert details["additionalCurrencies"] == ["USD"]
    assert (limited, contacts, made, found["total"]) == (False, 403, 201, 0)


def test_an_unknown_scope_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped scope would grant nothing in silence: the known ones are named instead."""
    ended = inside(capsys, "sandbox", "hubspot", "--scope", "crm.objects.companys.read")
    told = " ".join(ended.err.replace("│", " ").split())
    assert ended.code == 2
    assert "no endpoint asks for crm.objects.companys.read" in told
    for known in ("crm.objects.companies.read", "e-commerce", "crm.schemas.custom.write"):
        assert known in told
