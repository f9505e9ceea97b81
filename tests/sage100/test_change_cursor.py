"""The cursor, case by case: clocks that fold, jump, run ahead or go back; stamps of every kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from connector import reports
from connector.sage100.contract import Page
from connector.sage100.fingerprint import stamp_of
from connector.sage100.passes import Outcome
from connector.sage100.poller import poll, since
from connector.sage100.stamps import folds, later, moment, newest, went_back
from connector.sage100.sweep import sweep
from eventstore import EventStore
from projections import events as e
from tests.sage100.desk import open_desk
from tests.sage100.shelf import Shelf, check_books, contents, day, logged, place, whole_log

NONE, HOUR, DAY = timedelta(0), timedelta(hours=1), timedelta(days=1)
CHICAGO, HAVANA = ZoneInfo("America/Chicago"), ZoneInfo("America/Havana")
SAO_PAULO, LORD_HOWE = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Australia/Lord_Howe")


async def one_pass(
    shelf: Shelf, store: EventStore, *, overlap: timedelta = DAY, zone: ZoneInfo = CHICAGO
) -> Outcome:
    """A cursor pass as the rounds make it."""
    return await poll(shelf.reading(store, zone=zone), overlap=overlap, server_time=shelf.time)


@pytest.mark.parametrize(
    ("zone", "cursor", "overlap", "now", "asked"),
    [
        # 1 November 2026, 02:00 becomes 01:00 in Chicago
        (CHICAGO, "20261101", NONE, "2026-11-01T01:30", "20261031"),
        (CHICAGO, "20261101", HOUR, "2026-11-01T12:00", "20261031"),
        (CHICAGO, "20261101", DAY, "2026-11-01T12:00", "20261031"),
        (CHICAGO, "20261102", NONE, "2026-11-02T00:10", "20261101"),
        (CHICAGO, "20261105", NONE, "2026-11-05T12:00", "20261105"),
        (CHICAGO, "20261020", NONE, "2026-10-20T12:00", "20261020"),
        # the spring gap takes nothing away
        (CHICAGO, "20260308", NONE, "2026-03-08T03:10", "20260308"),
        # a fold over midnight: 00:00 becomes 23:00 of the day before
        (SAO_PAULO, "20180218", NONE, "2018-02-18T00:05", "20180217"),
        (HAVANA, "20261101", NONE, "2026-11-01T00:30", "20261031"),
        # half an hour is a fold as well
        (LORD_HOWE, "20260405", NONE, "2026-04-05T12:00", "20260404"),
        # more than two hours stay as they are
        (CHICAGO, "20261101", timedelta(days=3), "2026-11-01T12:00", "20261029"),
    ],
)
def test_the_overlap_is_two_hours_at_least_where_the_clock_is_set_back(
    zone: ZoneInfo, cursor: str, overlap: timedelta, now: str, asked: str
) -> None:
    """Rows written after the fold may carry a stamp from before it."""
    assert since(cursor, overlap, day(now), zone) == asked


@pytest.mark.parametrize(
    ("begins", "ends", "there"),
    [
        ("2026-10-31T00:00", "2026-11-02T00:00", True),
        ("2026-11-01T00:00", "2026-11-01T03:00", True),
        ("2026-11-02T00:00", "2026-11-09T00:00", False),
        ("2026-03-07T00:00", "2026-03-09T00:00", False),
    ],
)
def test_a_fold_is_found_between_two_moments(begins: str, ends: str, *, there: bool) -> None:
    """Setting the clock back is a fold, setting it forward is none."""
    assert folds(CHICAGO, day(begins), day(ends)) == there


@pytest.mark.parametrize(
    ("stamp", "when"),
    [
        ("20261122 8.49238", datetime(2026, 11, 22, 8, 29, 32, 568_000)),
        ("20261122 15.5", datetime(2026, 11, 22, 15, 30)),
        ("20261122", datetime(2026, 11, 22)),
        ("20261122 24.0", datetime(2026, 11, 22)),
        ("20260230 8.5", None),
        ("17530101 8.5", None),
        ("00000000 0", None),
        ("", None),
    ],
)
def test_a_stamp_is_a_moment_or_none(stamp: str, when: datetime | None) -> None:
    """Unpadded decimal hours; blank, sentinel and broken dates are no moment at all."""
    assert moment(stamp) == when


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ("20261122 15.5", "20261122 12.0", True),
        ("20261122 15.5", "20261121 15.5", True),
        ("20261122 15.5", "20261122 14.0", False),  # two clocks, or the fold
        ("20261122 9.5", "20261122 15.2", False),  # as text it would be earlier
        ("20261231 9.5", "20261122 9.5", False),  # was a stamp of the future
        ("", "20261122 9.5", False),
        ("20261122 9.5", "", False),
    ],
)
def test_a_row_went_back_when_its_stamp_is_earlier_beyond_doubt(
    before: str, after: str, *, back: bool
) -> None:
    """By more than two hours, and not from a future that never was."""
    date, _, time = after.partition(" ")
    row = {"DateUpdated": date, "TimeUpdated": time}
    now = day("2026-11-22T16:00")
    assert went_back(before, {name: cell for name, cell in row.items() if cell}, now) == back


def page_of(rows: list[dict[str, str]], now: datetime) -> Page:
    """These rows as a page that came then."""
    columns = tuple(sorted({name for row in rows for name in row}))
    cells = [tuple(row.get(name, "") for name in columns) for row in rows]
    return Page(columns, cells, None, True, len(rows), False, now)


def test_a_closed_invoice_does_not_go_back() -> None:
    """Leaving the open file it keeps its history's stamp alone; only its entry counts as newest."""
    closed = {
        "IsOpen": "N",
        "DateCreated": "20261101",
        "TimeCreated": "8",
        "DateUpdated": "20261101",
    }
    open_ = {**closed, "IsOpen": "Y", "DateUpdated": "20261122", "TimeUpdated": "9"}
    now = day("2026-11-22T16:00")
    assert not went_back(stamp_of(open_), closed, now)
    assert newest(page_of([open_, closed], now), "") == "2026-11-01 08:00:00"


def test_the_newest_stamp_leaves_out_the_future_and_the_unreadable() -> None:
    """It is the newest by moment, not by text, and later ones are told from it."""
    stamps = ["20261122 9.5", "20261122 15.2", "20261123 1", "20991231 1", "20260230 1", ""]
    rows = []
    for stamp in stamps:
        date, _, time = stamp.partition(" ")
        rows.append({"DateUpdated": date, "TimeUpdated": time})
    top = newest(page_of(rows, day("2026-11-22T16:00")), "")
    assert top == "2026-11-22 15:12:00"
    assert later("20261122 15.3", top)
    assert not later("20261122 9.9", top)
    assert not later("", top)


@pytest.mark.parametrize("stamp", ["20261122", "20991231", "20270101", "", "00000000", "17530101"])
async def test_no_stamp_moves_the_cursor(store: EventStore, stamp: str) -> None:
    """The cursor is the server's own date when the pass began, whatever the rows carry."""
    shelf = Shelf()
    shelf.fill(4)
    shelf.rows["01"] = ("stamped oddly", stamp, "8.5" if stamp else "")
    await one_pass(shelf, store)
    assert (await place(store)).cursor == "20261122"


@pytest.mark.parametrize("stamp", ["", "20991231"])
async def test_blank_and_future_stamps_come_with_every_pass(store: EventStore, stamp: str) -> None:
    """A change under such a stamp is seen by the next pass, and is no event when there is none."""
    shelf = Shelf()
    shelf.fill(4)
    shelf.rows["01"] = ("before", stamp, "")
    await one_pass(shelf, store)
    shelf.time += DAY
    assert (await one_pass(shelf, store)).observed == 0
    shelf.rows["01"] = ("after", stamp, "")
    shelf.time += DAY
    assert (await one_pass(shelf, store)).observed == 1
    assert (await contents(store))["01"] == "after"


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1), timedelta(days=40)])
async def test_a_clock_that_goes_back_hides_nothing(store: EventStore, back: timedelta) -> None:
    """The cursor is clamped to the server's clock: what is stamped by it now is asked for."""
    shelf = Shelf()
    shelf.fill(4)
    await one_pass(shelf, store)
    shelf.time -= back
    stamp = f"{shelf.time:%Y%m%d}"
    shelf.rows["02"] = ("written after the clock was set back", stamp, "9")
    assert (await one_pass(shelf, store)).observed == 1
    assert (await place(store)).cursor == stamp
    shelf.time += HOUR
    shelf.rows["03"] = ("and later", f"{shelf.time:%Y%m%d}", "10")
    assert (await one_pass(shelf, store)).observed == 1


async def test_a_clock_that_goes_back_within_a_pass_clamps_its_cursor(store: EventStore) -> None:
    """The pass began in what is now the future: the cursor is what the clock says at its end."""
    shelf = Shelf(limit=2)
    shelf.fill(4)
    times = {"": shelf.time, "after 01": shelf.time - 3 * DAY}
    shelf.script = lambda after, page: msgspec.structs.replace(page, server_time=times[after])
    await one_pass(shelf, store)
    assert (await place(store)).cursor == "20261119"


async def test_a_pass_over_midnight_starts_the_next_one_on_the_day_it_began(
    store: EventStore,
) -> None:
    """What changed while it ran is asked for again."""
    shelf = Shelf(limit=2)
    shelf.fill(4)
    shelf.time = day("2026-11-22T23:59")

    def over_midnight(after: str, page: Page) -> Page:
        shelf.time = day("2026-11-23T00:03")
        return page

    shelf.script = over_midnight
    await one_pass(shelf, store)
    assert (await place(store)).cursor == "20261122"


@pytest.mark.parametrize("hour", ["01:10", "01:50"])
async def test_rows_written_in_the_hour_that_comes_twice_are_all_seen(
    store: EventStore, hour: str
) -> None:
    """A pass in the first of the two hours, rows stamped in the second: earlier, and still seen."""
    shelf = Shelf()
    shelf.fill(3, stamp="20261031")
    shelf.time = day("2026-11-01T01:30")
    await one_pass(shelf, store, overlap=NONE)
    time = f"{int(hour[:2]) + int(hour[3:]) / 60:.5f}"
    shelf.rows["01"] = ("in the second hour", "20261101", time)
    shelf.time = day("2026-11-01T01:55")
    assert (await one_pass(shelf, store, overlap=NONE)).observed == 1
    assert await logged(store, e.SourceRewound) == []


@pytest.mark.parametrize("via", ["cursor", "sweep"])
@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_poll_queued_again_leaves_no_event(store: EventStore, via: str, times: int) -> None:
    """Same external key, stamp and content: counted as unchanged; another content is a change."""
    shelf = Shelf()
    shelf.fill(6, stamp="20261122")
    await one_pass(shelf, store)
    before = len(await logged(store, e.RecordObserved))
    for _ in range(times):
        if via == "sweep":
            outcome = await sweep(shelf.reading(store))
        else:
            outcome = await one_pass(shelf, store)
        assert (outcome.read, outcome.unchanged, outcome.observed) == (6, 6, 0)
    assert len(await logged(store, e.RecordObserved)) == before
    shelf.rows["03"] = ("other content under the same stamp", "20261122", "8.5")
    assert (await one_pass(shelf, store)).observed == 1
    await check_books(store)


@pytest.mark.parametrize(
    ("next_", "complete", "capped", "ends"),
    [
        (True, False, True, False),  # the scan limit: an empty page in the middle
        (True, True, False, False),  # a Next is a Next, whatever else is said
        (False, False, True, False),
        (False, False, False, False),
        (False, True, False, True),
    ],
)
@pytest.mark.parametrize("via", ["cursor", "sweep"])
async def test_only_a_complete_last_page_is_the_end(
    store: EventStore, via: str, next_: bool, complete: bool, capped: bool, ends: bool
) -> None:
    """No scan limit and no short page moves the cursor, completes a pass or makes a row absent."""
    shelf = Shelf(limit=2)
    shelf.fill(6)
    await sweep(shelf.reading(store))
    place_before = await place(store)
    shelf.time += 5 * DAY

    def cut(after: str, page: Page) -> Page:
        if after == "after 01" and len(shelf.asked) < 20:
            return msgspec.structs.replace(
                page,
                rows=[],
                next="after 01 again" if next_ else None,
                complete=complete,
                scan_limit_reached=capped,
            )
        if after == "after 01 again":
            raise KeyError(after)  # the agent is asked further: that is all we want to see
        return page

    shelf.script = cut
    reading = shelf.reading(store)
    if next_:
        with pytest.raises(KeyError):
            await (sweep(reading) if via == "sweep" else _whole(shelf, store))
    else:
        outcome = await (sweep(reading) if via == "sweep" else _whole(shelf, store))
        assert outcome.completed == ends
    after = await place(store)
    assert (after.cursor != place_before.cursor) == ends
    if not ends:
        assert (await logged(store, e.RecordVanished)) == []
        assert after.sweeps == place_before.sweeps


async def _whole(shelf: Shelf, store: EventStore) -> Outcome:
    """A cursor pass that reaches back over all rows."""
    return await one_pass(shelf, store, overlap=3000 * DAY)


async def test_a_vanished_row_returns_by_whatever_pass_shows_it_first(store: EventStore) -> None:
    """RecordReturned and its content, by a cursor pass too; then it counts as there again."""
    shelf = Shelf()
    shelf.fill(4, stamp="20261122")
    await sweep(shelf.reading(store))
    row = shelf.rows.pop("02")
    for _ in range(2):
        await sweep(shelf.reading(store))
    assert (await place(store)).known == 3
    shelf.rows["02"] = row
    assert (await one_pass(shelf, store)).observed == 1
    assert await logged(store, e.RecordReturned) == [e.RecordReturned(["02"])]
    kinds = [one.type for one in await whole_log(store) if one.stream.endswith("/02")]
    assert kinds == ["RecordObserved", "RecordVanished", "RecordReturned", "RecordObserved"]
    assert (await place(store)).known == 4
    assert (await one_pass(shelf, store)).observed == 0


async def test_the_blind_spot_is_that_of_the_last_seven_days(tmp_path: Path) -> None:
    """Changes that sweeps alone found are summed; those of longer ago are forgotten."""
    async with open_desk(tmp_path, customers=12, invoices=0) as desk:
        await desk.round()
        for _ in range(3):
            desk.pass_time(days=2)
            await desk.round()
            for row in list(desk.company.rows("AR_Customer"))[:2]:
                key = (row["ARDivisionNo"], row["CustomerNo"])
                city = {"City": f"{desk.clock.now:%d}", "DateCreated": "20200101"}
                desk.company.update("AR_Customer", key, {**city, "DateUpdated": "20200101"})
            await desk.round(sweep=True)
        now = datetime.now(UTC)
        for ahead, figure in ((NONE, 6), (6 * DAY, 6), (8 * DAY, 0)):
            status = await reports.status(desk.store, now=now + ahead)
            figures = {row["entity"]: row["missed_7_days"] for row in status["sage100"]}
            assert figures["AR_Customer"] == figure
            assert figures["AR_Invoice"] == 0
