"""An agent made of rows, for passes: no sockets, every page under the test's control.

It answers `read_page` as the contract says and nothing else; what the test puts in its way
(duplicates, lost places, ends that are none) it does exactly when told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from connector.sage100.absent import ABSENT
from connector.sage100.agent import Agent
from connector.sage100.contract import Page
from connector.sage100.errors import AgentError, Call, CursorInvalid
from connector.sage100.passes import Outcome, Reading
from connector.sage100.place import Place, place_of
from connector.sage100.poller import poll
from connector.sage100.selection import Selection
from eventstore import EventStore, StoredEvent
from eventstore.types import Commit
from projections import events as e
from projections.keys import poll_stream
from projections.tables import Fingerprint
from projections.workspace import decode
from tests.sage100.wire import NOW

COLUMNS = ("TermsCode", "TermsCodeDesc", "DateCreated", "DateUpdated", "TimeUpdated")
SELECTION = Selection("AR_TermsCode", ("TermsCode",), COLUMNS)
STREAM = poll_stream("acme", "ABC", "AR_TermsCode")
CALL = Call("http://127.0.0.1:1/x", "ReadPage")

Script = Callable[[str, Page], Page]


class Shelf:
    """Rows by TermsCode: (description, date, time). `limit` rows to a page, whatever is asked."""

    def __init__(self, limit: int = 3) -> None:
        self.rows: dict[str, tuple[str, str, str]] = {}
        self.limit = limit
        self.rank: Callable[[str], str] = str  # what puts keys in the agent's order
        self.time = NOW
        self.asked: list[tuple[str, str]] = []  # (ChangedSince, After)
        self.script: Script = lambda _, page: page
        self.errors: list[AgentError | None] = []
        self.in_flight = 0

    def fill(self, count: int, stamp: str = "20260101") -> None:
        """Rows 00, 01, … stamped then."""
        for number in range(count):
            self.rows[f"{number:02}"] = (f"terms {number}", stamp, "8.5")

    def call(self, operation: str) -> Call:
        """As the client's."""
        return Call(CALL.endpoint, operation)

    async def read_page(
        self,
        company: str,
        entity: str,
        *,
        columns: Sequence[str],
        changed_since: str = "",
        after: str = "",
        limit: int = 500,
        retry: object = None,
    ) -> Page:
        """The page behind `after`, or the next scripted error."""
        assert (company, entity, tuple(columns)) == ("ABC", "AR_TermsCode", COLUMNS)
        self.in_flight += 1
        assert self.in_flight == 1, "one request at a time"
        try:
            await asyncio.sleep(0)
            return self._page(changed_since, after)
        finally:
            self.in_flight -= 1

    def _page(self, since: str, after: str) -> Page:
        self.asked.append((since, after))
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        behind = after.removeprefix("after ")
        keys = sorted(self.rows, key=self.rank)
        if behind:
            keys = [key for key in keys if self.rank(key) > self.rank(behind)]
        shown: list[tuple[str, ...]] = []
        for key in keys:
            description, date, time = self.rows[key]
            if not date or date >= since:
                shown.append((key, description, "20200101" if date else "", date, time))
            if len(shown) == self.limit:
                break
        more = len(shown) == self.limit and shown[-1][0] != keys[-1]
        page = Page(
            columns=COLUMNS,
            rows=shown,
            next=f"after {shown[-1][0]}" if more else None,
            complete=not more,
            scanned=len(shown),
            scan_limit_reached=False,
            server_time=self.time,
        )
        return self.script(after, page)

    def reading(self, store: EventStore, **more: Any) -> Reading:
        """AR_TermsCode of ABC from this shelf into that store."""
        return Reading(
            agent=cast(Agent, self),
            store=store,
            instance="acme",
            company="ABC",
            selection=SELECTION,
            **more,
        )


def lost_place() -> CursorInvalid:
    """What an agent says to a place it does not know."""
    return CursorInvalid("no such place", CALL, code="InvalidCursor")


async def cursor_pass(shelf: Shelf, store: EventStore, **more: object) -> Outcome:
    """A cursor pass with an overlap of a day."""
    overlap = timedelta(days=1)
    return await poll(shelf.reading(store, **more), overlap=overlap, server_time=shelf.time)


async def known(store: EventStore) -> dict[str, Fingerprint]:
    """The fingerprint rows of the entity, by TermsCode."""
    rows = await store.scan("fingerprint", prefix="ABC/AR_TermsCode/")
    return {row.key.rpartition("/")[2]: decode("fingerprint", row.value) for row in rows}


async def misses(store: EventStore) -> dict[str, int]:
    """How many sweeps in a row have missed a record, by TermsCode; those not named: none."""
    rows = await store.scan(ABSENT.name, prefix="ABC/AR_TermsCode/")
    return {row.key.rpartition("/")[2]: int(row.value) for row in rows}


async def place(store: EventStore) -> Place:
    """Where the poller stands."""
    return await place_of(store, "acme", "ABC", "AR_TermsCode")


async def whole_log(store: EventStore) -> list[StoredEvent]:
    """Every event."""
    found: list[StoredEvent] = []
    while page := await store.read(found[-1].position if found else 0):
        found += page
    return found


async def logged(store: EventStore, *kinds: type[e.Event]) -> list[e.Event]:
    """The payloads of these types, in order; all when none is named."""
    payloads = [e.decode(event.type, event.data) for event in await whole_log(store)]
    return [one for one in payloads if one is not None and (not kinds or isinstance(one, kinds))]


async def contents(store: EventStore) -> dict[str, str]:
    """Each record's description as the log's last RecordObserved has it; vanished ones left out."""
    held: dict[str, str] = {}
    for event in await logged(store, e.RecordObserved, e.RecordVanished):
        if isinstance(event, e.RecordObserved):
            held[event.key[0]] = event.row["TermsCodeDesc"]
        elif isinstance(event, e.RecordVanished):
            del held[event.key[0]]
    return held


async def check_books(store: EventStore) -> None:
    """Every completed pass adds up, and as many rows are in the log since its start as it says."""
    seen = 0
    for event in await logged(store):
        match event:
            case e.PollStarted():
                seen = 0
            case e.RecordObserved():
                seen += 1
            case e.PollCompleted() as done:
                assert done.read == done.unchanged + done.observed
                assert done.observed == seen
            case _:
                pass


class Interrupting:
    """A store whose n-th append is where the caller is cancelled: before it, or right after."""

    def __init__(self, store: EventStore, number: int, *, after: bool) -> None:
        self._store = store
        self._left = number
        self._after = after
        self.reached = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, *args: Any, **more: Any) -> Commit:
        """Append, unless this is the one."""
        self._left -= 1
        if self._left == 0 and not self._after:
            await self._cancel()
        commit = await self._store.append(*args, **more)
        if self._left == 0:
            await self._cancel()
        return commit

    async def _cancel(self) -> None:
        self.reached = True
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


def day(text: str) -> datetime:
    """A server-local moment."""
    return datetime.fromisoformat(text)
