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
from .chain import commit_digest, links
from .codec import encode_meta
from .connection import explain
from .errors import CheckpointMoved, EventStoreError, HeadMoved, InvalidAppend, WrongVersion
from .reads import read_head
from .statements import AS_BLOB, QUERIES, Many
from .tables import Tables
from .types import Commit

# Bounds memory, at some 300 bytes each; a stream seen again is read again, in microseconds.
_HEADS_KEPT = 50_000

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

WRONG_EVENT = (
    "the event for position {position}, of stream {stream!r}, has no type, a schema below 1, or a "
    "cause that is not an earlier position"
)

_STREAM_HEADS = Many(QUERIES["stream_heads"])
_INSERT_STREAMS = Many(QUERIES["insert_streams"], width=2)
_INSERT_EVENTS = Many(QUERIES["insert_events"], width=8, row="(?,?,?,?,?,nullif(?,0),?,?)")
_INSERT_COMMITS = Many(QUERIES["insert_commits"], width=5)


class Log:
    """The writer's state. Every method runs on the writing connection's thread."""

    def __init__(
        self,
        tables: Tables,
        clock_us: Callable[[], int],
    ) -> None:
        self._tables = tables
        self._clock_us = clock_us
        self._head: Commit | None = None
        self._last_stream_id = 0
        self._heads: dict[str, list[int]] = {}  # stream -> [id, version]; [0, 0] when not there
        self._all_known = False  # a stream that is not in _heads does not exist

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
                self._all_known = not self._last_stream_id
            outcomes = work()
            conn.execute("COMMIT")
        except BaseException:  # whatever it is, half a transaction must not be gone on with
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
        new_streams: list[int | str] = []
        new_events: list[object] = []
        placed: list[list[int] | EventStoreError] = []
        position = self._head.last + 1
        for append in group:
            refusal = self._refusal(conn, append, position - 1)
            if refusal is not None:
                placed.append(refusal)
                continue
            versions = self._place(append, position, new_streams, new_events)
            placed.append(versions)
            position += len(versions)
            for write in append.also:
                self._tables.write(conn, write)
            if append.checkpoint is not None:
                moved = append.checkpoint
                conn.execute(
                    QUERIES["move_checkpoint"], (moved.name, moved.position, moved.cursor, now_us)
                )
        _INSERT_STREAMS.run(conn, new_streams)
        _INSERT_EVENTS.run(conn, new_events)
        outcomes = self._chain(conn, group, placed, now_us)
        for append in group:
            if append.meanwhile is not None:
                append.meanwhile()
        return outcomes

    def _know_streams(self, conn: sqlite3.Connection, group: list[Append]) -> None:
        """Read the version of every stream of the group that is not known yet."""
        heads = self._heads
        if len(heads) > _HEADS_KEPT:
            heads.clear()
            self._all_known = False
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
        for name in unknown:
            heads[name] = [0, 0]
        if not self._all_known:
            for name, id_, version in _STREAM_HEADS.select(conn, list(unknown)):
                heads[name] = [id_, version or 0]

    def _refusal(
        self, conn: sqlite3.Connection, append: Append, head: int
    ) -> EventStoreError | None:
        if append.expect_head is not None and append.expect_head != head:
            return HeadMoved(append.expect_head, head)
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
        position: int,
        new_streams: list[int | str],
        new_events: list[object],
    ) -> list[int]:
        """Give the events of one append their places from `position` on; their versions."""
        heads = self._heads
        versions = []
        for event, salt in zip(append.events, append.salts, strict=True):
            stream, cause = event.stream, event.cause
            # What the table would say with a CHECK, which costs a tenth of an append.
            if (
                not event.type
                or event.schema < 1
                or (cause is not None and not 0 < cause < position)
            ):
                raise InvalidAppend(WRONG_EVENT.format(stream=stream, position=position))
            head = heads[stream]
            if not head[0]:
                self._last_stream_id += 1
                head[0] = self._last_stream_id
                new_streams += (head[0], stream)
            head[1] = version = head[1] + 1
            versions.append(version)
            new_events += (
                position,
                head[0],
                version,
                event.type,
                event.schema,
                cause or 0,
                AS_BLOB + salt,
                AS_BLOB + event.data,
            )
            position += 1
        return versions

    def _chain(
        self,
        conn: sqlite3.Connection,
        group: list[Append],
        placed: list[list[int] | EventStoreError],
        now_us: int,
    ) -> list[Outcome]:
        """Digest and store the commits; the outcome of each append of the group."""
        newest = self._head or read_head(conn)
        last, digest = newest.last, newest.digest
        outcomes: list[Outcome] = []
        new_commits: list[int | bytes] = []
        for append, versions in zip(group, placed, strict=True):
            if isinstance(versions, EventStoreError):
                outcomes.append(versions)
                continue
            first = last + 1
            if versions:
                last += len(versions)
                meta = encode_meta(append.meta)
                covered = links(first, append.events, versions, append.salts)
                digest = commit_digest(digest, first, last, now_us, meta, covered)
                new_commits += (first, last, now_us, meta, digest)
            commit = Commit(first, last, now_us, digest, append.meta)
            outcomes.append(commit)
            if versions:
                newest = commit
        _INSERT_COMMITS.run(conn, new_commits)
        self._head = newest
        return outcomes


def invalid(error: Exception) -> EventStoreError:
    """The refusal of an append whose values raised one of BAD_VALUES."""
    if isinstance(error, InvalidAppend):
        return error
    invalid = InvalidAppend(
        f"the append holds a value that cannot be stored ({type(error).__name__}: {error})"
    )
    invalid.__cause__ = error
    return invalid
