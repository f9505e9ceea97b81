"""The site's day: told when it begins, whatever becomes of the reading, by clocks that agree."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sage100.agent import Agent
from connector.sage100.rounds import Rounds
from connector.sage100.site_day import SiteDay, is_news, since_boot
from connector.sandbox.agent import HttpAnswer, ManualClock, SimulatedAgent, SoapFault
from eventstore import EventStore
from projections import events as e
from tests.sage100.shelf import logged
from tests.sage100.world import World, instance, rounds

DAYS = st.dates(date(2020, 1, 1), date(2070, 1, 1))


async def told(store: EventStore) -> list[str]:
    """Every day that the log was told, in order."""
    found = await logged(store, e.AgingDateAdvanced)
    return [one.date for one in found if isinstance(one, e.AgingDateAdvanced)]


async def keep_until(running: Rounds, world: World, span: timedelta) -> None:
    """Keep the calendar, and nothing else, for so long of the test's own time."""
    world.until = world.now + span
    async with asyncio.timeout(30):
        await running.keep_day(asyncio.Event())


async def test_a_day_begins_at_the_sites_midnight_without_a_round(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Nothing is asked of the agent for days, and each of them is told as it begins."""
    running = rounds(agent, store, world)
    await running.run_once()
    asked = sim.calls.requests
    for midnight in (datetime(2026, 11, 23, 6, 0, tzinfo=UTC) + timedelta(days=n) for n in (0, 1)):
        await keep_until(running, world, midnight - world.now - timedelta(seconds=2))
        before = len(await told(store))
        await keep_until(running, world, timedelta(seconds=4))
        assert len(await told(store)) == before + 1, midnight
    await keep_until(running, world, timedelta(hours=20))
    assert await told(store) == ["2026-11-22", "2026-11-23", "2026-11-24"]
    assert sim.calls.requests == asked


async def test_a_day_begins_while_a_log_on_is_refused(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """What is owed ages on, although nothing is read any more."""
    running = rounds(agent, store, world)
    await running.run_once()
    sim.inject(SoapFault(code="LogonFailed", times=99))
    assert all(one.stopped for one in await running.run_once())
    await keep_until(running, world, timedelta(days=3))
    assert await told(store) == [f"2026-11-{day}" for day in (22, 23, 24, 25)]


async def test_a_company_that_was_never_described_has_no_day(
    agent: Agent, store: EventStore, world: World
) -> None:
    """There is nothing to age, and no zone that an agent has confirmed."""
    await keep_until(rounds(agent, store, world), world, timedelta(days=2))
    assert await told(store) == []


async def test_a_clock_that_is_set_is_noticed_within_minutes(
    agent: Agent, store: EventStore, world: World
) -> None:
    """Nobody waits for the midnight that was: a sleeping machine, or a clock put right."""
    running = rounds(agent, store, world)
    await running.run_once()
    await keep_until(running, world, timedelta(minutes=1))
    world.now += timedelta(days=1)
    await keep_until(running, world, timedelta(minutes=6))
    assert await told(store) == ["2026-11-22", "2026-11-23"]


@pytest.mark.parametrize("wrong", [timedelta(days=36 * 365), timedelta(days=3)])
async def test_a_day_that_the_agents_clock_contradicts_is_not_told(
    agent: Agent,
    store: EventStore,
    world: World,
    caplog: pytest.LogCaptureFixture,
    wrong: timedelta,
) -> None:
    """Our clock runs into the future: nothing is aged by it, and it is said once, with the cure."""
    running = rounds(agent, store, world)
    await running.run_once()
    world.now += wrong
    await keep_until(running, world, timedelta(hours=2))
    await running.run_once()
    assert await told(store) == ["2026-11-22"]
    assert caplog.text.count("the as-of day stays as it is") == 1
    assert "NTP" in caplog.text
    world.now -= wrong
    await keep_until(running, world, timedelta(days=1))
    assert await told(store) == ["2026-11-22", "2026-11-23"]


async def test_a_machine_that_stood_still_uncounted_waits_a_day_for_the_agent(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """A paused machine whose agent does not answer afterwards: from the next day on the days are
    told by our own clock, as if the agent's had never been heard.
    """
    running = rounds(agent, store, world)
    await running.run_once()
    sim.inject(HttpAnswer(status=404, times=999))
    world.now += timedelta(days=2)  # and no second of the clock that only measures
    await keep_until(running, world, timedelta(hours=23))
    assert all(one.error is not None for one in await running.run_once())
    assert await told(store) == ["2026-11-22"]
    await keep_until(running, world, timedelta(days=3))
    assert await told(store) == ["2026-11-22"] + [f"2026-11-{day}" for day in (25, 26, 27, 28)]


async def test_an_agent_that_answers_after_the_standstill_is_believed_at_once(
    agent: Agent, store: EventStore, world: World, clock: ManualClock
) -> None:
    """It has the same day as we: nothing is waited for."""
    running = rounds(agent, store, world)
    await running.run_once()
    world.now += timedelta(days=2)
    clock.advance(timedelta(days=2))
    await running.run_once()
    assert await told(store) == ["2026-11-22", "2026-11-24"]


async def test_a_clock_that_was_wrong_before_is_not_believed_for_want_of_rounds(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Our clocks agree with each other ever since the agent's was heard: it is as right as then."""
    world.now += timedelta(days=30)
    running = rounds(agent, store, world)
    await running.run_once()
    sim.inject(HttpAnswer(status=404, times=999))
    await keep_until(running, world, timedelta(days=5))
    assert await told(store) == []


def test_the_seconds_of_a_suspended_machine_count() -> None:
    """Where the system has a clock that counts them, it is the one that measures."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= since_boot() <= time.clock_gettime(time.CLOCK_BOOTTIME)


async def test_an_agents_wrong_clock_ages_nothing(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Which of the two is wrong nobody can tell: the day waits until they agree again."""
    running = rounds(agent, store, world)
    await running.run_once()
    sim.conduct.server_skew_s = 30 * 86_400
    world.now += timedelta(days=1)
    await running.run_once()
    assert await told(store) == ["2026-11-22"]
    sim.conduct.server_skew_s = 0
    await running.run_once()
    assert await told(store) == ["2026-11-22", "2026-11-23"]


async def test_a_wrong_future_is_taken_back_when_both_clocks_agree(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World, clock: ManualClock
) -> None:
    """Told while the agent could not be asked; our clock alone takes nothing back, both do."""
    await rounds(agent, store, world).run_once()
    sim.inject(HttpAnswer(status=404, times=2))
    world.now += timedelta(days=36 * 365)
    running = rounds(agent, store, world)  # started anew: it has not heard the agent's clock
    await running.run_once()
    world.now -= timedelta(days=36 * 365)
    await running.run_once()
    assert await told(store) == ["2026-11-22", "2062-11-13"]
    await running.run_once()
    await running.run_once()
    assert await told(store) == ["2026-11-22", "2062-11-13", "2026-11-22"]
    world.now += timedelta(days=1)
    clock.advance(timedelta(days=1))
    await running.run_once()
    assert (await told(store))[3:] == ["2026-11-23"]


async def test_an_error_of_this_program_does_not_end_the_calendar(
    agent: Agent, store: EventStore, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at again within minutes."""
    running = rounds(agent, store, world)
    await running.run_once()
    tell, called = SiteDay.tell, []

    async def once_wrong(self: SiteDay, *companies: str) -> None:
        called.append(companies)
        if len(called) == 1:
            raise ZeroDivisionError
        await tell(self, *companies)

    monkeypatch.setattr(SiteDay, "tell", once_wrong)
    world.now += timedelta(days=1)
    await keep_until(running, world, timedelta(minutes=6))
    assert await told(store) == ["2026-11-22", "2026-11-23"]


@pytest.mark.parametrize(
    ("zone", "now", "wait_s"),
    [
        ("America/Chicago", "2026-11-23T05:59:30", 30),
        ("America/Chicago", "2026-11-23T05:00:00", 300),
        ("America/Chicago", "2026-11-23T05:59:59.990", 0.1),
        ("America/Santiago", "2026-09-06T03:59:00", 60),  # 00:00 is skipped: the day begins at 1:00
        ("Asia/Kathmandu", "2026-11-22T18:14:00", 60),
    ],
)
def test_the_next_look_is_at_midnight_and_never_far_away(
    store: EventStore, zone: str, now: str, wait_s: float
) -> None:
    """Midnight is that of the site, where it is skipped the moment after; it is never overslept."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    day = SiteDay(store, instance("", timezone=zone), now=lambda: moment)
    assert day.wait_s() == pytest.approx(wait_s)


@given(DAYS, st.integers(-1, 1), DAYS)
def test_days_that_agree_lead_to_the_present(today: date, apart: int, before: date) -> None:
    """Whatever day was told, one on which both clocks agree is reached, but for the odd day."""
    theirs = today + timedelta(days=apart)
    if is_news(today, theirs, before.isoformat()):
        assert before != today
    else:
        assert abs(before - today) <= timedelta(days=2)
    assert is_news(today, theirs, "")


@given(DAYS, DAYS)
def test_our_clock_alone_takes_nothing_back(today: date, before: date) -> None:
    """Without the agent's the day only advances."""
    assert is_news(today, None, before.isoformat()) == (today > before)
