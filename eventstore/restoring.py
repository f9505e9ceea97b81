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
            restored.append(_put_back(conn, commits))
            return []

        try:
            self.transact(conn, work)
        except BAD_VALUES as error:
            raise invalid(error) from error
        except sqlite3.Error as error:
            raise explain(error) from error
        finally:
            # Streams and head have moved past what this writer knew of them.
            self._head = None
            self._heads.clear()
        return restored[0]


def _put_back(conn: sqlite3.Connection, commits: Sequence[SealedCommit]) -> Commit:
    head = read_head(conn)
    after, digest = head.last, head.digest
    for commit in commits:
        if commit.first != after + 1:
            raise NotTheNext(
                f"the commit of positions {commit.first} to {commit.last} does not follow the log, "
                f"which ends at {after}"
            )
        check_sealed(after, digest, commit)
        after, digest = commit.last, commit.digest
    heads = _stream_heads(conn, commits)
    last_id = conn.execute(QUERIES["last_stream_id"]).fetchone()[0] or 0
    new_streams: list[int | str] = []
    new_events: list[object] = []
    new_commits: list[int | bytes] = []
    for commit in commits:
        for event in commit.events:
            known = heads.get(event.stream)
            if known is None:
                last_id += 1
                known = heads[event.stream] = [last_id, 0]
                new_streams += (last_id, event.stream)
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
    return read_head(conn)


def _stream_heads(
    conn: sqlite3.Connection, commits: Sequence[SealedCommit]
) -> dict[str, list[int]]:
    names = sorted({event.stream for commit in commits for event in commit.events})
    if "" in names:
        raise InvalidAppend("a stream's name is empty")
    return {name: [id_, version or 0] for name, id_, version in _STREAM_HEADS.select(conn, names)}
