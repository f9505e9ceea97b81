"""What a log of a million events costs to use: history, rebuild, verify, and memory.

    python -m tests.bench.bench_log [--events N] [--dir DIR]

The log holds vendors that were observed and written to HubSpot four times over, in batches of 1,000
events, records in random order: what a service leaves behind. History is asked of a store just
opened for reading; rebuild and verify go over all of it. Rebuilding must be as fast as events are
projected live, which is measured beside it. Memory is the process's own: the most it held beyond
what it held when a phase had just begun. The other bars hold for the machine the project is
developed on, with nothing else at work there. Exits 1 when one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from importlib import resources
from pathlib import Path
from random import Random
from typing import Final, NamedTuple, TypeVar

import psutil

from connector import collector, reports
from connector.progress import Silent
from connector.projector import Projector
from connector.rebuild import all_tables, is_current, rebuild
from eventstore import EventStore, NewEvent, open_store
from projections import events, keys
from projections.mapping import compiled
from tests.bench import bench_projection
from tests.bench.bench_projection import record

T = TypeVar("T")

HISTORY_MS: Final = 100.0
VERIFY_PER_S: Final = 150_000
GROWTH_MB: Final = 100.0
_ROUNDS: Final = 4
_PER_ROUND: Final = 4
_PAGE: Final = 1_000
_ASKED: Final = 25
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


def life(number: int, turn: int) -> list[NewEvent]:
    """One round of one vendor's life: seen, decided on, sent, acknowledged."""
    key = f"00-V{number:06}"
    target = keys.hubspot_stream(keys.target("vendors", f"ABC:{key}"))
    command = turn * 3 + 1
    changes = {
        name: (None if turn == 0 else f"{name} {turn - 1} {number}", f"{name} {turn} {number}")
        for name in ("name", "phone", "address", "city", "zip", "sage100_vendor_status")
    }
    done = events.CommandSucceeded(command, f"{10**9 + number}", "updated", "b" * 16, "c" * 36)
    told: list[events.Event] = [
        events.CommandEmitted(command, changes, "changed in Sage 100", "m" * 12),
        events.CommandSent(command, "b" * 16, 1),
        done,
    ]
    observed = keys.sage_stream("a", "ABC", "AP_Vendor", key)
    return [
        NewEvent(observed, "RecordObserved", record(number)),
        *(NewEvent(target, events.type_of(one), events.encode(one)) for one in told),
    ]


def script(count: int) -> Iterator[list[NewEvent]]:
    """About `count` events in batches of _PAGE, records in random order, round by round."""
    vendors = max(1, count // (_ROUNDS * _PER_ROUND))
    order = list(range(vendors))
    chance = Random(1)
    batch: list[NewEvent] = []
    for turn in range(_ROUNDS):
        chance.shuffle(order)
        for number in order:
            batch += life(number, turn)
            if len(batch) >= _PAGE:
                yield batch
                batch = []
    if batch:
        yield batch


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


async def fill(url: str, count: int) -> int:
    """Write the log; how many events it holds."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    mapping = compiled.parse(text)
    activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
    described = events.SourceDescribed("a", "ABC", "USD", "UTC")
    async with open_store(url, tables=all_tables()) as store:
        await is_current(store)
        first = [
            NewEvent("config/mapping", "MappingActivated", events.encode(activated)),
            NewEvent("config/source", "SourceDescribed", events.encode(described)),
        ]
        await store.append(first)
        for batch in script(count):
            await store.append(batch)
        return (await store.head()).last


async def timed(work: Awaitable[object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def rebuilt(store: EventStore) -> None:
    """Rebuild the read models from the log."""
    await rebuild(store, Projector(store), verify=False, progress=Silent())


async def asked(url: str, number: int) -> float:
    """Milliseconds to open the store for reading and tell one vendor's history."""

    async def ask() -> None:
        async with open_store(url, tables=all_tables(), read_only=True) as store:
            told = await reports.history(store, f"vendors/ABC:00-V{number:06}")
            assert len(told.moments) == _ROUNDS * _PER_ROUND

    return await timed(ask()) * 1000


async def measure(folder: Path, count: int) -> list[Figure]:
    """Everything, one after the other."""
    url = f"sqlite:///{folder / 'log.db'}"
    memory = Memory()
    began = time.perf_counter()
    total = await memory.during(fill(url, count))
    records = [record(number) for number in range(_LIVE)]
    live_per_s = _LIVE / await bench_projection.ours(folder, records)
    print(f"{total:,} events written in {time.perf_counter() - began:.0f} s")
    gc.collect()
    async with open_store(url, tables=all_tables()) as store:
        rebuild_s = await memory.during(timed(rebuilt(store)))
        gc.collect()
        verify_s = await memory.during(timed(store.verify()))
    chance = Random(2)
    vendors = max(1, count // (_ROUNDS * _PER_ROUND))
    waits = [await asked(url, chance.randrange(vendors)) for _ in range(_ASKED)]
    return [
        Figure("history of one record, median", statistics.median(waits), HISTORY_MS, "ms", False),
        Figure("history of one record, longest", max(waits), HISTORY_MS, "ms", False),
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
