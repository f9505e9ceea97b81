"""Whatever happens to a Sage 100 and to the reading of it: nothing is invented, nothing is lost.

A machine does to the simulated Sage 100 what people, jobs and utilities do, stamped and not, sets
its clock, puts faults in the way of pages, kills the connector between any two appends, and reads
in between, by cursor passes and sweeps. After complete sweeps in peace the log, folded, holds what
Sage 100 holds; and at no time does it hold a row that Sage 100 never had.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from connector.sage100.contract import ENTITIES
from connector.sage100.passes import Outcome
from connector.sage100.place import place_of
from connector.sandbox.agent import ModelError, maintenance, posting
from connector.sandbox.agent.backups import Backup, back_up, restore
from connector.sandbox.agent.renumbering import renumber_customer
from eventstore import EventStore
from projections import events as e
from tests.sage100.desk import Desk, busy, lost_place, open_desk
from tests.sage100.shelf import Interrupting
from tests.sage100.site_jobs import JOBS

T = TypeVar("T")

PICK = st.integers(0, 10_000)
STAMP = st.booleans()
CITIES = st.sampled_from(["Oslo", "Bergen", "Québec", "", "O'Fallon / IL"])
ODD_STAMPS = st.sampled_from(["", "20991231", "20200101", "00000000", "17530101"])
# What may leave a trace by itself: the rows of these are removed one by one.
REMOVED = st.sampled_from(["AR_Customer", "AR_Invoice", "AR_Payment", "AP_Vendor", "AR_TermsCode"])
ENOUGH_SWEEPS = 3  # one to end what is under way, two in a row for what is absent


class ChangeMachine(RuleBasedStateMachine):
    """One Sage 100, one log, and everything that may come between them."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.mkdtemp()
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        desk = open_desk(Path(self._folder), customers=10, invoices=12)
        self.desk: Desk = self._do(self._stack.enter_async_context(desk))
        self.backup: Backup | None = None
        self.removed: list[tuple[str, dict[str, str]]] = []
        self.absent: dict[str, int] = defaultdict(int)  # stream to complete sweeps without it
        self.looked_at = 0
        self.changes = 0
        self.begun: dict[
            str, int
        ] = {}  # entity to how many changes there were when its sweep began
        self.number = 0
        self.ever: dict[str, set[tuple[str, frozenset[tuple[str, str]]]]] = defaultdict(set)
        self._changed()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def _changed(self) -> None:
        """Note that Sage 100 has changed, and every row that it now has."""
        self.changes += 1
        for entity in ENTITIES:
            for key, row in self.desk.model(entity).items():
                self.ever[entity].add((key, frozenset(row.items())))

    def _customer(self, pick: int) -> tuple[str, str] | None:
        rows = list(self.desk.company.rows("AR_Customer"))
        if not rows:
            return None
        row = rows[pick % len(rows)]
        return row["ARDivisionNo"], row["CustomerNo"]

    # ------------------------------------------------------------ what happens in Sage 100

    @rule(stamp=STAMP, city=CITIES)
    def add_customer(self, city: str, *, stamp: bool) -> None:
        """A new customer, by the screen or by an import."""
        self.number += 1
        fields = {"CustomerName": f"New {self.number}", "City": city}
        key = ("01", f"N{self.number:05}")
        maintenance.add_customer(self.desk.company, key, fields, stamp=stamp)
        self._changed()

    @rule(pick=PICK, stamp=STAMP, city=CITIES)
    def change_customer(self, pick: int, city: str, *, stamp: bool) -> None:
        """A change, by the screen or by an import."""
        key = self._customer(pick)
        if key is not None:
            maintenance.change_customer(self.desk.company, key, {"City": city}, stamp=stamp)
            self._changed()

    @rule(pick=PICK, odd=ODD_STAMPS)
    def stamp_oddly(self, pick: int, odd: str) -> None:
        """A stamp that is blank, in the future, or none."""
        key = self._customer(pick)
        if key is not None:
            self.desk.company.update(
                "AR_Customer", key, {"DateCreated": odd, "DateUpdated": odd, "TimeUpdated": ""}
            )
            self._changed()

    @rule(pick=PICK, stamp=STAMP, paid=st.booleans())
    def post(self, pick: int, *, stamp: bool, paid: bool) -> None:
        """An invoice, and perhaps a receipt."""
        key = self._customer(pick)
        if key is not None:
            invoice = posting.post_invoice(self.desk.company, key, "100.00", stamp=stamp)
            if paid:
                posting.receive_payment(self.desk.company, invoice, "40", stamp=stamp)
            self._changed()

    @rule(entity=REMOVED, pick=PICK, count=st.integers(1, 4))
    def remove(self, entity: str, pick: int, count: int) -> None:
        """Rows disappear without a trace."""
        table = self.desk.company.table(entity)
        keys = [row[: len(table.entity.key)] for row in table]
        for key in keys[pick % max(len(keys), 1) :][:count]:
            self.removed.append((entity, dict(self.desk.company.row(entity, key))))
            table.remove(key)
        self._changed()

    @precondition(lambda self: self.removed)
    @rule(pick=PICK)
    def bring_back(self, pick: int) -> None:
        """A row that was removed is there again, as it was."""
        entity, row = self.removed[pick % len(self.removed)]
        self.desk.company.put(entity, row)
        self._changed()

    @rule(pick=PICK)
    def remove_and_bring_back_between_sweeps(self, pick: int) -> None:
        """Gone for one sweep or two, there for one, and gone: absences count only in a row."""
        rows = list(self.desk.company.rows("AR_Customer"))
        if not rows:
            return
        row = rows[pick % len(rows)]
        for there in [False, *([False] if pick % 2 else []), True, False]:
            if there:
                self.desk.company.put("AR_Customer", row)
            else:
                table = self.desk.company.table("AR_Customer")
                table.remove((row["ARDivisionNo"], row["CustomerNo"]))
            self._changed()
            self.read(sweep=True)
        if pick % 3 == 0:
            self.desk.company.put("AR_Customer", row)
            self._changed()

    @rule(pick=PICK)
    def renumber(self, pick: int) -> None:
        """The utility gives a customer another number."""
        key = self._customer(pick)
        self.number += 1
        if key is not None:
            try:
                renumber_customer(self.desk.company, key, (key[0], f"R{self.number:05}"))
            except ModelError:
                return  # Sage 100 refuses it too: rows were removed under it
            self._changed()

    @rule(job=st.sampled_from(sorted(JOBS)), pick=PICK)
    def run_a_job(self, job: str, pick: int) -> None:
        """A job or utility that stamps nothing, or that takes rows away."""
        try:
            JOBS[job](self.desk.company, pick)
        except ModelError:
            pass  # refused, perhaps halfway: rows had been removed under it
        self._changed()

    @rule()
    def keep_a_backup(self) -> None:
        """A backup is made."""
        self.backup = back_up(self.desk.company)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_it(self) -> None:
        """And restored."""
        assert self.backup is not None
        restore(self.desk.company, self.backup)
        self._changed()

    @rule(hours=st.sampled_from([0.1, 1, 5, 20, 40]))
    def let_time_pass(self, hours: float) -> None:
        """The server's clock goes on."""
        self.desk.clock.advance(timedelta(hours=hours))

    @rule(hours=st.sampled_from([1, 3, 26]))
    def set_the_clock_back(self, hours: int) -> None:
        """And back."""
        self.desk.clock.advance(timedelta(hours=-hours))

    # ------------------------------------------------------------ what happens to the reading

    @rule(limit=st.sampled_from([1, 2, 5, 500]))
    def serve_pages_of(self, limit: int) -> None:
        """Small pages, many appends."""
        self.desk.agent.limit = limit

    @rule(due=st.integers(1, 12), kind=st.sampled_from(["busy", "lost place"]))
    def let_a_page_fail(self, due: int, kind: Literal["busy", "lost place"]) -> None:
        """An error instead of a page."""
        self.desk.agent.errors[due] = busy() if kind == "busy" else lost_place()

    @rule(pick=PICK, due=st.integers(3, 25), city=CITIES, times=st.integers(1, 3))
    def fail_and_resume(self, pick: int, due: int, city: str, times: int) -> None:
        """An import, a sweep of many pages that fails somewhere, and its resumption."""
        self.change_customer(pick, city + str(due), stamp=False)
        self.desk.agent.limit = 1 + pick % 2
        for _ in range(times):
            self.desk.agent.errors = {due: busy()}
            self.read(sweep=True)
        self.desk.agent.errors = {}
        self.read(sweep=True)

    @rule(entity=st.sampled_from(ENTITIES), sweep=st.booleans())
    def cut_an_entity_short(self, entity: str, *, sweep: bool) -> None:
        """A round in which an entity's first page says that it is the last, and not the end."""
        self.desk.agent.script = lambda name, page: (
            msgspec.structs.replace(page, rows=page.rows[:1], next=None, complete=False)
            if name == entity
            else page
        )
        self._do(self._round(sweep=sweep))
        self.desk.agent.script = lambda _, page: page

    @rule(sweep=st.booleans())
    def read(self, *, sweep: bool) -> None:
        """A round, with whatever is in its way."""
        self._do(self._round(sweep=sweep))

    async def _round(self, *, sweep: bool) -> list[Outcome]:
        fresh = await self._before_round()
        outcomes = await self.desk.rounds.run_once(sweep=sweep)
        swept = {one.entity for one in outcomes if one.completed and one.via == "sweep"}
        # A sweep that was resumed has not seen what came back behind its place.
        await self._count_absences(swept, swept & fresh)
        for entity in swept:
            if self.begun[entity] == self.changes:
                held, there = await self.desk.view(entity), self.desk.model(entity)
                assert {key: held.get(key) for key in there} == there
        return outcomes

    async def _before_round(self) -> set[str]:
        """Which entities have no sweep under way: one that begins now begins with what is there."""
        fresh = set()
        for entity in ENTITIES:
            place = await place_of(self.desk.store, "acme", "ABC", entity)
            if place.sweep_pass is None:
                fresh.add(entity)
                self.begun[entity] = self.changes
        return fresh

    async def _count_absences(self, swept: Collection[str], whole: Collection[str]) -> None:
        """Nothing vanishes but after two complete sweeps in a row that did not show it."""
        for entity in swept:
            there = self.desk.model(entity)
            for key in {known for known, _ in self.ever[entity]}:
                stream = f"sage/acme/ABC/{entity}/{key}"
                if key not in there:
                    self.absent[stream] += 1
                elif entity in whole:
                    self.absent[stream] = 0
        while page := await self.desk.store.read(self.looked_at, limit=5_000):
            self.looked_at = page[-1].position
            for stored in page:
                if stored.type == "RecordVanished":
                    assert self.absent[stored.stream] >= 2, stored.stream

    @rule(number=st.integers(1, 25), after=st.booleans(), sweep=st.booleans())
    def die_while_reading(self, number: int, *, after: bool, sweep: bool) -> None:
        """The connector is killed before or right after one of its appends, and started again."""
        self._do(self._die(number, after=after, sweep=sweep))

    async def _die(self, number: int, *, after: bool, sweep: bool) -> None:
        await self._before_round()
        store = cast(EventStore, Interrupting(self.desk.store, number, after=after))
        dying = asyncio.create_task(self.desk.rounds_into(store).run_once(sweep=sweep))
        await asyncio.wait([dying])
        # How many of its sweeps were completed is not told: as far as we know, all.
        await self._count_absences(ENTITIES if sweep else (), ())
        self.desk.rounds = self.desk.rounds_into(self.desk.store)

    # ------------------------------------------------------------ what must be true

    @rule()
    def read_in_peace(self) -> None:
        """After complete sweeps the log holds what Sage 100 holds."""
        self._do(self._compare())

    async def _compare(self) -> None:
        self.desk.agent.errors.clear()
        for _ in range(ENOUGH_SWEEPS):
            for outcome in await self._round(sweep=True):
                assert outcome.completed, outcome
        for entity in ENTITIES:
            held, there = await self.desk.view(entity), self.desk.model(entity)
            assert held.keys() == there.keys(), entity
            assert held == there
        await self._check_events()

    async def _check_events(self) -> None:
        """No row that never was, lives that make sense, and books that close."""
        alive: dict[str, bool] = {}
        returned: set[str] = set()
        seen: dict[str, int] = defaultdict(int)
        position = 0
        while page := await self.desk.store.read(position, limit=5_000):
            position = page[-1].position
            for stored in page:
                event, stream = e.decode(stored.type, stored.data), stored.stream
                pass_of = "/".join(stream.split("/", 4)[1:4])
                match event:
                    case e.RecordObserved():
                        entity, key = stream.split("/", 4)[3:]
                        assert (key, frozenset(event.row.items())) in self.ever[entity]
                        assert alive.get(stream, True) or stream in returned
                        alive[stream] = True
                        returned.discard(stream)
                        seen[pass_of] += 1
                    case e.RecordReturned():
                        assert alive[stream] is False
                        returned.add(stream)
                    case e.RecordVanished():
                        assert alive[stream]
                        alive[stream] = False
                    case e.PollStarted():
                        seen[pass_of] = 0
                    case e.PollCompleted():
                        assert event.read == event.unchanged + event.observed
                        assert event.observed == seen[pass_of]
                    case _:
                        pass
        assert not returned

    def teardown(self) -> None:
        """Every run ends with the comparison."""
        try:
            self._do(self._compare())
        finally:
            self._do(self._stack.aclose())
            self._loop.close()
            shutil.rmtree(self._folder, ignore_errors=True)


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
USUAL = settings(
    max_examples=8,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=QUIET,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
LONG = settings(max_examples=30, stateful_step_count=50, deadline=None, suppress_health_check=QUIET)


def _machine(how: settings) -> type[Any]:
    made: type[Any] = type("Machine", (ChangeMachine,), {}).TestCase  # type: ignore[attr-defined]
    made.settings = how
    return made


class TestChange(_machine(USUAL)):  # type: ignore[misc]
    """A short run, every time."""


@pytest.mark.slow
class TestChangeForLong(_machine(LONG)):  # type: ignore[misc]
    """A long search, with shrinking."""
