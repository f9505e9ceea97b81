"""Nobody touches a record, and yet it must look different: days pass, settings change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from connector.app import App
from connector.sage100.retry import ONCE
from connector.sandbox.agent import AgentOptions, SoapFault, posting
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import LIMIT_S, until

OPTIONS = AgentOptions(seed=81, customers=60, invoices=300, vendors=4)


def clock_says(app: App, days: int) -> None:
    """The connector's clock is so many days ahead."""
    [rounds] = app._rounds.values()
    rounds._now = rounds._day._now = lambda: datetime.now(UTC) + timedelta(days=days)


def days_pass(site: Site, app: App, days: int) -> None:
    """So many days have passed, by all clocks."""
    clock_says(app, days)
    site.sage100.conduct.server_skew_s = days * 86_400


def owing(site: Site) -> set[str]:
    """The keys of open invoices that are owed."""
    shown = holding.held(site.portal)["invoices"]
    return {key for key, one in shown.items() if float(one["sage100_balance"]) > 0}


@pytest.mark.parametrize("days", [1, 45])
async def test_a_new_day_ages_what_is_open_and_nothing_else(tmp_path: Path, days: int) -> None:
    """Overdue days, buckets and as-of dates follow the calendar; what is paid is not touched."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        assert (await app.run_once()).complete
        before, later = holding.held(site.portal), site.today() + timedelta(days=days)
        days_pass(site, app, days)
        report = await app.run_once()
        assert report.complete
        assert sum(one.observed for one in report.passes) == 0
        expected = site.expectation(as_of=later)
        assert holding.differences(site.portal, expected, before=before) == []
        after = holding.held(site.portal)
        changed = {key for key, one in after["invoices"].items() if one != before["invoices"][key]}
        assert changed
        assert changed <= owing(site)
        assert after["contacts"] == before["contacts"]
        assert after["vendors"] == before["vendors"]


async def test_a_day_told_by_a_wrong_clock_is_taken_back(tmp_path: Path) -> None:
    """Everything looks long overdue; the first run with right clocks puts all of it right."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
        right = holding.lasting(site.portal)
        await site.sage100.go_down()
        async with site.app() as app:
            clock_says(app, 13_000)
            app.agents["acme"]._retry = ONCE
            report = await app.run_once()
            assert report.written["companies"] > 0
            before = holding.held(site.portal)
        await site.sage100.come_back()
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert holding.lasting(site.portal) == right
            assert holding.differences(site.portal, site.expectation(), before=before) == []
            assert (await app.rebuild(verify=True)).mismatch is None


async def test_a_day_begins_while_nothing_may_be_read(tmp_path: Path) -> None:
    """The agent refuses our log-on, and what is open ages on in HubSpot, while the service runs."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        assert (await app.run_once()).complete
        before, later = holding.held(site.portal), site.today() + timedelta(days=1)
        site.sage100.inject(SoapFault(code="LogonFailed", times=999))
        [rounds] = app._rounds.values()
        idle = rounds._idle
        rounds._idle = lambda stop, seconds: idle(stop, min(seconds, 0.05))
        assert not (await app.run_once()).complete
        asked = site.sage100.calls.requests
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))
        clock_says(app, 1)

        def aged() -> bool:
            assert not service.done()
            expected = site.expectation(as_of=later)
            return holding.differences(site.portal, expected, before=before) == []

        await until(aged, "a day more overdue")
        assert site.sage100.calls.requests == asked
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


async def test_other_aging_options_age_everything_anew(tmp_path: Path) -> None:
    """Basis and limits changed in A/R Options move the buckets of every customer."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        assert (await app.run_once()).complete
        before, company = holding.held(site.portal), site.company
        company.options = msgspec.structs.replace(
            company.options, aging_basis="InvoiceDate", aging_limits=(10, 20, 50, 70)
        )
        report = await app.run_once()
        assert report.complete
        assert report.written["companies"] > 0
        assert report.written["invoices"] == 0
        assert holding.differences(site.portal, site.expectation(), before=before) == []


async def test_three_limits_are_enough_by_due_date(tmp_path: Path) -> None:
    """What is not due yet is a bucket of its own: three limits end the next three."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        company = site.company
        company.options = msgspec.structs.replace(company.options, aging_limits=(10, 20, 50, 70))
        site.sage100.conduct.aging_limits = "10 20 50"
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_a_new_fiscal_period_moves_everybodys_revenue(tmp_path: Path) -> None:
    """The first sale of a period moves the window of the last twelve for all customers."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        assert (await app.run_once()).complete
        before = holding.held(site.portal)
        ahead = site.today() + timedelta(days=150)
        posting.post_invoice(site.company, ("01", "ABF"), "10.00", invoice_date=ahead)
        report = await app.run_once()
        assert report.complete
        assert report.written["companies"] > 1
        assert holding.differences(site.portal, site.expectation(), before=before) == []
