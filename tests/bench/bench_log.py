"""What a log of a million events costs to use: history, rebuild, verify, and memory.

    python -m tests.bench.bench_log [--events N] [--dir DIR]

The log is what a service leaves behind (see `town`): customers of very different size with their
invoices and payments, month after month, and all that was written to HubSpot of it, appended in
batches of 1,000 events. History is asked of a store just opened for reading, of customers and
invoices at random and of the customer that has most to tell. Rebuild and verify go over all of it.
Rebuilding must be as fast as events are projected live, which is measured beside it. Memory is the
process's own: the most it held beyond what it held when a phase had just begun. The other bars hold
for the machine the project is developed on, with nothing else at work there. Exits 1 when one is
missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from importlib import resources
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar

import psutil

from connector import collector, reports
from connector.progress import Silent
from connector.projector import Projector
from connector.rebuild import all_tables, is_current, outdated, rebuild
from eventstore import EventStore, NewEvent, open_store
from projections import events
from projections.mapping import compiled
from tests.bench import bench_projection
from tests.bench.bench_projection import record
from tests.bench.town import Town

T = TypeVar("T")

HISTORY_MS: Final = 100.0
VERIFY_PER_S: Final = 150_000
GROWTH_MB: Final = 100.0
_ASKED: Final = 15  # of each kind
_LIVE: Final = 20_000  # events to measure the rate of live projection by


class Figure(NamedTuple):
    """One measured figure and its bar; `least`: the bar is the least that will do."""

    what: str
    value: float
    bar: float
    unit: str
    least: bool

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.least else self.value <= self.bar


class Memory:
    """The most that the process holds while a phase runs, beyond what it held when it had begun."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.growth_mb = 0.0

    async def during(self, work: Awaitable[T]) -> T:
        """Look every 50 ms while `work` runs; the first second is its beginning."""
        task = asyncio.ensure_future(work)
        began, least, most = time.monotonic(), 0, 0
        while not task.done():
            held = self._process.memory_info().rss
            if time.monotonic() - began < 1.0:
                least = held
            most = max(most, held)
            await asyncio.wait([task], timeout=0.05)
        self.growth_mb = max(self.growth_mb, (most - least) / (1 << 20))
        return task.result()


async def fill(url: str, count: int) -> Town:
    """Write a log of about so many events; what it tells of."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    mapping = compiled.parse(text)
    activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
    described = events.SourceDescribed("a", "ABC", "USD", "UTC", aging_limits=[30, 60, 90, 120])
    today = events.AgingDateAdvanced("ABC", "2026-11-22")
    async with open_store(url, tables=all_tables()) as store:
        await is_current(store)
        first = [
            NewEvent("config/mapping", "MappingActivated", events.encode(activated)),
            NewEvent("config/source", "SourceDescribed", events.encode(described)),
            NewEvent("config/aging/ABC", "AgingDateAdvanced", events.encode(today)),
        ]
        head = (await store.append(first)).last
        town = Town(count)
        for batch in town.script(head):
            await store.append(batch)
    return town


async def timed(work: Awaitable[object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def rebuilt(store: EventStore) -> None:
    """Rebuild the read models from the log, compared with those that are there."""
    report = await rebuild(store, Projector(store), verify=False, progress=Silent())
    assert report.differences == []


async def asked(url: str, target: str) -> float:
    """Milliseconds to open the store for reading and tell one record's history."""

    async def ask() -> None:
        async with open_store(url, tables=all_tables(), read_only=True) as store:
            assert (await reports.history(store, target)).moments

    return await timed(ask()) * 1000


async def waited(url: str, town: Town) -> list[Figure]:
    """How long histories take."""
    chance = Random(2)
    kinds = (chance.choices(town.companies(), k=_ASKED), chance.choices(town.invoices, k=_ASKED))
    waits = [[await asked(url, name) for name in names] for names in kinds]
    busiest = [await asked(url, town.busiest) for _ in range(_ASKED)]
    return [
        Figure(
            "history of a customer, median", statistics.median(waits[0]), HISTORY_MS, "ms", False
        ),
        Figure(
            "history of an invoice, median", statistics.median(waits[1]), HISTORY_MS, "ms", False
        ),
        Figure(
            "history of the busiest customer", statistics.median(busiest), HISTORY_MS, "ms", False
        ),
        Figure("history, longest", max(*waits[0], *waits[1], *busiest), HISTORY_MS, "ms", False),
    ]


async def measure(folder: Path, count: int) -> list[Figure]:
    """Everything, one after the other."""
    url = f"sqlite:///{folder / 'log.db'}"
    memory = Memory()
    began = time.perf_counter()
    town = await memory.during(fill(url, count))
    print(f"{town} written in {time.perf_counter() - began:.0f} s")
    records = [record(number) for number in range(_LIVE)]
    live_per_s = _LIVE / await bench_projection.ours(folder, records)
    gc.collect()
    async with open_store(url, tables=all_tables()) as store:
        total = (await store.head()).last
        await store.append([], also=[outdated()])
        await rebuilt(store)  # what a service would have made as it went along
        gc.collect()
        rebuild_s = await memory.during(timed(rebuilt(store)))
        gc.collect()
        verify_s = await memory.during(timed(store.verify()))
    return [
        *await waited(url, town),
        Figure("rebuild", total / rebuild_s, live_per_s, "events/s", True),
        Figure("verify", total / verify_s, VERIFY_PER_S, "events/s", True),
        Figure("memory beyond the start of a phase", memory.growth_mb, GROWTH_MB, "MB", False),
    ]


def main() -> int:
    """Measure, print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    collector.tune()
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        figures = asyncio.run(measure(Path(folder), given.events))
    for one in figures:
        bar = f"{'at least' if one.least else 'at most'} {one.bar:,.0f}"
        state = "" if one.met else "   MISSED"
        print(f"  {one.what:36} {one.value:>10,.1f} {one.unit:9} ({bar}){state}")
    return 0 if all(one.met for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
