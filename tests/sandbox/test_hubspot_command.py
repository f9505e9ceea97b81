"""The command that starts a portal alone passes its options on."""

from __future__ import annotations

from pathlib import Path

import aiohttp

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
