"""What the reading side of the log promises."""

from __future__ import annotations

import asyncio

import pytest

from eventstore import EventStore, Meta, NewEvent, StoreClosed, StoredEvent, WrongVersion

from .conftest import LIMIT_S, ManualClock, Opener, event, fill


async def test_read_takes_what_lies_between(store: EventStore) -> None:
    """`after` is exclusive, `upto` inclusive, `limit` bounds the page, order ascends."""
    await fill(store, 20)
    assert [e.position for e in await store.read(5, upto=9)] == [6, 7, 8, 9]
    assert [e.position for e in await store.read(5, limit=2)] == [6, 7]
    assert await store.read(20) == []
    assert await store.read(7, upto=7) == []


async def test_read_by_type(store: EventStore) -> None:
    """`types` keeps these types only; a type never seen yields nothing."""
    await fill(store, 20)
    odd = await store.read(0, types=["Type1"], limit=3)
    assert [e.position for e in odd] == [2, 4, 6]
    assert len(await store.read(0, types={"Type1", "Type0", "None"})) == 20
    assert await store.read(0, types=["None"]) == []


async def test_history_is_one_stream(store: EventStore) -> None:
    """History is one stream by version, from a version and up to a position."""
    await fill(store, 30)
    assert [e.version for e in await store.history("s/1")] == list(range(1, 11))
    assert [e.version for e in await store.history("s/1", after=8)] == [9, 10]
    assert [e.position for e in await store.history("s/1", upto=8)] == [2, 5, 8]
    assert [e.position for e in await store.history("s/1", after=1, upto=8)] == [5, 8]
    assert await store.history("none") == []


async def test_histories_are_many_streams_at_once(store: EventStore) -> None:
    """All events of each stream; one that there is not has none."""
    await fill(store, 30)
    found = await store.histories(["s/2", "none", "s/0"])
    assert found == {name: await store.history(name) for name in ("s/2", "none", "s/0")}
    assert [len(events) for events in found.values()] == [10, 0, 10]
    assert await store.histories([]) == {}


async def test_streams_by_prefix(store: EventStore) -> None:
    """Stream names come by prefix, in byte order, after a name, at most `limit`."""
    names = ["a", "a/", "a/1", "a/2", "a/é", "a/\U0001f600", "a/\uffff", "a0", "b", "a%", "a_x"]
    await store.append([event(name) for name in names])
    below = sorted((n for n in names if n.startswith("a/")), key=str.encode)
    assert await store.streams("a/") == below
    assert await store.streams("a/", after="a/1") == below[2:]
    assert await store.streams("a/", after="a", limit=2) == below[:2]
    assert await store.streams("a/", after="b") == []
    assert await store.streams("") == sorted(names, key=str.encode)
    assert await store.streams("%") == []


async def test_locate_finds_positions(store: EventStore) -> None:
    """(stream, version) pairs become positions in their order, None where there is no event."""
    await fill(store, 12)
    places = [("s/2", 1), ("s/0", 4), ("s/0", 5), ("none", 1), ("s/2", 1)]
    assert await store.locate(places) == [3, 10, None, None, 3]
    assert await store.locate([]) == []


async def test_position_at_a_time(store: EventStore, clock: ManualClock) -> None:
    """The last position recorded at or before a time, also where the clock was set back."""
    start = clock.now_us
    for offset in (0, 10, 10, 30, 20, 40):
        clock.now_us = start + offset
        await store.append([event(), event()])
    found = [await store.position_at(start + at) for at in (-1, 0, 9, 10, 19, 20, 30, 39, 40, 99)]
    assert found == [0, 2, 2, 6, 6, 10, 10, 10, 12, 12]


async def test_wait_returns_when_the_log_grows(store: EventStore) -> None:
    """wait is True at once when the log is past, True on a commit, False when time runs out."""
    await store.append([event()])
    assert await store.wait(0, 0.0)
    assert not await store.wait(1, 0.01)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        waiting = group.create_task(store.wait(1, LIMIT_S))
        group.create_task(store.append([event()]))
    assert waiting.result()


async def test_rows_alone_do_not_wake(store: EventStore) -> None:
    """A commit without events does not move the head."""
    await store.append([])
    assert not await store.wait(0, 0.0)


async def test_follow_yields_every_event_once(store: EventStore) -> None:
    """A follower gets what is there, then what comes, in order, each once."""
    await fill(store, 10)
    seen: list[StoredEvent] = []

    async def consume() -> None:
        async for page in store.follow(0, limit=4):
            assert 1 <= len(page) <= 4
            seen.extend(page)
            if len(seen) == 25:
                return

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(consume())
        group.create_task(fill(store, 15))
    assert [e.position for e in seen] == list(range(1, 26))


async def test_follow_by_type_passes_over_the_rest(store: EventStore) -> None:
    """A follower of one type gets all of that type, however sparse."""
    await fill(store, 40)
    await store.append([event(type_="Rare")])
    await fill(store, 40)
    follower = store.follow(0, types=["Rare"], limit=1)
    async with asyncio.timeout(LIMIT_S):
        assert [e.position for e in await anext(follower)] == [41]
        rare = asyncio.ensure_future(anext(follower))
        await fill(store, 8)
        await store.append([event(type_="Rare")])
        assert [e.position for e in await rare] == [90]


async def test_closing_ends_those_who_wait(opener: Opener) -> None:
    """Followers and waiters of a closed store get StoreClosed instead of waiting for ever."""
    async with opener() as store, asyncio.timeout(LIMIT_S):
        follower = asyncio.ensure_future(anext(store.follow(0)))
        waiter = asyncio.ensure_future(store.wait(0, LIMIT_S))
        await store.head()
        await store.aclose()
        for future in (follower, waiter):
            with pytest.raises(StoreClosed):
                await future


async def test_large_payloads(store: EventStore) -> None:
    """Payloads far larger than a page come back whole."""
    data = b'"' + bytes(range(32, 34)) * 200_000 + b'"'
    await store.append([NewEvent("big", "T", data), NewEvent("big", "T", b"")])
    assert [e.data for e in await store.history("big")] == [data, b""]
    assert await store.verify() == 2


async def test_a_stream_is_whole_across_segments_of_the_log(opener: Opener) -> None:
    """The index by stream is cut into segments of 131,072 positions; no question shows it."""
    filler = [NewEvent(f"filler/{number % 50}", "T", b"{}") for number in range(2_000)]
    async with opener() as store:
        await store.append([NewEvent("ada", "T", b"1"), NewEvent("ada", "T", b"2")])
        for _ in range(66):
            await store.append(filler)
        await store.append([NewEvent("ada", "T", b"3")], expect={"ada": 2})
        head = (await store.head()).last
        assert head > 131_072
        assert [(e.version, e.data) for e in await store.history("ada")] == [
            (1, b"1"),
            (2, b"2"),
            (3, b"3"),
        ]
        assert await store.locate([("ada", 1), ("ada", 3), ("ada", 4)]) == [1, head, None]
    async with opener() as store:
        with pytest.raises(WrongVersion):
            await store.append([NewEvent("ada", "T", b"4")], expect={"ada": 2})
        assert (await store.erase(["ada"], reason="asked", meta=Meta())).blanked == 3
        assert await store.verify() == head + 1
