"""Whatever order Sage 100 shows things in: what needs another waits, says so, and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connector import reports
from connector.app import App
from connector.sandbox.agent import AgentOptions, Company
from eventstore import EventStore
from projections import events
from tests.e2e import holding
from tests.e2e.company_rows import Row
from tests.e2e.site import Site, open_site

OPTIONS = AgentOptions(seed=31, customers=40, invoices=240, vendors=3)
CUSTOMER = ("01", "ABF")


def take_away(company: Company, entity: str, under: Sequence[str]) -> list[Row]:
    """Remove the rows under these leading key parts, as if they had not been entered yet."""
    rows = list(company.rows(entity, *under))
    table = company.table(entity)
    for row in rows:
        table.remove([row[name] for name in table.entity.key])
    return rows


def enter(company: Company, entity: str, rows: Sequence[Row]) -> None:
    """Enter these rows now, stamps and all."""
    for row in rows:
        company.put(entity, {**row, **company.created(entity)})


async def held(store: EventStore, kind: str) -> dict[str, list[str]]:
    """What is held of a kind of target, and for what, by the log's last word on each."""
    found = {}
    for stream in await store.streams(f"hubspot/{kind}/", limit=5_000):
        last = (await store.history(stream))[-1]
        event = events.decode(last.type, last.data)
        if isinstance(event, events.CommandHeld):
            found[stream.removeprefix("hubspot/")] = event.waiting_for
    return found


async def as_expected(site: Site, app: App) -> None:
    """Everything is in HubSpot, nothing is left over, and the books close."""
    assert holding.differences(site.portal, site.expectation()) == []
    status = await reports.status(app.store)
    assert status["books_close"]
    assert [row["pending"] + row["held"] + row["parked"] for row in status["hubspot"]] == [0] * 5


async def test_an_invoice_waits_for_its_customer(tmp_path: Path) -> None:
    """Without its customer an invoice is held and says for what; with it, it goes on by itself."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        company = site.company
        customer = take_away(company, "AR_Customer", CUSTOMER)
        await app.run_once()
        assert holding.differences(site.portal, site.expectation()) == []

        key, parent = "ABC:01-ABF", "companies/ABC:01-ABF"
        invoices, contacts = await held(app.store, "invoices"), await held(app.store, "contacts")
        assert len(invoices) == len(list(company.rows("AR_Invoice", *CUSTOMER))) > 0
        assert len(contacts) == len(list(company.rows("AR_CustomerContact", *CUSTOMER)))
        assert set(map(tuple, (invoices | contacts).values())) == {(parent,)}
        assert all(name.partition("/")[2].startswith(f"{key}:") for name in invoices)
        history = await reports.history(app.store, next(iter(invoices)))
        assert history.state == "held"
        assert parent in str(history.moments)
        assert (await reports.status(app.store))["books_close"]

        enter(company, "AR_Customer", customer)
        assert (await app.run_once()).complete
        assert await held(app.store, "invoices") == {}
        await as_expected(site, app)


async def test_a_payment_waits_for_its_invoice(tmp_path: Path) -> None:
    """A receipt read before its invoice is shown on it, and on its customer, when that comes."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        invoices = take_away(site.company, "AR_Invoice", CUSTOMER)
        assert list(site.company.rows("AR_Payment", *CUSTOMER))
        await app.run_once()
        shown = holding.held(site.portal)["invoices"]
        assert [one for one in shown if one.startswith("ABC:01-ABF:")] == []
        enter(site.company, "AR_Invoice", invoices)
        assert (await app.run_once()).complete
        await as_expected(site, app)


async def test_everything_comes_in_the_wrong_order(tmp_path: Path) -> None:
    """Payments, then invoices, contacts and history, then customers, then terms: all is right."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        company = site.company
        order = (
            ("AP_Vendor", "AR_Payment"),
            ("AR_Invoice", "AR_CustomerContact", "AR_CustomerSalesHistory"),
            ("AR_Customer",),
            ("AR_TermsCode",),
        )
        later = {entity: take_away(company, entity, ()) for step in order for entity in step}
        for step in order:
            for entity in step:
                enter(company, entity, later[entity])
            await app.run_once()
            assert (await reports.status(app.store))["books_close"]
        await as_expected(site, app)
