"""What is done now and then beside the service's work, and what a mistake in it may cost."""

from __future__ import annotations

import asyncio

import pytest

from connector.keeping import PAUSE_S, every, shielded
from eventstore import EventStoreError, Unavailable
from tests.e2e.waiting import until

QUICK_S = 0.001


class Clock:
    """A clock that is set by hand, and the turns taken."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self.problem: Exception | None = None

    def __call__(self) -> float:
        return self.now

    async def turn(self) -> None:
        """One turn; fails when there is a problem."""
        self.turns += 1
        if self.problem is not None:
            raise self.problem


async def test_a_turn_is_taken_when_it_is_due() -> None:
    """The first after its time, then one a period, and none after the end."""
    clock, stop = Clock(), asyncio.Event()
    work = asyncio.create_task(
        every(60, clock.turn, stop, what="t", first_s=10, look_s=QUICK_S, clock=clock)
    )
    await asyncio.sleep(0)
    assert clock.turns == 0
    clock.now = 10
    await until(lambda: clock.turns == 1, "the first turn")
    clock.now = 69
    await asyncio.sleep(0)
    assert clock.turns == 1
    clock.now = 70
    await until(lambda: clock.turns == 2, "the second turn")
    stop.set()
    await work
    assert clock.turns == 2


async def test_a_mistake_is_logged_and_the_next_turn_comes_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With its traceback; the pause keeps a mistake from filling the log every second."""
    clock, stop = Clock(), asyncio.Event()
    clock.problem = KeyError("line_items")
    work = asyncio.create_task(
        every(1, clock.turn, stop, what="the looks", look_s=QUICK_S, clock=clock)
    )
    await until(lambda: clock.turns == 1, "the first turn")
    await until(lambda: "KeyError: 'line_items'" in caplog.text, "the traceback")
    assert "the looks failed" in caplog.text
    clock.problem = None
    clock.now = PAUSE_S - 1
    await asyncio.sleep(0)
    assert clock.turns == 1
    clock.now = PAUSE_S
    await until(lambda: clock.turns == 2, "the next turn")
    stop.set()
    await work


async def test_what_the_store_says_is_heeded() -> None:
    """A disk that is full ends whoever wants to write."""
    clock = Clock()
    clock.problem = Unavailable("disk I/O error")
    with pytest.raises(EventStoreError):
        await shielded(clock.turn, "the looks")
    with pytest.raises(EventStoreError):
        await every(1, clock.turn, asyncio.Event(), what="t", look_s=QUICK_S, clock=clock)
