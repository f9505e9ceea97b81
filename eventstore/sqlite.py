"""The SQLite backend: one file, one writing connection, one reading connection, each on its thread.

Appends go through the group commit to the writing connection; reads go to the other, so that a
long transaction delays no reader. Durability is always full: what an append has returned for is on
the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Concatenate, ParamSpec, TypeVar

from . import integrity, reads, sealed
from .appender import Append, Appender, Outcome
from .blanks import Blanks
from .chain import make_salts
from .codec import Codec
from .connection import Connection
from .errors import InvalidAppend, StoreClosed, StoreReadOnly
from .follow import Follower, Page, Pulse
from .lock import StoreLock
from .restoring import RestorableLog
from .tables import Tables
from .types import (
    Checkpoint,
    Commit,
    Erasure,
    Meta,
    NewEvent,
    Row,
    SealedCommit,
    StoredEvent,
    Write,
)

P = ParamSpec("P")
T = TypeVar("T")
_NO_META = Meta()


class SqliteStore:
    """An open store, made by `open_sqlite`; see `EventStore` for what each call promises."""

    def __init__(
        self,
        log: RestorableLog,
        tables: Tables,
        codec: Codec,
        reader: Connection,
        head: int,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._log = log
        self._random_bytes = random_bytes
        self._tables = tables
        self._codec = codec
        self._reader = reader
        self._writer: Connection | None = None
        self._appender: Appender | None = None
        self._lock: StoreLock | None = None
        self._pulse = Pulse(head, self._look)
        self._closing: asyncio.Task[None] | None = None

    def write_through(self, writer: Connection, lock: StoreLock) -> None:
        """Make the store writable: it owns `writer` and `lock` from here on."""
        self._writer = writer
        self._lock = lock
        self._appender = Appender(self._commit, self._committed)

    async def append(
        self,
        events: Sequence[NewEvent],
        *,
        expect: Mapping[str, int] | None = None,
        expect_head: int | None = None,
        checkpoint: Checkpoint | None = None,
        also: Sequence[Write] = (),
        meta: Meta = _NO_META,
        meanwhile: asyncio.Event | None = None,
    ) -> Commit:
        """See `EventStore.append`. Also raises InvalidAppend, UnknownTable, Unavailable."""
        if self._appender is None:
            raise StoreReadOnly
        if also:
            self._tables.check(also)
        events = tuple(events)
        append = Append(
            events,
            make_salts(len(events), self._random_bytes),
            expect=expect,
            expect_head=expect_head,
            checkpoint=checkpoint,
            also=tuple(also),
            meta=meta,
        )
        if meanwhile is None:
            return await self._appender.append(append)
        loop = asyncio.get_running_loop()
        append.meanwhile = lambda: loop.call_soon_threadsafe(meanwhile.set)
        try:
            return await self._appender.append(append)
        finally:
            meanwhile.set()

    async def read(
        self,
        after: int,
        *,
        types: Collection[str] = (),
        upto: int | None = None,
        limit: int = 500,
    ) -> list[StoredEvent]:
        """See `EventStore.read`. Also raises UnknownSchema."""
        return await self._read(reads.read_events, self._codec, after, types, upto, limit)

    async def history(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> list[StoredEvent]:
        """See `EventStore.history`. Also raises UnknownSchema."""
        return await self._read(reads.read_history, self._codec, stream, after, upto)

    async def histories(self, streams: Collection[str]) -> dict[str, list[StoredEvent]]:
        """See `EventStore.histories`. Also raises UnknownSchema."""
        return await self._read(reads.read_histories, self._codec, streams)

    def follow(
        self, after: int, *, types: Collection[str] = (), limit: int = 500
    ) -> AsyncIterator[list[StoredEvent]]:
        """See `EventStore.follow`. Raises StoreClosed when the store is closed meanwhile."""
        wanted = tuple(types)

        async def page(position: int) -> Page:
            return await self._read(reads.read_page, self._codec, position, wanted, limit)

        return Follower(after, page, self._pulse)

    async def wait(self, after: int, timeout_s: float) -> bool:
        """See `EventStore.wait`. Raises StoreClosed when the store is closed meanwhile."""
        return await self._pulse.wait(after, timeout_s)

    async def streams(self, prefix: str, *, after: str = "", limit: int = 500) -> list[str]:
        """See `EventStore.streams`."""
        return await self._read(reads.read_streams, prefix, after, limit)

    async def locate(self, places: Sequence[tuple[str, int]]) -> list[int | None]:
        """See `EventStore.locate`."""
        return await self._read(reads.read_places, places)

    async def commits(self, positions: Sequence[int]) -> list[Commit | None]:
        """See `EventStore.commits`."""
        return await self._read(reads.read_commits, positions)

    async def position_at(self, time_us: int) -> int:
        """See `EventStore.position_at`."""
        return await self._read(reads.read_position_at, time_us)

    async def head(self) -> Commit:
        """See `EventStore.head`."""
        return await self._read(reads.read_head)

    async def checkpoint(self, name: str) -> Checkpoint:
        """See `EventStore.checkpoint`."""
        return await self._read(reads.read_checkpoint, name)

    async def rows(self, keys: Mapping[str, Collection[str]]) -> dict[str, dict[str, Row]]:
        """See `EventStore.rows`."""
        return await self._read(self._tables.rows, keys)

    async def scan(
        self, table: str, *, prefix: str = "", after: str = "", limit: int = 500
    ) -> list[Row]:
        """See `EventStore.scan`."""
        return await self._read(self._tables.scan, table, prefix, after, limit)

    async def scan_many(
        self, table: str, prefixes: Collection[str], *, limit: int | None = None
    ) -> dict[str, list[Row]]:
        """See `EventStore.scan_many`."""
        return await self._read(self._tables.scan_many, table, prefixes, limit)

    async def due(self, table: str, *, upto: int, limit: int = 100) -> list[Row]:
        """See `EventStore.due`."""
        return await self._read(self._tables.due, table, upto, limit)

    async def next_rank(self, table: str) -> int | None:
        """See `EventStore.next_rank`."""
        return await self._read(self._tables.next_rank, table)

    async def count(self, table: str, *, prefix: str = "") -> int:
        """See `EventStore.count`."""
        return await self._read(self._tables.count, table, prefix)

    async def counts(self, table: str, prefixes: Collection[str]) -> dict[str, int]:
        """See `EventStore.counts`."""
        return await self._read(self._tables.counts, table, prefixes)

    async def erase(
        self,
        streams: Sequence[str],
        *,
        reason: str,
        meta: Meta,
        then: Sequence[NewEvent] = (),
        also: Sequence[Write] = (),
    ) -> Erasure:
        """See `EventStore.erase`. Also raises InvalidAppend, ErasureUnfinished."""
        if isinstance(streams, str):
            raise InvalidAppend("erase takes a sequence of stream names, not one name")
        if also:
            self._tables.check(also)
        erasure = await self._write(
            integrity.erase_streams,
            self._log,
            list(streams),
            reason,
            meta,
            make_salts(1 + len(then), self._random_bytes),
            tuple(then),
            tuple(also),
        )
        self._pulse.advance(erasure.commit.last)
        return erasure

    async def compact(self, *, again: bool = False) -> None:
        """See `EventStore.compact`. Also raises Unavailable."""
        await self._write(integrity.finish_compacting if again else integrity.compact)

    async def sealed(
        self, after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> list[SealedCommit]:
        """See `EventStore.sealed`. Also raises ChainBroken where a name is no text."""
        return await self._read(sealed.read_sealed, after, upto, limit)

    async def restore(self, commits: Sequence[SealedCommit]) -> Commit:
        """See `EventStore.restore`. Also raises InvalidAppend, Unavailable."""
        head = await self._write(self._log.restore, list(commits))
        self._pulse.advance(head.last)
        return head

    async def verify(self, *, after: int = 0, told: Callable[[int], None] | None = None) -> int:
        """See `EventStore.verify`. Begins with the commit that holds position `after` + 1."""
        place = await self._read(integrity.start_of, after)
        began, more, blanks = place[0], True, Blanks()
        while more:
            place, more = await self._read(integrity.verify_step, place, blanks)
            if told is not None:
                told(place[0])
        return place[0] - began

    async def aclose(self) -> None:
        """See `EventStore.aclose`. Goes on to its end even when the caller is cancelled."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="eventstore close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._pulse.close()
        async with contextlib.AsyncExitStack() as closing:  # undone from last to first
            if self._lock is not None:
                closing.callback(self._lock.release)
            if self._writer is not None:
                closing.push_async_callback(self._writer.aclose)
            # First: the last connection to close empties the write-ahead log, and cannot if it
            # may only read.
            closing.push_async_callback(self._reader.aclose)
            if self._appender is not None:
                await self._appender.aclose()

    async def _read(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._closing is not None:
            raise StoreClosed
        return await self._reader.run(function, *args, **kwargs)

    async def _write(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What goes past the group commit: it is not waited for by what is queued there."""
        if self._writer is None:
            raise StoreReadOnly
        if self._closing is not None:
            raise StoreClosed
        return await self._writer.run(function, *args, **kwargs)

    async def _look(self) -> int:
        return (await self.head()).last

    async def _commit(self, group: list[Append]) -> list[Outcome]:
        if self._writer is None:
            raise StoreReadOnly
        return await self._writer.run(self._log.commit, group)

    def _committed(self, outcomes: list[Outcome]) -> None:
        self._pulse.advance(
            max((outcome.last for outcome in outcomes if isinstance(outcome, Commit)), default=0)
        )
