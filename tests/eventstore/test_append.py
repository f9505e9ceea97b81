"""What `append` promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventstore import (
    GENESIS,
    Checkpoint,
    CheckpointMoved,
    Clear,
    Commit,
    EventStore,
    HeadMoved,
    InvalidAppend,
    Meta,
    NewEvent,
    Put,
    Row,
    StoreClosed,
    StoredEvent,
    UnknownTable,
    WrongVersion,
    database,
)
from eventstore.appender import Append
from eventstore.tables import Tables
from eventstore.transaction import Log

from .conftest import LIMIT_S, ManualClock, Opener, all_events, event, fill


async def test_an_empty_log_has_the_genesis_head(store: EventStore) -> None:
    """Before the first event the head is positions 1..0 with the genesis digest."""
    head = await store.head()
    assert (head.first, head.last, head.recorded_at_us, head.digest) == (1, 0, 0, GENESIS)


async def test_events_get_gapless_positions_and_versions(store: EventStore) -> None:
    """Positions count the log, versions count each stream, both from 1 and without gaps."""
    first = await store.append([event("a"), event("b"), event("a")])
    second = await store.append([event("b")])
    assert (first.first, first.last, second.first, second.last) == (1, 3, 4, 4)
    places = [(e.position, e.stream, e.version) for e in await store.read(0)]
    assert places == [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, "b", 2)]


async def test_an_event_comes_back_as_it_went_in(store: EventStore) -> None:
    """Stream, type, schema, cause and the payload's exact bytes survive."""
    await store.append([event("first")])
    await store.append([NewEvent("ü/€/\N{SNOWMAN}", "Täst", b'{"a" : 1}\n', schema=3, cause=1)])
    assert (await store.read(1)) == [
        StoredEvent(2, "ü/€/\N{SNOWMAN}", 1, "Täst", 3, 1, b'{"a" : 1}\n')
    ]


async def test_an_append_is_seen_by_the_next_read(store: EventStore) -> None:
    """Once append has returned, every read sees its events, rows and checkpoint."""
    for n in range(20):
        await store.append(
            [event(f"s{n}")],
            checkpoint=Checkpoint("c", n + 1, was=n),
            also=[Put("items", [Row("k", b"%d" % n)])],
        )
        assert len(await store.history(f"s{n}")) == 1
        assert (await store.checkpoint("c")).position == n + 1
        assert (await store.rows({"items": ["k"]}))["items"]["k"].value == b"%d" % n


async def test_expected_version_is_checked(store: EventStore) -> None:
    """An append with a wrong expectation fails with WrongVersion and leaves nothing behind."""
    await store.append([event("a")], expect={"a": 0})
    with pytest.raises(WrongVersion) as raised:
        await store.append(
            [event("a"), event("b")],
            expect={"a": 0},
            checkpoint=Checkpoint("c", 9),
            also=[Put("items", [Row("k", b"v")])],
        )
    assert (raised.value.stream, raised.value.expected, raised.value.actual) == ("a", 0, 1)
    assert (await store.head()).last == 1
    assert await store.history("b") == []
    assert await store.count("items") == 0
    assert (await store.checkpoint("c")).position == 0
    await store.append([event("a"), event("b")], expect={"a": 1, "b": 0})
    assert [e.version for e in await store.history("a")] == [1, 2]


async def test_a_stream_can_be_guarded_without_being_written(store: EventStore) -> None:
    """`expect` may name streams to which nothing is appended; asking does not create them."""
    await store.append([event("a")], expect={"other": 0})
    with pytest.raises(WrongVersion):
        await store.append([event("a")], expect={"other": 1})
    assert await store.streams("") == ["a"]


async def test_the_head_is_checked(store: EventStore) -> None:
    """An append for a log that ends elsewhere fails with HeadMoved and leaves nothing behind."""
    await store.append([event("a")], expect_head=0)
    with pytest.raises(HeadMoved) as raised:
        await store.append(
            [event("b")],
            expect_head=0,
            checkpoint=Checkpoint("c", 9),
            also=[Put("items", [Row("k", b"v")])],
        )
    assert (raised.value.expected, raised.value.actual) == (0, 1)
    assert await store.history("b") == []
    assert await store.count("items") == 0
    assert (await store.checkpoint("c")).position == 0
    assert (await store.append([event("b")], expect_head=1)).last == 2
    await store.append([], expect_head=2, also=[Put("items", [Row("k", b"v")])])
    assert await store.count("items") == 1


async def test_the_head_includes_what_was_queued_before(store: EventStore) -> None:
    """Of appends committed together only the one that finds the head where it thinks succeeds."""
    results = await asyncio.gather(
        *(store.append([event(f"s{n}")], expect_head=0) for n in range(8)),
        store.append([event("free")]),
        store.append([event("last")], expect_head=2),
        return_exceptions=True,
    )
    assert [isinstance(one, HeadMoved) for one in results] == [False, *[True] * 7, False, False]
    assert [one.stream for one in await store.read(0)] == ["s0", "free", "last"]
    assert await store.verify() == 3


async def test_a_conflict_fails_only_its_caller(store: EventStore) -> None:
    """Of appends committed together, the one that conflicts fails, its neighbours succeed."""
    results = await asyncio.gather(
        *(
            store.append([event("x", data=b'"%d"' % n)], expect={"x": 0} if n % 3 == 0 else None)
            for n in range(30)
        ),
        return_exceptions=True,
    )
    refused = [n for n, result in enumerate(results) if isinstance(result, WrongVersion)]
    assert refused == [n for n in range(30) if n % 3 == 0 and n > 0]
    kept = [e.data for e in await store.history("x")]
    assert kept == [b'"%d"' % n for n in range(30) if n not in refused]
    assert await store.verify() == len(kept)


async def test_versions_seen_by_later_members_of_a_group_include_earlier_ones(
    store: EventStore,
) -> None:
    """Appends queued together are judged one after the other, as if each ran alone."""
    results = await asyncio.gather(
        *(store.append([event("x")], expect={"x": n}) for n in range(10))
    )
    assert [commit.first for commit in results] == list(range(1, 11))


@pytest.mark.parametrize(
    "bad",
    [
        NewEvent("a", "T", "text"),  # type: ignore[arg-type]
        NewEvent("a", "T", None),  # type: ignore[arg-type]
        NewEvent("", "T", b"{}"),
        NewEvent("a", "", b"{}"),
        NewEvent("a", 5, b"{}"),  # type: ignore[arg-type]
        NewEvent(5, "T", b"{}"),  # type: ignore[arg-type]
        NewEvent("a\udc00", "T", b"{}"),
        NewEvent("a", "T", b"{}", schema=0),
        NewEvent("a", "T", b"{}", schema=1 << 70),
        NewEvent("a", "T", b"{}", cause=0),
        NewEvent("a", "T", b"{}", cause=1_000_000),
    ],
    ids=lambda bad: repr(bad)[:70].encode("ascii", "backslashreplace").decode(),
)
async def test_an_unstorable_event_fails_only_its_caller(store: EventStore, bad: NewEvent) -> None:
    """What cannot be stored is refused as InvalidAppend; appends committed with it go through."""
    results = await asyncio.gather(
        *(store.append([event("ok"), bad if n == 4 else event("ok")]) for n in range(9)),
        return_exceptions=True,
    )
    assert [n for n, result in enumerate(results) if isinstance(result, InvalidAppend)] == [4]
    assert len(await store.history("ok")) == 16
    assert await store.verify() == 16


async def test_bad_meta_is_refused(store: EventStore) -> None:
    """Meta of wrong types is refused rather than stored unreadable."""
    with pytest.raises(InvalidAppend):
        await store.append([event()], meta=Meta(actor=5))  # type: ignore[arg-type]
    assert (await store.head()).last == 0


async def test_meanwhile_is_set_before_the_append_returns(store: EventStore) -> None:
    """Whoever waits for it goes on while the append is still waiting for the disk."""
    order: list[str] = []
    meanwhile = asyncio.Event()

    async def wait() -> None:
        await meanwhile.wait()
        order.append("meanwhile")

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(wait())
        await store.append([event()], meanwhile=meanwhile)
        order.append("appended")
    assert order == ["meanwhile", "appended"]


async def test_meanwhile_is_set_when_an_append_fails_as_well(store: EventStore) -> None:
    """Nobody is left waiting for it, be it refused before it is written or while it is."""
    for bad in ({"expect": {"s": 7}}, {"meta": Meta(actor=5)}):  # type: ignore[arg-type]
        meanwhile = asyncio.Event()
        with pytest.raises((WrongVersion, InvalidAppend)):
            await store.append([event()], meanwhile=meanwhile, **bad)
        assert meanwhile.is_set()


def test_only_the_disk_is_waited_for_after_meanwhile(path: Path) -> None:
    """All of the append is written by then, and nothing follows but COMMIT."""
    database.create(path)
    conn = database.connect_writer(path)
    told: list[str] = []
    try:
        conn.set_trace_callback(lambda sql: told.append(sql.split()[0]))
        log = Log(Tables([]), lambda: 5)
        append = Append([event()], [bytes(16)], meta=Meta(), meanwhile=lambda: told.append("!"))
        (outcome,) = log.commit(conn, [append])
        assert isinstance(outcome, Commit)
        assert told[-3:] == ["INSERT", "!", "COMMIT"]
    finally:
        conn.close()


async def test_no_events_is_an_empty_commit(store: EventStore, clock: ManualClock) -> None:
    """Rows and a checkpoint alone commit; the answer is empty and the log does not move."""
    last = await store.append([event()])
    clock.now_us += 5
    commit = await store.append(
        [], checkpoint=Checkpoint("c", 1), also=[Put("items", [Row("k", b"v")])]
    )
    assert (commit.first, commit.last, commit.digest) == (2, 1, last.digest)
    assert await store.head() == last
    assert (await store.checkpoint("c")).position == 1
    assert await store.count("items") == 1
    assert (await store.append([])).last == 1


async def test_a_checkpoint_moves_only_from_where_it_stands(store: EventStore) -> None:
    """A checkpoint is compare-and-set; a name never seen stands at 0."""
    assert await store.checkpoint("c") == Checkpoint("c", 0, 0)
    await store.append([], checkpoint=Checkpoint("c", 7, was=0, cursor=b"page 2"))
    assert await store.checkpoint("c") == Checkpoint("c", 7, 7, b"page 2")
    with pytest.raises(CheckpointMoved) as raised:
        await store.append([event()], checkpoint=Checkpoint("c", 8, was=0))
    assert (raised.value.name, raised.value.expected, raised.value.actual) == ("c", 0, 7)
    assert (await store.head()).last == 0
    await store.append([event()], checkpoint=Checkpoint("c", 7, was=7, cursor=b"page 3"))
    await store.append([], checkpoint=Checkpoint("c", 0, was=7))
    assert await store.checkpoint("c") == Checkpoint("c", 0, 0)


async def test_two_movers_of_one_checkpoint_do_not_both_move_it(store: EventStore) -> None:
    """Of several appends from the same checkpoint exactly one succeeds."""
    results = await asyncio.gather(
        *(store.append([event(f"s{n}")], checkpoint=Checkpoint("c", 1)) for n in range(12)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, CheckpointMoved) for result in results) == 11
    assert (await store.head()).last == 1


async def test_meta_and_time_are_kept_once_per_commit(
    store: EventStore, clock: ManualClock
) -> None:
    """A commit keeps who, under which trace and when, and is found by any of its positions."""
    meta = Meta(actor="poller", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    one = await store.append([event(), event()], meta=meta)
    clock.now_us += 10
    two = await store.append([event()])
    assert (one.meta, one.recorded_at_us) == (meta, clock.now_us - 10)
    assert two.recorded_at_us == clock.now_us
    assert await store.commits([2, 3, 1, 4, 0, -1]) == [one, two, one, None, None, None]
    assert await store.head() == two


async def test_a_large_append_is_one_commit(store: EventStore) -> None:
    """An append larger than a group is still all or nothing, in one commit."""
    commit = await store.append([event(f"s/{n % 700}") for n in range(3_500)])
    assert (commit.first, commit.last) == (1, 3_500)
    assert [e.version for e in await store.history("s/5")] == [1, 2, 3, 4, 5]


async def test_more_callers_than_the_queue_holds(store: EventStore) -> None:
    """Back-pressure makes callers wait; none is lost and none is done twice."""
    commits = await asyncio.gather(*(store.append([event("q")]) for _ in range(2_500)))
    assert sorted(commit.first for commit in commits) == list(range(1, 2_501))


async def test_a_cancelled_caller_disturbs_nobody(store: EventStore) -> None:
    """Cancelling some callers leaves the others' appends whole and the chain intact."""
    tasks = [asyncio.create_task(store.append([event("c"), event("c")])) for _ in range(60)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(isinstance(result, BaseException) for result in results[1::2])
    versions = [e.version for e in await store.history("c")]
    assert versions == list(range(1, len(versions) + 1))
    assert 60 <= len(versions) <= 120
    assert len(versions) % 2 == 0
    assert await store.verify() == len(versions)


async def test_versions_go_on_after_reopening(opener: Opener) -> None:
    """A store opened again continues positions, versions and chain where it left them."""
    async with opener() as store:
        before = await fill(store, 10)
    async with opener() as store:
        assert await store.head() == before
        after = await store.append([event("s/0")], expect={"s/0": 4})
        assert after.first == 11
        assert await store.verify() == 11


async def test_an_undeclared_table_is_refused(store: EventStore) -> None:
    """A write to a table nobody declared is refused before anything is appended."""
    with pytest.raises(UnknownTable):
        await store.append([event()], also=[Clear("nobody")])
    assert (await store.head()).last == 0


async def test_closing_finishes_what_is_queued(opener: Opener) -> None:
    """Appends queued before the close are durable; later ones are refused."""
    async with opener() as store:
        tasks = [asyncio.create_task(store.append([event("q")])) for _ in range(1_500)]
        await asyncio.sleep(0)
        await store.aclose()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kept = [r for r in results if not isinstance(r, BaseException)]
        assert len(kept) >= 1_000
        assert all(isinstance(r, StoreClosed) for r in results if isinstance(r, BaseException))
        with pytest.raises(StoreClosed):
            await store.append([event()])
    async with opener() as store:
        assert (await store.head()).last == len(kept)


async def test_closing_twice_is_closing_once(opener: Opener) -> None:
    """aclose is idempotent, also when called by several at once; reads are refused after it."""
    async with opener() as store:
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(store.aclose(), store.aclose())
        await store.aclose()
        with pytest.raises(StoreClosed):
            await store.read(0)
        with pytest.raises(StoreClosed):
            await store.verify()


async def test_all_events_pages_through_everything(store: EventStore) -> None:
    """Reading page after page yields each position once."""
    await fill(store, 1_234, per_append=100)
    assert [e.position for e in await all_events(store)] == list(range(1, 1_235))
