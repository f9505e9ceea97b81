"""The agent's BOI session: one at a time, waited for, late, poisoned, without a seat, slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from connector.sandbox.agent import (
    Capacity,
    Conduct,
    ManualClock,
    ManualPace,
    RealPace,
    SimulatedAgent,
)
from connector.sandbox.agent.sessions import Sessions
from tests.sandbox.agent_wire import NOW, SMALL, Answer, Wire, read

LIMIT_S = 10.0


@asynccontextmanager
async def paced(**limits: Any) -> AsyncIterator[tuple[Wire, ManualPace]]:
    """An agent with such a capacity, whose time stands still."""
    pace = ManualPace()
    options = msgspec.structs.replace(SMALL, capacity=Capacity(**limits))
    agent = SimulatedAgent(options, clock=ManualClock(NOW), pace=pace)
    async with (
        asyncio.timeout(LIMIT_S),
        agent,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session,
    ):
        yield Wire(agent, session), pace


def asked(wire: Wire, entity: str = "AR_TermsCode") -> asyncio.Task[Answer]:
    return asyncio.create_task(wire.page_call(entity))


async def drive(pace: ManualPace, task: asyncio.Task[Answer], step_s: float) -> int:
    """Let time pass in such steps until the request is answered; how many it took."""
    steps = 0
    while not task.done():
        pace.advance(step_s)
        steps += 1
        await asyncio.wait([task], timeout=0.02)
    return steps


async def test_a_second_request_waits_for_the_session() -> None:
    """One session: the second request is served after the first, if that ends within 30 s."""
    async with paced(sessions=1, request_delay_s=10) as (wire, pace):
        first = asked(wire)
        await pace.asleep(1)
        second = asked(wire)
        await pace.asleep(2)
        assert wire.agent.sessions.waiting == 1
        pace.advance(10)
        assert (await first).status == 200
        assert not second.done()
        await drive(pace, second, 1)
        assert read(await second).complete
        assert pace.now() >= 20
        assert wire.agent.sessions.waiting == 0


@pytest.mark.parametrize("busy", ["fault", "503"])
async def test_who_waits_too_long_is_turned_away(busy: str) -> None:
    """After 30 s without a session the answer is SessionBusy, or a bare 503 from other agents."""
    async with paced(sessions=1, request_delay_s=100, busy=busy) as (wire, pace):
        first = asked(wire)
        await pace.asleep(1)
        second = asked(wire)
        await pace.asleep(2)
        pace.advance(29.9)
        assert (await wire.call("GetInfo", "")).status == 200  # needs no session
        assert not second.done()
        pace.advance(0.1)
        answer = await second
        if busy == "fault":
            assert answer.fault == ("soap:Server", "SessionBusy")
        else:
            assert (answer.status, answer.headers["Content-Type"]) == (503, "text/plain")
        pace.advance(70)
        assert (await first).status == 200
        third = asked(wire)
        await pace.asleep(1)
        pace.advance(100)
        assert (await third).status == 200


async def test_a_client_that_leaves_frees_its_place() -> None:
    """A waiting request whose client has gone neither keeps nor loses the session."""
    async with paced(sessions=1, request_delay_s=20) as (wire, pace):
        first = asked(wire)
        await pace.asleep(1)
        leaving = asked(wire)
        await pace.asleep(2)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        pace.advance(20)
        assert (await first).status == 200
        third = asked(wire)
        await drive(pace, third, 20)
        assert (await third).status == 200


async def test_a_cancelled_wait_gives_the_session_back() -> None:
    """Whoever is cancelled while waiting, or in the moment of getting it, keeps no session."""
    pace = ManualPace()
    sessions = Sessions(Capacity(sessions=1), Conduct(), pace)

    async def use() -> None:
        async with sessions.turn():
            await sessions.pace.sleep(5)

    async with asyncio.timeout(LIMIT_S):
        first = asyncio.create_task(use())
        await pace.asleep(1)
        waiting = asyncio.create_task(use())
        late = asyncio.create_task(use())
        await pace.asleep(3)
        waiting.cancel()
        pace.advance(5)
        await first
        late.cancel()
        await asyncio.gather(waiting, late, return_exceptions=True)
        assert waiting.cancelled()
        assert late.cancelled()
        last = asyncio.create_task(use())
        await pace.asleep(1)
        pace.advance(5)
        await last
        assert sessions.waiting == 0


async def test_a_full_office_leaves_no_seat() -> None:
    """An open session keeps its seat; a new one finds none, until somebody logs off."""
    async with paced() as (wire, pace):
        assert (await asked(wire)).status == 200
        wire.agent.conduct.seats_left = 0
        assert (await asked(wire)).status == 200
        wire.agent.sessions.recycle()
        assert (await asked(wire)).fault[1] == "LicenseExhausted"
        wire.agent.conduct.seats_left = 1
        assert (await asked(wire)).status == 200
        wire.agent.conduct.seats_left = 0
        pace.advance(1200)  # the pool falls asleep and gives the seat back
        assert (await asked(wire)).fault[1] == "LicenseExhausted"


async def test_the_first_request_after_idling_is_slow() -> None:
    """The application pool wakes for the first request, and again after 20 idle minutes."""
    async with paced(cold_start_s=40) as (wire, pace):
        first, second = asked(wire), asked(wire, "AP_Vendor")
        await pace.asleep(1)
        pace.advance(40)
        assert (await first).status == (await second).status == 200
        pace.advance(1199)
        assert (await asked(wire)).status == 200
        pace.advance(1200)
        late = asked(wire)
        await pace.asleep(1)
        assert not late.done()
        pace.advance(40)
        assert (await late).status == 200


async def test_a_dead_session_poisons_every_request() -> None:
    """After a COM error every read is Internal until the session is recycled, or four hours old."""
    async with paced(idle_s=100_000) as (wire, pace):
        assert (await asked(wire)).status == 200
        wire.agent.sessions.poison()
        for _ in range(3):
            assert (await asked(wire)).fault[1] == "Internal"
        assert (await wire.call("GetInfo", "")).status == 200
        wire.agent.sessions.recycle()
        assert (await asked(wire)).status == 200
        wire.agent.sessions.poison()
        pace.advance(14_399)
        assert (await asked(wire)).fault[1] == "Internal"
        pace.advance(1)
        assert (await asked(wire)).status == 200
        assert wire.agent.sessions.opened == 3


async def test_answers_take_time_by_the_row() -> None:
    """A request takes its own time and that of each row looked at, with a session in hand."""
    async with paced(request_delay_s=1, row_delay_s=0.5) as (wire, pace):
        task = asked(wire)  # eight terms codes
        await pace.asleep(1)
        pace.advance(4.9)
        assert (await wire.call("GetInfo", "")).status == 200
        assert not task.done()
        pace.advance(0.1)
        assert (await task).status == 200


async def test_paces() -> None:
    """Real time passes by itself; manual time wakes exactly those whose time has come."""
    real = RealPace()
    before = real.now()
    await real.sleep(0)
    assert real.now() >= before
    pace = ManualPace()
    early, late = asyncio.create_task(pace.sleep(1)), asyncio.create_task(pace.sleep(2))
    await pace.asleep(2)
    pace.advance(1.5)
    await early
    assert not late.done()
    pace.advance(0.5)
    await late
    assert pace.now() == 2
