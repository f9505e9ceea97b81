"""A simulated Sage 100 without sockets, the pollers' rounds over it, and the projector beside.

The model is the sandbox's own, so everything that can happen to a Sage 100 can happen here; its
pages are served as the contract says, and what the test puts in the way it does when told.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from connector.projector import Projector
from connector.rebuild import all_tables
from connector.sage100 import contract
from connector.sage100.agent import Agent
from connector.sage100.contract import AgentInfo, Page
from connector.sage100.errors import AgentBusy, AgentError, Call, CursorInvalid
from connector.sage100.page_size import PageSizes
from connector.sage100.passes import WORK_TABLES, Outcome
from connector.sage100.rounds import Rounds
from connector.sandbox.agent import AgentOptions, Company, ManualClock, build_model
from eventstore import EventStore, open_store
from projections import events as e
from projections.keys import KEY_COLUMNS
from projections.mapping import compiled
from tests.projections.rig import MAPPING, new
from tests.sage100 import sight
from tests.sage100.wire import NOW
from tests.sage100.world import instance

ENDPOINT = "http://127.0.0.1:1/x"
ZONE = "America/Chicago"
Script = Callable[[str, Page], Page]


class ModelAgent:
    """Serves one company's tables; `limit` rows to a page, whatever is asked."""

    def __init__(self, company: Company, *, limit: int = 500) -> None:
        self.company = company
        self.limit = limit
        self.calls = 0
        self.pages = PageSizes()
        self.endpoint = ENDPOINT
        self.asked: list[tuple[str, str]] = []  # (entity, ChangedSince), first pages only
        self.errors: dict[int, AgentError] = {}  # by how many pages from now
        self.script: Script = lambda _, page: page

    def call(self, operation: str) -> Call:
        """As the client's."""
        return Call(ENDPOINT, operation)

    def remember(self, *_: object) -> None:
        """It never refuses us."""

    async def refused(self) -> None:
        """It never refuses us."""

    async def get_info(self) -> AgentInfo:
        """What the agent is."""
        entities = []
        for name in contract.ENTITIES:
            layout = self.company.table(name).entity
            columns = tuple(contract.Column(one.name, "string") for one in layout.columns)
            entities.append(contract.Entity(name, KEY_COLUMNS[name], columns))
        served = contract.Company("ABC", "ABC Distribution", "USD", "DueDate", (30, 60, 90, 120))
        return AgentInfo(
            "1.0.0", "7.30", "Premium", self.company.clock(), ZONE, (served,), tuple(entities)
        )

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
        """The page behind `after`, or the error that is due."""
        self.errors = {due - 1: error for due, error in self.errors.items()}
        if (error := self.errors.pop(0, None)) is not None:
            raise error
        self.calls += 1
        if not after:
            self.asked.append((entity, changed_since))
        table = self.company.table(entity)
        found = table.page(
            after=after.encode("latin-1") or None,
            limit=min(limit, self.limit),
            since=changed_since or None,
            scan_limit=25_000,
        )
        index = table.entity.index
        places = [index[name] for name in columns]
        rows = [row.decode().split("\x1f") for row in found.rows]
        page = Page(
            columns=tuple(columns),
            rows=[tuple(row[at].rstrip(" ") for at in places) for row in rows],
            next=found.position.decode("latin-1") if found.position else None,
            complete=found.position is None,
            scanned=found.scanned,
            scan_limit_reached=found.capped,
            server_time=self.company.clock(),
        )
        return self.script(entity, page)


class Desk:
    """The pollers on a model's company ABC, with their store, and a projector that folds."""

    def __init__(
        self, store: EventStore, company: Company, clock: ManualClock, **more: Any
    ) -> None:
        self.store = store
        self.company = company
        self.clock = clock
        self.agent = ModelAgent(company)
        self.projector = Projector(store)
        self._instance = instance(ENDPOINT, **more)
        self.rounds = self.rounds_into(store)

    def rounds_into(self, store: EventStore) -> Rounds:
        """The rounds of a connector that was started just now."""
        return Rounds(cast(Agent, self.agent), store, self._instance, now=self._now)

    def _now(self) -> datetime:
        return self.clock.now.replace(tzinfo=ZoneInfo(ZONE)).astimezone(UTC)

    async def settings(self) -> None:
        """The mapping comes into force."""
        activated = e.MappingActivated(MAPPING.digest, compiled.content(MAPPING))
        await self.store.append([new("config/mapping", activated)])

    async def round(self, *, sweep: bool = False) -> dict[str, Outcome]:
        """One round of everything, folded, and decided on when it is over; outcomes by entity."""
        self.projector.hold = True
        outcomes = await self.rounds.run_once(sweep=sweep)
        while await self.projector.step():
            pass
        self.projector.hold = False
        await self.projector.run_until_idle()
        return {one.entity: one for one in outcomes}

    def pass_time(self, **time: float) -> None:
        """Let the server's clock go on (`days=1`)."""
        self.clock.advance(timedelta(**time))

    async def events(self, *kinds: type[e.Event]) -> list[e.Event]:
        """The payloads of these types, in order of the log."""
        found = []
        position = 0
        names = [kind.__name__ for kind in kinds]
        while page := await self.store.read(position, types=names, limit=5_000):
            position = page[-1].position
            found += [e.decode(one.type, one.data) for one in page]
        return [one for one in found if one is not None]

    async def commands(self) -> int:
        """How many commands the log holds."""
        return len(await self.events(e.CommandEmitted))

    async def view(self, entity: str) -> sight.Rows:
        """What the log says an entity holds now: key to row, vanished ones left out."""
        return await sight.view(self.store, entity)

    def model(self, entity: str) -> sight.Rows:
        """What may be read of Sage 100: key to row, without empty cells."""
        return sight.model(self.company, entity)


def busy() -> AgentBusy:
    """The files are in use."""
    return AgentBusy("in use", Call(ENDPOINT, "ReadPage"), code="ExclusiveUse")


def lost_place() -> CursorInvalid:
    """What an agent says to a place it does not know."""
    return CursorInvalid("no such place", Call(ENDPOINT, "ReadPage"), code="InvalidCursor")


def build_company(clock: ManualClock, *, seed: int = 1, customers: int, invoices: int) -> Company:
    """A made-up company ABC."""
    options = AgentOptions(
        seed=seed,
        customers=customers,
        invoices=invoices,
        vendors=3,
        details=False,
        today=clock.now.date(),
    )
    return build_model(options, clock).company()


@contextlib.asynccontextmanager
async def open_desk(
    folder: Path, *, customers: int = 60, invoices: int = 80, now: datetime = NOW, **more: Any
) -> AsyncIterator[Desk]:
    """A desk on a made-up company and a fresh store."""
    clock = ManualClock(now)
    company = build_company(clock, customers=customers, invoices=invoices)
    tables = [*all_tables(), *WORK_TABLES]
    async with open_store(f"sqlite:///{folder}/e.db", tables=tables) as store:
        desk = Desk(store, company, clock, **more)
        await desk.settings()
        yield desk
