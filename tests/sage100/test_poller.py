"""Cursor passes that come to their end: what they ask for, and what they log."""

from __future__ import annotations

import itertools
from datetime import timedelta

import msgspec
import pytest

from connector.sage100.contract import Page
from connector.sage100.poller import since
from eventstore import EventStore
from projections import events as e
from projections.tables import Fingerprint
from projections.workspace import decode
from tests.sage100.shelf import (
    STREAM,
    Shelf,
    check_books,
    contents,
    cursor_pass,
    day,
    logged,
    place,
    whole_log,
)

DAY = timedelta(days=1)


async def test_the_first_pass_reads_everything_and_logs_it(store: EventStore) -> None:
    """No ChangedSince, every row observed once, and the cursor is the day the pass began."""
    shelf = Shelf()
    shelf.fill(8)
    outcome = await cursor_pass(shelf, store)
    assert (outcome.completed, outcome.read, outcome.observed) == (True, 8, 8)
    assert [asked[0] for asked in shelf.asked] == ["", "", ""]
    observed = await logged(store, e.RecordObserved)
    assert observed[3] == e.RecordObserved(
        key=["03"],
        row={
            "TermsCode": "03",
            "TermsCodeDesc": "terms 3",
            "DateCreated": "20200101",
            "DateUpdated": "20260101",
            "TimeUpdated": "8.5",
        },
        fingerprint="b0ab67ba4fa6d5050e5057dec0d4085e",
        stamp="20260101 8.5",
    )
    assert await logged(store, e.PollStarted, e.PollCompleted) == [
        e.PollStarted("cursor"),
        e.PollCompleted("cursor", 8, 0, 8, "20261122", 3),
    ]
    assert (await place(store)).cursor == "20261122"


async def test_events_say_where_they_belong(store: EventStore) -> None:
    """Records go to their own streams, passes to theirs; each is caused by its pass's start."""
    shelf = Shelf()
    shelf.fill(2)
    await cursor_pass(shelf, store)
    start, first, second, end = await whole_log(store)
    assert (start.stream, end.stream) == (STREAM, STREAM)
    assert first.stream == "sage/acme/ABC/AR_TermsCode/00"
    assert [event.cause for event in (first, second, end)] == [start.position] * 3
    commit = (await store.commits([first.position]))[0]
    assert commit is not None
    assert commit.meta.actor == "poller:acme"
    assert (commit.first, commit.last) == (2, 4)


async def test_fingerprints_stand_beside_the_events(store: EventStore) -> None:
    """The row that the next pass compares with is written in the same append."""
    shelf = Shelf()
    shelf.fill(1)
    await cursor_pass(shelf, store)
    (observed,) = await logged(store, e.RecordObserved)
    assert isinstance(observed, e.RecordObserved)
    row = (await store.rows({"fingerprint": ["ABC/AR_TermsCode/00"]}))["fingerprint"]
    known = decode("fingerprint", row["ABC/AR_TermsCode/00"].value)
    assert known == Fingerprint(observed.fingerprint, "20260101 8.5")


async def test_a_pass_without_news_logs_no_record(store: EventStore) -> None:
    """Same key, stamp and content again: counted as unchanged, and no event."""
    shelf = Shelf()
    shelf.fill(5, stamp="20261122")
    await cursor_pass(shelf, store)
    outcome = await cursor_pass(shelf, store)
    assert (outcome.read, outcome.unchanged, outcome.observed) == (5, 5, 0)
    assert len(await logged(store, e.RecordObserved)) == 5
    await check_books(store)


async def test_the_same_stamp_over_other_content_is_a_change(store: EventStore) -> None:
    """Content decides, not the stamp; a new stamp alone is news as well."""
    shelf = Shelf()
    shelf.fill(3, stamp="20261122")
    await cursor_pass(shelf, store)
    shelf.rows["01"] = ("changed", "20261122", "8.5")
    shelf.rows["02"] = ("terms 2", "20261122", "9.5")
    outcome = await cursor_pass(shelf, store)
    assert (outcome.unchanged, outcome.observed) == (1, 2)
    assert (await contents(store))["01"] == "changed"


async def test_later_passes_reach_back_by_the_overlap(store: EventStore) -> None:
    """ChangedSince is the cursor's day less the overlap, and is logged."""
    shelf = Shelf()
    shelf.fill(4, stamp="20261101")
    await cursor_pass(shelf, store)
    shelf.rows["01"] = ("stamped yesterday", "20261121", "23.9")
    shelf.rows["02"] = ("stamped before", "20261120", "23.9")
    outcome = await cursor_pass(shelf, store)
    assert shelf.asked[-1] == ("20261121", "")
    assert (outcome.read, outcome.observed) == (1, 1)
    assert (await logged(store, e.PollStarted))[-1] == e.PollStarted("cursor", "20261121")


@pytest.mark.parametrize(
    ("cursor", "overlap", "now", "asked"),
    [
        ("", DAY, "2026-11-22T09:00", ""),
        ("20261122", DAY, "2026-11-22T09:00", "20261121"),
        ("20261122", timedelta(0), "2026-11-22T09:00", "20261122"),
        ("20261122", timedelta(hours=2), "2026-11-22T09:00", "20261121"),
        ("20260301", timedelta(days=2), "2026-11-22T09:00", "20260227"),
        ("20261122", DAY, "2026-11-10T09:00", "20261109"),
    ],
)
def test_since_is_the_cursor_less_the_overlap_in_the_servers_time(
    cursor: str, overlap: timedelta, now: str, asked: str
) -> None:
    """A cursor beyond the server's own clock counts as the server's today."""
    assert since(cursor, overlap, day(now)) == asked


async def test_the_cursor_is_the_day_the_pass_began(store: EventStore) -> None:
    """A pass across midnight leaves the day of its first answer, so nothing falls between."""
    shelf = Shelf(limit=1)
    shelf.fill(3)
    times = iter(["2026-11-22T23:59", "2026-11-23T00:01", "2026-11-23T00:03"])
    shelf.script = lambda _, page: msgspec.structs.replace(page, server_time=day(next(times)))
    await cursor_pass(shelf, store)
    assert (await place(store)).cursor == "20261122"


async def test_the_cursor_is_never_later_than_the_servers_clock(store: EventStore) -> None:
    """A server whose clock was wrong and is set back during the pass moves the cursor back."""
    shelf = Shelf(limit=1)
    shelf.fill(2)
    times = iter(["2031-01-01T00:00", "2026-11-22T09:00"])
    shelf.script = lambda _, page: msgspec.structs.replace(page, server_time=day(next(times)))
    await cursor_pass(shelf, store)
    assert (await place(store)).cursor == "20261122"


async def test_a_row_that_comes_twice_is_one_record(store: EventStore) -> None:
    """Twice the same on one page, or on two: one event. Changed in between: two."""
    shelf = Shelf(limit=2)
    shelf.fill(4)

    def twice(after: str, page: Page) -> Page:
        first = page.rows[0]
        rows = [*page.rows, first] if not after else [("00", "changed", "", "", ""), *page.rows]
        return msgspec.structs.replace(page, rows=rows)

    shelf.script = twice
    outcome = await cursor_pass(shelf, store)
    assert (outcome.read, outcome.unchanged, outcome.observed) == (6, 1, 5)
    assert len(await store.history("sage/acme/ABC/AR_TermsCode/00")) == 2
    assert (await contents(store))["00"] == "changed"
    await check_books(store)


async def test_columns_that_came_unasked_stay_out(store: EventStore) -> None:
    """An agent that sends more than it was asked for does not get it into the log."""
    shelf = Shelf()
    shelf.fill(2)
    shelf.script = lambda _, page: msgspec.structs.replace(
        page,
        columns=("BankName", *page.columns),
        rows=[("First National", *row) for row in page.rows],
    )
    await cursor_pass(shelf, store)
    for event in await logged(store, e.RecordObserved):
        assert isinstance(event, e.RecordObserved)
        assert "BankName" not in event.row
        assert event.key == [event.row["TermsCode"]]


async def test_an_empty_entity_completes(store: EventStore) -> None:
    """Nothing to read is a complete pass with zero rows."""
    outcome = await cursor_pass(Shelf(), store)
    assert (outcome.completed, outcome.read) == (True, 0)
    assert (await place(store)).cursor == "20261122"


async def test_a_pass_can_be_paused_between_pages(store: EventStore) -> None:
    """Told not to go on, it stops behind a page, asks nothing more, and resumes there."""
    shelf = Shelf()
    shelf.fill(8)
    pages = itertools.count(1)
    outcome = await cursor_pass(shelf, store, may_go_on=lambda: next(pages) < 2)
    assert outcome.paused
    assert (outcome.read, len(shelf.asked)) == (6, 2)
    assert not await logged(store, e.PollFailed)
    outcome = await cursor_pass(shelf, store)
    assert (outcome.completed, outcome.read, len(shelf.asked)) == (True, 8, 3)
    await check_books(store)


async def test_progress_is_told_after_every_page(store: EventStore) -> None:
    """Totals so far, page by page."""
    told: list[tuple[str, str, int]] = []

    class Watcher:
        def poll(self, company: str, entity: str, read: int) -> None:
            told.append((company, entity, read))

        def project(self, done: int, total: int) -> None:
            raise AssertionError

        def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002
            raise AssertionError

    shelf = Shelf()
    shelf.fill(8)
    await cursor_pass(shelf, store, progress=Watcher())
    assert told == [("ABC", "AR_TermsCode", read) for read in (3, 6, 8)]
