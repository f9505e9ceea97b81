"""The tie-out while things move: sides are taken again until they stand still, or it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.app import App
from connector.opening import open_hubspot, open_reader
from connector.progress import Silent
from connector.proof import Proof, prove
from connector.sandbox.agent import posting
from eventstore import EventStore, NewEvent
from projections import events
from tests.e2e import cells
from tests.e2e.site import Site, open_site
from tests.e2e.test_service import EVERY_SECOND
from tests.e2e.waiting import until


class Moving:
    """A store in which something happens whenever the open items have been read."""

    def __init__(self, store: EventStore, happening: Callable[[int], NewEvent | None]) -> None:
        self._store = store
        self._happening = happening
        self._takes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def scan(self, table: str, **options: Any) -> Any:
        """Read, and let it happen once in each take."""
        page = await self._store.scan(table, **options)
        if table == "open_item" and not options["after"]:
            self._takes += 1
            event = self._happening(self._takes)
            if event is not None:
                await self._store.append([event])
        return page


async def synced(site: Site, app: App) -> tuple[str, dict[str, str]]:
    """Bring everything over; the stream and row of an open invoice."""
    posting.post_invoice(site.company, ("01", "ABF"), "500.00")
    assert (await app.run_once()).complete
    page = await app.store.read(0, types=["RecordObserved"], limit=10_000)
    for stored in reversed(page):
        if "/AR_Invoice/" in stored.stream:
            payload = events.decode(stored.type, stored.data)
            assert isinstance(payload, events.RecordObserved)
            if payload.row.get("IsOpen") == "Y" and Decimal(payload.row["Balance"]) > 0:
                return stored.stream, payload.row
    raise LookupError("no open invoice")


def observed(stream: str, row: dict[str, str], cents: int) -> NewEvent:
    """The invoice as it is with another balance."""
    payload = events.RecordObserved([], {**row, "Balance": f"{cents / 100:.2f}"}, f"f{cents}")
    return NewEvent(stream, "RecordObserved", events.encode(payload))


async def proved(store: EventStore, happening: Callable[[int], NewEvent | None]) -> Proof:
    """The proof of a store in which things happen."""
    return await prove(Moving(store, happening), ["ABC"], Silent())


async def test_a_change_meanwhile_is_taken_again(tmp_path: Path) -> None:
    """What arrives while the sides are taken shows in the next take, as pending; then it stands."""
    async with open_site(tmp_path) as site, site.app() as app:
        stream, row = await synced(site, app)
        still = await proved(app.store, lambda _: None)
        assert (still.ok, still.settled, still.takes) == (True, True, 1)
        before = (await app.store.head()).last
        once = await proved(app.store, lambda take: observed(stream, row, 1) if take == 1 else None)
        assert (once.ok, once.settled, once.takes) == (True, True, 2)
        assert once.position == before + 1 > once.projected
        [company] = once.companies
        assert {one.reason for one in company.differences} == {"pending"}
        assert company.lines[0].sage != company.lines[0].ours


async def test_bookkeeping_does_not_disturb(tmp_path: Path) -> None:
    """A log that moves by passes that find nothing settles: the figures are what must agree."""
    async with open_site(tmp_path) as site, site.app() as app:
        await synced(site, app)
        started = events.PollStarted("cursor")
        event = NewEvent("poll/acme/ABC/AR_Customer", "PollStarted", events.encode(started))
        found = await proved(app.store, lambda _: event)
        assert (found.ok, found.settled, found.takes) == (True, True, 2)


async def test_figures_that_never_stand_prove_nothing(tmp_path: Path) -> None:
    """When every take differs from the one before, it says so and is not ok."""
    async with open_site(tmp_path) as site, site.app() as app:
        stream, row = await synced(site, app)
        found = await proved(app.store, lambda take: observed(stream, row, take))
        assert (found.ok, found.settled, found.takes) == (False, False, 5)


async def test_beside_a_service_at_work(tmp_path: Path) -> None:
    """Read from another connection while the service polls and writes, it ties out by the cent."""
    async with open_site(tmp_path, schedule=EVERY_SECOND) as site, site.app() as app:
        await synced(site, app)
        stop = asyncio.Event()
        config = site.config()
        async with (
            open_reader(config) as store,
            open_hubspot(config) as hubspot,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(app.run(stop))
            for amount in ("12.34", "0.01"):
                posting.post_invoice(site.company, ("01", "ABF"), amount)
                owed = owed_by_all(site)

                async def tied(owed: Decimal = owed) -> bool:
                    found = await prove(store, ["ABC"], Silent(), hubspot)
                    assert not any(
                        one.reason == "unexplained"
                        for company in found.companies
                        for one in company.differences
                    )
                    line = found.companies[0].lines[0]
                    return found.ok and line.sage == line.ours == line.hubspot == owed

                await until(tied, f"the invoice over {amount} is in the proof")
            stop.set()


def owed_by_all(site: Site) -> Decimal:
    """The sum of what is open in Sage 100."""
    rows = site.rows()["AR_Invoice"]
    return sum((cells.money(row["Balance"]) for row in rows if row["IsOpen"] == "Y"), Decimal(0))
