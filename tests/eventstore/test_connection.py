"""The thread a connection lives on, and the two private names of aiosqlite it stands on."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from eventstore import NewEvent, StoreClosed, StoreDamaged, Unavailable
from eventstore.connection import Connection, explain

from .conftest import Opener


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def test_aiosqlite_still_has_what_we_use() -> None:
    """`_execute(fn, *args)` queues a function, `_conn` is the bare connection: if this fails, pin
    aiosqlite back and rework eventstore/connection.py."""
    assert list(inspect.signature(aiosqlite.Connection._execute).parameters)[:2] == ["self", "fn"]
    assert inspect.iscoroutinefunction(aiosqlite.Connection._execute)
    assert isinstance(inspect.getattr_static(aiosqlite.Connection, "_conn"), property)
    connection = aiosqlite.Connection(connect, 64)
    assert connection._connection is None
    assert connection._running is True
    assert connection._thread.is_alive() is False


async def test_functions_run_whole_one_after_another() -> None:
    """Functions of many tasks never interleave on the connection."""
    connection = await Connection.open(connect)
    trace: list[int] = []

    def work(conn: sqlite3.Connection, number: int) -> int:
        for _ in range(3):
            conn.execute("SELECT 1").fetchall()
            trace.append(number)
        return number

    try:
        results = await asyncio.gather(*(connection.run(work, n) for n in range(20)))
    finally:
        await connection.aclose()
    assert results == list(range(20))
    assert trace == [n for n in range(20) for _ in range(3)]
    assert not connection._connection._thread.is_alive()
    with pytest.raises(StoreClosed):
        await connection.run(work, 1)


async def test_errors_come_out_as_the_stores(tmp_path: Path) -> None:
    """sqlite3's errors are translated, others come out as they are."""

    def divide(_conn: sqlite3.Connection) -> float:
        return 1 / 0

    def find(conn: sqlite3.Connection) -> None:
        conn.execute("SELECT * FROM missing")

    connection = await Connection.open(connect)
    try:
        with pytest.raises(ZeroDivisionError):
            await connection.run(divide)
        with pytest.raises(ValueError, match="invalid literal"):
            await connection.run(lambda _conn: int("x"))
        with pytest.raises(Exception, match="no such table") as raised:
            await connection.run(find)
        assert not isinstance(raised.value, sqlite3.Error)
    finally:
        await connection.aclose()
    with pytest.raises(Unavailable):
        await Connection.open(lambda: sqlite3.connect(tmp_path / "none" / "x.db"))


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("SQLITE_CORRUPT", StoreDamaged, "backup"),
        ("SQLITE_FULL", Unavailable, "disk is full"),
        ("SQLITE_BUSY", Unavailable, "another program"),
        ("SQLITE_IOERR_WRITE", Unavailable, "disk"),
    ],
)
def test_an_explanation_says_what_to_do(name: str, kind: type[Exception], says: str) -> None:
    """Each class of database failure has its own error and remedy."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorname = name
    explained = explain(error)
    assert isinstance(explained, kind)
    assert says in str(explained)


async def test_payloads_stay_out_of_the_debug_log(
    opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """aiosqlite logs what it runs at DEBUG: names of functions, never an event's content."""
    caplog.set_level(logging.DEBUG, logger="aiosqlite")  # whatever other tests set it to
    async with opener() as store:
        await store.append([NewEvent("stream-of-ada", "T", b'{"iban":"secret"}')])
        await store.history("stream-of-ada")
        await store.erase(["stream-of-ada"], reason="x", meta=(await store.head()).meta)
    assert "executing" in caplog.text
    for word in ("secret", "stream-of-ada"):
        assert word not in caplog.text
