"""One row of the table of faults, and what is asked of every row.

a good pass, a day at the office, the fault, one pass    the event and the operator's words
the fault mended                                          two sweeps, and all is as in Sage 100
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.sage100.agent import Limits
from connector.sandbox.agent.pace import ManualPace
from projections import events as e
from tests.sage100.room import Room, failures, open_room

Act = Callable[[Room], Any]  # a coroutine function, or not


def nothing(room: Room) -> None:
    """Do nothing."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`options`: of the agent; `told`: how the connector is configured at first. With `manual` the
    agent's waits last until the test lets the time pass.

    `make` and `mend` do it; `restart`: the person who mended it started the connector anew, and
    with `release` said so too, without which no restart helps.
    `category` ("a|b": either, as it happens), `code`: of the PollFailed; `says`: what the operator
    reads of what is wrong and of the remedy. `waits`: no failure yet, but a PollDeferred. `asked`:
    how many requests the failing pass costs the agent at most; `event`: what else is in the log.
    """

    name: str
    make: Act
    mend: Act = nothing
    options: dict[str, Any] = {}
    told: dict[str, Any] = {}
    limits: Limits | None = None
    manual: bool = False
    category: str = ""
    code: str = ""
    says: tuple[str, ...] = ()
    waits: bool = False
    restart: bool = False
    release: bool = False
    sweep: bool = False
    asked: int | None = None
    event: type[e.Event] | None = None


def rows(*table: Fault) -> pytest.MarkDecorator:
    """Parametrize a test by these rows."""
    return pytest.mark.parametrize("fault", table, ids=[one.name for one in table])


@contextlib.asynccontextmanager
async def at_work(fault: Fault, folder: Path) -> AsyncIterator[Room]:
    """A good pass is over, and a day at the office."""
    pace = ManualPace() if fault.manual else None
    async with open_room(folder, limits=fault.limits, pace=pace, **fault.options) as room:
        room.told = dict(fault.told)
        outcomes = await room.round()
        assert all(one.completed for one in outcomes.values())
        room.work()
        yield room


async def survive(fault: Fault, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Go through what passes by itself: no pass has failed, and nobody is told to do anything."""
    async with at_work(fault, folder) as room:
        before = await room.head()
        await _done(fault.make, room)
        outcomes = await room.round(sweep=fault.sweep)
        assert all(one.completed for one in outcomes.values())
        assert await failures(room, before) == []
        _, alarm = await room.operator(capsys)
        assert not alarm
        await _done(fault.mend, room)
        await room.healed()


async def suffer(fault: Fault, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Go through the fault and out of it again."""
    async with at_work(fault, folder) as room:
        before, requests = await room.head(), room.sim.calls.requests
        await _done(fault.make, room)
        await room.round(sweep=fault.sweep)
        asked = room.sim.calls.requests - requests
        assert fault.asked is None or asked <= fault.asked, asked
        await _told(fault, room, before, capsys)
        await _done(fault.mend, room)
        if fault.release:
            await _stands_still(room)
            await room.release()
        if fault.restart:
            await room.start()
        await room.healed()


async def _told(fault: Fault, room: Room, before: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The event is in the log, and the operator reads what it is and what to do."""
    failed = await failures(room, before)
    deferred = await room.since(before, e.PollDeferred)
    if fault.waits:
        assert (failed, bool(deferred)) == ([], True)
        assert {one.code for one in deferred if isinstance(one, e.PollDeferred)} == {fault.code}
    else:
        assert (deferred, bool(failed)) == ([], True)
        assert {one.category for one in failed} <= set(fault.category.split("|"))
        assert {one.code for one in failed} == {fault.code}
        assert all(one.message and one.remedy and one.endpoint for one in failed)
        assert {one.wsdl for one in failed} == {f"{room.sim.endpoint}?wsdl"}
    if fault.event is not None:
        assert await room.since(before, fault.event)
    text, alarm = await room.operator(capsys)
    assert [words for words in fault.says if words not in text] == [], text
    assert alarm is not fault.waits
    for secret in (room.sim.password, room.sim.api_key):
        assert secret not in text


async def _stands_still(room: Room) -> None:
    """Nobody has said that it was mended: a restart asks nothing of the agent."""
    await room.start()
    requests = room.sim.calls.requests
    outcomes = await room.round()
    assert all(one.stopped for one in outcomes.values())
    assert room.sim.calls.requests == requests


async def _done(act: Act, room: Room) -> None:
    answer = act(room)
    if inspect.isawaitable(answer):
        await answer
