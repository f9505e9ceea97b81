"""Putting commits back as they were written: salts, times, digests, and blanks stay what they are.

The ordinary way into the log gives out positions, versions, salts and times; a restored log must
have those it had, else its chain would be another one. So every commit is checked against the head
before it is written, and nothing is written that does not follow from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .appender import Outcome
from .connection import explain
from .errors import InvalidAppend, NotTheNext
from .reads import read_head
from .sealed import check_sealed
from .statements import QUERIES, Many
from .transaction import BAD_VALUES, WRONG_EVENT, Log, invalid
from .types import Commit, SealedCommit

_HEADS_KEPT = 50_000  # as many as appends keep

_STREAM_HEADS = Many(QUERIES["stream_heads"])
_INSERT_STREAMS = Many(QUERIES["insert_streams"], width=2)
_RESTORE_EVENTS = Many(QUERIES["restore_events"], width=9)
_INSERT_COMMITS = Many(QUERIES["insert_commits"], width=5)


class RestorableLog(Log):
    """The log's writer that can also take in what another log has already sealed."""

    def restore(self, conn: sqlite3.Connection, commits: Sequence[SealedCommit]) -> Commit:
        """Append these commits as they are, all or none; the head after them.

        Raises NotTheNext, ChainBroken, InvalidAppend.
        """
        restored: list[Commit] = []

        def work() -> list[Outcome]:
            restored.append(self._put_back(conn, commits))
            return []

        try:
            self.transact(conn, work)
        except BAD_VALUES as error:
            raise invalid(error) from error
        except sqlite3.Error as error:
            raise explain(error) from error
        return restored[0]

    def _put_back(self, conn: sqlite3.Connection, commits: Sequence[SealedCommit]) -> Commit:
        head = self._head or read_head(conn)
        after, digest = head.last, head.digest
        for commit in commits:
            if commit.first != after + 1:
                raise NotTheNext(
                    f"the commit of positions {commit.first} to {commit.last} does not follow the "
                    f"log, which ends at {after}"
                )
            check_sealed(after, digest, commit)
            after, digest = commit.last, commit.digest
        self._know(conn, {event.stream for commit in commits for event in commit.events})
        heads = self._heads
        new_streams: list[int | str] = []
        new_events: list[object] = []
        new_commits: list[int | bytes] = []
        for commit in commits:
            for event in commit.events:
                known = heads[event.stream]
                if not known[0]:
                    self._last_stream_id += 1
                    known[0] = self._last_stream_id
                    new_streams += (known[0], event.stream)
                if event.version != known[1] + 1:
                    raise NotTheNext(
                        f"position {event.position}: version {event.version} of stream "
                        f"{event.stream!r} does not follow version {known[1]}"
                    )
                known[1] = event.version
                cause, position = event.cause, event.position
                if (
                    not event.type
                    or event.schema < 1
                    or (cause is not None and not 0 < cause < position)
                ):
                    raise InvalidAppend(WRONG_EVENT.format(stream=event.stream, position=position))
                new_events += (
                    *(position, known[0], event.version, event.type, event.schema, cause),
                    *(event.salt, event.data, event.digest),
                )
            new_commits += (
                commit.first,
                commit.last,
                commit.recorded_at_us,
                commit.meta,
                commit.digest,
            )
        _INSERT_STREAMS.run(conn, new_streams)
        _RESTORE_EVENTS.run(conn, new_events)
        _INSERT_COMMITS.run(conn, new_commits)
        self._head = read_head(conn)
        return self._head

    def _know(self, conn: sqlite3.Connection, names: set[str]) -> None:
        """Read the version of every stream that is not known yet, as an append does."""
        heads = self._heads
        if "" in names:
            raise InvalidAppend("a stream's name is empty")
        if len(heads) > _HEADS_KEPT:
            heads.clear()
            self._all_known = False
        unknown = sorted(names - heads.keys())
        for name in unknown:
            heads[name] = [0, 0]
        if not self._all_known:
            for name, id_, version in _STREAM_HEADS.select(conn, unknown):
                heads[name] = [id_, version or 0]
