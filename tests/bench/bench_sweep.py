"""A sweep that finds nothing changed, beside a bare parse of the very bytes that it reads.

    python -m tests.bench.bench_sweep [--invoices N] [--customers N] [--dir DIR]

The simulated agent runs in a process of its own, and so does every step: a first pass reads all
invoices into a fresh store, the same pages are kept as they came, and then a sweep reads everything
again: over the socket, unpacked, checked, fingerprinted, compared with what is known, with what was
seen and the place after each page on disk (synchronous=FULL), then the search for absent rows.

The bare parse is lxml's `fromstring` over the same bytes, in memory and unpacked, before and after
the sweep, and the tree is let go unread. What it takes to read every row's cells into a tuple of
text besides is shown beside it, and not judged. Sweep and parse are judged by the CPU time of their
processes, in which nobody else's work counts (though it shares their caches); the sweep's includes
the store's threads. Exits 1 when the sweep makes less than a third of the parse's rows/s, memory
grows by more than a quarter, or events other than the pass's own appear.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import aiohttp
import psutil
from lxml import etree

from connector.progress import Progress, Silent
from connector.rebuild import all_tables
from connector.sage100 import envelope
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.contract import NAMESPACE, AgentInfo
from connector.sage100.passes import WORK_TABLES, Reading
from connector.sage100.poller import poll
from connector.sage100.selection import select
from connector.sage100.sweep import sweep
from connector.sandbox.agent import AgentOptions, Announcement, run_agent
from connector.secret import Secret
from eventstore import open_store
from projections import events

T = TypeVar("T")
ENTITY: Final = "AR_Invoice"
LEAST_RATIO: Final = 1 / 3
MOST_GROWTH: Final = 0.25
OWN: Final = {
    kind.__name__ for kind in (events.PollStarted, events.PollCompleted, events.SweepCompleted)
}
_SPAWN: Final = multiprocessing.get_context("spawn")


class Parsed(NamedTuple):
    """The parse of all pages; `read_cpu_s`: every cell's text read besides."""

    seconds: float
    cpu_s: float
    read_cpu_s: float
    pages: int
    size_mb: float


class Swept(NamedTuple):
    """One sweep, the sizes of its process at its pages, and the events it appended, by type."""

    rows: int
    unchanged: int
    seconds: float
    cpu_s: float
    sizes_mb: list[float]
    appended: dict[str, int]


class Memory(Silent):
    """Notes this process's resident size after every page."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.sizes_mb: list[float] = []

    def note(self) -> None:
        """The resident size as of now."""
        self.sizes_mb.append(self._process.memory_info().rss / 2**20)

    def poll(self, company: str, entity: str, read: int) -> None:
        """One more page is in the log."""
        self.note()


def serve(options: AgentOptions, out: Connection) -> None:
    """The agent's process."""
    asyncio.run(run_agent(options, announce=out.send))


@contextlib.contextmanager
def serving(options: AgentOptions) -> Iterator[Announcement]:
    """An agent in a process of its own."""
    here, there = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=serve, args=(options, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
        here.close()


def alone(work: Callable[..., T], *arguments: object) -> T:
    """Do it in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(work, *arguments).result()


@contextlib.asynccontextmanager
async def joined(
    running: Announcement, folder: Path, progress: Progress
) -> AsyncIterator[tuple[Reading, AgentInfo]]:
    """The invoices, to be read into this folder's store."""
    credentials = Credentials(
        username=running.username,
        password=Secret(running.password),
        api_key=Secret(running.api_key),
    )
    url, tables = f"sqlite:///{folder}/events.db", [*all_tables(), *WORK_TABLES]
    async with (
        open_store(url, tables=tables) as store,
        Agent(running.endpoint, credentials=credentials) as agent,
    ):
        info = await agent.get_info()
        entity = info.entity(ENTITY)
        if entity is None:
            raise SystemExit(f"the agent serves no {ENTITY}")
        wanted = Reading(
            agent=agent,
            store=store,
            instance="bench",
            company=running.companies[0],
            selection=select(entity, agent.call("GetInfo")),
            progress=progress,
        )
        yield wanted, info


def prepare(running: Announcement, folder: Path) -> None:
    """Read every invoice into a fresh store, and keep the pages as they come."""

    async def work() -> None:
        async with joined(running, folder, Silent()) as (wanted, info):
            outcome = await poll(wanted, overlap=timedelta(days=1), server_time=info.server_time)
            if not outcome.completed:
                raise SystemExit(f"the first pass did not end: {outcome}")
            await keep_pages(running, wanted, folder)

    asyncio.run(work())


async def keep_pages(running: Announcement, wanted: Reading, folder: Path) -> None:
    """Ask for every page as the sweep does and write its body, unpacked, into the folder."""
    headers = {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": envelope.soap_action("ReadPage"),
        "X-API-Key": running.api_key,
        "Authorization": aiohttp.encode_basic_auth(running.username, running.password),
    }
    after: str | None = ""
    number = 0
    async with aiohttp.ClientSession(headers=headers) as session:
        while after is not None:
            columns = wanted.selection.columns
            asked = envelope.read_page(wanted.company, ENTITY, columns=columns, after=after)
            async with session.post(running.endpoint, data=asked) as response:
                body = await response.read()
            (folder / f"{number:06}.xml").write_bytes(body)
            after = etree.fromstring(body).findtext(f".//{{{NAMESPACE}}}Next")
            number += 1


def parse(folder: Path) -> Parsed:
    """Parse every page that was kept, once."""
    bodies = [file.read_bytes() for file in sorted(folder.glob("*.xml"))]
    began, cpu_began = time.perf_counter(), time.process_time()
    for body in bodies:
        etree.fromstring(body)
    cpu_s, seconds = time.process_time() - cpu_began, time.perf_counter() - began
    cpu_began = time.process_time()
    for body in bodies:
        for row in etree.fromstring(body).iter(f"{{{NAMESPACE}}}Row"):
            tuple([cell.text or "" for cell in row])
    read_cpu_s = time.process_time() - cpu_began
    return Parsed(seconds, cpu_s, read_cpu_s, len(bodies), sum(map(len, bodies)) / 2**20)


def swept(running: Announcement, folder: Path) -> Swept:
    """Sweep what the store holds already."""

    async def work() -> Swept:
        memory = Memory()
        async with joined(running, folder, memory) as (wanted, _):
            store = wanted.store
            head = (await store.head()).last
            memory.note()
            began, cpu_began = time.perf_counter(), time.process_time()
            outcome = await sweep(wanted)
            cpu_s, seconds = time.process_time() - cpu_began, time.perf_counter() - began
            memory.note()
            if not outcome.completed:
                raise SystemExit(f"the sweep did not end: {outcome}")
            appended: Counter[str] = Counter()
            while page := await store.read(head):
                appended.update(event.type for event in page)
                head = page[-1].position
            return Swept(
                outcome.read, outcome.unchanged, seconds, cpu_s, memory.sizes_mb, dict(appended)
            )

    return asyncio.run(work())


def main() -> int:
    """First pass, parse, sweep, parse."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    options = AgentOptions(
        customers=given.customers, invoices=given.invoices, vendors=1, details=False
    )
    with tempfile.TemporaryDirectory(dir=given.dir) as name, serving(options) as running:
        folder = Path(name)
        alone(prepare, running, folder)
        parses = [alone(parse, folder)]
        one = alone(swept, running, folder)
        parses.append(alone(parse, folder))
    return judge(one, parses)


def judge(one: Swept, parses: list[Parsed]) -> int:
    """Print the figures; 0 when every bar is met."""
    rows = one.rows
    bare_s = sum(each.seconds for each in parses) / len(parses)
    bare_cpu_s = sum(each.cpu_s for each in parses) / len(parses)
    print(
        f"sweep: {rows:,} rows in {one.seconds:.2f} s = {rows / one.seconds:,.0f} rows/s, "
        f"{one.cpu_s:.2f} s of CPU = {rows / one.cpu_s:,.0f} rows/s; {one.unchanged:,} unchanged"
    )
    print(
        f"parse: the same {parses[0].pages:,} pages, {parses[0].size_mb:.0f} MB, "
        f"in {bare_s:.2f} s = {rows / bare_s:,.0f} rows/s, "
        f"{bare_cpu_s:.2f} s of CPU = {rows / bare_cpu_s:,.0f} rows/s"
    )
    read_cpu_s = sum(each.read_cpu_s for each in parses) / len(parses)
    ratio = bare_cpu_s / one.cpu_s
    print(f"sweep / parse by CPU time {ratio:.2f} (at least {LEAST_RATIO:.2f}), ", end="")
    print(f"by wall time, the agent's answering included, {bare_s / one.seconds:.2f}; ", end="")
    print(f"beside a parse that reads the cells, by CPU time {read_cpu_s / one.cpu_s:.2f}")
    early_mb = max(one.sizes_mb[: max(len(one.sizes_mb) // 10, 2)])
    growth = max(one.sizes_mb) / early_mb - 1
    print(
        f"memory: {one.sizes_mb[0]:.0f} MB before, {early_mb:.0f} MB in the first tenth, "
        f"at most {max(one.sizes_mb):.0f} MB: grew by {growth:.0%} (at most {MOST_GROWTH:.0%})"
    )
    foreign = {kind: count for kind, count in one.appended.items() if kind not in OWN}
    print(f"events: {one.appended}, {sum(foreign.values())} of them not the pass's own (0)")
    met = ratio >= LEAST_RATIO and growth <= MOST_GROWTH and not foreign
    return 0 if met and one.unchanged == rows == one.rows > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
