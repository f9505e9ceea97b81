"""The values that cross the store's boundary, and the store's one interface.

Everything here is frozen data or a protocol: a backend implements `EventStore`, a caller builds
`NewEvent`s and `Write`s. Nothing knows what an event means; payloads are opaque JSON bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as its author hands it in; `cause` is the position of the event that led to it."""

    stream: str
    type: str
    data: bytes
    schema: int = 1
    cause: int | None = None


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as the log holds it; `data` is None once erased."""

    position: int
    stream: str
    version: int
    type: str
    schema: int
    cause: int | None
    data: bytes | None


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who appended and under which trace (W3C `traceparent`), once per commit."""

    actor: str = ""
    traceparent: str | None = None


class Commit(msgspec.Struct, frozen=True):
    """One append: positions `first`..`last` (empty when first > last), time in µs UTC, digest."""

    first: int
    last: int
    recorded_at_us: int
    digest: bytes
    meta: Meta = Meta()


class Checkpoint(msgspec.Struct, frozen=True):
    """A consumer's place. Moves by compare-and-set: only when the stored position equals `was`.

    A name never seen stands at position 0. `cursor` is opaque (a poller's place in its source).
    """

    name: str
    position: int
    was: int = 0
    cursor: bytes | None = None


class Table(msgspec.Struct, frozen=True):
    """A read-model table the caller owns: text key to bytes, and, when `ranked`, ordered by rank.

    `name` matches [a-z][a-z0-9_]*. Tables live beside the log so that rows, commands and
    checkpoint commit together; they can be dropped and rebuilt from the log at any time.
    """

    name: str
    ranked: bool = False


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row of a read-model table. `rank` (e.g. due time in µs) only in a ranked table."""

    key: str
    value: bytes
    rank: int | None = None


class Put(msgspec.Struct, frozen=True):
    """Insert or replace these rows by key."""

    table: str
    rows: Sequence[Row]


class Remove(msgspec.Struct, frozen=True):
    """Delete these keys; a missing key is no error."""

    table: str
    keys: Sequence[str]


class Clear(msgspec.Struct, frozen=True):
    """Delete every row of the table."""

    table: str


class Adopt(msgspec.Struct, frozen=True):
    """Make `table` hold exactly what `source` (same kind of table) holds, and empty `source`."""

    table: str
    source: str


Write = Put | Remove | Clear | Adopt


class SealedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as the chain covers it: with its salt, or, once erased, with its digest alone."""

    position: int
    stream: str
    version: int
    type: str
    schema: int
    cause: int | None
    salt: bytes | None
    data: bytes | None
    digest: bytes | None


class SealedCommit(msgspec.Struct, frozen=True):
    """One commit as the chain covers it. `meta`: its JSON as stored; times in µs UTC."""

    first: int
    last: int
    recorded_at_us: int
    meta: bytes
    digest: bytes
    events: tuple[SealedEvent, ...]


class Erasure(msgspec.Struct, frozen=True):
    """What an erasure did: how many payloads were blanked, and the commit that records it."""

    blanked: int
    commit: Commit


class EventStore(Protocol):
    """An append-only log with gapless positions, and the read-model tables that go with it."""

    async def append(
        self,
        events: Sequence[NewEvent],
        *,
        expect: Mapping[str, int] | None = None,
        expect_head: int | None = None,
        checkpoint: Checkpoint | None = None,
        also: Sequence[Write] = (),
        meta: Meta = Meta(),  # noqa: B008 - frozen
        meanwhile: asyncio.Event | None = None,
    ) -> Commit:
        """Append all or nothing, durably, with checkpoint and rows in the same transaction.

        `expect` maps stream to the version it must stand at (0: does not exist); `expect_head` is
        the position the whole log must end at. No events is allowed: rows and checkpoint alone
        commit, and the returned commit is empty. `meanwhile` is set when nothing but the disk is
        still to be waited for (work done from then on costs the append nothing), or it has ended.
        Raises WrongVersion, HeadMoved, CheckpointMoved; none fails another caller's append.
        """
        ...

    async def read(
        self,
        after: int,
        *,
        types: Collection[str] = (),
        upto: int | None = None,
        limit: int = 500,
    ) -> list[StoredEvent]:
        """Events with position > after (and <= upto), ascending, upcast to current schemas."""
        ...

    async def history(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> list[StoredEvent]:
        """Events of one stream with version > after (and position <= upto), ascending."""
        ...

    async def histories(self, streams: Collection[str]) -> dict[str, list[StoredEvent]]:
        """All events of each stream in one step; every name is a key of the answer."""
        ...

    def follow(
        self, after: int, *, types: Collection[str] = (), limit: int = 500
    ) -> AsyncIterator[list[StoredEvent]]:
        """Pages for ever: wakes on commit, else looks every second."""
        ...

    async def wait(self, after: int, timeout_s: float) -> bool:
        """Return True as soon as head > after, False when `timeout_s` passes first."""
        ...

    async def streams(self, prefix: str, *, after: str = "", limit: int = 500) -> list[str]:
        """Stream names with this prefix, ascending, > after."""
        ...

    async def locate(self, places: Sequence[tuple[str, int]]) -> list[int | None]:
        """Positions of (stream, version) pairs, in their order; None where there is no event."""
        ...

    async def commits(self, positions: Sequence[int]) -> list[Commit | None]:
        """The commit that holds each position, in their order; None where there is no event."""
        ...

    async def position_at(self, time_us: int) -> int:
        """The last position recorded at or before this time (µs UTC); 0 when there is none."""
        ...

    async def head(self) -> Commit:
        """The newest commit that holds events; (1, 0, 0, genesis digest) for an empty log."""
        ...

    async def checkpoint(self, name: str) -> Checkpoint:
        """The stored checkpoint, with `was` == `position` so that it can be moved."""
        ...

    async def rows(self, keys: Mapping[str, Collection[str]]) -> dict[str, dict[str, Row]]:
        """Rows of several tables in one step: table -> key -> row; missing keys are left out."""
        ...

    async def scan(
        self, table: str, *, prefix: str = "", after: str = "", limit: int = 500
    ) -> list[Row]:
        """Rows with this key prefix and key > after, ascending by key (byte order)."""
        ...

    async def scan_many(
        self, table: str, prefixes: Collection[str], *, limit: int | None = None
    ) -> dict[str, list[Row]]:
        """All rows of each prefix (or so many) in one step; every prefix is a key of the answer."""
        ...

    async def due(self, table: str, *, upto: int, limit: int = 100) -> list[Row]:
        """Rows of a ranked table with rank <= upto, ascending by (rank, key)."""
        ...

    async def next_rank(self, table: str) -> int | None:
        """The lowest rank in a ranked table, None when it is empty."""
        ...

    async def count(self, table: str, *, prefix: str = "") -> int:
        """How many rows have this key prefix."""
        ...

    async def counts(self, table: str, prefixes: Collection[str]) -> dict[str, int]:
        """How many rows have each prefix, in one step; every prefix is a key of the answer."""
        ...

    async def erase(
        self,
        streams: Sequence[str],
        *,
        reason: str,
        meta: Meta,
        then: Sequence[NewEvent] = (),
        also: Sequence[Write] = (),
    ) -> Erasure:
        """Blank every payload of these streams, keep digests; append `Erased` to audit/erasure.

        `then` is appended with it and `also` is written, all in the same transaction: what may be
        kept of the streams, for instance.
        """
        ...

    async def compact(self, *, again: bool = False) -> None:
        """Write the file anew without what was deleted, and empty the write-ahead log.

        Takes as much disk again as the file, for a while. Raises ErasureUnfinished when a reader of
        another process keeps the write-ahead log in use; `again`: only that is left to be done.
        """
        ...

    async def sealed(
        self, after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> list[SealedCommit]:
        """Whole commits behind position `after`, as the chain covers them; none ends after `upto`.

        About `limit` events, but at least one commit. Begins with the commit that holds position
        `after` + 1 when that is its first.
        """
        ...

    async def restore(self, commits: Sequence[SealedCommit]) -> Commit:
        """Append commits of another log as they are, all or none, durably; the head after them.

        Raises NotTheNext when they do not follow this log, ChainBroken when they were altered.
        """
        ...

    async def verify(self, *, after: int = 0, told: Callable[[int], None] | None = None) -> int:
        """Recompute the chain; the number of events checked. Raises ChainBroken(position).

        Every blank event must be covered by a later erasure. `told` hears the position reached, now
        and then.
        """
        ...

    async def aclose(self) -> None:
        """Finish what is queued, close. Idempotent."""
        ...
