"""Nobody touches a record, and yet it must look different: days pass, settings change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from connector.app import App
from connector.sandbox.agent import AgentOptions, posting
from tests.e2e import holding
from tests.e2e.site import Site, open_site

OPTIONS = AgentOptions(seed=81, customers=60, invoices=300, vendors=4)


def days_pass(app: App, days: int) -> None:
    """Let the connector's clock be so many days ahead."""
    [rounds] = app._rounds.values()
    rounds._now = lambda: datetime.now(UTC) + timedelta(days=days)


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
        days_pass(app, days)
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
