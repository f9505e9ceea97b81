"""The log as the hash chain covers it: whole commits with salts, times and digests, for archives.

`read` and `history` give what events say; what is here is what was written, so that a log can be
copied to another store or a file and still be proved there. Whoever holds a `SealedCommit` can
check it with `check_sealed` and needs no store for that.
"""

from __future__ import annotations

import sqlite3

from .blanks import Blanks
from .chain import CommitRow, EventRow, check_commit
from .connection import one_view
from .errors import ChainBroken
from .statements import QUERIES
from .types import SealedCommit, SealedEvent

_PAGE_COMMITS = 500


def sealed_page(
    conn: sqlite3.Connection, after: int, events: int, upto: int | None = None
) -> list[tuple[CommitRow, list[EventRow]]]:
    """The next commits behind position `after`, with about so many events, at least one commit.

    To be called inside a transaction: it reads two tables. `upto`: no commit that ends later.
    """
    commits: list[CommitRow] = conn.execute(
        QUERIES["commits_after"], (after, _PAGE_COMMITS)
    ).fetchall()
    commits = [
        commit
        for number, commit in enumerate(commits)
        if (number == 0 or commit[1] - after <= events) and (upto is None or commit[1] <= upto)
    ]
    if not commits:
        return []
    rows: list[EventRow] = conn.execute(
        QUERIES["chain_events"], (after + 1, commits[-1][1])
    ).fetchall()
    page = []
    start = 0
    for commit in commits:
        end = start
        while end < len(rows) and rows[end][0] <= commit[1]:
            end += 1
        page.append((commit, rows[start:end]))
        start = end
    return page


def read_sealed(
    conn: sqlite3.Connection, after: int, upto: int | None, limit: int
) -> list[SealedCommit]:
    """Whole commits behind position `after`. Raises ChainBroken where a text is no text."""
    with one_view(conn):
        page = sealed_page(conn, after, limit, upto)
    return [
        SealedCommit(
            first=commit[0],
            last=commit[1],
            recorded_at_us=commit[2],
            meta=commit[3],
            digest=commit[4],
            events=tuple(_event(row) for row in rows),
        )
        for commit, rows in page
    ]


def _event(row: EventRow) -> SealedEvent:
    position, stream, version, type_, schema, cause, salt, data, digest = row
    if stream is None:
        raise ChainBroken(position, "its stream is missing")
    try:
        name, kind = stream.decode(), type_.decode()
    except UnicodeDecodeError:
        raise ChainBroken(position, "its stream or type is no UTF-8 text") from None
    return SealedEvent(position, name, version, kind, schema, cause, salt, data, digest)


def check_sealed(
    after: int, previous: bytes, commit: SealedCommit, blanks: Blanks | None = None
) -> None:
    """Check one commit against the one before it, which ends at `after` and has that digest.

    `blanks` takes note of what is blank in it; whether that is lawful shows later. Raises
    ChainBroken: with the event's position where an event by itself shows the fault, else with the
    first position of the commit, since one digest covers them all.
    """
    try:
        rows: list[EventRow] = [
            (
                event.position,
                event.stream.encode(),
                event.version,
                event.type.encode(),
                event.schema,
                event.cause,
                event.salt,
                event.data,
                event.digest,
            )
            for event in commit.events
        ]
    except UnicodeEncodeError:
        raise ChainBroken(commit.first, "a stream or type of its commit is no text") from None
    if len(rows) > commit.last - commit.first + 1:
        raise ChainBroken(commit.first, "its commit holds more events than it says")
    check_commit(
        after,
        previous,
        (commit.first, commit.last, commit.recorded_at_us, commit.meta, commit.digest),
        rows,
    )
    if blanks is not None:
        blanks.pass_by(rows)
