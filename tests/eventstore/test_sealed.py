"""Copying a log as it is: sealed commits out of one store, restored into another."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventstore import (
    GENESIS,
    ChainBroken,
    EventStore,
    InvalidAppend,
    Meta,
    NewEvent,
    NotTheNext,
    SealedCommit,
    StoreClosed,
    StoreReadOnly,
    check_sealed,
    open_store,
)
from eventstore.chain import commit_digest, links

from .conftest import TABLES, Opener, event, fill

replace = msgspec.structs.replace


async def a_life(store: EventStore) -> None:
    """Commits of all kinds: large, small, caused, of another schema, of odd bytes, erased."""
    await fill(store, 60, streams=7, per_append=9)
    await store.append([NewEvent("ü/1", "Odd", b"\x00\xff", 3, cause=5)], meta=Meta("me", "tr"))
    await store.append([NewEvent("secret", "T", b"name"), event("other")])
    await store.erase(["secret", "s/3"], reason="asked", meta=Meta("officer"))
    await fill(store, 10, per_append=1)


async def sealed(store: EventStore, *, limit: int = 1_000) -> list[SealedCommit]:
    """Every commit, page by page."""
    found: list[SealedCommit] = []
    while page := await store.sealed(found[-1].last if found else 0, limit=limit):
        found += page
    return found


def contents(path: Path) -> list[Any]:
    """Every row of a store's log, streams by name."""
    conn = sqlite3.connect(path)
    try:
        events = (
            "SELECT position, name, version, type, schema, cause, salt, data, digest"
            " FROM events JOIN streams ON id = stream_id ORDER BY position"
        )
        commits = "SELECT * FROM commits ORDER BY last_position"
        return [*conn.execute(events), *conn.execute(commits)]
    finally:
        conn.close()


@pytest.mark.parametrize("limit", [1, 10, 1_000])
async def test_a_restored_log_is_the_same_log(opener: Opener, path: Path, limit: int) -> None:
    """Restored in pages of any size, every row is what it was, blanks too, and the chain holds."""
    copy = path.with_name("copy.db")
    async with opener() as store, open_store(f"sqlite:///{copy}", tables=TABLES) as other:
        await a_life(store)
        after = 0
        while page := await store.sealed(after, limit=limit):
            assert sum(len(commit.events) for commit in page) <= max(limit, 9)
            head = await other.restore(page)
            after = page[-1].last
            assert head.last == after
        assert await other.head() == await store.head()
        assert await other.verify() == await store.verify() == after
    assert contents(copy) == contents(path)


async def test_a_restored_log_goes_on(opener: Opener, path: Path) -> None:
    """After a restore, appends take the next positions, versions and links; followers wake."""
    copy = path.with_name("copy.db")
    async with opener() as store, open_store(f"sqlite:///{copy}") as other:
        await fill(store, 6, streams=2)
        await other.restore(await store.sealed(0))
        await other.append([event("s/1"), event("new")], expect={"s/1": 3, "new": 0})
        await store.append([event("s/0")])
        assert await other.wait(7, 0.1)
        assert [(e.stream, e.version) for e in await other.read(6)] == [("s/1", 4), ("new", 1)]
        assert await other.verify() == 8
        with pytest.raises(NotTheNext):
            await other.restore(await store.sealed(6))


async def test_pages_end_with_whole_commits(store: EventStore) -> None:
    """A page holds whole commits, at least one, none that ends after `upto`."""
    await fill(store, 20, per_append=5)
    assert [commit.last for commit in await store.sealed(0, limit=1)] == [5]
    assert [commit.last for commit in await store.sealed(5, limit=11)] == [10, 15]
    assert [commit.last for commit in await store.sealed(0, upto=14)] == [5, 10]
    assert await store.sealed(0, upto=4) == []
    assert await store.sealed(20) == []


def _in_event(**changed: Any) -> Callable[[SealedCommit], SealedCommit]:
    def alter(commit: SealedCommit) -> SealedCommit:
        first, *rest = commit.events
        return replace(commit, events=(replace(first, **changed), *rest))

    return alter


ALTERED: dict[str, Callable[[SealedCommit], SealedCommit]] = {
    "data": _in_event(data=b"[]"),
    "stream": _in_event(stream="forged"),
    "no stream": _in_event(stream=""),
    "no text": _in_event(type="\ud800"),
    "type": _in_event(type="Forged"),
    "salt": _in_event(salt=bytes(16)),
    "salt's length": _in_event(salt=bytes(15)),
    "version": _in_event(version=9),
    "cause": _in_event(cause=1),
    "blank": _in_event(salt=None, data=None, digest=bytes(32)),
    "digest": lambda commit: replace(commit, digest=bytes(32)),
    "time": lambda commit: replace(commit, recorded_at_us=0),
    "meta": lambda commit: replace(commit, meta=b'{"actor":"me"}'),
    "event missing": lambda commit: replace(commit, events=commit.events[1:]),
    "event twice": lambda commit: replace(commit, events=commit.events + commit.events[-1:]),
    "order": lambda commit: replace(commit, events=commit.events[::-1]),
}


@pytest.mark.parametrize("what", ALTERED)
async def test_what_was_altered_is_not_restored(opener: Opener, path: Path, what: str) -> None:
    """One altered value and nothing of the call is written; the true commits still go in."""
    async with (
        opener() as store,
        open_store(f"sqlite:///{path.with_name('copy.db')}") as other,
    ):
        await fill(store, 12)
        first, second, third = await store.sealed(0)
        with pytest.raises(ChainBroken) as raised:
            await other.restore([first, ALTERED[what](second), third])
        assert 5 <= raised.value.position <= 8
        assert (await other.head()).last == 0
        await other.restore([first, second, third])
        assert await other.verify() == 12


async def test_commits_out_of_order_are_refused(opener: Opener, path: Path) -> None:
    """What does not follow the log is refused, and the store stays as it was."""
    async with (
        opener() as store,
        open_store(f"sqlite:///{path.with_name('copy.db')}") as other,
    ):
        await fill(store, 12)
        first, second, third = await store.sealed(0)
        for wrong in ([second], [first, third], [first, first]):
            with pytest.raises(NotTheNext, match="does not follow the log"):
                await other.restore(wrong)
        await other.append([event("mine")])
        with pytest.raises(NotTheNext):
            await other.restore([first])
        with pytest.raises(ChainBroken):
            await other.restore([replace(first, first=2, last=5)])
        assert (await other.head()).last == 1


async def test_versions_must_follow(opener: Opener, path: Path) -> None:
    """A chain that was made up whole can hold and still skip versions: that is refused too."""
    forged = NewEvent("a", "T", b"{}")
    digest = commit_digest(GENESIS, 1, 1, 5, b"{}", links(1, [forged], [2], [bytes(16)]))
    async with opener() as store:
        await store.append([event("a")])
        [commit] = await store.sealed(0)
    altered = _in_event(version=2, salt=bytes(16), type="T")(commit)
    altered = replace(altered, recorded_at_us=5, meta=b"{}", digest=digest)
    check_sealed(0, GENESIS, altered)
    async with open_store(f"sqlite:///{path.with_name('copy.db')}") as other:
        with pytest.raises(NotTheNext, match="version 2 of stream 'a' does not follow version 0"):
            await other.restore([altered])


async def test_a_value_that_cannot_be_stored_is_refused(opener: Opener, path: Path) -> None:
    """Constraints of the store hold for what is restored; what was known before is not trusted."""
    forged = NewEvent("a", "", b"{}")
    digest = commit_digest(GENESIS, 1, 1, 5, b"{}", links(1, [forged], [1], [bytes(16)]))
    async with opener() as store:
        await store.append([event("a")])
        [commit] = await store.sealed(0)
    altered = _in_event(salt=bytes(16), type="")(commit)
    altered = replace(altered, recorded_at_us=5, meta=b"{}", digest=digest)
    async with open_store(f"sqlite:///{path.with_name('copy.db')}") as other:
        with pytest.raises(InvalidAppend):
            await other.restore([altered])
        assert (await other.append([event("a")])).last == 1


async def test_only_a_writer_restores(opener: Opener) -> None:
    """A store opened for reading, or closed, restores nothing."""
    async with opener() as store:
        await fill(store, 4)
        page = await store.sealed(0)
    async with opener(read_only=True) as store:
        assert await store.sealed(0) == page
        with pytest.raises(StoreReadOnly):
            await store.restore(page)
    async with opener() as store:
        pass
    with pytest.raises(StoreClosed):
        await store.restore(page)


async def test_a_name_that_is_no_text_is_told(opener: Opener, path: Path) -> None:
    """A damaged name is reported with its position instead of being copied."""
    async with opener() as store:
        await fill(store, 8)
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        conn.execute("DROP TRIGGER events_are_immutable")
        conn.execute("UPDATE events SET type = CAST(x'ff' AS TEXT) WHERE position = 6")
    finally:
        conn.close()
    async with opener(read_only=True) as store:
        with pytest.raises(ChainBroken) as raised:
            await store.sealed(0)
    assert raised.value.position == 6
