"""Proof that the log is what was written, and the one lawful change to it.

Verification walks commits and events in steps small enough to let other reads in between. Erasure
blanks the payloads of streams for good: the bytes are overwritten in the file and the write-ahead
log is emptied. What backups and the disk below the file still hold is beyond its reach.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from .appender import Append, Outcome
from .blanks import ERASED_TYPE, ERASURE_STREAM, Blanks, encode_erased
from .chain import GENESIS, check_commit, payload_digest
from .connection import one_view
from .errors import ChainBroken, ErasureUnfinished, EventStoreError, InvalidAppend
from .sealed import sealed_page
from .statements import QUERIES
from .transaction import BAD_VALUES, Log, invalid
from .types import Commit, Erasure, Meta, NewEvent, Write

_STEP_EVENTS = 2_000

Place = tuple[int, bytes]
"""Where a verification stands: the last position checked and the digest of its commit."""


def start_of(conn: sqlite3.Connection, after: int) -> Place:
    """The newest commit that ends at or before `after`, or genesis."""
    place: Place | None = conn.execute(QUERIES["commit_before"], (after,)).fetchone()
    return place or (0, GENESIS)


def verify_step(conn: sqlite3.Connection, place: Place, blanks: Blanks) -> tuple[Place, bool]:
    """Check the next commits; where that ends, and whether there may be more.

    `blanks`: what was passed before. Raises ChainBroken with the first position that does not hold.
    """
    with one_view(conn):  # of both tables
        page = sealed_page(conn, place[0], _STEP_EVENTS)
        if not page:
            _check_bounds(conn, place[0])
    for commit, events in page:
        check_commit(place[0], place[1], commit, events)
        blanks.pass_by(events)
        place = (commit[1], commit[4])
    if not page:
        blanks.check()
    return place, bool(page)


def _check_bounds(conn: sqlite3.Connection, last: int) -> None:
    lowest, highest = conn.execute(QUERIES["event_bounds"]).fetchone()
    if lowest is not None and lowest < 1:
        raise ChainBroken(lowest, "no event stands before position 1")
    if (highest or 0) != last:
        raise ChainBroken(last + 1, "the event belongs to no commit")


def erase_streams(
    conn: sqlite3.Connection,
    log: Log,
    streams: Sequence[str],
    reason: str,
    meta: Meta,
    salts: Sequence[bytes],
    then: Sequence[NewEvent] = (),
    also: Sequence[Write] = (),
) -> Erasure:
    """Blank every payload of these streams and record it, in one transaction; then scrub the files.

    `then`: events to follow that of the erasure; `also`: rows to go with them. One salt for each.
    Raises ErasureUnfinished when a reader of another process keeps the write-ahead log in use.
    """
    if not all(isinstance(stream, str) for stream in streams):
        raise InvalidAppend("streams to erase are named by text")
    if ERASURE_STREAM in streams:
        raise InvalidAppend(f"{ERASURE_STREAM} records the erasures: it cannot be erased itself")
    blanked = 0

    def work() -> list[Outcome]:
        nonlocal blanked
        for stream in streams:
            blanked += conn.execute(QUERIES["erase_stream"], (stream,)).rowcount
        data = encode_erased(list(streams), reason, blanked)
        event = NewEvent(ERASURE_STREAM, ERASED_TYPE, data)
        return log.write(conn, [Append([event, *then], salts, also=tuple(also), meta=meta)])

    conn.create_function("payload_digest", 2, payload_digest, deterministic=True)
    conn.execute("PRAGMA secure_delete = ON")
    try:
        (outcome,) = log.transact(conn, work)
    except BAD_VALUES as error:
        raise invalid(error) from error
    finally:
        conn.execute("PRAGMA secure_delete = FAST")
    if not isinstance(outcome, Commit):
        raise EventStoreError(f"the erasure was refused ({outcome})")
    _empty_write_ahead_log(conn, f"{blanked} payloads are blanked (position {outcome.last})")
    return Erasure(blanked, outcome)


def compact(conn: sqlite3.Connection) -> None:
    """Write the file anew: what was deleted or replaced in it is gone from it, and its room too.

    Raises ErasureUnfinished as `erase_streams` does.
    """
    (kept,) = conn.execute("PRAGMA temp_store").fetchone()
    # The new file is made as a temporary one: not in memory.
    conn.execute("PRAGMA temp_store = FILE")
    try:
        conn.execute("VACUUM")
    finally:
        conn.execute(f"PRAGMA temp_store = {int(kept)}")
    _empty_write_ahead_log(conn, "The file is compact")


def finish_compacting(conn: sqlite3.Connection) -> None:
    """Empty the write-ahead log behind a `compact` that a reader kept from it. Waits for nobody.

    Raises ErasureUnfinished as `erase_streams` does.
    """
    (patience_ms,) = conn.execute("PRAGMA busy_timeout").fetchone()
    conn.execute("PRAGMA busy_timeout = 0")
    try:
        _empty_write_ahead_log(conn, "The file is compact")
    finally:
        conn.execute(f"PRAGMA busy_timeout = {int(patience_ms)}")


def _empty_write_ahead_log(conn: sqlite3.Connection, done: str) -> None:
    (busy, _, _) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise ErasureUnfinished(
            f"{done}, but another process is reading and the write-ahead log still holds old "
            "bytes: close it, then do it again"
        )
