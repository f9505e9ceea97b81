"""Older, newer and messy Sage 100s: HubSpot is right all the same, record by record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector import reports
from connector.sandbox.agent import AgentOptions
from tests.e2e import holding
from tests.e2e.site import open_site


@pytest.mark.parametrize("profile", ["old", "new", "messy"])
async def test_each_kind_of_sage_100_arrives(tmp_path: Path, profile: Any) -> None:
    """Missing and extra columns, long numbers, garbage dates, odd text, unknown codes, no stamps:
    every record is in HubSpot once with the values that its raw row gives, and a second run and a
    sweep find nothing to do.
    """
    options = AgentOptions(seed=91, customers=120, invoices=600, vendors=12, profile=profile)
    async with open_site(tmp_path, options) as site, site.app() as app:
        report = await app.run_once()
        assert report.complete, report
        assert holding.differences(site.portal, site.expectation()) == []
        written = site.portal.calls.writes
        assert (await app.run_once(sweep=True)).complete
        assert site.portal.calls.writes == written
        assert (await reports.status(app.store))["books_close"]
