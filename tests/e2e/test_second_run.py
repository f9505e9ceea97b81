"""What has not changed costs nothing: no write, no event, not even a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import reports
from connector.sandbox.agent import AgentOptions
from eventstore import EventStore
from tests.e2e import holding
from tests.e2e.site import Site, open_site

OPTIONS = AgentOptions(seed=11, customers=150, invoices=700, vendors=10)


async def observed(store: EventStore) -> int:
    """How many times the log says that Sage 100 showed something new."""
    count = position = 0
    while page := await store.read(position, types=["RecordObserved"], limit=2_000):
        count += len(page)
        position = page[-1].position
    return count


async def run_unchanged(site: Site, *, sweep: bool) -> None:
    """Open the connector on what is there, run once, and see that nothing came of it."""
    calls = len(site.portal.calls)
    async with site.app() as app:
        before = await observed(app.store)
        report = await app.run_once(sweep=sweep)
        status = await reports.status(app.store)
        assert [one.error for one in report.passes if not one.completed] == []
        assert sum(one.read for one in report.passes) > 0
        assert sum(one.observed for one in report.passes) == 0
        assert await observed(app.store) == before > 0
        assert report.pending == 0
        assert status["books_close"]
        assert [row["pending"] + row["held"] + row["parked"] for row in status["hubspot"]] == [
            0
        ] * 5
        assert await app.store.verify() == status["log"]["head"]
    assert site.portal.calls.writes > 0
    assert len(site.portal.calls) == calls


@pytest.mark.parametrize("sweep", [False, True], ids=["cursor", "sweep"])
async def test_an_unchanged_pass_does_nothing(tmp_path: Path, *, sweep: bool) -> None:
    """After a first sync a further pass reads, observes nothing, and makes no HubSpot call."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            first = await app.run_once()
            assert first.complete
            assert await observed(app.store) == sum(one.read for one in first.passes)
        await run_unchanged(site, sweep=sweep)
        await run_unchanged(site, sweep=not sweep)


async def test_a_lost_log_makes_no_twins(tmp_path: Path) -> None:
    """Without its log the connector finds its records by their keys, and rewrites none of them."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
        lose_log(tmp_path)
        before, upserts = holding.lasting(site.portal), count_upserts(site)
        async with site.app() as app:
            assert (await app.run_once()).complete
            status = await reports.status(app.store)
            assert status["books_close"]
            assert sum(row["adopted"] for row in status["hubspot"]) == sum(
                map(len, before[0].values())
            )
        assert holding.differences(site.portal, site.expectation()) == []
        assert holding.lasting(site.portal) == before
        assert count_upserts(site) == upserts


def lose_log(folder: Path) -> None:
    """Remove the store and its side files."""
    for file in folder.glob("events.db*"):
        file.unlink()


def count_upserts(site: Site) -> int:
    """How many batches of records were written."""
    return site.portal.calls.count(route="objects.batch.upsert")
