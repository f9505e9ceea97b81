"""The command that starts a portal alone passes its options on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

SOON_S = 30.0


@asynccontextmanager
async def started(folder: Path, *options: str) -> AsyncIterator[dict[str, Any]]:
    """The command at work, and what it announces."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "connector", "sandbox", "hubspot", "--json", *options),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        text = b""
        async with asyncio.timeout(SOON_S):
            while b"}" not in text:
                line = await process.stdout.readline()
                assert line, text
                text += line
        yield msgspec.json.decode(text)
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SOON_S):
            await process.communicate()


async def test_options_of_the_command_reach_the_portal(tmp_path: Path) -> None:
    """Scopes, zone, currency, limits and the lag of Search are those of the command line."""
    options = "--no-limits --scope crm.objects.companies.write --scope crm.objects.companies.read"
    account = "--timezone Europe/Rome --currency EUR"
    async with (
        started(tmp_path, *options.split(), *account.split()) as told,
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
    assert (limited, contacts, made, found["total"]) == (False, 403, 201, 0)
