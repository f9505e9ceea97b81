"""A store as-if answers like the store would, and leaves it alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.overlay import Overlay
from connector.rounds import round_at, rounds
from eventstore import (
    Checkpoint,
    CheckpointMoved,
    Clear,
    EventStore,
    HeadMoved,
    Meta,
    NewEvent,
    Put,
    Remove,
    Row,
    StoreReadOnly,
    Table,
    open_store,
)
from projections import events as e
from tests.projections.rig import Rig, customer, new, open_rig

TABLES: Final = [Table("plain"), Table("ranked", ranked=True)]
KEYS: Final = ["a", "a/b", "a/c", "ab", "b", "b/\U0001f600", "b/é", "c"]
PREFIXES: Final = ["", "a", "a/", "b/", "z"]
# (table, key, value; None removes)
CHANGE: Final = st.tuples(
    st.sampled_from(["plain", "ranked"]),
    st.sampled_from(KEYS),
    st.none() | st.integers(0, 9),
)


def write(table: str, key: str, value: int | None) -> Put | Remove:
    """One change of a row."""
    if value is None:
        return Remove(table, [key])
    rank = value if table == "ranked" else None
    return Put(table, [Row(key, str(value).encode(), rank)])


async def everything(store: EventStore) -> dict[str, Any]:
    """What the store answers to every kind of question about its rows."""
    out: dict[str, Any] = {}
    for table in ("plain", "ranked"):
        for prefix in PREFIXES:
            out[f"{table} count {prefix}"] = await store.count(table, prefix=prefix)
            for after in ("", "a/b", "b"):
                for limit in (1, 2, 100):
                    found = await store.scan(table, prefix=prefix, after=after, limit=limit)
                    out[f"{table} scan {prefix} {after} {limit}"] = found
        out[f"{table} many"] = await store.scan_many(table, PREFIXES[1:])
        out[f"{table} few"] = await store.scan_many(table, PREFIXES[1:], limit=2)
        out[f"{table} counts"] = await store.counts(table, PREFIXES)
        out[f"{table} rows"] = (await store.rows({table: KEYS})).get(table, {})
    for upto in (3, 9):
        out[f"due {upto}"] = await store.due("ranked", upto=upto, limit=4)
    out["next"] = await store.next_rank("ranked")
    return out


@settings(max_examples=15, deadline=None)
@given(st.lists(CHANGE, max_size=12), st.lists(CHANGE, max_size=12))
async def test_rows_laid_over_are_the_rows_written(
    before: list[tuple[str, str, int | None]], after: list[tuple[str, str, int | None]]
) -> None:
    """Whatever was in the store, changes kept in memory read like changes made to it."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'events.db'}"
        async with open_store(url, tables=TABLES) as store:
            for change in before:
                await store.append([], also=[write(*change)])
            overlay = Overlay(store, await store.head())
            untouched = await everything(store)
            for change in after:
                await overlay.append([], also=[write(*change)])
            as_if = await everything(overlay)
            assert await everything(store) == untouched
            for change in after:
                await store.append([], also=[write(*change)])
            assert as_if == await everything(store)


async def test_events_appended_as_if(tmp_path: Path) -> None:
    """They take the next positions and versions, are read behind the others, and are forgotten
    once a checkpoint has passed them; what the store is told meanwhile is not seen."""
    async with open_store(f"sqlite:///{tmp_path / 'events.db'}", tables=TABLES) as store:
        await store.append([NewEvent("s", "A", b"1"), NewEvent("t", "B", b"2")])
        overlay = Overlay(store, await store.head())
        commit = await overlay.append(
            [NewEvent("s", "C", b"3"), NewEvent("s", "A", b"4")], expect={"s": 1}
        )
        await store.append([NewEvent("s", "Z", b"5")])
        assert (commit.first, commit.last) == (3, 4)
        assert (await overlay.head()).last == 4
        assert [event.data for event in await overlay.read(0)] == [b"1", b"2", b"3", b"4"]
        assert [event.data for event in await overlay.read(0, types=["A"])] == [b"1", b"4"]
        assert [event.data for event in await overlay.read(1, limit=2)] == [b"2", b"3"]
        assert [event.data for event in await overlay.read(0, upto=3)] == [b"1", b"2", b"3"]
        assert [event.version for event in await overlay.history("s")] == [1, 2, 3]
        every = await overlay.histories(["s", "none"])
        assert every == {"s": await overlay.history("s"), "none": []}
        assert await overlay.locate([("s", 1), ("s", 3), ("s", 4)]) == [1, 4, None]
        assert await overlay.wait(3, 60.0)
        assert not await overlay.wait(4, 60.0)
        await overlay.append([], checkpoint=Checkpoint("p", 3))
        assert await overlay.checkpoint("p") == Checkpoint("p", 3, was=3)
        assert [event.data for event in await overlay.read(2)] == [b"4"]
        with pytest.raises(CheckpointMoved):
            await overlay.append([], checkpoint=Checkpoint("p", 4, was=1))
        with pytest.raises(HeadMoved):
            await overlay.append([NewEvent("s", "D", b"6")], expect_head=5)
        assert (await overlay.append([NewEvent("s", "D", b"6")], expect_head=4)).last == 5
        assert (await store.checkpoint("p")).position == 0


async def test_what_cannot_be_done_as_if(tmp_path: Path) -> None:
    """Clearing, erasing and restoring are refused, and the store stays open."""
    async with open_store(f"sqlite:///{tmp_path / 'events.db'}", tables=TABLES) as store:
        overlay = Overlay(store, await store.head())
        with pytest.raises(StoreReadOnly):
            await overlay.append([], also=[Clear("plain")])
        with pytest.raises(StoreReadOnly):
            await overlay.erase(["s"], reason="", meta=Meta())
        with pytest.raises(StoreReadOnly):
            await overlay.restore([])
        await overlay.aclose()
        assert (await store.head()).last == 0


async def test_rounds_of_the_log(tmp_path: Path) -> None:
    """A round ends where an entity of a company comes again, and begins with what was told before
    it; the newest that led to a command is found."""
    async with open_rig(tmp_path) as desk:
        await desk.settings(read=False)
        await poll(desk, "AR_Customer", customer("ACME", City="Oslo"))
        await poll(desk, "AR_Invoice")
        first = (await desk.store.head()).last
        await desk.store.append([new("config/aging/ABC", e.AgingDateAdvanced("ABC", "2026-07-01"))])
        await poll(desk, "AR_Customer", customer("ACME", City="Bergen"))
        second = (await desk.store.head()).last
        await poll(desk, "AR_Customer")
        found = await rounds(desk.store)
        assert [one.first for one in found] == [2, first + 1, second + 1]
        assert [one.last for one in found][:2] == [first, second]
        assert await round_at(desk.store, None) == found[1]
        assert await round_at(desk.store, first) == found[0]
        assert await round_at(desk.store, 10_000) is None


async def test_days_without_a_round_are_not_the_next_rounds(tmp_path: Path) -> None:
    """Days that began while nothing was read are no part of the round after them, but the last."""
    async with open_rig(tmp_path) as desk:
        await desk.settings()
        await poll(desk, "AR_Customer", customer("ACME", City="Oslo"))
        for day in ("2026-07-01", "2026-07-02", "2026-07-03"):
            advanced = e.AgingDateAdvanced("ABC", day)
            await desk.store.append([new("config/aging/ABC", advanced)])
        last = (await desk.store.head()).last
        await poll(desk, "AR_Customer", customer("ACME", City="Bergen"))
        found = await rounds(desk.store)
        assert [one.first for one in found] == [2, last]


async def poll(desk: Rig, entity: str, *seen: Any) -> None:
    """One pass over an entity, and what it leads to."""
    stream = f"poll/acme/ABC/{entity}"
    await desk.store.append([new(stream, e.PollStarted("cursor"))])
    if seen:
        await desk.see(*seen)
    await desk.store.append([new(stream, e.PollCompleted("cursor", len(seen), 0, len(seen)))])
    await desk.idle()
