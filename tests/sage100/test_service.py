"""The rounds as a service: schedules, quiet hours, restarts, failures and the end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import pytest

from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.contract import ENTITIES
from connector.sage100.errors import AgentBusy
from connector.sage100.instance import GROUPS
from connector.sage100.page_size import PageSizes
from connector.sage100.passes import Outcome
from connector.sage100.place import Pass, Place, place_of
from connector.sage100.retry import Waiting
from connector.sage100.rounds import Rounds
from connector.sage100.timetable import Timetable
from connector.sandbox.agent import Hold, HttpAnswer, SimulatedAgent, SoapFault, TruncatedBody
from connector.secret import Secret
from connector.waiting import rest
from eventstore import Checkpoint, EventStore
from projections import events as e
from tests.sage100.shelf import CALL, check_books, logged
from tests.sage100.world import UTC_NOW, World, failures, instance, rounds


async def serve_until(running: Rounds, world: World, span: timedelta) -> None:
    """Run the service for so long of the test's own time."""
    world.until = world.now + span
    async with asyncio.timeout(30):
        await running.run(asyncio.Event())


async def test_the_service_reads_each_group_on_its_schedule(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Everything at once when it never ran, then each group by its own clock."""
    running = rounds(
        agent,
        store,
        world,
        customers="1h",
        invoices="20m",
        vendors="0 12 * * *",
        sweep="0 11 * * *",
    )
    await serve_until(running, world, timedelta(hours=3))
    assert world.starts == [
        *("22 09:15", "22 09:35", "22 09:55", "22 10:15", "22 10:35", "22 10:55", "22 11:00"),
        *("22 11:20", "22 11:40", "22 12:00"),
    ]
    asked = [(call.entity, call.changed_since) for call in sim.calls.log if not call.continued]
    assert asked.count(("AP_Vendor", None)) == 2  # the first pass, and the sweep
    assert asked.count(("AP_Vendor", "20261121")) == 1
    sweeps = await logged(store, e.SweepCompleted)
    assert len(sweeps) == len(ENTITIES)
    await check_books(store)


async def test_a_restart_does_not_read_everything_again(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Schedules go on from the last complete passes, which the log knows."""
    await serve_until(rounds(agent, store, world), world, timedelta(minutes=5))
    calls = sim.calls.requests
    await serve_until(rounds(agent, store, world), world, timedelta(minutes=5))
    assert sim.calls.requests == calls
    await serve_until(rounds(agent, store, world), world, timedelta(minutes=10))
    later = [call.entity for call in list(sim.calls.log)[calls:] if call.entity]
    assert set(later) == {"AR_Invoice", "AR_Payment"}


async def test_nothing_is_asked_in_quiet_hours(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """What comes due in them waits for their end."""
    running = rounds(agent, store, world, quiet=("09:00-10:30",))
    await serve_until(running, world, timedelta(minutes=70))
    assert sim.calls.requests == 0
    await serve_until(running, world, timedelta(minutes=10))
    assert world.starts == ["22 10:30"]


async def test_quiet_hours_pause_a_pass_that_is_under_way(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Behind the page at hand it waits, and afterwards goes on where it was."""
    held = sim.inject(Hold(entity="AR_Invoice"))

    async def night_falls() -> None:
        async with asyncio.timeout(10):
            await held.reached.wait()
        world.now = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 22:00 in Chicago
        held.release()

    world.until = UTC_NOW + timedelta(hours=20)
    running = rounds(agent, store, world, quiet=("21:00-04:00",), page_limit=10)
    async with asyncio.TaskGroup() as group:
        group.create_task(night_falls())
        group.create_task(running.run(asyncio.Event()))
    assert world.starts[:2] == ["22 09:15", "23 04:00"]
    assert len(await logged(store, e.RecordObserved)) == sum(map(sim.model.count, ENTITIES))
    await check_books(store)


async def test_what_failed_is_tried_again_soon_and_then_less_often(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """A failure that may pass does not wait for the schedule, nor does it hammer."""
    sim.inject(HttpAnswer(status=502, times=999))
    running = rounds(agent, store, world, customers="1d", invoices="1d", vendors="1d")
    await serve_until(running, world, timedelta(minutes=80))
    assert world.starts == ["22 09:15", "22 09:20", "22 09:30", "22 09:50", "22 10:30"]


async def test_the_service_stands_still_when_it_is_refused(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """It has asked once, and waits for a person, or for the end."""
    sim.inject(SoapFault(code="LogonFailed", operation="GetInfo", times=99))
    await serve_until(rounds(agent, store, world), world, timedelta(hours=3))
    assert sim.calls.requests == 1
    assert len(world.starts) == 1


@pytest.mark.parametrize("where", [(Timetable, "load"), (PageSizes, "save")])
async def test_the_service_goes_on_after_an_error_of_this_program(
    agent: Agent,
    store: EventStore,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: tuple[type, str],
) -> None:
    """Even beside the passes: the instance waits and tries again; our log has the traceback."""
    right, called = getattr(*where), []

    async def once_wrong(*arguments: Any, **more: Any) -> Any:
        called.append(arguments)
        if len(called) == 1:
            raise ZeroDivisionError
        return await right(*arguments, **more)

    monkeypatch.setattr(*where, once_wrong)
    running = rounds(agent, store, world, customers="1d", invoices="1d", vendors="1d")
    await serve_until(running, world, timedelta(minutes=20))
    assert world.starts[-1] == "22 09:20"
    assert len(await logged(store, e.PollCompleted)) >= len(ENTITIES)
    assert len(called) == 2
    assert "ZeroDivisionError" in caplog.text


async def test_the_service_stops_between_two_pages(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Told to stop, it finishes the page at hand and begins nothing new."""
    stop = asyncio.Event()
    held = sim.inject(Hold(entity="AR_CustomerSalesHistory"))
    running = rounds(agent, store, world, page_limit=5)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(running.run(stop))
        await held.reached.wait()
        stop.set()
        held.release()
        await task
    assert sim.calls.entities["AR_CustomerSalesHistory"] == 1
    assert sim.calls.entities["AR_Invoice"] == 0
    assert [what for what, _ in world.rounds] == ["started", "ended"]
    assert not await failures(store)


async def test_idling_ends_with_the_time_or_with_the_stop() -> None:
    """Whichever comes first."""
    stop = asyncio.Event()
    async with asyncio.timeout(5):
        await rest(stop, 0.0)
        assert not stop.is_set()
        stop.set()
        await rest(stop, 3600.0)


async def remember(store: EventStore, entity: str, place: Place) -> None:
    """Let the log say that the poller stands there."""
    name = f"poll:acme:ABC:{entity}"
    cursor = msgspec.json.encode(place)
    await store.append([], checkpoint=Checkpoint(name, 1, 0, cursor))
    assert await place_of(store, "acme", "ABC", entity) == place


def at(text: str) -> int:
    """Seconds UTC of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


async def test_a_sweep_that_fell_due_while_we_were_down_is_made_up_for(store: EventStore) -> None:
    """Its schedule goes on from the last sweep, not from the restart."""
    swept = Place(
        cursor="20261120", polled_at_s=at("2026-11-22 15:00"), swept_at_s=at("2026-11-21 08:30")
    )
    for entity in ENTITIES:
        await remember(store, entity, swept)
    table = await Timetable.load(store, instance(""), UTC_NOW)
    assert table.ready(UTC_NOW) == ["invoices", "sweep"]


async def test_a_pass_under_way_is_due_at_once(store: EventStore) -> None:
    """An interrupted pass is resumed by the first round after the restart."""
    polled = Place(cursor="20261122", polled_at_s=at("2026-11-22 15:14"))
    for entity in ENTITIES:
        more = {"cursor_pass": Pass(after="x")} if entity == "AP_Vendor" else {}
        await remember(store, entity, msgspec.structs.replace(polled, **more))
    table = await Timetable.load(store, instance(""), UTC_NOW)
    assert table.ready(UTC_NOW) == ["vendors"]
    assert table.next() <= UTC_NOW


def test_a_complete_sweep_is_a_pass_of_every_group() -> None:
    """Nothing is read twice because a sweep and a cursor pass were due together."""
    table = Timetable(instance(""), dict.fromkeys((*GROUPS, "sweep"), UTC_NOW))
    done = [Outcome(company="ABC", entity=name, via="sweep", completed=True) for name in ENTITIES]
    table.read("sweep", ["sweep", "customers"], done, UTC_NOW)
    assert table.ready(UTC_NOW) == []
    assert table.next() == UTC_NOW + timedelta(minutes=15)


def test_a_failed_sweep_leaves_the_groups_due() -> None:
    """Cursor passes go on while a sweep has trouble."""
    table = Timetable(instance(""), dict.fromkeys((*GROUPS, "sweep"), UTC_NOW))
    outcomes = [
        Outcome(
            company="ABC",
            entity=name,
            via="sweep",
            completed=name != "AR_Invoice",
            error=AgentBusy("busy", CALL) if name == "AR_Invoice" else None,
        )
        for name in ENTITIES
    ]
    table.read("sweep", ["sweep"], outcomes, UTC_NOW)
    assert table.ready(UTC_NOW) == ["invoices"]
    assert "sweep" in table.ready(UTC_NOW + timedelta(minutes=5))


class Asleep:
    """A back-off whose end nobody sees: it is told when somebody waits."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def sleep(self, _: float) -> None:
        """Wait, for ever if need be."""
        self.begun.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("operation", ["GetInfo", "ReadPage"])
async def test_a_stop_ends_the_wait_for_another_attempt(
    sim: SimulatedAgent, store: EventStore, world: World, operation: Literal["GetInfo", "ReadPage"]
) -> None:
    """Told to stop between two attempts, the service ends at once, and nothing has failed."""
    sim.inject(HttpAnswer(status=502, operation=operation, times=99))
    waits, stop = Asleep(), asyncio.Event()
    credentials = Credentials(
        username=sim.username, password=Secret(sim.password), api_key=Secret(sim.api_key)
    )
    waiting = Waiting(sleep=waits.sleep)
    async with Agent(sim.endpoint, credentials=credentials, waiting=waiting) as agent:
        running = rounds(agent, store, world)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(running.run(stop))
            await waits.begun.wait()
            stop.set()
    assert sim.calls.answers == {"HttpAnswer": 1} | ({} if operation == "GetInfo" else {"ok": 1})
    assert not await failures(store)


async def test_a_failure_at_the_beginning_of_quiet_hours_is_no_alarm(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """What fails when the backup begins, in hours that are quiet for it, waits for their end."""
    begun = sim.inject(TruncatedBody(entity="AR_Customer", times=3))

    async def night_falls() -> None:
        async with asyncio.timeout(10):
            await begun.reached.wait()
        world.now = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 22:00 in Chicago

    world.until = UTC_NOW + timedelta(hours=20)
    running = rounds(agent, store, world, quiet=("21:00-04:00",))
    async with asyncio.TaskGroup() as group:
        group.create_task(night_falls())
        group.create_task(running.run(asyncio.Event()))
    assert world.starts[:2] == ["22 09:15", "23 04:00"]
    assert not await failures(store)
    assert len(await logged(store, e.RecordObserved)) == sum(map(sim.model.count, ENTITIES))
