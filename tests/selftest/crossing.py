"""One sync that is ended at a point, taken up again, and compared with one that nobody ended."""

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
from connector.sandbox.agent import AgentOptions
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.selftest.watch import KILLED, Point, Watch

OPTIONS: Final = AgentOptions(seed=5, customers=4, invoices=8, vendors=2, scan_limit=40)
_LIMIT_S: Final = 60.0
_MODULES: Final = ["connector.app", "connector.config", "tests.selftest.watch", __name__]


class Crossing(msgspec.Struct, frozen=True):
    """What came of one point: whether it was reached, and every way in which the end is another."""

    point: Point
    reached: bool
    faults: list[str]


def process_context() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with everything imported and nothing running."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    return context


def sync(config_path: Path, env: Mapping[str, str], die_at: Point | None, counts: Path) -> None:
    """The process: one pass over everything, watched; what it passed is left in `counts`."""
    watch = Watch(die_at)

    async def work() -> None:
        watch.install(asyncio.get_running_loop())
        await asyncio.create_task(_run_once(config_path, env))

    asyncio.run(work())
    counts.write_bytes(msgspec.json.encode(list(watch.passed.items())))


async def _run_once(config_path: Path, env: Mapping[str, str]) -> None:
    config = load_config(config_path, env)
    async with open_app(config) as app:
        await app.run_once()


async def _in_a_process(site: Site, die_at: Point | None) -> tuple[int, Path]:
    """Run the sync in a process; its exit code, and where its counts lie."""
    counts = site.config_path.with_name("counts")
    process = process_context().Process(
        target=sync, args=(site.config_path, site.env, die_at, counts)
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
    """A sync that nobody ends: the points it passes, and what HubSpot holds after it."""

    passed: dict[tuple[str, str], int]
    held: tuple[holding.Held, set[tuple[str, str]]]

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


async def calm(folder: Path) -> Calm:
    """Sync once, undisturbed. Raises AssertionError when not even that is right."""
    async with open_site(folder, OPTIONS) as site:
        code, counts = await _in_a_process(site, None)
        assert code == 0, f"the undisturbed sync ended with {code}"
        content = await asyncio.to_thread(counts.read_bytes)
        passed = msgspec.json.decode(content, type=list[tuple[tuple[str, str], int]])
        return Calm(dict(passed), holding.lasting(site.portal))


async def cross(folder: Path, point: Point, right: Calm) -> Crossing:
    """End a first sync at this point, take it up again, and look at everything.

    When the sync ends before this pass of the place, an earlier one is taken, on a new site.
    """
    tries = 0
    while True:
        (home := folder / str(tries)).mkdir()
        tries += 1
        async with open_site(home, OPTIONS) as site:
            code, _ = await _in_a_process(site, point)
            if code not in {0, KILLED}:
                return Crossing(point, reached=False, faults=[f"the process ended with {code}"])
            if code == KILLED or point.number == 1:
                return Crossing(point, reached=code == KILLED, faults=await _faults(site, right))
        point = point._replace(number=point.number // 2)


def crossed(point: Point, right: Calm) -> Crossing:
    """`cross` in a folder and on a loop of its own, for a pool of processes; raises nothing."""
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        try:
            return asyncio.run(cross(Path(folder), point, right))
        except Exception as problem:  # noqa: BLE001 - a fault of this point, told with the rest
            return Crossing(point, reached=True, faults=[f"{type(problem).__name__}: {problem}"])


async def _faults(site: Site, right: Calm) -> list[str]:
    """What is not as it should be, after the next pass."""
    found: list[str] = []
    async with site.app() as app:
        if not (await app.run_once()).complete:
            found.append("the next pass is not complete")
        head = (await app.store.head()).last
        if await app.store.verify() != head:
            found.append("the chain does not cover the log")
        if (mismatch := (await app.rebuild(verify=True)).mismatch) is not None:
            found.append(f"a read model is not what the log says: {mismatch}")
        app.projector.hold = False
        status = await reports.status(app.store)
        if not status["books_close"]:
            found.append("the books do not close")
        left = [row["pending"] + row["held"] + row["parked"] for row in status["hubspot"]]
        if any(left) or await app.store.count("inflight"):
            found.append(f"commands are left over: {left}")
        writes = site.portal.calls.writes
        await app.run_once()
        if site.portal.calls.writes != writes:
            found.append("the pass after it writes again")
    if holding.lasting(site.portal) != right.held:
        found.append("HubSpot holds something else than after an undisturbed sync")
    return found
