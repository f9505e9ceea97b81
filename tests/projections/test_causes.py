"""Records that the portal would not take: one is tried, and the others follow or wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.causes import TRY_EVERY_S, Causes
from connector.replaying import REPLAY_STREAM
from projections import events as e
from tests.e2e.waiting import until
from tests.projections.rig import Rig, customer, open_rig

NAMES = [f"companies/ABC:01-{name}" for name in ("A", "B", "C")]
GONE = "key_property"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """Three companies parked for want of their key property, one for a reason of its own."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.see(*(customer(name) for name in "ABCD"))
        await made.idle()
        for name in NAMES:
            await park(made, name, GONE)
        await park(made, "companies/ABC:01-D", "INVALID_OPTION")
        yield made


async def park(desk: Rig, name: str, reason: str) -> None:
    """HubSpot refuses the open command."""
    doc = await desk.target(name)
    await desk.tell(name, e.CommandSent(doc.command, "b", 1))
    await desk.tell(name, e.CommandParked(doc.command, reason, "no", "none"))


async def states(desk: Rig) -> list[str]:
    """How the four companies stand."""
    return [(await desk.target(f"companies/ABC:01-{name}")).state for name in "ABCD"]


async def test_one_is_tried_and_the_others_follow(desk: Rig) -> None:
    """Only one call is risked; once it went well all of the same cause are sent, no other."""
    causes = Causes(desk.store)
    assert await causes.try_again() == 1
    assert await causes.release() == 0, "nothing is known of the try yet"
    await desk.idle()
    assert await states(desk) == ["pending", "parked", "parked", "parked"]
    assert await causes.try_again() == 0, "one try at a time"
    await desk.carry_out(NAMES[0], "7")
    assert await causes.release() == 2
    await desk.idle()
    assert await states(desk) == ["idle", "pending", "pending", "parked"]
    asked = await desk.store.history(REPLAY_STREAM)
    told = [e.decode(event.type, event.data) for event in asked]
    assert [one.by for one in told if isinstance(one, e.ReplayRequested)] == ["service"] * 2


async def test_a_try_that_fails_leaves_the_others_alone(desk: Rig) -> None:
    """Refused again, the record is parked again, and the next try is a later one."""
    causes = Causes(desk.store)
    await causes.try_again()
    await desk.idle()
    await park(desk, NAMES[0], GONE)
    assert await causes.release() == 0
    assert await states(desk) == ["parked"] * 4
    assert await causes.try_again() == 1


async def test_the_service_tries_every_ten_minutes(desk: Rig) -> None:
    """At once when it starts, then not before the time is over."""
    now = [0.0]
    causes = Causes(desk.store, clock=lambda: now[0], look_s=0.001)
    stop = asyncio.Event()
    work = asyncio.create_task(causes.keep(stop))

    async def asked(count: int) -> bool:
        return len(await desk.store.history(REPLAY_STREAM)) == count

    await until(lambda: asked(1), "the first try")
    await desk.idle()
    await park(desk, NAMES[0], GONE)
    now[0] = TRY_EVERY_S - 1
    await asyncio.sleep(0)
    assert await asked(1)
    now[0] = TRY_EVERY_S
    await until(lambda: asked(2), "the second try")
    stop.set()
    await work
