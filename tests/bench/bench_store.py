"""How fast the store is, beside bare sqlite3 and the eventsourcing library on the same machine.

    python -m tests.bench.bench_store [--events N] [--quick] [--dir DIR]

Absolute figures say little on a shared machine, so the contenders take turns, every one on a fresh
database and with the same payload, and what is judged is the ratio; and, of a hundred callers at
once, how long one has to wait for its append, in the median of the rounds. Only the calls into the
store are timed, not the making of the events. Everything is on disk when an append returns
(synchronous=FULL) for all three. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from eventsourcing import persistence
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from eventstore import EventStore, NewEvent, open_store

PAYLOAD_BYTES = 615
TYPE = "RecordObserved"
BATCH = 1_000
PAGE = 1_000
STREAMS = 50_000

Place = tuple[str, int]
"""Stream and version of the next event."""


def payload() -> bytes:
    """A JSON record of PAYLOAD_BYTES bytes."""
    fields: dict[str, object] = {f"Field{n:02}": f"value {n * 7919 % 1000}" for n in range(22)}
    fields["Balance"] = 1234.56
    fields["Fill"] = ""
    fields["Fill"] = "x" * (PAYLOAD_BYTES - len(json.dumps(fields)))
    data = json.dumps(fields).encode()
    assert len(data) == PAYLOAD_BYTES
    return data


DATA = payload()
LATENCIES_S: dict[int, list[list[float]]] = {}  # of our single appends, by callers and round
P99_MS = 10.0  # of a hundred callers' single appends, where
SERIAL_PER_S = 5_500  # the library makes so many, one after the other; in proportion where fewer


class Contender(Protocol):
    """A store to measure; every call returns the seconds it took."""

    async def append(self, places: Sequence[Place]) -> float: ...

    async def append_singly(self, places: Sequence[Place], callers: int) -> float: ...

    async def read_and_decode(self, upto: int) -> float: ...


class Ours:
    """This project's store."""

    def __init__(self, store: EventStore) -> None:
        self.store = store

    async def append(self, places: Sequence[Place]) -> float:
        events = [NewEvent(stream, TYPE, DATA) for stream, _ in places]
        began = time.perf_counter()
        await self.store.append(events)
        return time.perf_counter() - began

    async def append_singly(self, places: Sequence[Place], callers: int) -> float:
        async def call(events: Sequence[NewEvent]) -> None:
            for event in events:
                began = time.perf_counter()
                await self.store.append([event])
                latencies_s.append(time.perf_counter() - began)

        events = [NewEvent(stream, TYPE, DATA) for stream, _ in places]
        latencies_s: list[float] = []
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for n in range(callers):
                group.create_task(call(events[n::callers]))
        took_s = time.perf_counter() - began
        LATENCIES_S.setdefault(callers, []).append(latencies_s)
        return took_s

    async def read_and_decode(self, upto: int) -> float:
        decode = msgspec.json.Decoder().decode
        began = time.perf_counter()
        after = 0
        while after < upto:
            page = await self.store.read(after, limit=PAGE)
            for event in page:
                decode(event.data or b"")
            after = page[-1].position
        return time.perf_counter() - began


class Raw:
    """Bare sqlite3: one table, the stream as text, one transaction per batch, default settings."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        conn.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL,"
            " version INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL,"
            " UNIQUE (stream, version)) STRICT"
        )

    async def append(self, places: Sequence[Place]) -> float:
        rows = [(stream, version, TYPE, DATA) for stream, version in places]
        began = time.perf_counter()
        self._insert(rows)
        return time.perf_counter() - began

    async def append_singly(self, places: Sequence[Place], callers: int) -> float:
        rows = [(stream, version, TYPE, DATA) for stream, version in places]
        began = time.perf_counter()
        for row in rows:
            self._insert([row])
        return time.perf_counter() - began

    async def read_and_decode(self, upto: int) -> float:
        began = time.perf_counter()
        sql = "SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?"
        after = 0
        while after < upto:
            page = self.conn.execute(sql, (after, PAGE)).fetchall()
            for row in page:
                json.loads(row[4])
            after = page[-1][0]
        return time.perf_counter() - began

    def _insert(self, rows: Sequence[tuple[str, int, str, bytes]]) -> None:
        self.conn.execute("BEGIN IMMEDIATE")
        self.conn.executemany(
            "INSERT INTO events (stream, version, type, data) VALUES (?, ?, ?, ?)", rows
        )
        self.conn.execute("COMMIT")


class Library:
    """The eventsourcing library's SQLite recorder, called directly, without its mapper.

    Set up as it is by default, with UUIDs for stream names.
    """

    def __init__(self, recorder: SQLiteApplicationRecorder) -> None:
        self.recorder = recorder
        self._ids: dict[str, UUID] = {}

    def _events(self, places: Sequence[Place]) -> list[persistence.StoredEvent]:
        ids = self._ids
        for stream, _ in places:
            if stream not in ids:
                ids[stream] = uuid5(NAMESPACE_URL, stream)
        return [persistence.StoredEvent(ids[s], v, TYPE, DATA) for s, v in places]

    async def append(self, places: Sequence[Place]) -> float:
        events = self._events(places)
        began = time.perf_counter()
        self.recorder.insert_events(events)
        return time.perf_counter() - began

    async def append_singly(self, places: Sequence[Place], callers: int) -> float:
        events = self._events(places)
        began = time.perf_counter()
        for event in events:
            self.recorder.insert_events([event])
        return time.perf_counter() - began

    async def read_and_decode(self, upto: int) -> float:
        began = time.perf_counter()
        after = 0
        while after < upto:
            page = self.recorder.select_notifications(after, PAGE, inclusive_of_start=False)
            for notification in page:
                json.loads(notification.state)
            after = page[-1].id
        return time.perf_counter() - began


@asynccontextmanager
async def ours(path: Path) -> AsyncIterator[Contender]:
    async with open_store(f"sqlite:///{path}") as store:
        yield Ours(store)


@asynccontextmanager
async def raw(path: Path) -> AsyncIterator[Contender]:
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        yield Raw(conn)
    finally:
        conn.close()


@asynccontextmanager
async def library(path: Path) -> AsyncIterator[Contender]:
    datastore = SQLiteDatastore(str(path))
    try:
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()
        yield Library(recorder)
    finally:
        datastore.close()


Opening = Callable[[Path], AbstractAsyncContextManager[Contender]]
CONTENDERS: dict[str, Opening] = {"ours": ours, "raw": raw, "library": library}
Rates = dict[str, float]
"""Events per second, by contender."""


class Places:
    """An endless, repeatable choice of streams, with the version each would get next."""

    def __init__(self, streams: int) -> None:
        self._random = random.Random(20)
        self._names = [f"sage/main/ABC/AR_Customer/01-{n:07}" for n in range(streams)]
        self._versions = [0] * streams

    def take(self, count: int) -> list[Place]:
        places = []
        for _ in range(count):
            n = self._random.randrange(len(self._names))
            self._versions[n] += 1
            places.append((self._names[n], self._versions[n]))
        return places


async def batches(contender: Contender, places: Places, count: int) -> float:
    """Seconds to append `count` events in batches."""
    return sum([await contender.append(places.take(BATCH)) for _ in range(count // BATCH)])


async def single_appends(contender: Contender, count: int) -> float:
    return await contender.append_singly(Places(5_000).take(count), callers=100)


async def one_caller(contender: Contender, count: int) -> float:
    return await contender.append_singly(Places(5_000).take(count), callers=1)


async def reads(contender: Contender, count: int) -> float:
    await batches(contender, Places(5_000), count)
    return await contender.read_and_decode(count)


Work = Callable[[Contender, int], Awaitable[float]]


async def rounds(directory: Path, work: Work, count: int, repeat: int) -> list[Rates]:
    """Each round gives every contender a fresh database and its turn."""
    results = []
    for n in range(repeat):
        rates = {}
        order = list(CONTENDERS.items())
        for name, opening in order[n % 3 :] + order[: n % 3]:
            with tempfile.TemporaryDirectory(dir=directory) as fresh:
                async with opening(Path(fresh) / "bench.db") as contender:
                    rates[name] = count / await work(contender, count)
        results.append(rates)
    return results


async def by_turns(directory: Path, count: int, repeat: int) -> list[Rates]:
    """Rounds on fresh databases in which the contenders append a batch each by turns.

    A batch takes a hundredth of a second: whatever else the machine does meets all of them alike.
    """
    results = []
    for _ in range(repeat):
        spent = dict.fromkeys(CONTENDERS, 0.0)
        with tempfile.TemporaryDirectory(dir=directory) as fresh:
            opened = {name: opening(Path(fresh) / name) for name, opening in CONTENDERS.items()}
            async with opened["ours"] as a, opened["raw"] as b, opened["library"] as c:
                contenders = list({"ours": a, "raw": b, "library": c}.items())
                choices = {name: Places(5_000) for name in CONTENDERS}
                for n in range(count // BATCH):
                    for name, contender in contenders[n % 3 :] + contenders[: n % 3]:
                        spent[name] += await contender.append(choices[name].take(BATCH))
        results.append({name: count / seconds for name, seconds in spent.items()})
    return results


async def long_run(directory: Path, count: int) -> tuple[list[Rates], list[Rates]]:
    """Random streams into growing logs, taking turns; rates over the whole and the last quarter."""
    turn = max(BATCH, count // 40 // BATCH * BATCH)
    spent: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory(dir=directory) as fresh:
        opened = {name: opening(Path(fresh) / name) for name, opening in CONTENDERS.items()}
        async with opened["ours"] as a, opened["raw"] as b, opened["library"] as c:
            contenders = {"ours": a, "raw": b, "library": c}
            choices = {name: Places(STREAMS) for name in contenders}
            for _ in range(count // turn):
                for name, contender in contenders.items():
                    spent[name].append(await batches(contender, choices[name], turn))
    quarter = max(1, count // turn // 4)
    whole = {name: turn * len(s) / sum(s) for name, s in spent.items()}
    last = {name: turn * quarter / sum(s[-quarter:]) for name, s in spent.items()}
    return [whole], [last]


def report(title: str, results: list[Rates], bar: float | None) -> bool:
    """Print one row: median rates, median of the rounds' ratios; True when the bar is reached."""
    rates = {name: statistics.median(r[name] for r in results) for name in CONTENDERS}
    by_library = statistics.median(r["ours"] / r["library"] for r in results)
    by_raw = statistics.median(r["ours"] / r["raw"] for r in results)
    passed = bar is None or by_library >= bar
    verdict = "" if bar is None else "pass" if passed else "FAIL"
    figures = f"{rates['ours']:>9,.0f} {rates['raw']:>9,.0f} {rates['library']:>13,.0f}"
    asked = "" if bar is None else f"{bar:.2f}"
    print(
        f"{title:44} {figures} {by_raw:>7.2f} {by_library:>7.2f} {asked:>6} {verdict}", flush=True
    )
    return passed


async def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench_store", description="Measure the event store.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the long run")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 200,000 events")
    parser.add_argument("--dir", type=Path, default=None, help="where the databases are made")
    options = parser.parse_args(arguments)
    events = min(options.events, 200_000) if options.quick else options.events
    repeat = 3 if options.quick else 7
    where = options.dir
    print(f"{'events/s':44} {'ours':>9} {'sqlite3':>9} {'eventsourcing':>13}  ", end="")
    print(f"{'/sqlite3':>7} {'/ev.s.':>6} {'bar':>6}")
    batched = await by_turns(where, 50_000, repeat)
    passed = [report("append, batches of 1,000", batched, 65 / 56)]
    single = await rounds(where, single_appends, 10_000, repeat)
    passed += [
        report("100 callers, single appends / serial", single, 25 / 5.5),
        report("one caller, single appends", await rounds(where, one_caller, 2_000, repeat), None),
        report(
            "read and decode, pages of 1,000",
            await rounds(where, reads, 50_000, repeat),
            120 / 78,
        ),
    ]
    whole, last = await long_run(where, events)
    report(f"append, {events:,} over {STREAMS:,} streams, whole", whole, None)
    passed.append(report("append, the same, last quarter", last, 35 / 18))
    slower = max(1.0, SERIAL_PER_S / statistics.median(rates["library"] for rates in single))
    for callers in LATENCIES_S:
        passed.append(waits(callers, P99_MS * slower if callers == 100 else None))
    return 0 if all(passed) else 1


def waits(callers: int, bar_ms: float | None) -> bool:
    """Print how long appends took, in the median of the rounds; True when p99 is within the bar."""
    cuts = [statistics.quantiles(latencies_s, n=100) for latencies_s in LATENCIES_S[callers]]
    p50_ms, p99_ms = (statistics.median(cut[at] for cut in cuts) * 1e3 for at in (49, 98))
    passed = bar_ms is None or p99_ms <= bar_ms
    verdict = "" if bar_ms is None else f" (at most {bar_ms:.0f} ms) {'pass' if passed else 'FAIL'}"
    print(f"ours, {callers} caller(s): p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms{verdict}")
    return passed


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
