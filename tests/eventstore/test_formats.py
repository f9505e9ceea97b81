"""The stored format: it never drifts, it never turns on its past, the database guards it itself."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstore import (
    ChainBroken,
    Checkpoint,
    EventStore,
    Meta,
    NewEvent,
    Put,
    Row,
    Table,
    open_store,
)
from eventstore.database import APPLICATION_ID, SCHEMA_VERSION

from .conftest import Opener, fill

GOLDEN = Path(__file__).with_name("golden_store.sql")
UNSEGMENTED = GOLDEN.with_name("golden_store_unsegmented.sql")  # its index is over the whole log
TABLES = (Table("items"), Table("jobs", ranked=True))


def counting_bytes() -> Callable[[int], bytes]:
    """Random bytes for a golden file: 0, 1, 2 …"""
    numbers = itertools.count()
    return lambda length: bytes(next(numbers) % 256 for _ in range(length))


async def small_store(store: EventStore) -> None:
    """A little of everything a store can hold."""
    await store.append(
        [
            NewEvent("sage/main/ABC/AR_Customer/01-ABF", "RecordObserved", b'{"Name":"Ada"}'),
            NewEvent("poll/main/ABC/AR_Customer", "PollCompleted", b'{"rows":1}', schema=2),
        ],
        checkpoint=Checkpoint("poll:main", 0, cursor=b"2024-05-06"),
        also=[Put("items", [Row("a", b"1")]), Put("jobs", [Row("b", b"2", 3)])],
        meta=Meta(actor="poller", traceparent="00-" + "0" * 31 + "1-" + "0" * 15 + "2-01"),
    )
    await store.append(
        [NewEvent("hubspot/company/ABC:01-ABF", "CommandEmitted", b'{"n":"\xc3\xa9"}', cause=1)],
        checkpoint=Checkpoint("projector", 2),
    )
    await store.erase(
        ["sage/main/ABC/AR_Customer/01-ABF"], reason="asked", meta=Meta(actor="officer")
    )


async def test_the_format_is_the_golden_one(tmp_path: Path) -> None:
    """The same appends give the same file, digests included, as when the format was fixed.

    When this fails the stored format has changed: that needs a new schema version and a migration,
    never a new golden file for the old version.
    """
    times = itertools.count(1_700_000_000_000_000, 1_000_000)
    async with open_store(
        f"sqlite:///{tmp_path}/golden.db",
        tables=TABLES,
        clock_us=lambda: next(times),
        random_bytes=counting_bytes(),
    ) as store:
        await small_store(store)
    assert dump(tmp_path / "golden.db") == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("golden", [GOLDEN, UNSEGMENTED], ids=lambda path: path.stem)
async def test_a_golden_store_opens(tmp_path: Path, golden: Path) -> None:
    """A store written when the format was fixed is read, verified and continued by this program."""
    conn = sqlite3.connect(tmp_path / "old.db")
    conn.executescript(golden.read_text(encoding="utf-8"))  # noqa: ASYNC240
    conn.close()
    async with open_store(f"sqlite:///{tmp_path}/old.db", tables=TABLES) as store:
        assert await store.verify() == 4
        events = await store.read(0)
        assert [e.type for e in events] == [
            "RecordObserved",
            "PollCompleted",
            "CommandEmitted",
            "Erased",
        ]
        assert events[0].data is None
        assert events[2].data == '{"n":"é"}'.encode()
        assert (await store.checkpoint("poll:main")).cursor == b"2024-05-06"
        assert await store.due("jobs", upto=3) == [Row("b", b"2", 3)]
        await fill(store, 5)
        assert await store.verify() == 9


def dump(path: Path) -> str:
    """The file as SQL, with the two numbers that say whose it is."""
    conn = sqlite3.connect(path)
    try:
        head = [f"PRAGMA {p}={conn.execute(f'PRAGMA {p}').fetchone()[0]};" for p in PRAGMAS]
        return "\n".join([*head, *conn.iterdump(), ""])
    finally:
        conn.close()


PRAGMAS = ("application_id", "user_version")


async def test_the_file_says_whose_it_is(opener: Opener, path: Path) -> None:
    """Application id and schema version stand in the header from the first moment."""
    async with opener():
        header = path.read_bytes()[:100]  # noqa: ASYNC240
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID == 0x6D6C6576
    assert int.from_bytes(header[60:64], "big") == SCHEMA_VERSION == 1


FORBIDDEN = [
    "DELETE FROM events WHERE position = 2",
    "UPDATE events SET data = x'00' WHERE position = 2",
    "UPDATE events SET type = 'x' WHERE position = 2",
    "UPDATE events SET data = NULL, salt = NULL WHERE position = 2",
    "UPDATE events SET data = NULL, digest = zeroblob(32) WHERE position = 2",
    "UPDATE events SET data = NULL, salt = NULL, digest = zeroblob(31) WHERE position = 2",
    "UPDATE events SET data = NULL, salt = NULL, digest = zeroblob(32), version = 9"
    " WHERE position = 2",
    "UPDATE events SET digest = zeroblob(32) WHERE position = 1",
    "UPDATE events SET data = x'00', salt = zeroblob(16), digest = NULL WHERE position = 1",
    "DELETE FROM commits WHERE last_position = 2",
    "UPDATE commits SET recorded_at = 0 WHERE last_position = 2",
    "DELETE FROM streams WHERE id = 1",
    "UPDATE streams SET name = 'x' WHERE id = 1",
    "INSERT INTO events VALUES (2, 1, 9, 'T', 1, NULL, x'', x'', NULL)",
    "INSERT INTO events VALUES (99, 1, 1, 'T', 1, NULL, x'', x'', NULL)",
    "INSERT INTO events VALUES (99, 1, 9, 'T', 1, NULL, x'', 'text', NULL)",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_the_database_itself_refuses(opener: Opener, path: Path, statement: str) -> None:
    """Triggers and constraints refuse what would change history, whoever asks."""
    async with opener() as store:
        await small_store(store)
    conn = sqlite3.connect(path)
    try:
        with pytest.raises(sqlite3.IntegrityError):
            conn.execute(statement)
    finally:
        conn.close()


async def test_blanking_with_a_digest_is_let_through(opener: Opener, path: Path) -> None:
    """The one change the triggers allow is the one an erasure makes."""
    async with opener() as store:
        await small_store(store)
    conn = sqlite3.connect(path)
    try:
        done = conn.execute(
            "UPDATE events SET data = NULL, salt = NULL, digest = zeroblob(32) WHERE position = 2"
        )
        assert done.rowcount == 1
    finally:
        conn.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO events VALUES (2, 2, 1, 'T', 1, NULL, zeroblob(16), x'7b7d', NULL)",
        "REPLACE INTO events VALUES (99, 2, 1, 'T', 1, NULL, zeroblob(16), x'7b7d', NULL)",
        "REPLACE INTO commits SELECT 3, 3, 0, meta, digest FROM commits WHERE last_position = 3",
        "REPLACE INTO streams VALUES (2, 'forged')",
    ],
)
async def test_what_goes_past_the_triggers_is_found(
    opener: Opener, path: Path, statement: str
) -> None:
    """SQLite runs no trigger for a row that a REPLACE takes away; the chain does not hold then."""
    async with opener() as store:
        await small_store(store)
    conn = sqlite3.connect(path)
    try:
        conn.execute(statement)
        conn.commit()
    finally:
        conn.close()
    async with opener(read_only=True) as store:
        with pytest.raises(ChainBroken):
            await store.verify()


async def test_the_shell_view_reads_well(opener: Opener, path: Path) -> None:
    """event_log shows the log with stream names, times and payload text to a sqlite3 shell."""
    async with opener() as store:
        await small_store(store)
    conn = sqlite3.connect(path)
    try:
        rows = conn.execute("SELECT * FROM event_log WHERE position IN (1, 3)").fetchall()
    finally:
        conn.close()
    at = "2023-11-14T22:13:20.000Z"
    assert rows == [
        (1, "sage/main/ABC/AR_Customer/01-ABF", 1, "RecordObserved", 1, None, at, None),
        (3, "hubspot/company/ABC:01-ABF", 1, "CommandEmitted", 1, 1, at, '{"n":"é"}'),
    ]
