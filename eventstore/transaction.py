"""The log's one writer, on its connection's thread: a group of appends as one transaction.

It knows the newest commit, which gives the next position and digest, and the streams' versions, so
that an append costs its inserts and little else. That knowledge is right because one process writes
(see lock.py) and on one thread; whenever a transaction fails it is dropped and read again.

In a group each append stands for itself: what conflicts is left out before anything of it is
written, and when the values of one cannot be stored, the group is halved until that one is alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Callable

import msgspec

from .appender import Append, Outcome
from .chain import SALT_LENGTH, commit_digest, link, payload_digest
from .codec import encode_meta
from .connection import explain
from .errors import CheckpointMoved, EventStoreError, InvalidAppend, WrongVersion
from .reads import read_head
from .statements import QUERIES, Many
from .tables import Tables
from .types import Commit

# Bounds memory, at some 300 bytes each; a stream seen again is read again, in microseconds.
_HEADS_KEPT = 100_000
_TYPES_KEPT = 10_000

# What an append's own values can raise on the way into the database; anything else is no fault
# of the caller.
BAD_VALUES = (
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    struct.error,
    msgspec.MsgspecError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    InvalidAppend,
)

_STREAM_HEADS = Many(QUERIES["stream_heads"])
_INSERT_STREAMS = Many(QUERIES["insert_streams"], width=2)
_INSERT_EVENTS = Many(QUERIES["insert_events"], width=8)
_INSERT_COMMITS = Many(QUERIES["insert_commits"], width=5)


class Log:
    """The writer's state. Every method runs on the writing connection's thread."""

    def __init__(
        self, tables: Tables, clock_us: Callable[[], int], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._tables = tables
        self._clock_us = clock_us
        self._random_bytes = random_bytes
        self._head: Commit | None = None
        self._last_stream_id = 0
        self._heads: dict[str, list[int]] = {}  # stream -> [id, version]; [0, 0] when not there
        self._types: dict[str, bytes] = {}

    def commit(self, conn: sqlite3.Connection, group: list[Append]) -> list[Outcome]:
        """Commit a group durably; the outcome of each append, in order. Never raises for one."""
        try:
            return self.transact(conn, lambda: self.write(conn, group))
        except BAD_VALUES as error:
            if len(group) == 1:
                return [invalid(error)]
        except sqlite3.Error as error:
            return [explain(error)] * len(group)
        half = len(group) // 2
        return self.commit(conn, group[:half]) + self.commit(conn, group[half:])

    def transact(
        self, conn: sqlite3.Connection, work: Callable[[], list[Outcome]]
    ) -> list[Outcome]:
        """Run `work` in a transaction; when it fails, undo it and forget what was known."""
        if conn.in_transaction:  # an undo that failed before
            conn.execute("ROLLBACK")
        conn.execute("BEGIN IMMEDIATE")
        try:
            if self._head is None:
                self._head = read_head(conn)
                self._last_stream_id = conn.execute(QUERIES["last_stream_id"]).fetchone()[0] or 0
            outcomes = work()
            conn.execute("COMMIT")
        except BaseException:
            self._head = None
            self._heads.clear()
            with contextlib.suppress(sqlite3.Error):
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
            raise
        return outcomes

    def write(self, conn: sqlite3.Connection, group: list[Append]) -> list[Outcome]:
        """Write a group inside the open transaction."""
        if self._head is None:
            raise EventStoreError("write() was called outside transact()")
        self._know_streams(conn, group)
        now_us = self._clock_us()
        last, digest = self._head.last, self._head.digest
        newest = self._head
        outcomes: list[Outcome] = []
        new_streams: list[int | str] = []
        new_events: list[object] = []
        new_commits: list[int | bytes] = []
        for append in group:
            refusal = self._refusal(conn, append)
            if refusal is not None:
                outcomes.append(refusal)
                continue
            first = last + 1
            if append.events:
                meta = encode_meta(append.meta)
                links = self._place(append, first, new_streams, new_events)
                last += len(links)
                digest = commit_digest(digest, first, last, now_us, meta, links)
                new_commits += (first, last, now_us, meta, digest)
            for write in append.also:
                self._tables.write(conn, write)
            if append.checkpoint is not None:
                moved = append.checkpoint
                conn.execute(
                    QUERIES["move_checkpoint"], (moved.name, moved.position, moved.cursor, now_us)
                )
            commit = Commit(first, last, now_us, digest, append.meta)
            outcomes.append(commit)
            if append.events:
                newest = commit
        _INSERT_STREAMS.run(conn, new_streams)
        _INSERT_EVENTS.run(conn, new_events)
        _INSERT_COMMITS.run(conn, new_commits)
        self._head = newest
        return outcomes

    def _know_streams(self, conn: sqlite3.Connection, group: list[Append]) -> None:
        """Read the version of every stream of the group that is not known yet."""
        heads = self._heads
        if len(heads) > _HEADS_KEPT:
            heads.clear()
        unknown = {
            event.stream for append in group for event in append.events if event.stream not in heads
        }
        for append in group:
            if append.expect:
                unknown.update(stream for stream in append.expect if stream not in heads)
        if not unknown:
            return
        if "" in unknown:
            raise InvalidAppend("a stream's name is empty")
        for name, id_, version in _STREAM_HEADS.select(conn, list(unknown)):
            heads[name] = [id_, version or 0]
        for name in unknown:
            if name not in heads:
                heads[name] = [0, 0]

    def _refusal(self, conn: sqlite3.Connection, append: Append) -> EventStoreError | None:
        if append.expect:
            for stream, expected in append.expect.items():
                actual = self._heads[stream][1]
                if actual != expected:
                    return WrongVersion(stream, expected, actual)
        if append.checkpoint is not None:
            name, was = append.checkpoint.name, append.checkpoint.was
            row = conn.execute(QUERIES["checkpoint"], (name,)).fetchone()
            stands = row[0] if row else 0
            if stands != was:
                return CheckpointMoved(name, was, stands)
        return None

    def _place(
        self,
        append: Append,
        first: int,
        new_streams: list[int | str],
        new_events: list[object],
    ) -> list[bytes]:
        """Give the events of one append their places; their links for the digest."""
        heads = self._heads
        types = self._types
        events = append.events
        salts = self._random_bytes(SALT_LENGTH * len(events))
        links = []
        for offset, event in enumerate(events):
            stream, type_, schema, cause = event.stream, event.type, event.schema, event.cause
            head = heads[stream]
            if not head[0]:
                self._last_stream_id += 1
                head[0] = self._last_stream_id
                new_streams += (head[0], stream)
            head[1] = version = head[1] + 1
            encoded = types.get(type_)
            if encoded is None:
                encoded = self._know_type(type_)
            salt = salts[offset * SALT_LENGTH : (offset + 1) * SALT_LENGTH]
            data = event.data
            position = first + offset
            payload = payload_digest(salt, data)
            links.append(link(position, stream.encode(), version, encoded, schema, cause, payload))
            new_events += (position, head[0], version, type_, schema, cause, salt, data)
        return links

    def _know_type(self, type_: str) -> bytes:
        if not type_:
            raise InvalidAppend("an event's type is empty")
        if len(self._types) >= _TYPES_KEPT:
            self._types.clear()
        return self._types.setdefault(type_, type_.encode())


def invalid(error: Exception) -> EventStoreError:
    """The refusal of an append whose values raised one of BAD_VALUES."""
    if isinstance(error, InvalidAppend):
        return error
    invalid = InvalidAppend(
        f"the append holds a value that cannot be stored ({type(error).__name__}: {error})"
    )
    invalid.__cause__ = error
    return invalid
