"""Sweeps: what the cursor missed, what is absent, and when a row has vanished."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from connector.sage100.errors import AgentBusy
from connector.sage100.seen import SEEN
from connector.sage100.sweep import sweep
from eventstore import Clear, EventStore, Put, Row, open_store
from projections import events as e
from tests.sage100.conftest import TABLES_OF_THE_STORE
from tests.sage100.shelf import (
    CALL,
    Interrupting,
    Shelf,
    check_books,
    contents,
    cursor_pass,
    known,
    logged,
    lost_place,
    misses,
    place,
)


async def test_a_sweep_reads_every_row_whatever_its_stamp(store: EventStore) -> None:
    """No ChangedSince; the pass is logged as a sweep and adds up."""
    shelf = Shelf()
    shelf.fill(8, stamp="19990101")
    outcome = await sweep(shelf.reading(store))
    assert (outcome.completed, outcome.read, outcome.observed) == (True, 8, 8)
    assert {asked[0] for asked in shelf.asked} == {""}
    assert await logged(store, e.PollStarted, e.PollCompleted, e.SweepCompleted) == [
        e.PollStarted("sweep"),
        e.PollCompleted("sweep", 8, 0, 8, "20261122", 3),
        e.SweepCompleted(0),
    ]
    assert {
        one.via
        for one in await logged(store, e.RecordObserved)
        if isinstance(one, e.RecordObserved)
    } == {"sweep"}
    assert await store.count(SEEN.name) == 0
    await check_books(store)


async def test_a_complete_sweep_moves_the_cursor_too(store: EventStore) -> None:
    """Every row is in the log as of the sweep's beginning: the next cursor pass starts there."""
    shelf = Shelf()
    shelf.fill(2)
    await sweep(shelf.reading(store))
    await cursor_pass(shelf, store)
    assert shelf.asked[-1][0] == "20261121"


@pytest.mark.parametrize(
    ("stamp", "missed"),
    [
        ("20260101", 1),  # no pass could show it any more
        ("20261121", 1),  # within the overlap: the last pass asked for it and saw it otherwise
        ("20261122", 0),  # may have changed after the last pass; the next one would show it
        ("20261201", 0),
        ("", 0),  # rows without stamps come with every pass
    ],
)
async def test_what_the_cursor_missed_is_what_is_stamped_before_it(
    store: EventStore, stamp: str, missed: int
) -> None:
    """A changed row counts as missed when its stamps lie before the day of the last pass."""
    shelf = Shelf()
    shelf.fill(4)
    shelf.rows["01"] = ("as it was", stamp, "8.5" if stamp else "")
    await cursor_pass(shelf, store)
    shelf.rows["01"] = ("changed without a stamp", stamp, "8.5" if stamp else "")
    outcome = await sweep(shelf.reading(store))
    assert (outcome.observed, outcome.missed) == (1, missed)
    assert (await logged(store, e.SweepCompleted))[-1] == e.SweepCompleted(missed)
    assert (await contents(store))["01"] == "changed without a stamp"


async def test_a_new_row_with_an_old_stamp_was_missed(store: EventStore) -> None:
    """An imported row stamped long ago is one no cursor pass would ever have shown."""
    shelf = Shelf()
    shelf.fill(2)
    await cursor_pass(shelf, store)
    shelf.rows["77"] = ("imported", "20190101", "")
    assert (await sweep(shelf.reading(store))).missed == 1
    assert (await sweep(shelf.reading(store))).missed == 0


async def test_nothing_is_missed_before_there_is_a_cursor(store: EventStore) -> None:
    """A first reading has nothing to be compared with."""
    shelf = Shelf()
    shelf.fill(5, stamp="19990101")
    assert (await sweep(shelf.reading(store))).missed == 0


async def test_a_row_vanishes_after_two_complete_sweeps_without_it(store: EventStore) -> None:
    """Once absent is counted, twice is an event, and after that it is known."""
    shelf = Shelf()
    shelf.fill(6)
    await sweep(shelf.reading(store))
    del shelf.rows["02"]
    first = await sweep(shelf.reading(store))
    assert (first.absent, first.vanished) == (1, 0)
    assert await misses(store) == {"02": 1}
    second = await sweep(shelf.reading(store))
    assert (second.absent, second.vanished) == (1, 1)
    (vanished,) = await logged(store, e.RecordVanished)
    gone = e.RecordVanished(["02"], (await known(store))["02"].fingerprint, kind="unknown")
    assert vanished == gone
    assert (await known(store))["02"].vanished
    third = await sweep(shelf.reading(store))
    assert (third.absent, third.vanished) == (0, 0)
    assert "02" not in await contents(store)
    await check_books(store)


async def test_a_row_seen_in_between_is_not_on_its_way_out(store: EventStore) -> None:
    """Two absences count only in a row, whichever kind of pass saw it in between."""
    shelf = Shelf()
    shelf.fill(6, stamp="20261122")
    await sweep(shelf.reading(store))
    row = shelf.rows.pop("02")
    await sweep(shelf.reading(store))
    shelf.rows["02"] = row
    await cursor_pass(shelf, store)
    assert await misses(store) == {}
    del shelf.rows["02"]
    assert (await sweep(shelf.reading(store))).vanished == 0
    assert not await logged(store, e.RecordVanished)
    assert len(await logged(store, e.RecordObserved)) == 6


async def test_a_vanished_row_that_is_there_again_returns(store: EventStore) -> None:
    """RecordReturned, then its content, even when that is what it was."""
    shelf = Shelf()
    shelf.fill(3)
    await sweep(shelf.reading(store))
    row = shelf.rows.pop("01")
    for _ in range(2):
        await sweep(shelf.reading(store))
    shelf.rows["01"] = row
    outcome = await sweep(shelf.reading(store))
    assert (outcome.observed, outcome.unchanged) == (1, 2)
    history = await store.history("sage/acme/ABC/AR_TermsCode/01")
    assert [event.type for event in history] == [
        "RecordObserved",
        "RecordVanished",
        "RecordReturned",
        "RecordObserved",
    ]
    assert not (await known(store))["01"].vanished
    await check_books(store)


async def test_an_incomplete_sweep_says_nothing_about_absence(store: EventStore) -> None:
    """An end that was not reached, however often, never makes a row absent."""
    shelf = Shelf()
    shelf.fill(6)
    await sweep(shelf.reading(store))
    shelf.script = lambda _, page: msgspec.structs.replace(
        page, rows=page.rows[:1], next=None, complete=False
    )
    for _ in range(3):
        outcome = await sweep(shelf.reading(store))
        assert outcome.error is not None
    assert await misses(store) == {}
    assert len(await logged(store, e.SweepCompleted)) == 1


async def test_what_an_abandoned_sweep_saw_does_not_count(store: EventStore) -> None:
    """Marks of a sweep that was given up do not hide an absence from the next one."""
    shelf = Shelf()
    shelf.fill(7)
    await sweep(shelf.reading(store))
    shelf.errors = [None, None, lost_place(), lost_place()]
    await sweep(shelf.reading(store))
    del shelf.rows["00"]
    assert (await sweep(shelf.reading(store))).absent == 1
    assert await store.count(SEEN.name) == 0


async def test_a_failed_sweep_resumes_with_what_it_saw(store: EventStore) -> None:
    """The next sweep goes on behind the last page, and rows of the pages before are not absent."""
    shelf = Shelf()
    shelf.fill(8)
    await sweep(shelf.reading(store))
    del shelf.rows["07"]
    shelf.errors = [None, None, AgentBusy("in use", CALL)]
    assert (await sweep(shelf.reading(store))).error is not None
    outcome = await sweep(shelf.reading(store))
    assert (outcome.completed, outcome.read, outcome.absent) == (True, 7, 1)
    assert shelf.asked[-1] == ("", "after 05")
    await check_books(store)


async def test_a_cursor_pass_in_the_middle_of_a_sweep_disturbs_neither(store: EventStore) -> None:
    """Rows that a cursor pass adds behind the sweep's place are not absent; both books close."""
    shelf = Shelf()
    shelf.fill(8, stamp="20261122")
    await sweep(shelf.reading(store))
    shelf.errors = [None, None, AgentBusy("in use", CALL)]
    await sweep(shelf.reading(store))
    shelf.rows["00a"] = ("new, before the sweep's place", "20261122", "9")
    shelf.rows["99"] = ("new, behind it", "20261122", "9")
    assert (await cursor_pass(shelf, store)).observed == 2
    outcome = await sweep(shelf.reading(store))
    assert (outcome.completed, outcome.absent, outcome.vanished) == (True, 0, 0)
    assert (outcome.read, outcome.observed) == (3, 0)
    assert len(await logged(store, e.PollStarted)) == 4
    assert await store.count(SEEN.name) == 0
    await check_books(store)


async def test_a_sweep_whose_notes_are_gone_starts_again(store: EventStore) -> None:
    """What it was shown before is not known any more; that makes nothing absent."""
    shelf = Shelf()
    shelf.fill(8)
    await sweep(shelf.reading(store))
    shelf.errors = [None, None, AgentBusy("in use", CALL)]
    await sweep(shelf.reading(store))
    await store.append([], also=[Clear(SEEN.name)])
    outcome = await sweep(shelf.reading(store))
    assert (outcome.completed, outcome.read, outcome.absent) == (True, 8, 0)
    await check_books(store)


async def test_unchanged_rows_are_not_looked_up_one_by_one(store: EventStore) -> None:
    """Only what has changed is asked for by its key."""
    shelf = Shelf(limit=4)
    shelf.fill(12)
    await sweep(shelf.reading(store))
    asking = Asking(store)
    outcome = await sweep(shelf.reading(cast(EventStore, asking)))
    assert (outcome.read, outcome.unchanged) == (12, 12)
    assert asking.keys == []
    shelf.rows["05"] = ("changed", "20261122", "")
    outcome = await sweep(shelf.reading(cast(EventStore, asking)))
    assert (outcome.unchanged, outcome.observed) == (11, 1)
    assert asking.keys == ["ABC/AR_TermsCode/05"]


async def test_many_vanished_records_in_between_do_not_slow_a_sweep(store: EventStore) -> None:
    """Unchanged rows are found beyond records that are known to be gone."""
    shelf = Shelf(limit=200)
    shelf.rows = {f"{number:03}": ("x", "20261122", "") for number in range(400)}
    await sweep(shelf.reading(store))
    shelf.rows = {key: row for key, row in shelf.rows.items() if int(key) % 2 == 0}
    for _ in range(2):
        await sweep(shelf.reading(store, mass_change=1.0))
    asking = Asking(store)
    outcome = await sweep(shelf.reading(cast(EventStore, asking)))
    assert (outcome.unchanged, outcome.absent) == (200, 0)
    assert asking.keys == []


class Asking:
    """A store that takes down which fingerprints it is asked for by key."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.keys: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def rows(self, keys: Mapping[str, Collection[str]]) -> dict[str, dict[str, Row]]:
        """As the store's."""
        self.keys += keys.get("fingerprint", ())
        return await self._store.rows(keys)


async def test_a_record_that_comes_twice_and_changes_in_between_ends_as_it_came_last(
    store: EventStore,
) -> None:
    """Both comings are in the log in their order, also when the last is what was known before."""
    shelf = Shelf(limit=4)
    shelf.fill(4)
    await sweep(shelf.reading(store))
    before, after = ("02", "terms 2", "20200101", "20260101", "8.5"), ("02", "x", "", "", "")
    shelf.script = lambda _, page: msgspec.structs.replace(
        page, rows=[*page.rows[:2], after, before, *page.rows[3:]]
    )
    outcome = await sweep(shelf.reading(store))
    assert (outcome.read, outcome.unchanged, outcome.observed) == (5, 3, 2)
    assert (await contents(store))["02"] == "terms 2"
    await check_books(store)


async def test_more_known_rows_than_a_page_are_all_looked_at(store: EventStore) -> None:
    """Absence is looked for page by page, to the last known row."""
    shelf = Shelf(limit=500)
    shelf.rows = {f"{number:04}": ("x", "20261122", "") for number in range(1200)}
    await sweep(shelf.reading(store))
    gone = ["0000", "0499", "0500", "1000", "1199"]
    for key in gone:
        del shelf.rows[key]
    await sweep(shelf.reading(store))
    outcome = await sweep(shelf.reading(store))
    assert (outcome.absent, outcome.vanished) == (5, 5)
    vanished = await logged(store, e.RecordVanished)
    assert [one.key[0] for one in vanished if isinstance(one, e.RecordVanished)] == gone


async def test_other_entities_and_companies_are_not_touched(store: EventStore) -> None:
    """Only rows of the swept entity of the swept company can be absent."""
    shelf = Shelf()
    shelf.fill(2)
    await sweep(shelf.reading(store))
    row = (await store.scan("fingerprint"))[0]
    others = ["ABC/AR_TermsCodeX/00", "ABD/AR_TermsCode/00", "ABC/AR_Customer/01-ABF"]
    await store.append([], also=[Put("fingerprint", [Row(key, row.value) for key in others])])
    outcome = await sweep(shelf.reading(store))
    assert outcome.absent == 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
async def test_a_sweep_cancelled_at_any_append_counts_every_absence_once(
    tmp_path: Path, number: int, *, after: bool
) -> None:
    """Before or right after each append: no absence is lost, none is counted twice."""
    shelf = Shelf(limit=3)
    shelf.fill(10)
    async with open_store(f"sqlite:///{tmp_path}/e.db", tables=TABLES_OF_THE_STORE) as store:
        await sweep(shelf.reading(store))
        del shelf.rows["04"]
        await sweep(shelf.reading(store))
        del shelf.rows["08"]
        shelf.rows["01"] = ("changed", "20260101", "8.5")
        wrapped = Interrupting(store, number, after=after)
        task = asyncio.create_task(sweep(shelf.reading(wrapped)))
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        assert wrapped.reached
        if number < 5 or not after:
            outcome = await sweep(shelf.reading(store))
            assert (outcome.absent, outcome.vanished) == (2, 1)
        assert await misses(store) == {"08": 1}
        assert [key for key, one in (await known(store)).items() if one.vanished] == ["04"]
        assert len(await logged(store, e.RecordVanished)) == 1
        assert len(await logged(store, e.SweepCompleted)) == 3
        assert (await place(store)).sweep_pass is None
        await check_books(store)
