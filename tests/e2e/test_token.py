"""A token that HubSpot refuses, or that may not do everything: what stops, and what goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from connector import reports
from connector.app import App
from connector.sandbox.agent import maintenance
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import LIMIT_S, until

EVERY_SECOND = {"customers": "1s", "invoices": "1s", "vendors": "1s", "sweep": "1d"}
BUYER = ("01", "ABF")


def accept(site: Site, token: str) -> None:
    """HubSpot accepts this token from now on."""
    site.portal.options = msgspec.structs.replace(site.portal.options, token=token)


def grant(site: Site, *objects: str) -> None:
    """The token may read and write these objects and no others."""
    scopes = [f"crm.objects.{name}.{what}" for name in objects for what in ("read", "write")]
    schemas = [f"crm.schemas.{name}.{what}" for name in objects for what in ("read", "write")]
    options = msgspec.structs.replace(site.portal.options, scopes=(*scopes, *schemas))
    site.portal.options = options


async def pending(app: App, name: str) -> int:
    """Commands of one object that are not sent yet."""
    status = await reports.status(app.store)
    return sum(int(row["pending"]) for row in status["hubspot"] if row["object"] == name)


async def test_a_refused_token_stops_writing_and_nothing_else(tmp_path: Path) -> None:
    """401: HubSpot is left alone, Sage 100 is read on, and what it says waits in the log."""
    async with open_site(tmp_path, schedule=EVERY_SECOND) as site:
        good = site.portal.options.token
        async with site.app() as app:
            assert (await app.run_once()).complete
            accept(site, "pat-na1-another")
            stop = asyncio.Event()
            service = asyncio.create_task(app.run(stop))
            maintenance.change_customer(site.company, BUYER, {"City": "Bergen"})
            await until(lambda: app.writer.stopped is not None, "writing has stopped")
            asked = site.portal.calls.count(status=401)
            maintenance.change_customer(site.company, BUYER, {"City": "Oslo"})
            other = ("02", "ABF")
            maintenance.change_customer(site.company, other, {"City": "Narvik"})

            async def seen() -> bool:
                assert not service.done()
                return await pending(app, "companies") == 2

            await until(seen, "both changes are in the log, to be sent")
            assert site.portal.calls.count(status=401) == asked
            stop.set()
            async with asyncio.timeout(LIMIT_S):
                await service
            assert (await reports.status(app.store))["books_close"]
        accept(site, good)
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert holding.differences(site.portal, site.expectation()) == []


async def test_without_a_scope_one_object_waits_until_it_is_granted(tmp_path: Path) -> None:
    """403 on invoices: companies and contacts arrive; granted, the invoices follow, unasked."""
    async with open_site(tmp_path) as site, site.app() as app:
        await app.setup()
        grant(site, "companies", "contacts")
        report = await app.run_once()
        assert list(report.barred) == ["invoices"]
        assert (report.parked, report.complete) == (0, False)
        assert report.pending > 0
        assert report.pending == await pending(app, "invoices")
        shown = holding.held(site.portal)
        expected = site.expectation()
        assert shown["companies"].keys() == expected.companies.keys()
        assert shown["contacts"].keys() == expected.contacts.keys()
        assert shown["invoices"] == {}
        assert site.portal.calls.count(status=403) <= 4  # one for each turn of the run
        grant(site, "companies", "contacts", "invoices")
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, expected) == []
