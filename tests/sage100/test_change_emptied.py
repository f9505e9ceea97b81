"""An entity that shows nothing any more: a person looks, at however small a site."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from connector import breaker
from connector.rebuild import rebuild
from connector.sage100.contract import ENTITIES
from projections import events as e
from tests.sage100.desk import Desk, open_desk

Rows = Sequence[dict[str, str]]


@asynccontextmanager
async def small_office(folder: Path, entity: str, count: int) -> AsyncIterator[Desk]:
    """A company that has so few records of this entity, all of them read."""
    async with open_desk(folder, customers=4, invoices=12) as desk:
        rows = list(desk.company.rows(entity))
        assert len(rows) >= count
        refill(desk, entity, rows[:count])
        await desk.round()
        desk.pass_time(days=1)
        await desk.round(sweep=True)
        yield desk


def refill(desk: Desk, entity: str, rows: Rows) -> None:
    """The files hold these rows."""
    desk.company.table(entity).load([])
    for row in rows:
        desk.company.put(entity, row)


async def holds(desk: Desk) -> list[e.MassChangeHeld]:
    """Every MassChangeHeld."""
    return [one for one in await desk.events(e.MassChangeHeld) if isinstance(one, e.MassChangeHeld)]


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("sweeps", [1, 2])
async def test_what_becomes_empty_is_held_and_heals(
    tmp_path: Path, entity: str, sweeps: int
) -> None:
    """Two records are enough. Not one command comes of it, also once the files are there again."""
    async with small_office(tmp_path, entity, 2) as desk:
        before, rows = await desk.commands(), list(desk.company.rows(entity))
        refill(desk, entity, [])
        for _ in range(sweeps):
            outcomes = await desk.round(sweep=True)
            assert all(one.completed for one in outcomes.values())
        [held] = await holds(desk)
        assert (held.entity, held.known, held.absent, held.share) == (entity, 2, 2, 100)
        assert "none of them any more" in held.suspicion
        assert await desk.commands() == before
        refill(desk, entity, rows)
        await desk.round(sweep=True)
        found = await breaker.find(desk.store, "ABC")
        assert found is not None
        released = e.MassChangeReleased("ABC", found.position, "eve")
        assert await breaker.release(desk.store, released)
        await desk.projector.run_until_idle()
        assert await desk.commands() == before
        assert len(await holds(desk)) == 1
        assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


@pytest.mark.parametrize("entity", ["AR_Invoice", "AP_Vendor", "AR_CustomerSalesHistory"])
async def test_after_a_release_it_is_believed(tmp_path: Path, entity: str) -> None:
    """A person has said that it is so: the records vanish, and nothing is held again."""
    async with small_office(tmp_path, entity, 2) as desk:
        refill(desk, entity, [])
        await desk.round(sweep=True)
        found = await breaker.find(desk.store, "ABC")
        assert found is not None
        released = e.MassChangeReleased("ABC", found.position, "eve")
        assert await breaker.release(desk.store, released)
        for vanished in (2, 0, 0):
            assert (await desk.round(sweep=True))[entity].vanished == vanished
        assert len(await holds(desk)) == 1


async def test_a_single_record_may_go(tmp_path: Path) -> None:
    """One vendor, and none any more: no mistake that can be told from the truth."""
    async with small_office(tmp_path, "AP_Vendor", 1) as desk:
        refill(desk, "AP_Vendor", [])
        for vanished in (0, 1):
            assert (await desk.round(sweep=True))["AP_Vendor"].vanished == vanished
        assert await holds(desk) == []


async def test_what_is_left_of_few_records_is_believed(tmp_path: Path) -> None:
    """As long as one is shown, a small entity may lose the others."""
    async with small_office(tmp_path, "AP_Vendor", 3) as desk:
        refill(desk, "AP_Vendor", list(desk.company.rows("AP_Vendor"))[:1])
        await desk.round(sweep=True)
        await desk.round(sweep=True)
        assert await holds(desk) == []


async def test_one_that_had_begun_to_go_does_not_hide_it(tmp_path: Path) -> None:
    """Absent once already, the one vanishes; that the other is gone too is still held."""
    async with small_office(tmp_path, "AP_Vendor", 2) as desk:
        refill(desk, "AP_Vendor", list(desk.company.rows("AP_Vendor"))[:1])
        await desk.round(sweep=True)
        assert await holds(desk) == []
        refill(desk, "AP_Vendor", [])
        await desk.round(sweep=True)
        [held] = await holds(desk)
        assert (held.known, held.absent) == (2, 1)


async def test_an_end_that_was_not_reached_empties_nothing(tmp_path: Path) -> None:
    """No rows and not complete is a failed pass, and says nothing of any record."""
    async with small_office(tmp_path, "AP_Vendor", 2) as desk:
        refill(desk, "AP_Vendor", [])
        desk.agent.script = lambda entity, page: (
            page if entity != "AP_Vendor" else msgspec.structs.replace(page, complete=False)
        )
        outcomes = await desk.round(sweep=True)
        assert outcomes["AP_Vendor"].error is not None
        assert await holds(desk) == []
