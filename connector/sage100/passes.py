"""What cursor passes and sweeps share: reading an entity page by page into the log.

The next page is fetched while the present one is appended; one request at a time stays true. A
pass that ends early for whatever reason resumes behind its last appended page; only a lost place
or an end that was not reached makes it start again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from connector.progress import Progress, Silent
from connector.sage100 import breaker
from connector.sage100.absent import ABSENT
from connector.sage100.agent import Agent
from connector.sage100.comparison import compare
from connector.sage100.contract import MAX_LIMIT, Page
from connector.sage100.erased import blanked
from connector.sage100.errors import AgentError, BadAnswer, CursorInvalid, PassIncomplete
from connector.sage100.failure import ALARM_AFTER, ended, failed
from connector.sage100.likeness import NEWCOMERS, likenesses, newcomer
from connector.sage100.observe import Observation, Origin, selected
from connector.sage100.page_size import PAGE_SIZES
from connector.sage100.place import Journal, Pass, Place
from connector.sage100.refusals import REFUSALS
from connector.sage100.retry import Retry
from connector.sage100.seen import SEEN, any_noted, noted
from connector.sage100.selection import Selection
from connector.sage100.stamps import newest
from connector.sage100.trail import Trail
from connector.tracing import tracer
from eventstore.types import EventStore, Put, Remove, Write
from projections.events import Event, PollDeferred, PollStarted, SourceRewound, Via

WORK_TABLES: Final = (SEEN, NEWCOMERS, PAGE_SIZES, REFUSALS, ABSENT)

log: Final = logging.getLogger(__name__)

_MAX_PAGES: Final = 1_000_000  # an agent whose pages never end is broken


def system_time() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One entity of one company to be read. `may_go_on` is asked between pages.

    `mass_change`: the share of keys that may come or go in one pass. `origin`: the log's position
    when the round began, None for that of the pass. `zone`: the site's. `alarm_after`: how long
    Sage 100 may be in use before a pass has failed for it.
    """

    agent: Agent
    store: EventStore
    instance: str
    company: str
    selection: Selection
    limit: int = MAX_LIMIT
    progress: Progress = Silent()
    may_go_on: Callable[[], bool] = lambda: True
    now: Callable[[], datetime] = system_time
    retry: Retry | None = None
    mass_change: float = 0.2
    alarm_after: timedelta = ALARM_AFTER
    origin: int | None = None
    zone: ZoneInfo | None = None

    @property
    def entity(self) -> str:
        """The entity's name."""
        return self.selection.entity

    @property
    def prefix(self) -> str:
        """What the keys of its `fingerprint` rows begin with."""
        return f"{self.company}/{self.entity}/"

    async def journal(self) -> Journal:
        """Where the poller stands in it."""
        return await Journal.open(self.store, self.instance, self.company, self.entity)

    async def fetch(self, run: Pass, after: str) -> Page:
        """The page behind `after`."""
        return await self.agent.read_page(
            self.company,
            self.entity,
            columns=self.selection.columns,
            changed_since=run.since,
            after=after,
            limit=self.limit,
            retry=self.retry,
        )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a pass went: completed, failed (`error`), skipped (why), or paused, to be resumed.

    `waiting`: the error is none yet, Sage 100 is in use.
    """

    company: str
    entity: str
    via: Via
    completed: bool = False
    error: AgentError | None = None
    skipped: str = ""
    waiting: PollDeferred | None = None
    read: int = 0
    unchanged: int = 0
    observed: int = 0
    missed: int = 0
    absent: int = 0
    vanished: int = 0

    @property
    def paused(self) -> bool:
        """Whether it waits to be resumed: it was told not to go on."""
        return not (self.completed or self.error is not None or self.skipped)

    @property
    def stopped(self) -> bool:
        """Whether nothing more may be asked of this agent."""
        return self.error is not None and self.error.stopped


def outcome_of(
    reading: Reading,
    via: Via,
    run: Pass,
    *,
    error: AgentError | None = None,
    completed: bool = False,
    waiting: PollDeferred | None = None,
) -> Outcome:
    """The outcome of a pass that stands so."""
    return Outcome(
        company=reading.company,
        entity=reading.entity,
        via=via,
        completed=completed,
        error=error,
        waiting=waiting,
        read=run.read,
        unchanged=run.unchanged,
        observed=run.observed,
        missed=run.missed,
        absent=run.absent,
        vanished=run.vanished,
    )


async def begin(reading: Reading, journal: Journal, via: Via, since: str) -> Pass:
    """The pass of this kind: the one under way, or a new one, which then is in the log.

    A pass of the other kind that was begun in between leaves its PollStarted last in the stream;
    then this one says again that it starts, and its counts are those since.
    """
    place = journal.place
    run = place.running(via)
    if run is not None and via == "sweep" and not await _still_noted(reading, run):
        run = None
    if run is not None and place.open == via:
        return run
    if run is None:
        store, prefix = reading.store, reading.prefix
        origin = (await store.head()).last if reading.origin is None else reading.origin
        known = place.known or await store.count("fingerprint", prefix=prefix)
        place = msgspec.structs.replace(place, known=known)
        run = Pass(
            since=since,
            generation=journal.next_move,
            first=not (place.polled_at_s or place.swept_at_s),
            known=known,
            origin=origin,
        )
    else:
        run = msgspec.structs.replace(run, read=0, unchanged=0, observed=0, pages=0)
    place = msgspec.structs.replace(place.with_pass(via, run), open=via, skipped="")
    commit = await journal.write(place, [PollStarted(via, run.since)])
    run = msgspec.structs.replace(run, started=commit.first)
    journal.place = journal.place.with_pass(via, run)
    return run


async def _still_noted(reading: Reading, run: Pass) -> bool:
    """Whether what the sweep was shown is there; an earlier version noted it otherwise."""
    return not run.seen or await any_noted(reading.store, reading.prefix, run.generation)


# What the last page comes to: the place to stand at, and events of the pass.
Close = Callable[[Place, Pass, Page], tuple[Place, list[Event]]]


async def read_through(
    reading: Reading, journal: Journal, via: Via, since: Callable[[str], str], close: Close
) -> tuple[Pass, Outcome]:
    """Read an entity to its end, or resume doing so; `completed` when the end is in the log.

    `since` gives the ChangedSince of a new pass from the cursor; the last page's append holds what
    `close` says. The agent's failures are in the log and in the outcome.
    """
    for again in (True, False):
        run = await begin(reading, journal, via, since(journal.place.cursor))
        if run.all_read:
            return run, outcome_of(reading, via, run, completed=True)
        try:
            run, error, at_end = await _read_pages(reading, journal, via, run, close)
        except AgentError as problem:
            if problem.retryable and not reading.may_go_on():
                break  # told to stop, or it is quiet hours: the next pass asks again
            lost = isinstance(problem, CursorInvalid)
            place = journal.place.with_pass(via, None) if lost else journal.place
            place, told = ended(place, via, problem, reading.now(), reading.alarm_after)
            await journal.write(place, [told], cause=run.started)
            if lost and again:
                continue
            run = journal.place.running(via) or run
            waiting = told if isinstance(told, PollDeferred) else None
            return run, outcome_of(reading, via, run, error=problem, waiting=waiting)
        return run, outcome_of(reading, via, run, error=error, completed=at_end and error is None)
    return run, outcome_of(reading, via, journal.place.running(via) or run)


async def _read_pages(
    reading: Reading, journal: Journal, via: Via, run: Pass, close: Close
) -> tuple[Pass, AgentError | None, bool]:
    """Append page after page: the pass as it stands, the error of an end that was not reached
    (which then is in the log), and whether the last page was appended (False: paused).
    """
    trail = Trail(run.after)
    fetching = asyncio.create_task(reading.fetch(run, run.after))
    try:
        while True:
            page = await fetching
            _check_progress(reading, run, page, trail)
            last = page.next is None
            go_on = not last and reading.may_go_on()
            if go_on:
                fetching = asyncio.create_task(reading.fetch(run, page.next or ""))
            run, error = await _append_page(reading, journal, via, run, page, close)
            reading.progress.poll(reading.company, reading.entity, run.read)
            if not go_on:
                return run, error, last
    finally:
        if not fetching.done():
            fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


async def _append_page(
    reading: Reading, journal: Journal, via: Via, run: Pass, page: Page, close: Close
) -> tuple[Pass, AgentError | None]:
    """Append one page: its events, fingerprints and the place behind it."""
    with tracer.start_as_current_span("sage100.page") as span:
        page = selected(reading.selection, page)
        page, erased = await blanked(reading.store, reading.company, reading.selection, page)
        origin = Origin(reading.instance, reading.company, via, run.started or None, erased)
        cursor = journal.place.cursor if via == "sweep" else ""
        seen = await compare(reading.store, origin, reading.selection, page, cursor)
        span.set_attributes({"rows": len(page.rows), "observed": seen.observed})
        run = msgspec.structs.replace(
            run,
            after=page.next or "",
            began=run.began or f"{page.server_time:%Y%m%d}",
            read=run.read + len(page.rows),
            unchanged=run.unchanged + seen.unchanged,
            observed=run.observed + seen.observed,
            missed=run.missed + seen.missed,
            pages=run.pages + 1,
            seen=run.seen + len(page.rows),
            back=run.back + seen.back,
            top=newest(page, run.top),
            sequence=max([run.sequence, *page.cells("HeaderSeqNo")]),
        )
        counted = 0 if reading.entity in breaker.GROWS_BY_CALENDAR else len(seen.newcomers)
        run = msgspec.structs.replace(run, new=run.new + counted)
        stands = msgspec.structs.replace(
            journal.place,
            known=journal.place.known + len(seen.newcomers),
            waiting_since_s=0,
            skipped="",
        )
        run, passes = hold(reading, via, run, ends=page.next is None and via == "cursor")
        error: AgentError | None = None
        if page.next is not None:
            place = stands.with_pass(via, run)
        elif page.complete:
            place, closing = close(stands, run, page)
            passes += closing
        else:
            error = _incomplete(reading, page)
            place = stands.with_pass(via, None)
            passes.append(failed(via, error))
        also: list[Write] = [Put("fingerprint", seen.rows)] if seen.rows else []
        also += [Remove(ABSENT.name, seen.again)] if seen.again else []
        also += _newcomers(reading, stands, run, seen)
        sweep = journal.place.sweep_pass
        if sweep is not None and seen.keys:
            also.append(noted(reading.prefix, sweep.generation, journal.next_move, seen.keys))
        await journal.write(place, passes, records=seen.events, also=also, cause=run.started)
    return run, error


def hold(
    reading: Reading,
    via: Via,
    run: Pass,
    *,
    ends: bool,
    rewound: SourceRewound | None = None,
) -> tuple[Pass, list[Event]]:
    """The event that freezes the company: as soon as too much has moved, and with the final
    figures when the pass ends.
    """
    count = run.new + run.fresh
    if not breaker.trips(run, reading.mass_change) or (run.held and not ends):
        return run, []
    if run.held == count and rewound is None:
        return run, []
    run = msgspec.structs.replace(run, held=count)
    event = breaker.held(run, via, reading.entity, rewound)
    log.warning(
        "%s: company %s is held: %s, %s; 'ml-connector status' says what to do",
        reading.instance,
        reading.company,
        reading.entity,
        event.suspicion,
    )
    return run, [event]


def _newcomers(reading: Reading, place: Place, run: Pass, seen: Observation) -> list[Write]:
    """Who has newly appeared, to be recognised should another one vanish meanwhile."""
    if run.first:
        return []
    rows = {
        likeness: newcomer(record.key.removeprefix(reading.prefix), place.sweeps, likeness)
        for record in seen.newcomers
        for likeness in likenesses(reading.prefix, reading.entity, record.row)
    }
    return [Put(NEWCOMERS.name, list(rows.values()))] if rows else []


def _check_progress(reading: Reading, run: Pass, page: Page, trail: Trail) -> None:
    if page.next is None:
        return
    if page.next == run.after or trail.comes_again(page.next) or run.pages >= _MAX_PAGES:
        raise BadAnswer(
            f"The pages of {reading.entity} of {reading.company} do not come to an end.",
            reading.agent.call("ReadPage"),
        )


def _incomplete(reading: Reading, page: Page) -> PassIncomplete:
    limit = " The agent's scan limit was reached." if page.scan_limit_reached else ""
    return PassIncomplete(
        f"The last page of {reading.entity} of {reading.company} says that the end was not "
        f"reached.{limit}",
        reading.agent.call("ReadPage"),
        code="ScanLimitReached" if page.scan_limit_reached else "",
    )


def next_cursor(run: Pass, page: Page, least: str = "") -> str:
    """The server's date when the pass began, never later than its clock says now."""
    return min(max(run.began, least), f"{page.server_time:%Y%m%d}")
