"""When the disk, the database or the program fails: everyone is told, nothing is half done."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from eventstore import (
    EventStore,
    EventStoreError,
    NewEvent,
    Put,
    Row,
    StoreClosed,
    Unavailable,
)
from eventstore.sqlite import SqliteStore

from .conftest import LIMIT_S, Opener, event, fill


async def limit_pages(store: EventStore, pages: int) -> None:
    """Let the database grow to `pages` pages and no further, as a full disk would."""
    assert isinstance(store, SqliteStore)
    assert store._writer is not None

    def limit(conn: sqlite3.Connection) -> None:
        conn.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await store._writer.run(limit)


async def test_a_full_disk_fails_the_append_and_nothing_else(store: EventStore) -> None:
    """Every member of the group is told; once there is room, the log goes on without a gap."""
    await fill(store, 10)
    await limit_pages(store, 1)  # the least is what the file has now
    big = NewEvent("big", "T", bytes(60_000))
    results = await asyncio.gather(
        *(store.append([big], also=[Put("items", [Row("k", b"")])]) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Unavailable] * 5
    assert "disk is full" in str(results[0])
    assert len(await store.read(0)) == 10
    assert await store.count("items") == 0
    await limit_pages(store, 1_000_000)
    commit = await store.append([big, event("s/0")], expect={"big": 0, "s/0": 4})
    assert (commit.first, commit.last) == (11, 12)
    assert await store.verify() == 12


async def test_a_transaction_left_open_is_undone(store: EventStore) -> None:
    """Should an undo fail, the next group begins by undoing it again."""
    await fill(store, 4)
    assert isinstance(store, SqliteStore)
    assert store._writer is not None

    def leave_open(conn: sqlite3.Connection) -> None:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("INSERT INTO streams (id, name) VALUES (99, 'ghost')")

    await store._writer.run(leave_open)
    assert (await store.append([event()])).first == 5
    assert await store.streams("ghost") == []


async def test_a_bug_reaches_the_caller(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error in the commit is told to the callers and stops nobody after them."""
    assert isinstance(store, SqliteStore)

    def fail(*_: Any) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(store._log, "write", fail)
        with pytest.raises(EventStoreError, match="unforeseen"):
            await store.append([event()])
    assert (await store.append([event()])).first == 1


async def test_a_cancelled_appender_hangs_nobody(opener: Opener) -> None:
    """When the appending task is cancelled, as at the end of a loop, callers get StoreClosed."""
    async with opener() as store, asyncio.timeout(LIMIT_S):
        assert isinstance(store, SqliteStore)
        assert store._appender is not None
        calls = [asyncio.create_task(store.append([event()])) for _ in range(1_200)]
        await asyncio.sleep(0)
        store._appender._task.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {StoreClosed}
        with pytest.raises(StoreClosed):
            await store.append([event()])
    async with opener() as store:
        assert await store.verify() == (await store.head()).last


async def test_the_callers_list_may_change_afterwards(store: EventStore) -> None:
    """What is appended is what was handed in, whatever the caller does with its list later."""
    events = [event("kept")]
    task = asyncio.create_task(store.append(events))
    await asyncio.sleep(0)
    events.append(event("late"))
    assert (await task).last == 1
    assert await store.streams("") == ["kept"]
