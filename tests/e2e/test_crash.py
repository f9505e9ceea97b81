"""Killed at any moment, however often: the next start goes on, and the end is the same.

Both ends live in the test and see every call; the connector is a process that gets a `kill -9` at
random moments of its first sync. Moments are drawn from a seed and chosen by what the ends and the
log show of its progress, so that they fall into setting up, reading, deciding and writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from connector import reports
from connector.opening import open_reader
from connector.sandbox.agent import AgentOptions
from connector.sandbox.agent import Hold as HoldReading
from connector.sandbox.hubspot import Hold
from tests.e2e import holding, office
from tests.e2e.child import Child, started
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import until

# Short pages and many of them: moments to be killed at.
OPTIONS = AgentOptions(customers=200, invoices=800, vendors=12, details=False, scan_limit=60)
Moment = Callable[[Site, Child, Random], Awaitable[None]]


async def while_calling(site: Site, child: Child, chance: Random, most: int) -> None:
    """Kill while one of its next calls is with HubSpot, carried out or not yet."""
    held = site.portal.inject(Hold(applied=chance.random() < 0.5), skip=chance.randrange(most))
    await reached(held.reached, child)
    await child.kill()
    held.cancel()  # what was on its way lands after the caller's death


async def while_setting_up(site: Site, child: Child, chance: Random) -> None:
    """Killed while it creates properties."""
    await while_calling(site, child, chance, 6)


async def while_reading(site: Site, child: Child, chance: Random) -> None:
    """Killed while it waits for one of the next pages of Sage 100."""
    held = site.sage100.inject(HoldReading(operation="ReadPage", after=chance.randrange(8)))
    await reached(held.reached, child)
    await child.kill()
    held.release()


async def while_deciding(site: Site, child: Child, chance: Random) -> None:
    """Killed while everything has been read, and the log grows by commands."""
    vendors = site.sage100.calls.entities["AP_Vendor"]
    held = site.portal.inject(Hold(), times=None)
    await until(
        lambda: not child.running or site.sage100.calls.entities["AP_Vendor"] > vendors,
        "all of Sage 100 was asked for",
    )
    async with open_reader(site.config()) as store:
        target = (await store.head()).last + chance.randrange(1, 1_500)
        looks = iter(range(chance.randrange(1, 40)))

        async def far_enough() -> bool:
            grown = (await store.head()).last >= target
            # It may have come to rest below: then any moment will do.
            return grown or (held.reached.is_set() and next(looks, None) is None)

        await until(far_enough, "the log has grown")
    await child.kill()
    held.cancel()


async def while_writing(site: Site, child: Child, chance: Random) -> None:
    """Killed while it writes records and links."""
    await while_calling(site, child, chance, 4)


async def reached(event: asyncio.Event, child: Child) -> None:
    """Wait for the event, or for the child to end before it."""
    await until(lambda: event.is_set() or not child.running, "the moment has come")


FIRST_SYNC: tuple[Moment, ...] = (
    while_setting_up,
    *[while_reading] * 3,
    *[while_deciding] * 2,
    *[while_writing] * 4,
)


async def killed_and_resumed(folder: Path, seed: int, moments: tuple[Moment, ...]) -> None:
    """Kill a first sync at each of these moments, let the last start finish, check everything."""
    chance = Random(seed)
    async with open_site(folder, OPTIONS) as site:
        for moment in moments:
            async with started(site) as child:
                await moment(site, child, chance)
        async with started(site) as child:
            assert await child.finish() == 0, child.said()
        assert holding.differences(site.portal, site.expectation()) == []
        await assert_sound(site)
        await assert_as_uninterrupted(folder, site)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 205))
async def test_killed_while_changes_are_under_way(tmp_path: Path, seed: int) -> None:
    """Changes that arrive between kills are all in HubSpot in the end, the newest last."""
    chance = Random(seed)
    options = msgspec.structs.replace(OPTIONS, seed=seed, customers=120, invoices=500)
    async with open_site(tmp_path, options) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
        first, before = site.expectation(), holding.held(site.portal)
        office.change_masters(site.company)
        for moment in (while_reading, while_deciding, while_writing):
            async with started(site) as child:
                await moment(site, child, chance)
        office.post(site.company, site.today())
        for moment in (while_reading, while_deciding, while_writing, while_writing):
            async with started(site) as child:
                await moment(site, child, chance)
        async with started(site) as child:
            assert await child.finish() == 0, child.said()
        found = holding.differences(site.portal, site.expectation(), before=before, left=first)
        assert found == []
        await assert_sound(site)


async def assert_sound(site: Site) -> None:
    """The chain holds, the read models are what the log says, the books close, nothing is left."""
    async with site.app() as app:
        assert await app.store.verify() == (await app.store.head()).last
        assert (await app.rebuild(verify=True)).mismatch is None
        status = await reports.status(app.store)
        assert status["books_close"]
        assert [row["pending"] + row["held"] + row["parked"] for row in status["hubspot"]] == [
            0
        ] * 5
        assert await app.store.count("inflight") == 0
        written = site.portal.calls.writes
        assert (await app.run_once()).complete
        assert site.portal.calls.writes == written


async def assert_as_uninterrupted(folder: Path, site: Site) -> None:
    """A sync of the same Sage 100 that nobody interrupts leaves the same in HubSpot."""
    (calm := folder / "calm").mkdir()
    async with open_site(calm, OPTIONS, model=site.sage100.model) as other, other.app() as app:
        assert (await app.run_once()).complete
        assert holding.lasting(other.portal) == holding.lasting(site.portal)


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_ten_times_in_a_first_sync(tmp_path: Path, seed: int) -> None:
    """Ten kills while setting up, reading, deciding and writing leave no trace in HubSpot."""
    await killed_and_resumed(tmp_path, seed, FIRST_SYNC)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
async def test_killed_fifteen_times_in_a_first_sync(tmp_path: Path, seed: int) -> None:
    """More kills, at many more moments."""
    more = (while_setting_up, *FIRST_SYNC, while_reading, while_deciding, while_deciding)
    order = sorted(more, key=lambda moment: FIRST_SYNC.index(moment))
    await killed_and_resumed(tmp_path, seed, tuple(order))
