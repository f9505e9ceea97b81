"""Ended at points where it waits, chosen and not drawn: the end is one and the same.

Here a dozen that matter, of every scene, each certainly reached; all of them, each as often as it
is passed, in `make selftest`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from eventstore import NewEvent, open_store
from tests.selftest.crossing import Calm, calm, cross
from tests.selftest.scenes import SCENES
from tests.selftest.watch import ROOT, Point, Watch, place_of

AT_ONCE: Final = 4


class Spot(NamedTuple):
    """A line of ours that waits, by its text: what it asks for has been asked, or has happened."""

    file: str
    text: str
    way: str  # "leaves" or "returns"


CALL: Final = "answer = await call()"
RECORD: Final = "await journal.record(self.around.store, entries)"
SPOTS: Final = {
    "first": [
        Spot("connector/hubspot/schema.py", "hubspot.create_properties(object_type", "returns"),
        Spot("connector/sage100/passes.py", "await journal.write(place, passes, rec", "returns"),
        Spot("connector/projector.py", "await self._append_and_read_on(", "leaves"),
        Spot("connector/hubspot/delivery.py", CALL, "returns"),
        Spot("connector/hubspot/links.py", "commit = await journal.append(", "returns"),
    ],
    "second": [
        Spot("connector/sage100/sweep.py", "await journal.write(place, passes, rec", "leaves"),
        Spot("connector/sage100/sweep.py", "await forget_noted(", "returns"),
        Spot("connector/projector.py", "await self._release(into, drafts)", "returns"),
        Spot("connector/hubspot/delivery.py", CALL, "leaves"),
        Spot("connector/hubspot/delivery.py", RECORD, "leaves"),
    ],
    "apply": [
        Spot("connector/mappings.py", "await self._store.append(new, expect_head", "returns"),
        Spot("connector/hubspot/delivery.py", RECORD, "leaves"),
    ],
}


def point_at(right: Calm, spot: Spot) -> Point:
    """The middle pass of the place through such a line that is passed most often."""
    lines = (ROOT / spot.file).read_text("utf-8").splitlines()
    there = {f"{spot.file}:{at}" for at, line in enumerate(lines, 1) if spot.text in line}
    through = {
        place: count
        for (place, way), count in right.passed.items()
        if way == spot.way and not there.isdisjoint(place.split(" > "))
    }
    assert through, f"{right.scene} does not wait at {spot}"
    place = max(sorted(through), key=through.__getitem__)
    return Point(place, spot.way, (through[place] + 1) // 2)


@pytest.mark.parametrize("scene", SCENES)
async def test_ended_where_it_matters(tmp_path: Path, scene: str) -> None:
    """After each, what takes it up brings about what undisturbed work does, and nothing twice."""
    (undisturbed := tmp_path / "calm").mkdir()
    right = await calm(undisturbed, SCENES[scene])
    assert len(right.points()) > 200
    room = asyncio.Semaphore(AT_ONCE)

    async def ended_at(number: int, spot: Spot) -> None:
        (folder := tmp_path / str(number)).mkdir()
        async with room:
            crossing = await cross(folder, point_at(right, spot), right)
        assert (crossing.reached, crossing.faults) == (True, []), spot

    async with asyncio.TaskGroup() as group:
        for number, spot in enumerate(SPOTS[scene]):
            group.create_task(ended_at(number, spot))


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
