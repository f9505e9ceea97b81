"""Cursor passes that break off: what is refused, what is logged, and how the next one goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from connector.sage100.contract import Page
from connector.sage100.errors import AgentBusy, AgentMisfit, LogonRefused
from connector.sage100.place import Pass, Place
from connector.sage100.sweep import sweep
from eventstore import Checkpoint, EventStore, open_store
from projections import events as e
from tests.sage100.conftest import TABLES_OF_THE_STORE
from tests.sage100.shelf import (
    CALL,
    Interrupting,
    Shelf,
    check_books,
    contents,
    cursor_pass,
    logged,
    lost_place,
    place,
)
from tests.sage100.wire import NOW


async def test_an_end_that_was_not_reached_leaves_the_cursor(store: EventStore) -> None:
    """The last page without Complete fails the pass; its rows stay, the next pass starts over."""
    shelf = Shelf()
    shelf.fill(5)
    shelf.script = lambda _, page: msgspec.structs.replace(
        page, complete=False, scan_limit_reached=page.next is None
    )
    outcome = await cursor_pass(shelf, store)
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
    outcome = await cursor_pass(shelf, store)
    assert (outcome.completed, outcome.unchanged, outcome.observed) == (True, 5, 0)
    assert shelf.asked[2:] == [("", ""), ("", "after 02")]
    await check_books(store)


async def test_pages_that_do_not_end_are_refused(store: EventStore) -> None:
    """An agent that answers with the place it was asked about would be asked for ever."""
    shelf = Shelf(limit=2)
    shelf.fill(4)
    shelf.script = lambda after, page: msgspec.structs.replace(page, next=after or "same")
    outcome = await cursor_pass(shelf, store)
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
        outcome = await cursor_pass(shelf, store)
        assert outcome.error is not None
        assert "do not come to an end" in outcome.error.what
    assert len(shelf.asked) < 16 * ring
    shelf.script = lambda _, page: page
    assert (await cursor_pass(shelf, store)).completed
    assert len(await contents(store)) == 12
    await check_books(store)


async def test_a_lost_place_starts_the_pass_again(store: EventStore) -> None:
    """InvalidCursor in the middle: the log says so, counts start anew, and nothing is doubled."""
    shelf = Shelf()
    shelf.fill(7)
    shelf.errors = [None, lost_place()]
    outcome = await cursor_pass(shelf, store)
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
    outcome = await cursor_pass(shelf, store)
    assert outcome.error is not None
    assert outcome.error.code == "InvalidCursor"
    assert len(await logged(store, e.PollFailed)) == 2


async def test_a_failure_is_logged_and_the_next_pass_resumes(store: EventStore) -> None:
    """What was appended stays; the next pass goes on behind it and reports the whole."""
    shelf = Shelf()
    shelf.fill(8)
    shelf.errors = [None, None, AgentBusy("locked", CALL, code="RecordLocked")]
    outcome = await cursor_pass(shelf, store)
    assert outcome.error is not None
    assert (outcome.read, outcome.observed, outcome.completed) == (6, 6, False)
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.category, failed.code, failed.retryable) == ("busy", "RecordLocked", True)
    assert failed.endpoint == CALL.endpoint

    outcome = await cursor_pass(shelf, store)
    assert (outcome.completed, outcome.read, outcome.observed) == (True, 8, 8)
    assert shelf.asked[-1] == ("", "after 05")
    assert len(await logged(store, e.PollStarted)) == 1
    await check_books(store)


async def test_a_refused_log_on_is_marked_as_a_stop(store: EventStore) -> None:
    """The event and the outcome both say that nothing more may be asked."""
    shelf = Shelf()
    shelf.errors = [LogonRefused("no", CALL, code="LogonFailed")]
    outcome = await cursor_pass(shelf, store)
    assert outcome.stopped
    (failed,) = await logged(store, e.PollFailed)
    assert isinstance(failed, e.PollFailed)
    assert (failed.stopped, failed.retryable) == (True, False)


@pytest.mark.parametrize("code", ["UnknownEntity", "UnknownColumn", "InvalidCompany"])
async def test_a_misfit_is_logged_with_its_remedy(store: EventStore, code: str) -> None:
    """What the configuration asks for and the agent does not have is named, cursor unmoved."""
    shelf = Shelf()
    shelf.errors = [AgentMisfit("none such", CALL, code=code, remedy="Correct it.")]
    outcome = await cursor_pass(shelf, store)
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
    assert (await cursor_pass(shelf, store)).completed
    assert shelf.asked[0] == ("", "")
    assert (await place(store)).cursor == "20261122"
    assert (await sweep(shelf.reading(store))).completed
    assert await contents(store) == {key: row[0] for key, row in shelf.rows.items()}


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
        task = asyncio.create_task(cursor_pass(shelf, wrapped))
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        assert wrapped.reached
        assert task.cancelled()
        assert shelf.in_flight == 0
        outcome = await cursor_pass(shelf, store)
        assert outcome.completed
        assert await contents(store) == {key: row[0] for key, row in shelf.rows.items()}
        assert len(await logged(store, e.RecordObserved)) == 11
        assert (await place(store)).cursor == f"{NOW:%Y%m%d}"
        await check_books(store)
