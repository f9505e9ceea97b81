"""The hash chain: what it covers, that anyone can check it, that no change escapes it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import (
    ChainBroken,
    Clear,
    ErasureUnfinished,
    EventStore,
    InvalidAppend,
    Meta,
    NewEvent,
    Put,
    Row,
    Table,
    UnknownTable,
    database,
    integrity,
)
from eventstore.chain import GENESIS, check_commit, commit_digest, links, payload_digest

from .conftest import Opener, event, fill

SECRET = b'{"name":"Ada Lovelace, 12 St James Square"}'


async def seven_events(store: EventStore) -> None:
    """Commits 1, 2, 3, then 4..6, then 7; position 5 is caused by 3."""
    for n in range(3):
        await store.append([event(f"s/{n % 2}")], meta=Meta(actor="test"))
    await store.append([event("s/0"), NewEvent("s/1", "Led", b"[1]", cause=3), event("s/2")])
    await store.append([NewEvent("s/0", "Last", b"[2]", schema=2, cause=5)])


def tamper(path: Path, *statements: str) -> None:
    """Change the file as one would with a sqlite3 shell, triggers out of the way."""
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        names = conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            conn.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert conn.execute(statement).rowcount == 1
    finally:
        conn.close()


EVENT = "UPDATE events SET {} WHERE position = 3"
COMMIT = "UPDATE commits SET {} WHERE last_position = 3"
TAMPERINGS = {
    "position": (3, EVENT.format("position = 99")),
    "stream_id": (3, EVENT.format("stream_id = 3, version = 99")),
    "version": (3, EVENT.format("version = 9")),
    "type": (3, EVENT.format("type = 'Forged'")),
    "type is no text": (3, EVENT.format("type = CAST(x'ff' AS TEXT)")),
    "schema": (3, EVENT.format("schema = 2")),
    "cause": (3, EVENT.format("cause = 1")),
    "cause removed": (7, "UPDATE events SET cause = NULL WHERE position = 7"),
    "salt": (3, EVENT.format("salt = randomblob(16)")),
    "data": (3, EVENT.format("data = x'7b7d20'")),
    "salt moved into data": (
        3,
        EVENT.format("data = CAST(substr(salt, 16) || data AS BLOB), salt = substr(salt, 1, 15)"),
    ),
    "data moved into salt": (
        3,
        EVENT.format("salt = CAST(salt || substr(data, 1, 1) AS BLOB), data = substr(data, 2)"),
    ),
    "digest": (3, EVENT.format("digest = zeroblob(32)")),
    "blanked with a forged digest": (
        3,
        EVENT.format("data = NULL, salt = NULL, digest = randomblob(32)"),
    ),
    "blanked without a digest": (3, EVENT.format("data = NULL, salt = NULL")),
    "blanked, salt kept": (3, EVENT.format("data = NULL, digest = randomblob(32)")),
    "event deleted": (3, "DELETE FROM events WHERE position = 3"),
    "last event deleted": (7, "DELETE FROM events WHERE position = 7"),
    "event in a batch": (4, "UPDATE events SET data = x'00' WHERE position = 5"),
    "event missing in a batch": (5, "DELETE FROM events WHERE position = 5"),
    "event added": (8, "INSERT INTO events VALUES (8, 1, 99, 'T', 1, NULL, x'', x'', NULL)"),
    "event before": (0, "INSERT INTO events VALUES (0, 1, 99, 'T', 1, NULL, x'', x'', NULL)"),
    "first_position": (3, COMMIT.format("first_position = 2")),
    "last_position": (3, COMMIT.format("last_position = 99")),
    "recorded_at": (3, COMMIT.format("recorded_at = recorded_at + 1")),
    "meta": (3, COMMIT.format("meta = x'7b7d'")),
    "commit's digest": (3, COMMIT.format("digest = randomblob(32)")),
    "commit deleted": (3, "DELETE FROM commits WHERE last_position = 3"),
    "last commit deleted": (7, "DELETE FROM commits WHERE last_position = 7"),
    "stream's name": (6, "UPDATE streams SET name = 'forged' WHERE name = 's/2'"),
    "stream deleted": (6, "DELETE FROM streams WHERE name = 's/2'"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_tampering_is_found(opener: Opener, path: Path, what: str) -> None:
    """Any change to events, commits or streams breaks the chain, and verify says where.

    A commit has one digest, so a change inside a batch is reported at the batch's first position
    unless the row itself shows it.
    """
    async with opener() as store:
        await seven_events(store)
        assert await store.verify() == 7
    position, statement = TAMPERINGS[what]
    if what == "stream's name":
        position = 4
    tamper(path, statement)
    async with opener(read_only=True) as store:
        with pytest.raises(ChainBroken) as raised:
            await store.verify()
    assert raised.value.position == position
    assert f"position {position}" in str(raised.value)


async def test_verify_can_begin_later(opener: Opener, path: Path) -> None:
    """verify(after) checks whole commits from there on and passes over what is before."""
    async with opener() as store:
        await seven_events(store)
        counts = [await store.verify(after=after) for after in (0, 1, 3, 4, 5, 6, 7, 99)]
        assert counts == [7, 6, 4, 4, 4, 1, 0, 0]
    tamper(path, "UPDATE events SET data = x'00' WHERE position = 2")
    async with opener(read_only=True) as store:
        assert await store.verify(after=2) == 5
        with pytest.raises(ChainBroken):
            await store.verify(after=1)


async def test_verify_goes_through_long_logs(store: EventStore) -> None:
    """Verification in steps counts every event once, across large and small commits."""
    await fill(store, 2_500, per_append=1_250)
    await fill(store, 600, per_append=1)
    await fill(store, 2_100, per_append=2_100)
    assert await store.verify() == 5_200


async def test_anyone_can_verify(opener: Opener, path: Path) -> None:
    """The bytes documented in chain.py, and nothing of this program, give every digest."""
    async with opener() as store:
        await seven_events(store)
        await store.erase(["s/1"], reason="asked", meta=Meta(actor="officer"))
    conn = sqlite3.connect(path)
    try:
        previous = bytes(32)
        commits = conn.execute("SELECT * FROM commits ORDER BY last_position").fetchall()
        for last, first, recorded_at, meta, digest in commits:
            covered = previous + struct.pack(">qqqI", first, last, recorded_at, len(meta)) + meta
            for row in conn.execute(
                "SELECT position, version, schema, ifnull(cause, 0), CAST(name AS BLOB),"
                " CAST(type AS BLOB), salt, data, digest FROM events JOIN streams ON id = stream_id"
                " WHERE position BETWEEN ? AND ? ORDER BY position",
                (first, last),
            ):
                *numbers, name, type_, salt, data, kept = row
                covered += struct.pack(">qqqqII", *numbers, len(name), len(type_)) + name + type_
                covered += kept if data is None else hashlib.sha256(salt + data).digest()
            assert hashlib.sha256(covered).digest() == digest
            previous = digest
        assert len(commits) == 6
    finally:
        conn.close()


async def test_erasure_blanks_and_records(store: EventStore) -> None:
    """Payloads of the streams are gone, all else stays; the log says who erased what, and why."""
    await store.append([NewEvent("p/1", "T", SECRET), NewEvent("p/2", "T", SECRET), event("q")])
    await store.append([NewEvent("p/1", "T", SECRET, cause=1)])
    erasure = await store.erase(["p/1", "none"], reason="Art. 17", meta=Meta(actor="officer"))
    assert erasure.blanked == 2
    assert (erasure.commit.first, erasure.commit.meta.actor) == (5, "officer")
    assert erasure.commit == await store.head()
    found = {e.position: e for e in await store.read(0)}
    assert [p for p, e in found.items() if e.data is None] == [1, 4]
    assert (found[4].stream, found[4].version, found[4].type, found[4].cause) == ("p/1", 2, "T", 1)
    assert (found[5].stream, found[5].type) == ("audit/erasure", "Erased")
    assert found[5].data == b'{"streams":["p/1","none"],"reason":"Art. 17","blanked":2}'
    assert await store.verify() == 5
    await store.append([event("p/1")], expect={"p/1": 2, "audit/erasure": 1})
    assert (await store.erase(["p/1"], reason="again", meta=Meta())).blanked == 1
    assert await store.verify() == 7


async def test_erased_bytes_leave_the_files(opener: Opener, path: Path) -> None:
    """After an erasure no file of the store holds the payload or its salt any more."""
    async with opener() as store:
        for n in range(50):
            await store.append([NewEvent(f"p/{n % 5}", "T", SECRET * (1 + n % 40)), event("q")])
        assert SECRET in b"".join(file.read_bytes() for file in path.parent.iterdir())
        await store.erase([f"p/{n}" for n in range(5)], reason="asked", meta=Meta())
        assert SECRET[:20] not in b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert await store.verify() == 101


async def test_an_erased_digest_cannot_be_guessed(opener: Opener, path: Path) -> None:
    """The digest left behind is salted: not the payload's plain hash, and never twice the same."""
    async with opener() as store:
        await store.append([NewEvent("p", "T", SECRET), NewEvent("p", "T", SECRET)])
        await store.erase(["p"], reason="asked", meta=Meta())
    conn = sqlite3.connect(path)
    try:
        rows = conn.execute("SELECT salt, data, digest FROM events WHERE position < 3").fetchall()
    finally:
        conn.close()
    assert [row[:2] for row in rows] == [(None, None), (None, None)]
    assert len({row[2] for row in rows} | {hashlib.sha256(SECRET).digest()}) == 3


@pytest.mark.parametrize("streams", [["audit/erasure"], "p/1", [5]])
async def test_an_impossible_erasure_is_refused(store: EventStore, streams: Sequence[str]) -> None:
    """The record of erasures cannot be erased, and a lone name is not a list of letters."""
    await store.append([event("p")])
    with pytest.raises(InvalidAppend):
        await store.erase(streams, reason="x", meta=Meta())
    assert (await store.head()).last == 1


async def test_erasing_between_appends_keeps_the_chain(store: EventStore) -> None:
    """An erasure among concurrent appends takes its own place in the chain."""
    await fill(store, 20)
    await asyncio.gather(
        *(store.append([event(f"x/{n}")]) for n in range(50)),
        store.erase(["s/1"], reason="asked", meta=Meta()),
        *(store.append([event(f"y/{n}")]) for n in range(50)),
    )
    assert await store.verify() == 121
    assert all(e.data is None for e in await store.history("s/1"))


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
rows = st.lists(
    st.tuples(names, st.integers(1, 2**31), names, st.integers(1, 99), st.binary(max_size=40)),
    min_size=1,
    max_size=6,
)


@given(rows, st.binary(max_size=30), st.integers(0, 2**50), st.data())
def test_a_commit_checks_against_its_own_rows_only(
    events: list[tuple[str, int, str, int, bytes]], meta: bytes, time_us: int, data: st.DataObject
) -> None:
    """check_commit accepts what commit_digest covered, erased or not, and no other value."""
    salt = bytes(range(16))
    stored = []
    for position, (stream, version, type_, schema, payload) in enumerate(events, start=8):
        digest = payload_digest(salt, payload)
        name, kind = stream.encode(), type_.encode()
        blank = data.draw(st.booleans())
        body = (None, None, digest) if blank else (salt, payload, None)
        stored.append((position, name, version, kind, schema, None, *body))
    last = 7 + len(events)
    covered = links(
        8,
        [NewEvent(stream, type_, payload, schema) for stream, _, type_, schema, payload in events],
        [version for _, version, _, _, _ in events],
        [salt] * len(events),
    )
    digest = commit_digest(GENESIS, 8, last, time_us, meta, covered)
    check_commit(7, GENESIS, (8, last, time_us, meta, digest), stored)

    which = data.draw(st.integers(0, len(stored) - 1))
    column = data.draw(st.sampled_from([1, 2, 3, 4, 5]))
    row = list(stored[which])
    old = row[column]
    row[column] = old + (b"x" if isinstance(old, bytes) else 1) if old is not None else 1
    forged = [*stored[:which], tuple(row), *stored[which + 1 :]]
    with pytest.raises(ChainBroken):
        check_commit(7, GENESIS, (8, last, time_us, meta, digest), forged)
    with pytest.raises(ChainBroken):
        check_commit(7, GENESIS, (8, last, time_us + 1, meta, digest), stored)
    with pytest.raises(ChainBroken):
        check_commit(7, digest, (8, last, time_us, meta, digest), stored)
    with pytest.raises(ChainBroken):
        check_commit(7, GENESIS, (8, last, time_us, meta, digest), stored[:-1])


async def test_what_may_be_kept_commits_with_the_erasure(opener: Opener) -> None:
    """Events and rows handed in go into the erasure's own commit, and are not blanked by it."""
    async with opener(tables=[Table("kept")]) as store:
        await store.append([NewEvent("p", "T", SECRET)])
        erasure = await store.erase(
            ["p"],
            reason="asked",
            meta=Meta(),
            then=[NewEvent("p", "Kept", b"{}", cause=1)],
            also=[Put("kept", [Row("p", b"1")])],
        )
        assert (erasure.blanked, erasure.commit.first, erasure.commit.last) == (1, 2, 3)
        assert [event.data for event in await store.history("p")] == [None, b"{}"]
        assert await store.count("kept") == 1
        assert await store.verify() == 3
        with pytest.raises(UnknownTable):
            await store.erase(["p"], reason="x", meta=Meta(), also=[Clear("unheard of")])


async def test_compacting_leaves_no_replaced_row_behind(opener: Opener, path: Path) -> None:
    """Rows that were cleared are in no file of the store afterwards, and the file is smaller."""
    async with opener(tables=[Table("kept")]) as store:
        rows = [Row(f"k{n}", SECRET * 20) for n in range(500)]
        await store.append([event("q")], also=[Put("kept", rows)])
        await store.append([], also=[Clear("kept")])
        await store.compact()
        assert SECRET[:20] not in b"".join(file.read_bytes() for file in path.parent.iterdir())
        assert sum(len(file.read_bytes()) for file in path.parent.iterdir()) < 200_000
        assert await store.verify() == 1
        assert (await store.append([event("q")])).last == 2


def test_compacting_makes_the_new_file_on_disk_and_not_in_memory(path: Path) -> None:
    """The writer keeps in memory what a statement might have to put back, never a whole store."""
    database.create(path)
    conn = database.connect_writer(path)
    told: list[str] = []
    try:
        conn.set_trace_callback(told.append)
        integrity.compact(conn)
        assert [one for one in told if one.startswith(("PRAGMA temp_store =", "VACUUM"))] == [
            "PRAGMA temp_store = FILE",
            "VACUUM",
            "PRAGMA temp_store = 2",
        ]
        assert conn.execute("PRAGMA temp_store").fetchone() == (2,)
    finally:
        conn.close()


async def test_what_a_reader_kept_from_being_compact_is_finished(
    opener: Opener, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old bytes that somebody reads stay in the write-ahead log; to try again costs no rewriting
    and no waiting, and once nobody reads them they go.
    """
    monkeypatch.setattr(database, "_BUSY_TIMEOUT_MS", 50)

    def found() -> bool:
        files = (file for file in path.parent.iterdir() if file.is_file())
        return any(SECRET[:20] in file.read_bytes() for file in files)

    async with opener() as store:
        await store.append([NewEvent("p", "T", SECRET)])
        async with opener(read_only=True, steady=True) as reader:
            await reader.head()
            with pytest.raises(ErasureUnfinished):
                await store.erase(["p"], reason="asked", meta=Meta())
            with pytest.raises(ErasureUnfinished):
                await store.compact()
            log = path.with_name(f"{path.name}-wal")
            size = log.stat().st_size
            for _ in range(3):
                with pytest.raises(ErasureUnfinished):
                    await store.compact(again=True)
            assert log.stat().st_size == size
            assert found()
        await store.compact(again=True)
        assert not found()
        assert await store.verify() == 2
