"""One piece of work ended at a point, taken up again, and compared with one that nobody ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from connector import reports
from connector.app import open_app
from connector.config import load_config
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.selftest.scenes import OPTIONS, SCENES, Scene
from tests.selftest.watch import KILLED, Point, Watch

_LIMIT_S: Final = 60.0
_MODULES: Final = ["connector.app", "connector.config", "tests.selftest.watch", __name__]


class Crossing(msgspec.Struct, frozen=True):
    """What came of one point: whether it was reached, and every way in which the end is another."""

    scene: str
    point: Point
    reached: bool
    faults: list[str]


class End(msgspec.Struct, frozen=True):
    """How it all stands when the work was taken up and is done.

    `held`: what HubSpot holds. `left`: commands pending, held and parked, by object. `complete`:
    whether the pass after it says so. `writes`: how many writes that pass makes. `vanished`: how
    many records were called vanished.
    """

    held: tuple[holding.Held, set[tuple[str, str]]]
    left: list[tuple[str, int, int, int]]
    complete: bool
    writes: int
    vanished: int


def process_context() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with everything imported and nothing running."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    return context


def run(
    scene: str, config_path: Path, env: Mapping[str, str], die_at: Point | None, counts: Path
) -> None:
    """The process: a scene's work, watched; what it passed is left in `counts`."""
    watch = Watch(die_at)

    async def work() -> None:
        watch.install(asyncio.get_running_loop())
        await asyncio.create_task(_work(SCENES[scene], config_path, env))

    asyncio.run(work())
    counts.write_bytes(msgspec.json.encode(list(watch.passed.items())))


async def _work(scene: Scene, config_path: Path, env: Mapping[str, str]) -> None:
    async with open_app(load_config(config_path, env)) as app:
        await scene.work(app)


async def _in_a_process(scene: Scene, site: Site, die_at: Point | None) -> tuple[int, Path]:
    """Do the work in a process; its exit code, and where its counts lie."""
    counts = site.config_path.with_name("counts")
    process = process_context().Process(
        target=run, args=(scene.name, site.config_path, site.env, die_at, counts)
    )
    process.start()
    try:
        await asyncio.to_thread(process.join, _LIMIT_S)
        if process.exitcode is None:
            raise AssertionError(f"{die_at}: the process neither ended nor died")
        return process.exitcode, counts
    finally:
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


class Calm(msgspec.Struct, frozen=True):
    """Work that nobody ends: the points it passes, and how it all stands after it."""

    scene: str
    passed: dict[tuple[str, str], int]
    end: End

    def passes(self) -> list[Point]:
        """Every pass of every place."""
        return [
            Point(place, way, number)
            for (place, way), count in sorted(self.passed.items())
            for number in range(1, count + 1)
        ]

    def points(self) -> list[Point]:
        """Each place at its first, its middle and its last pass."""
        return [
            Point(place, way, number)
            for (place, way), count in sorted(self.passed.items())
            for number in sorted({1, (count + 1) // 2, count})
        ]


async def calm(folder: Path, scene: Scene) -> Calm:
    """Do the work once, undisturbed. Raises AssertionError when not even that is right."""
    async with open_site(folder, OPTIONS) as site:
        await scene.prepare(site)
        code, counts = await _in_a_process(scene, site, None)
        assert code == 0, f"the undisturbed work ended with {code}"
        content = await asyncio.to_thread(counts.read_bytes)
        passed = msgspec.json.decode(content, type=list[tuple[tuple[str, str], int]])
        faults: list[str] = []
        end = await _taken_up(site, scene, faults)
        assert faults == []
        assert (end.complete, end.writes) == (not any(parked for *_, parked in end.left), 0)
        return Calm(scene.name, dict(passed), end)


async def cross(folder: Path, point: Point, right: Calm) -> Crossing:
    """End the work at this point, take it up again, and look at everything.

    When it is over before this pass of the place, an earlier one is taken, on a new site.
    """
    scene = SCENES[right.scene]
    tries = 0
    while True:
        (home := folder / str(tries)).mkdir()
        tries += 1
        async with open_site(home, OPTIONS) as site:
            await scene.prepare(site)
            code, _ = await _in_a_process(scene, site, point)
            if code not in {0, KILLED}:
                faults = [f"the process ended with {code}"]
                return Crossing(scene.name, point, reached=False, faults=faults)
            if code == KILLED or point.number == 1:
                faults = await _faults(site, scene, right)
                return Crossing(scene.name, point, reached=code == KILLED, faults=faults)
        point = point._replace(number=point.number // 2)


def crossed(point: Point, right: Calm) -> Crossing:
    """`cross` in a folder and on a loop of its own, for a pool of processes; raises nothing."""
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        try:
            return asyncio.run(cross(Path(folder), point, right))
        except Exception as problem:  # noqa: BLE001 - a fault of this point, told with the rest
            faults = [f"{type(problem).__name__}: {problem}"]
            return Crossing(right.scene, point, reached=True, faults=faults)


async def _faults(site: Site, scene: Scene, right: Calm) -> list[str]:
    """What is not as it should be, after the work was taken up."""
    found: list[str] = []
    end = await _taken_up(site, scene, found)
    if end.held != right.end.held:
        found.append("HubSpot holds something else than after undisturbed work")
    for name in ("left", "complete", "writes", "vanished"):
        one, other = getattr(end, name), getattr(right.end, name)
        if one != other:
            found.append(f"{name}: {one}, and after undisturbed work {other}")
    return found


async def _taken_up(site: Site, scene: Scene, found: list[str]) -> End:
    """Do what takes the work up, then look; `found` gets what is wrong in any case."""
    async with site.app() as app:
        await scene.again(app)
        head = (await app.store.head()).last
        if await app.store.verify() != head:
            found.append("the chain does not cover the log")
        if (mismatch := (await app.rebuild(verify=True)).mismatch) is not None:
            found.append(f"a read model is not what the log says: {mismatch}")
        status = await reports.status(app.store)
        if not status["books_close"]:
            found.append("the books do not close")
        if count := await app.store.count("inflight"):
            found.append(f"{count} commands are still under way")
        left = [
            (row["object"], row["pending"], row["held"], row["parked"]) for row in status["hubspot"]
        ]
        writes = site.portal.calls.writes
        report = await app.run_once()
        vanished = await app.store.read(0, types=["RecordVanished"], limit=1_000)
        return End(
            holding.lasting(site.portal),
            left,
            report.complete,
            site.portal.calls.writes - writes,
            len(vanished),
        )
