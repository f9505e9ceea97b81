"""How fast a log is proved and copied: verify, export, verify the file, import; and in what memory.

    python -m tests.bench.bench_archive [--events N] [--dir DIR]

Beside it, on the same file and by turns, the least that any verification must do: read every event
with bare sqlite3 and take the SHA-256 of its salted payload. What is judged is the ratio to that by
processor time, which hardly depends on who else is at work on the machine, and that memory does
not grow with the log. Exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from connector import verification
from connector.archive import export, restore
from connector.archive.files import Source, open_for_reading
from eventstore import NewEvent, open_store
from tests.bench.bench_store import DATA, STREAMS, TYPE

LEAST_RATIO = 0.40  # of the bare reading's rate, by processor time
MOST_GROWTH_MB = 80.0
TURNS = 3
COMMIT = 200


class Watch:
    """Seconds, processor seconds and the largest size of this process over one piece of work."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.begin()

    def begin(self) -> None:
        """Start anew."""
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        self.size_mb = self._process.memory_info().rss / 2**20

    def look(self, done: int, total: int) -> None:
        """Note the size; called by whatever counts."""
        self.size_mb = max(self.size_mb, self._process.memory_info().rss / 2**20)

    def told(self, what: str, events: int) -> float:
        """Print the rates; events per second of processor time."""
        wall_s, cpu_s = time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s
        print(
            f"{what:<24}{events / wall_s:>10,.0f} events/s {events / cpu_s:>10,.0f} per CPU second "
            f"{self.size_mb:>6.0f} MB"
        )
        return events / cpu_s


async def fill(path: Path, events: int) -> None:
    """A log of records in random order, as polling leaves it."""
    rng = random.Random(1)
    names = [f"sage/acme/ABC/AR_Invoice/01-C{number:05}" for number in range(STREAMS)]
    async with open_store(f"sqlite:///{path}") as store:
        for _ in range(0, events, COMMIT):
            await store.append([NewEvent(rng.choice(names), TYPE, DATA) for _ in range(COMMIT)])


def bare(path: Path) -> int:
    """Read and hash every event, and nothing else."""
    conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    done = 0
    try:
        while page := conn.execute(
            "SELECT position, salt, data FROM events WHERE position > ? ORDER BY position LIMIT ?",
            (done, 2_000),
        ).fetchall():
            for _, salt, data in page:
                hashlib.sha256(salt + data).digest()
            done = page[-1][0]
    finally:
        conn.close()
    return done


async def measure(folder: Path, events: int) -> int:
    """Everything once or by turns; 0 when every bar is met."""
    path, file, copy = folder / "events.db", folder / "log.jsonl", folder / "copy.db"
    watch = Watch()
    await fill(path, events)
    watch.told("append (for the record)", events)
    ratios, growths = [], []
    for _ in range(TURNS):
        watch.begin()
        bare(path)
        least = watch.told("bare read and hash", events)
        watch.begin()
        before_mb = watch.size_mb
        verdict = await verification.verify_store(f"sqlite:///{path}", [], watch.look)
        assert verdict.ok
        assert verdict.events == events
        ratios.append(watch.told("verify the store", events) / least)
        growths.append(watch.size_mb - before_mb)
    await copies(path, file, copy, events, watch, growths.append)
    ratio, growth = max(ratios), max(growths)
    print(f"verify / bare by CPU time {ratio:.2f} (at least {LEAST_RATIO:.2f})")
    print(f"memory grew by {growth:.0f} MB at most (at most {MOST_GROWTH_MB:.0f} MB)")
    return 0 if ratio >= LEAST_RATIO and growth <= MOST_GROWTH_MB else 1


async def copies(
    path: Path,
    file: Path,
    copy: Path,
    events: int,
    watch: Watch,
    grew: Callable[[float], None],
) -> None:
    """Export, verify the file, import it."""
    watch.begin()
    before_mb = watch.size_mb
    async with open_store(f"sqlite:///{path}", read_only=True) as store:
        await export(store, file, watch.look)
    watch.told("export", events)
    grew(watch.size_mb - before_mb)
    watch.begin()
    before_mb = watch.size_mb
    assert (await verification.verify_file(file, [], watch.look)).ok
    watch.told("verify the file", events)
    grew(watch.size_mb - before_mb)
    watch.begin()
    before_mb = watch.size_mb
    async with open_store(f"sqlite:///{copy}") as store:
        source = Source(file, partial(open_for_reading, file))
        assert (await restore(store, source, watch.look)).restored == events
    watch.told("import", events)
    grew(watch.size_mb - before_mb)


def main(arguments: list[str]) -> int:
    """Parse and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.dir) as name:
        return asyncio.run(measure(Path(name), given.events // COMMIT * COMMIT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
