"""Ended at points where it waits, chosen and not drawn: the end is one and the same.

A few points of every part here; all of them, each as often as it is passed, in `make selftest`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from eventstore import NewEvent, open_store
from tests.selftest.crossing import calm, cross
from tests.selftest.watch import Watch, place_of

SPREAD = 6


async def test_ended_at_a_spread_of_points(tmp_path: Path) -> None:
    """After each, the next pass brings about what an undisturbed sync does, and nothing twice."""
    (undisturbed := tmp_path / "calm").mkdir()
    right = await calm(undisturbed)
    points = right.points()
    assert len(points) > 200
    chosen = points[:: len(points) // SPREAD]
    reached = 0
    for number, point in enumerate(chosen):
        (folder := tmp_path / str(number)).mkdir()
        crossing = await cross(folder, point, right)
        assert crossing.faults == [], crossing
        reached += crossing.reached
    assert reached >= len(chosen) // 2


async def test_the_watch_sees_every_suspension(tmp_path: Path) -> None:
    """What waits is seen with the lines of ours that lead there; what is not ours is not."""
    watch = Watch()
    loop = asyncio.get_running_loop()
    watch.install(loop)
    try:
        (folder := tmp_path / "site").mkdir()
        await loop.create_task(_wait_for_the_store(folder))
    finally:
        loop.set_task_factory(None)
    ways = {way for _, way in watch.passed}
    assert ways == {"leaves", "returns"}
    assert any("eventstore/sqlite.py" in place for place, _ in watch.passed)
    sleeping = asyncio.sleep(0)
    assert place_of(sleeping) == ""
    sleeping.close()


async def _wait_for_the_store(folder: Path) -> None:
    async with open_store(f"sqlite:///{folder}/x.db") as store:
        await store.append([NewEvent("a", "T", b"{}")])
