"""The tie-out while things move: sides are taken again until they stand still, or it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.app import App
from connector.opening import open_hubspot, open_reader
from connector.progress import Silent
from connector.proof import Proof, Reading, prove
from connector.sage100.instance import Instance, instance_of
from connector.sandbox.agent import posting
from eventstore import EventStore, NewEvent
from projections import events
from tests.e2e import cells
from tests.e2e.site import SELDOM, Site, open_site
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
            if payload.row.get("IsOpen") == "Y" and cells.money(payload.row["Balance"]) > 0:
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


async def test_what_is_older_than_its_schedule_allows_is_warned_of(tmp_path: Path) -> None:
    """A pass or sweep that fell due twice and was not made is named with its schedule; quiet hours
    are left out, and without a schedule nothing is judged. It ties out all the same.
    """
    nightly = {**SELDOM, "sweep": "0 2 * * *"}
    async with open_site(tmp_path, schedule=nightly) as site, site.app() as app:
        await synced(site, app)
        [settings] = site.config().sage100
        awake = instance_of(settings)
        asleep = msgspec.structs.replace(awake, quiet=("00:00-11:00", "11:00-23:59"))

        async def after(span: timedelta, instance: Instance | None = awake) -> Reading:
            found = await prove(
                app.store,
                ["ABC"],
                Silent(),
                instances={} if instance is None else {"ABC": instance},
                now=lambda: datetime.now(UTC) + span,
            )
            assert found.ok
            return found.companies[0].reading

        assert (await after(timedelta(0))).warnings == []
        assert (await after(timedelta(hours=2, minutes=50))).warnings == []
        assert (await after(timedelta(hours=3, minutes=10), asleep)).warnings == []
        assert (await after(timedelta(days=3), None)).warnings == []
        [late] = (await after(timedelta(hours=3, minutes=10))).warnings
        assert "pass over AR_Invoice" in late
        assert "(1h)" in late
        reading = await after(timedelta(days=3))
        assert [("sweep of" in one, "status" in one) for one in reading.warnings] == [
            (False, True),
            (True, True),
        ]
        assert "(0 2 * * *)" in reading.warnings[1]
        assert reading.everything_age_s == pytest.approx(3 * 86_400, abs=60)
        assert (await app.run_once(sweep=True)).complete
        assert (await after(timedelta(hours=1, minutes=30))).warnings == []


async def test_what_was_never_read_is_said_to_be(tmp_path: Path) -> None:
    """A store without one complete pass says so."""
    async with open_site(tmp_path) as site, site.app() as app:
        await app.setup()
        [settings] = site.config().sage100
        found = await prove(app.store, ["ABC"], Silent(), instances={"ABC": instance_of(settings)})
        [company] = found.companies
        assert (company.reading.changes, company.reading.everything) == ("", "")
        assert [one.startswith("no ") for one in company.reading.warnings] == [True, True]
        assert company.own_aging.customers == 0


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
