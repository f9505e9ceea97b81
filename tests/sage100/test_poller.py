"""Cursor passes: what they ask for, what they log, and how they survive."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from connector.sage100.contract import Page
from connector.sage100.errors import AgentBusy, AgentMisfit, LogonRefused
from connector.sage100.passes import Outcome
from connector.sage100.place import Pass, Place
from connector.sage100.poller import poll, since
from connector.sage100.sweep import sweep
from eventstore import Checkpoint, EventStore, open_store
from projections import events as e
from projections.tables import Fingerprint
from projections.workspace import decode
from tests.sage100.conftest import TABLES_OF_THE_STORE
from tests.sage100.shelf import (
    CALL,
    STREAM,
    Interrupting,
    Shelf,
    check_books,
    contents,
    day,
    logged,
    lost_place,
    place,
    whole_log,
)
from tests.sage100.wire import NOW

DAY = timedelta(days=1)


async def one_pass(shelf: Shelf, store: EventStore, **more: object) -> Outcome:
    """A cursor pass with an overlap of a day."""
    return await poll(shelf.reading(store, **more), overlap=DAY, server_time=shelf.time)


async def test_the_first_pass_reads_everything_and_logs_it(store: EventStore) -> None:
    """No ChangedSince, every row observed once, and the cursor is the day the pass began."""
    shelf = Shelf()
    shelf.fill(8)
    outcome = await one_pass(shelf, store)
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
    await one_pass(shelf, store)
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
    await one_pass(shelf, store)
    (observed,) = await logged(store, e.RecordObserved)
    assert isinstance(observed, e.RecordObserved)
    row = (await store.rows({"fingerprint": ["ABC/AR_TermsCode/00"]}))["fingerprint"]
    known = decode("fingerprint", row["ABC/AR_TermsCode/00"].value)
    assert known == Fingerprint(observed.fingerprint, "20260101 8.5")


async def test_a_pass_without_news_logs_no_record(store: EventStore) -> None:
    """Same key, stamp and content again: counted as unchanged, and no event."""
    shelf = Shelf()
    shelf.fill(5, stamp="20261122")
    await one_pass(shelf, store)
    outcome = await one_pass(shelf, store)
    assert (outcome.read, outcome.unchanged, outcome.observed) == (5, 5, 0)
    assert len(await logged(store, e.RecordObserved)) == 5
    await check_books(store)


async def test_the_same_stamp_over_other_content_is_a_change(store: EventStore) -> None:
    """Content decides, not the stamp; a new stamp alone is news as well."""
    shelf = Shelf()
    shelf.fill(3, stamp="20261122")
    await one_pass(shelf, store)
    shelf.rows["01"] = ("changed", "20261122", "8.5")
    shelf.rows["02"] = ("terms 2", "20261122", "9.5")
    outcome = await one_pass(shelf, store)
    assert (outcome.unchanged, outcome.observed) == (1, 2)
    assert (await contents(store))["01"] == "changed"


async def test_later_passes_reach_back_by_the_overlap(store: EventStore) -> None:
    """ChangedSince is the cursor's day less the overlap, and is logged."""
    shelf = Shelf()
    shelf.fill(4, stamp="20261101")
    await one_pass(shelf, store)
    shelf.rows["01"] = ("stamped yesterday", "20261121", "23.9")
    shelf.rows["02"] = ("stamped before", "20261120", "23.9")
    outcome = await one_pass(shelf, store)
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
    await one_pass(shelf, store)
    assert (await place(store)).cursor == "20261122"


async def test_the_cursor_is_never_later_than_the_servers_clock(store: EventStore) -> None:
    """A server whose clock was wrong and is set back during the pass moves the cursor back."""
    shelf = Shelf(limit=1)
    shelf.fill(2)
    times = iter(["2031-01-01T00:00", "2026-11-22T09:00"])
    shelf.script = lambda _, page: msgspec.structs.replace(page, server_time=day(next(times)))
    await one_pass(shelf, store)
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
    outcome = await one_pass(shelf, store)
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
    await one_pass(shelf, store)
    for event in await logged(store, e.RecordObserved):
        assert isinstance(event, e.RecordObserved)
        assert "BankName" not in event.row
        assert event.key == [event.row["TermsCode"]]


async def test_an_empty_entity_completes(store: EventStore) -> None:
    """Nothing to read is a complete pass with zero rows."""
    outcome = await one_pass(Shelf(), store)
    assert (outcome.completed, outcome.read) == (True, 0)
    assert (await place(store)).cursor == "20261122"


async def test_an_end_that_was_not_reached_leaves_the_cursor(store: EventStore) -> None:
    """The last page without Complete fails the pass; its rows stay, the next pass starts over."""
    shelf = Shelf()
    shelf.fill(5)
    shelf.script = lambda _, page: msgspec.structs.replace(
        page, complete=False, scan_limit_reached=page.next is None
    )
    outcome = await one_pass(shelf, store)
    assert not outcome.completed
    assert outcome.error is not None
    assert outcome.error.category == "incomplete"
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.category, failed.code) == ("incomplete", "ScanLimitReached")
    assert failed.wsdl.endswith("?wsdl")
    assert failed.remedy
    assert (await place(store)).cursor == ""
    assert len(await contents(store)) == 5

    shelf.script = lambda _, page: page
    outcome = await one_pass(shelf, store)
    assert (outcome.completed, outcome.unchanged, outcome.observed) == (True, 5, 0)
    assert shelf.asked[2:] == [("", ""), ("", "after 02")]
    await check_books(store)


async def test_pages_that_do_not_end_are_refused(store: EventStore) -> None:
    """An agent that answers with the place it was asked about would be asked for ever."""
    shelf = Shelf(limit=2)
    shelf.fill(4)
    shelf.script = lambda after, page: msgspec.structs.replace(page, next=after or "same")
    outcome = await one_pass(shelf, store)
    assert outcome.error is not None
    assert "do not come to an end" in outcome.error.what


@pytest.mark.parametrize("ring", [2, 3, 7])
async def test_pages_that_go_round_are_refused(store: EventStore, ring: int) -> None:
    """However long the ring is, it is left after a few times its length, and mended, forgotten."""
    shelf = Shelf(limit=1)
    shelf.fill(12)

    def back(after: str, page: Page) -> Page:
        turns = after == f"after {2 + ring:02}"
        return msgspec.structs.replace(page, next="after 03") if turns else page

    shelf.script = back
    for _ in range(2):
        outcome = await one_pass(shelf, store)
        assert outcome.error is not None
        assert "do not come to an end" in outcome.error.what
    assert len(shelf.asked) < 16 * ring
    shelf.script = lambda _, page: page
    assert (await one_pass(shelf, store)).completed
    assert len(await contents(store)) == 12
    await check_books(store)


async def test_a_lost_place_starts_the_pass_again(store: EventStore) -> None:
    """InvalidCursor in the middle: the log says so, counts start anew, and nothing is doubled."""
    shelf = Shelf()
    shelf.fill(7)
    shelf.errors = [None, lost_place()]
    outcome = await one_pass(shelf, store)
    assert (outcome.completed, outcome.read) == (True, 7)
    assert (outcome.unchanged, outcome.observed) == (3, 4)
    kinds = [
        type(one).__name__
        for one in await logged(store, e.PollStarted, e.PollFailed, e.PollCompleted)
    ]
    assert kinds == ["PollStarted", "PollFailed", "PollStarted", "PollCompleted"]
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.category, failed.code) == ("cursor", "InvalidCursor")
    assert len(await logged(store, e.RecordObserved)) == 7
    await check_books(store)


async def test_an_agent_that_loses_every_place_fails_the_pass(store: EventStore) -> None:
    """Starting again is tried once a pass, not for ever."""
    shelf = Shelf()
    shelf.fill(7)
    shelf.errors = [None, lost_place(), None, lost_place()]
    outcome = await one_pass(shelf, store)
    assert outcome.error is not None
    assert outcome.error.code == "InvalidCursor"
    assert len(await logged(store, e.PollFailed)) == 2


async def test_a_failure_is_logged_and_the_next_pass_resumes(store: EventStore) -> None:
    """What was appended stays; the next pass goes on behind it and reports the whole."""
    shelf = Shelf()
    shelf.fill(8)
    shelf.errors = [None, None, AgentBusy("locked", CALL, code="RecordLocked")]
    outcome = await one_pass(shelf, store)
    assert outcome.error is not None
    assert (outcome.read, outcome.observed, outcome.completed) == (6, 6, False)
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.category, failed.code, failed.retryable) == ("busy", "RecordLocked", True)
    assert failed.endpoint == CALL.endpoint

    outcome = await one_pass(shelf, store)
    assert (outcome.completed, outcome.read, outcome.observed) == (True, 8, 8)
    assert shelf.asked[-1] == ("", "after 05")
    assert len(await logged(store, e.PollStarted)) == 1
    await check_books(store)


async def test_a_refused_log_on_is_marked_as_a_stop(store: EventStore) -> None:
    """The event and the outcome both say that nothing more may be asked."""
    shelf = Shelf()
    shelf.errors = [LogonRefused("no", CALL, code="LogonFailed")]
    outcome = await one_pass(shelf, store)
    assert outcome.stopped
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.stopped, failed.retryable) == (True, False)


@pytest.mark.parametrize("code", ["UnknownEntity", "UnknownColumn", "InvalidCompany"])
async def test_a_misfit_is_logged_with_its_remedy(store: EventStore, code: str) -> None:
    """What the configuration asks for and the agent does not have is named, cursor unmoved."""
    shelf = Shelf()
    shelf.errors = [AgentMisfit("none such", CALL, code=code, remedy="Correct it.")]
    outcome = await one_pass(shelf, store)
    assert outcome.error is not None
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.code, failed.remedy, failed.category) == (code, "Correct it.", "configuration")
    assert (await place(store)).cursor == ""


@pytest.mark.parametrize("cursor", ["10102", "00010102", "20261340", "tomorrow", "99991231", "{"])
@pytest.mark.parametrize("running", [False, True])
async def test_a_cursor_that_cannot_be_read_counts_as_none(
    store: EventStore, cursor: str, *, running: bool
) -> None:
    """What an agent's nonsense of a clock left behind stops nobody: everything is read again."""
    run = Pass(since=cursor, after="after 02", began=cursor) if running else None
    left = Place(cursor=cursor, cursor_pass=run, sweep_pass=run, known=8)
    stored = b"{" if cursor == "{" else msgspec.json.encode(left)
    await store.append([], checkpoint=Checkpoint("poll:acme:ABC:AR_TermsCode", 1, 0, stored))
    shelf = Shelf()
    shelf.fill(8)
    assert (await one_pass(shelf, store)).completed
    assert shelf.asked[0] == ("", "")
    assert (await place(store)).cursor == "20261122"
    assert (await sweep(shelf.reading(store))).completed
    assert await contents(store) == {key: row[0] for key, row in shelf.rows.items()}


async def test_a_pass_can_be_paused_between_pages(store: EventStore) -> None:
    """Told not to go on, it stops behind a page, asks nothing more, and resumes there."""
    shelf = Shelf()
    shelf.fill(8)
    pages = itertools.count(1)
    outcome = await one_pass(shelf, store, may_go_on=lambda: next(pages) < 2)
    assert outcome.paused
    assert (outcome.read, len(shelf.asked)) == (6, 2)
    assert not await logged(store, e.PollFailed)
    outcome = await one_pass(shelf, store)
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
    await one_pass(shelf, store, progress=Watcher())
    assert told == [("ABC", "AR_TermsCode", read) for read in (3, 6, 8)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
async def test_a_pass_cancelled_at_any_append_resumes_without_loss_or_doubles(
    tmp_path: Path, number: int, *, after: bool
) -> None:
    """Before or right after each of its appends: the next pass ends as if nothing had been."""
    shelf = Shelf(limit=3)
    shelf.fill(11)
    async with open_store(f"sqlite:///{tmp_path}/e.db", tables=TABLES_OF_THE_STORE) as store:
        wrapped = Interrupting(store, number, after=after)
        task = asyncio.create_task(one_pass(shelf, wrapped))
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        assert wrapped.reached
        assert task.cancelled()
        assert shelf.in_flight == 0
        outcome = await one_pass(shelf, store)
        assert outcome.completed
        assert await contents(store) == {key: row[0] for key, row in shelf.rows.items()}
        assert len(await logged(store, e.RecordObserved)) == 11
        assert (await place(store)).cursor == f"{NOW:%Y%m%d}"
        await check_books(store)
