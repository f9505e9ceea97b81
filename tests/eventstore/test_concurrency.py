"""Many at once: nobody sees a gap, nobody is served another's outcome."""

from __future__ import annotations

import asyncio
import itertools

from eventstore import (
    Checkpoint,
    CheckpointMoved,
    EventStore,
    NewEvent,
    Put,
    Row,
    WrongVersion,
)

from .conftest import LIMIT_S, Opener, event


async def test_tailing_readers_see_every_position(opener: Opener) -> None:
    """Readers that follow while many append, in this opening and a read-only one, miss nothing."""
    writers, each = 20, 30
    total = writers * each * 2

    async def write(store: EventStore, number: int) -> None:
        for n in range(each):
            await store.append([event(f"w/{number}"), event(f"x/{n % 7}")])

    async def follow(store: EventStore, limit: int) -> list[int]:
        seen: list[int] = []
        async for page in store.follow(0, limit=limit):
            seen += [e.position for e in page]
            if len(seen) >= total:
                return seen
        raise AssertionError("a follower ended by itself")

    async with opener() as store, opener(read_only=True) as beside, asyncio.timeout(LIMIT_S):
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(follow(reader, limit))
                for reader, limit in ((store, 7), (store, 500), (beside, 33))
            ]
            for number in range(writers):
                group.create_task(write(store, number))
        for task in readers:
            assert task.result() == list(range(1, total + 1))
        assert await store.verify() == total


async def test_optimistic_writers_make_progress(store: EventStore) -> None:
    """Writers that retry on WrongVersion each get all their events in, once, in their order."""

    async def write(name: int) -> int:
        retries = 0
        for n in range(10):
            while True:
                version = len(await store.history("shared"))
                data = b'"%d/%d"' % (name, n)
                try:
                    await store.append([NewEvent("shared", "T", data)], expect={"shared": version})
                    break
                except WrongVersion:
                    retries += 1
        return retries

    async with asyncio.timeout(LIMIT_S):
        retries = await asyncio.gather(*(write(name) for name in range(6)))
    kept = [e.data or b"" for e in await store.history("shared")]
    assert sum(retries) > 0
    assert sorted(kept) == sorted(b'"%d/%d"' % p for p in itertools.product(range(6), range(10)))
    for name in range(6):
        own = [data for data in kept if data.startswith(b'"%d/' % name)]
        assert own == sorted(own)


async def test_two_consumers_with_one_checkpoint_do_the_work_once(store: EventStore) -> None:
    """Copies of a consumer race for each page; every event's effect is committed exactly once."""
    for n in range(60):
        await store.append([event(f"in/{n}")])

    async def consume() -> None:
        while True:
            place = await store.checkpoint("copy")
            page = await store.read(place.position, upto=60, limit=4)
            if not page:
                return
            effects = [event(f"out/{e.position}") for e in page]
            rows = [Row(f"{e.position:03}", b"") for e in page]
            moved = Checkpoint("copy", page[-1].position, was=place.position)
            try:
                await store.append(effects, checkpoint=moved, also=[Put("items", rows)])
            except CheckpointMoved:
                continue

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(consume())
    assert (await store.head()).last == 120
    assert len(await store.streams("out/")) == 60
    assert await store.count("items") == 60


async def test_readers_and_writers_at_once(store: EventStore) -> None:
    """Every kind of call at once: each answer is whole and consistent."""

    async def write() -> None:
        for n in range(40):
            await store.append(
                [event(f"s/{n}"), event("all")], also=[Put("items", [Row("last", b"%d" % n)])]
            )

    async def look() -> None:
        while (await store.head()).last < 80:
            head = await store.head()
            events = await store.read(0, upto=head.last)
            assert [e.position for e in events] == list(range(1, head.last + 1))
            assert await store.verify() >= head.last

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(write())
        group.create_task(look())
        group.create_task(look())
    assert (await store.rows({"items": ["last"]}))["items"]["last"].value == b"39"
