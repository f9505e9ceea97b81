"""What is waited for ends with the wait, and what goes on beside it does not."""

from __future__ import annotations

import asyncio

import pytest

from connector.waiting import first_of, rest
from tests.e2e.waiting import LIMIT_S


async def test_the_first_ends_the_wait_and_the_rest_of_the_work() -> None:
    """The other work is cancelled; a task beside is not, and its end is one as well."""
    done, never = asyncio.Event(), asyncio.Event()
    done.set()
    ended: list[str] = []

    async def work(name: str, event: asyncio.Event) -> None:
        try:
            await event.wait()
        finally:
            ended.append(name)

    beside = asyncio.create_task(work("beside", never))
    await first_of(work("one", done), work("other", never), beside=[beside])
    assert (sorted(ended), beside.done()) == (["one", "other"], False)
    never.set()
    await first_of(asyncio.Event().wait(), beside=[beside])
    assert beside.done()


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    """Nor does one whose time is up."""
    ended: list[str] = []
    begun = asyncio.Event()

    async def work(name: str) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    await first_of(work("late"), timeout_s=0.001)
    assert ended == ["late"]
    begun.clear()
    waiting = asyncio.create_task(first_of(work("cancelled")))
    await asyncio.wait_for(begun.wait(), LIMIT_S)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["late", "cancelled"]


async def test_a_rest_ends_with_the_stop_or_with_its_time() -> None:
    """Whichever comes first; and at once where it was stopped before."""
    stop = asyncio.Event()
    await rest(stop, 0.001)
    resting = asyncio.create_task(rest(stop, 10 * LIMIT_S))
    stop.set()
    await asyncio.wait_for(resting, LIMIT_S)
    await asyncio.wait_for(rest(stop, 10 * LIMIT_S), LIMIT_S)
