"""Others have Sage 100 for themselves: the passes wait, and only after hours is that an alarm."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from connector import reports
from connector.cli import status as status_command
from connector.projector import Projector
from connector.sage100.agent import Agent
from connector.sage100.contract import ENTITIES
from connector.sage100.errors import AgentBusy, AgentUnreachable
from connector.sage100.failure import ALARM_AFTER, ended
from connector.sage100.place import Place, place_of
from connector.sandbox.agent import (
    AgentOptions,
    Capacity,
    Exclusive,
    ManualClock,
    SimulatedAgent,
    SoapFault,
)
from eventstore import EventStore
from projections import events as e
from tests.sage100.conftest import connect
from tests.sage100.shelf import CALL, logged
from tests.sage100.wire import NOW, Waits
from tests.sage100.world import World, failures, rounds

IN_USE = ("ExclusiveUse", "SessionBusy", "LicenseExhausted")
WORK_S = 7.0
DAILY = {"customers": "1d", "invoices": "1d", "vendors": "1d", "sweep": "0 2 * * *"}


async def status_of(store: EventStore) -> dict[str, Any]:
    """What `status` says of this log."""
    projector = Projector(store)
    while await projector.step():
        pass
    report = await reports.status(store)
    return {**report, "mapping": {"in_force": "", "proposed": ""}}


async def serve_for(running: Any, world: World, span: timedelta) -> None:
    """Run the service for so long of the test's own time."""
    world.until = world.now + span
    await running.run(asyncio.Event())


def hold(sim: SimulatedAgent, code: str) -> None:
    """Make every page and row end so until `clear`."""
    for operation in ("ReadPage", "ReadRow"):
        sim.inject(SoapFault(code=code, operation=operation, times=9_999))


@pytest.mark.parametrize("code", IN_USE)
async def test_a_maintenance_window_is_no_alarm(
    sim: SimulatedAgent, store: EventStore, world: World, code: str
) -> None:
    """No failed pass, `status` ends with 0 and says since when; the next pass heals all."""
    async with connect(sim) as agent:
        hold(sim, code)
        its = rounds(agent, store, world)
        outcomes = await its.run_once()
        assert all(one.waiting is not None and not one.completed for one in outcomes)
        assert not await failures(store)
        deferred = await logged(store, e.PollDeferred)
        assert len(deferred) == len(ENTITIES)
        status = await status_of(store)
        assert not status_command.needs_person(status)
        for row in status["sage100"]:
            assert row["error"] is None
            line = status_command.waiting_line(row["waiting"])
            assert "waiting since 2026-11-22T15:15:02Z" in line
            assert f"The agent reports {code}" in line
            assert "an error from 2026-11-22T19:15:02Z on" in line
        sim.faults.clear()
        world.now += timedelta(minutes=5)
        assert all(one.completed for one in await its.run_once())
        status = await status_of(store)
        assert status["books_close"]
        assert [row["waiting"] for row in status["sage100"]] == [None] * len(ENTITIES)
        place = await place_of(store, "acme", "ABC", "AR_Customer")
        assert place.waiting_since_s == 0


async def test_a_window_that_never_ends_becomes_an_alarm(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """After the set time it is a failure with its remedy, counted from the first refusal on."""
    sim.conduct.exclusive = Exclusive(message="Period end is running in A/R")
    its = rounds(agent, store, world, alarm_after=timedelta(hours=4))
    await its.run_once()
    world.now += timedelta(hours=3, minutes=59)
    await its.run_once()
    assert not await failures(store)
    world.now += timedelta(minutes=1)
    await its.run_once()
    failed = await failures(store)
    assert len(failed) == len(ENTITIES)
    assert {one.code for one in failed} == {"ExclusiveUse"}
    assert all("Period end is running in A/R" in one.message for one in failed)
    assert all("since 2026-11-22T15:15:02Z" in one.message for one in failed)
    assert all("holds its seats" in one.remedy for one in failed)
    status = await status_of(store)
    assert status_command.needs_person(status)
    sim.conduct.exclusive = None
    assert all(one.completed for one in await its.run_once())
    assert not status_command.needs_person(await status_of(store))


async def test_the_service_comes_back_with_patience_and_not_in_step(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Never sooner than told, twice as long each time up to half an hour, spread by chance."""
    sim.conduct.exclusive = Exclusive(retry_after_s=400)
    world.chance = 0.8
    await serve_for(rounds(agent, store, world, **DAILY), world, timedelta(hours=2))
    starts = [at for what, at in world.rounds if what == "started"]
    waits = [(b - a).total_seconds() for a, b in pairwise(starts)]
    assert waits[:4] == [480.0, 720.0, 1440.0, 2160.0]
    assert set(waits[3:]) == {2160.0}
    assert not await failures(store)


async def test_a_long_wait_does_not_keep_the_service_from_ending(
    sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Told to wait five minutes, a pass gives way at once: the next round comes back instead."""
    waits = Waits()
    async with connect(sim, waits=waits) as agent:
        sim.conduct.exclusive = Exclusive(retry_after_s=300)
        await rounds(agent, store, world).run_once()
    assert waits.slept == []
    assert sim.calls.operations["ReadPage"] == len(ENTITIES)


async def test_a_pass_that_was_under_way_goes_on_behind_its_last_page(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """A backup that begins in the middle of a pass costs nothing that was read."""
    sim.inject(SoapFault(code="ExclusiveUse", entity="AR_Customer", after=2, times=3))
    its = rounds(agent, store, world, page_limit=5)
    first = {one.entity: one for one in await its.run_once()}
    assert first["AR_Customer"].waiting is not None
    assert first["AR_Customer"].read == 10
    assert first["AR_Invoice"].completed
    sim.faults.clear()
    second = {one.entity: one for one in await its.run_once()}
    assert second["AR_Customer"].completed
    assert second["AR_Customer"].read == sim.model.count("AR_Customer")
    assert (await status_of(store))["books_close"]


async def test_waiting_is_told_in_the_log_as_no_warning(
    agent: Agent,
    sim: SimulatedAgent,
    store: EventStore,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What wakes nobody is said at INFO, with since when."""
    caplog.set_level(logging.INFO)
    sim.conduct.exclusive = Exclusive()
    await rounds(agent, store, world).run_once()
    said = [one for one in caplog.records if "waiting since" in one.getMessage()]
    assert len(said) == len(ENTITIES)
    assert {one.levelno for one in said} == {logging.INFO}


async def test_the_time_is_counted_across_restarts(
    sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """A service that is restarted meanwhile does not begin to wait anew."""
    sim.conduct.exclusive = Exclusive()
    async with connect(sim) as agent:
        await rounds(agent, store, world).run_once()
    world.now += timedelta(hours=5)
    async with connect(sim) as again:
        await rounds(again, store, world).run_once()
    assert len(await failures(store)) == len(ENTITIES)


class Taken:
    """A pace by which a request that has the session keeps it, and others wait in no time."""

    def __init__(self) -> None:
        self.busy = asyncio.Event()
        self.free = asyncio.Event()

    def now(self) -> float:
        """No time passes."""
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        """What a request takes lasts until it is set free."""
        if delay_s == WORK_S:
            self.busy.set()
            await self.free.wait()


async def test_one_session_that_is_taken_is_a_wait_too(store: EventStore, world: World) -> None:
    """While another program keeps the agent's one session, ours is put off, and then heals."""
    pace = Taken()
    options = AgentOptions(
        customers=5,
        invoices=5,
        vendors=1,
        details=False,
        today=NOW.date(),
        capacity=Capacity(sessions=1, request_delay_s=WORK_S),
    )
    async with (
        SimulatedAgent(options, clock=ManualClock(NOW), pace=pace) as sim,
        connect(sim) as other,
        connect(sim) as agent,
    ):
        working = asyncio.create_task(other.read_page("ABC", "AR_TermsCode"))
        await pace.busy.wait()
        its = rounds(agent, store, world)
        outcomes = await its.run_once()
        assert {one.waiting.code for one in outcomes if one.waiting} == {"SessionBusy"}
        assert not await failures(store)
        pace.free.set()
        assert (await working).complete
        assert all(one.completed for one in await its.run_once())
        assert (await status_of(store))["books_close"]


def test_other_failures_are_alarms_at_once() -> None:
    """Only use by others may wait: not what cannot be reached, nor a record that is locked."""
    now = datetime(2026, 11, 22, 15, tzinfo=UTC)
    for error in (
        AgentUnreachable("gone", CALL),
        AgentBusy("locked", CALL, code="RecordLocked"),
        AgentBusy("stumbled", CALL, code="Internal"),
    ):
        place, event = ended(Place(), "cursor", error, now, ALARM_AFTER)
        assert isinstance(event, e.PollFailed)
        assert place.waiting_since_s == 0
