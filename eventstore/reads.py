"""Reading the log: each function is one hop to the reading connection's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from functools import lru_cache

from .chain import GENESIS
from .codec import Codec, decode_meta
from .statements import QUERIES, marks, prefix_range
from .types import Checkpoint, Commit, StoredEvent

_EVERYTHING = (1 << 63) - 1


def read_events(
    conn: sqlite3.Connection,
    codec: Codec,
    after: int,
    types: Collection[str],
    upto: int | None,
    limit: int,
) -> list[StoredEvent]:
    """Events after a position, of the wanted types (all when there are none)."""
    end = _EVERYTHING if upto is None else upto
    if types:
        wanted = sorted(types)
        rows = conn.execute(_read_types(len(wanted)), (after, end, *wanted, limit))
    else:
        rows = conn.execute(QUERIES["read"], (after, end, limit))
    return codec.lift([StoredEvent(*row) for row in rows])


def read_page(
    conn: sqlite3.Connection, codec: Codec, after: int, types: Collection[str], limit: int
) -> tuple[list[StoredEvent], int]:
    """A page, and the position it reaches: a follower of few types searches nothing twice."""
    head = read_head(conn).last
    if head <= after:
        return [], after
    events = read_events(conn, codec, after, types, head, limit)
    return events, events[-1].position if len(events) >= limit else head


def read_history(
    conn: sqlite3.Connection, codec: Codec, stream: str, after: int, upto: int | None
) -> list[StoredEvent]:
    """Events of one stream after a version."""
    end = _EVERYTHING if upto is None else upto
    rows = conn.execute(QUERIES["history"], (stream, after, end))
    return codec.lift([StoredEvent(*row) for row in rows])


def read_histories(
    conn: sqlite3.Connection, codec: Codec, streams: Collection[str]
) -> dict[str, list[StoredEvent]]:
    """All events of each stream."""
    return {stream: read_history(conn, codec, stream, 0, None) for stream in streams}


def read_streams(conn: sqlite3.Connection, prefix: str, after: str, limit: int) -> list[str]:
    """Stream names by prefix."""
    bounds = prefix_range(prefix, after)
    return [name for (name,) in conn.execute(QUERIES["streams"], (*bounds, limit))]


def read_places(conn: sqlite3.Connection, places: Sequence[tuple[str, int]]) -> list[int | None]:
    """Positions of (stream, version) pairs."""
    sql = QUERIES["locate"]
    found = (conn.execute(sql, place).fetchone() for place in places)
    return [row[0] if row else None for row in found]


def read_head(conn: sqlite3.Connection) -> Commit:
    """The newest commit, or the genesis of an empty log."""
    return _commit(conn.execute(QUERIES["head"]).fetchone()) or Commit(1, 0, 0, GENESIS)


def read_commits(conn: sqlite3.Connection, positions: Sequence[int]) -> list[Commit | None]:
    """The commit that holds each position; None below 1 and beyond the head."""
    sql = QUERIES["commit_of"]
    return [
        _commit(conn.execute(sql, (position,)).fetchone()) if position >= 1 else None
        for position in positions
    ]


def read_position_at(conn: sqlite3.Connection, time_us: int) -> int:
    """The last position recorded at or before a time."""
    row = conn.execute(QUERIES["position_at"], (time_us,)).fetchone()
    return row[0] if row else 0


def read_checkpoint(conn: sqlite3.Connection, name: str) -> Checkpoint:
    """A checkpoint, ready to be moved."""
    position, cursor = conn.execute(QUERIES["checkpoint"], (name,)).fetchone() or (0, None)
    return Checkpoint(name, position, position, cursor)


def _commit(row: tuple[int, int, int, bytes, bytes] | None) -> Commit | None:
    if row is None:
        return None
    first, last, recorded_at_us, digest, meta = row
    return Commit(first, last, recorded_at_us, digest, decode_meta(meta))


@lru_cache(maxsize=64)
def _read_types(count: int) -> str:
    return QUERIES["read_types"].replace("{marks}", marks(count))
