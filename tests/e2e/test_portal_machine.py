"""Whatever happens in Sage 100, on the way to HubSpot and in HubSpot: it ends as it should be.

A machine changes the simulated Sage 100, lets HubSpot's calls go wrong in every way before and
after they are carried out, restarts the connector, and syncs in between. Undisturbed otherwise, one
more pass without faults leaves HubSpot as Sage 100 says, every record once, nothing parked, and the
books closed: nothing was called done that is not, and nothing given up.

Another one also lets people edit, delete and merge records in HubSpot. After quiet (no more faults,
what people put in the way is gone, everything that is ours sent again) the same is true.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from connector import replaying, reports
from connector.app import App
from connector.hubspot.delivery import Surroundings
from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.writer import Writer
from connector.sandbox.agent import AgentOptions, maintenance, posting
from connector.sandbox.hubspot import Action, Drop, Empty, Omit, faults
from tests.e2e import holding
from tests.e2e.site import Site, open_site

T = TypeVar("T")

OPTIONS = AgentOptions(seed=44, customers=8, invoices=20, vendors=3)
PICK = st.integers(0, 10_000)
ROUTES = st.sampled_from(
    [
        "objects.batch.upsert",
        "objects.batch.update",
        "objects.batch.read",
        "objects.search",
        "associations.batch.default",
        "associations.batch.read",
    ]
)
BUSY = faults.rate_limited(retry_after="1")
ACTIONS: dict[str, Action] = {
    "lost before": Drop(),
    "lost after": Drop(applied=True),
    "lost half-way": Drop(applied=True, only=(0, 2)),
    "timed out half-way": faults.timed_out(applied=True, only=(1,)),
    "too many": BUSY,
    "down": faults.error(503, "down"),
    "broken after": faults.error(500, "oops", applied=True),
    "page of a proxy": faults.html(502),
    "locked": faults.locked(),
    "empty": Empty(),
    "silent about some": Omit(inputs=(0, 3)),
    "silent, and not done": Omit(inputs=(0, 1), applied=False),
    "silent about all": Omit(inputs="all"),
}
# A write, the read that follows when its outcome is unknown, and how many are made before it.
READ_AFTER = {
    "objects.batch.update": ("objects.batch.read", 0),
    "objects.batch.upsert": ("objects.batch.read", 1),
    "associations.batch.default": ("associations.batch.read", 0),
}
LOST = st.sampled_from(["lost before", "lost after", "lost half-way", "broken after", "empty"])
NAMES = st.sampled_from(["Smith & Sons", "Añejo & Søn", "O'Hara", "A", "Renamed Inc."])
CITIES = st.sampled_from(["Oslo", "Québec", "", "Springfield / IL"])


class ConnectorMachine(RuleBasedStateMachine):
    """One Sage 100, one portal, one connector between them."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.mkdtemp()
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._number = 0
        self.site: Site = self._do(
            self._stack.enter_async_context(open_site(Path(self._folder), OPTIONS))
        )
        self._connector = AsyncExitStack()
        self.app: App = self._do(self._open())
        self._do(self.app.run_once())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _open(self) -> App:
        app = await self._connector.enter_async_context(self.site.app())
        around = Surroundings(
            app.store, app.hubspot, lambda: app.mapping.source, delay_s=lambda _: 0.0
        )
        app.writer = Writer(around)
        return app

    def _count(self) -> int:
        self._number += 1
        return self._number

    def _customer(self, pick: int) -> tuple[str, str]:
        rows = list(self.site.company.rows("AR_Customer"))
        row = rows[pick % len(rows)]
        return row["ARDivisionNo"], row["CustomerNo"]

    # ------------------------------------------------------------ in Sage 100

    @rule(pick=PICK, name=NAMES, city=CITIES)
    def change_customer(self, pick: int, name: str, city: str) -> None:
        """Another name and city."""
        fields = {"CustomerName": name, "City": city}
        maintenance.change_customer(self.site.company, self._customer(pick), fields)

    @rule(name=NAMES)
    def add_customer(self, name: str) -> None:
        """A new customer."""
        key = ("01", f"N{self._count():05}")
        maintenance.add_customer(self.site.company, key, {"CustomerName": name})

    @rule(pick=PICK, paid=st.booleans())
    def post(self, pick: int, *, paid: bool) -> None:
        """An invoice, and perhaps a payment on it."""
        invoice = posting.post_invoice(self.site.company, self._customer(pick), "120.50")
        if paid:
            posting.receive_payment(self.site.company, invoice, "20.25")

    # ------------------------------------------------------------ on the way

    @rule(action=st.sampled_from(sorted(ACTIONS)), route=ROUTES, times=st.integers(1, 2))
    def put_a_fault_in_the_way(self, action: str, route: str, times: int) -> None:
        """The next calls of a kind go wrong."""
        self.site.portal.inject(ACTIONS[action], route=route, times=times)

    @rule(
        pick=PICK,
        city=CITIES,
        write=st.sampled_from(sorted(READ_AFTER)),
        lost=LOST,
        then=st.sampled_from(sorted(ACTIONS)),
    )
    def lose_a_write_and_the_look_after_it(
        self, pick: int, city: str, write: str, lost: str, then: str
    ) -> None:
        """Nobody knows what became of a write, and the first look at it goes wrong too."""
        read, before = READ_AFTER[write]
        self.site.portal.inject(ACTIONS[lost], route=write)
        self.site.portal.inject(ACTIONS[then], route=read, skip=before)
        if write == "objects.batch.update":
            self.change_customer(pick, f"Customer {self._count()}", city)
        else:
            self.add_customer(f"Customer {self._count()}")
        self.sync(sweep=False)

    # ------------------------------------------------------------ the connector

    @rule(sweep=st.booleans())
    def sync(self, *, sweep: bool) -> None:
        """One pass, with whatever is in its way."""
        self._do(self.app.run_once(sweep=sweep))

    @rule()
    def restart(self) -> None:
        """The connector ends and is started again."""
        self._do(self._reopen())

    async def _reopen(self) -> None:
        await self._connector.aclose()
        self._connector = AsyncExitStack()
        self.app = await self._open()

    # ------------------------------------------------------------ what must be true

    async def _come_to_rest(self) -> None:
        """One more pass with whatever is in its way, then the last one before the comparison."""
        with contextlib.suppress(HubSpotUnreachable):
            await self.app.run_once()
        self.site.portal.faults.clear()
        await self.app.run_once()

    async def _compare(self) -> None:
        portal, store = self.site.portal, self.app.store
        await self._come_to_rest()
        parked = await reports.parked(store)
        assert parked == [], [(one.target, one.reason, one.message) for one in parked]
        assert holding.differences(portal, self.site.expectation()) == []
        shown = holding.held(portal)
        companies = len(shown["companies"]) + len(shown["vendors"])
        assert portal.count("companies") == companies, "a company is there twice"
        status = await reports.status(store)
        assert status["books_close"]
        assert [row["pending"] + row["held"] for row in status["hubspot"]] == [0] * 5
        assert await store.verify() == status["log"]["head"]
        assert (await self.app.rebuild(verify=True)).mismatch is None

    def teardown(self) -> None:
        """Every run ends with the comparison."""
        try:
            self._do(self._compare())
        finally:
            self._do(self._connector.aclose())
            self._do(self._stack.aclose())
            self._loop.close()
            shutil.rmtree(self._folder, ignore_errors=True)


class PortalMachine(ConnectorMachine):
    """The same with people at work in the portal."""

    def __init__(self) -> None:
        super().__init__()
        self._in_the_way: list[tuple[str, str]] = []  # type and id of what people made

    def _record(self, kind: str, pick: int) -> str | None:
        """The HubSpot id of one of our records."""
        found = sorted(holding.held(self.site.portal)[kind].items())
        return found[pick % len(found)][1]["hs_object_id"] if found else None

    # ------------------------------------------------------------ in HubSpot

    @rule(pick=PICK, kind=st.sampled_from(["companies", "vendors"]), name=NAMES)
    def edit_by_hand(self, pick: int, kind: str, name: str) -> None:
        """Somebody overwrites what is ours. (What fills a gap in Sage 100 would be theirs.)"""
        record_id = self._record(kind, pick)
        if record_id is not None:
            shown = self.site.portal.records("companies")[record_id]
            city = {"city": "Elsewhere"} if shown.get("city") else {}
            self.site.portal.edit("companies", record_id, {"name": name, **city})

    @rule(pick=PICK, kind=st.sampled_from(["companies", "contacts", "invoices", "vendors"]))
    def delete_by_hand(self, pick: int, kind: str) -> None:
        """Somebody deletes a record."""
        record_id = self._record(kind, pick)
        if record_id is not None:
            object_type = holding.KEYS[kind][0]
            self.site.portal.archive(object_type, record_id)

    @rule(pick=PICK, first=st.booleans())
    def merge_by_hand(self, pick: int, *, first: bool) -> None:
        """Somebody merges one of our companies with one of their own."""
        ours = self._record("companies", pick)
        if ours is not None:
            theirs = self.site.portal.add("companies", {"name": "Made by hand"})
            pair = (ours, theirs) if first else (theirs, ours)
            self.site.portal.merge("companies", *pair)

    @rule(pick=PICK)
    def take_an_address(self, pick: int) -> None:
        """Somebody enters a contact with an e-mail address that one of ours has, or will have."""
        rows = [row for row in self.site.company.rows("AR_CustomerContact") if row["EmailAddress"]]
        if not rows:
            return
        email = rows[pick % len(rows)]["EmailAddress"].split(";")[0].strip().lower()
        if "@" in email and not self.site.portal.find("contacts", "email", email):
            made = self.site.portal.add("contacts", {"email": email, "lastname": "Theirs"})
            self._in_the_way.append(("contacts", made))

    async def _come_to_rest(self) -> None:
        portal, store = self.site.portal, self.app.store
        portal.faults.clear()
        for object_type, record_id in self._in_the_way:
            if record_id in portal.records(object_type):
                portal.archive(object_type, record_id)
        await self.app.run_once(sweep=True)
        selection, targets = await replaying.select_for_replay(store)
        await replaying.request_replay(store, selection, targets, dry_run=False, by="test")
        await self.app.run_once()


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
USUAL = settings(
    max_examples=5,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=QUIET,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
FEW = settings(USUAL, max_examples=2, stateful_step_count=10)
LONG = settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=QUIET)


def _machine(kind: type[ConnectorMachine], how: settings) -> type[Any]:
    made: type[Any] = type("Machine", (kind,), {}).TestCase  # type: ignore[attr-defined]
    made.settings = how
    return made


class TestConnector(_machine(ConnectorMachine, FEW)):  # type: ignore[misc]
    """Nobody else in the portal, and nothing sent again: a shorter run."""


class TestPortal(_machine(PortalMachine, USUAL)):  # type: ignore[misc]
    """A short run, every time."""


@pytest.mark.slow
class TestConnectorForLong(_machine(ConnectorMachine, LONG)):  # type: ignore[misc]
    """A long search, with shrinking."""


@pytest.mark.slow
class TestPortalForLong(_machine(PortalMachine, LONG)):  # type: ignore[misc]
    """A long search, with shrinking."""
