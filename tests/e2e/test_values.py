"""HubSpot holds what Sage 100 says: each record once, each value right, each link made.

The expectation is worked out from the raw rows by a computation of its own, so these tests do not
say that the product agrees with itself.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector import reports
from connector.app import App
from connector.progress import Silent
from connector.proof import prove
from connector.sandbox.agent import (
    AgentOptions,
    CompanyOptions,
    maintenance,
    period_end,
    posting,
)
from connector.sandbox.hubspot import HubSpotOptions
from tests.e2e import holding, office
from tests.e2e.receivables import open_balance
from tests.e2e.site import Site, open_site

BY_INVOICE_DATE = CompanyOptions(
    code="CAN",
    currency="CAD",
    aging_basis="InvoiceDate",
    aging_limits=(15, 45, 75, 100),
    fiscal_year_starts=7,
)


async def run(site: Site, app: App, *, sweep: bool = False) -> None:
    """One pass in which everything goes well."""
    report = await app.run_once(sweep=sweep)
    assert report.complete, report
    assert (await reports.status(app.store))["books_close"]


def assert_ties(site: Site) -> None:
    """Companies and invoices in HubSpot both add up to the receivables of Sage 100, to the cent."""
    companies = site.sage100.model.companies.values()
    owed = sum(open_balance(site.rows(company)) for company in companies)
    assert holding.balance(site.portal, "companies") == owed
    assert holding.balance(site.portal, "invoices") == owed


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_first_pass_brings_everything_once_and_right(tmp_path: Path, seed: int) -> None:
    """Every company, contact, invoice, vendor and link is in HubSpot once, with right values."""
    options = AgentOptions(seed=seed, customers=300, invoices=1_500, vendors=20)
    async with open_site(tmp_path, options) as site, site.app() as app:
        await run(site, app)
        assert holding.differences(site.portal, site.expectation()) == []
        assert_ties(site)


async def test_companies_of_one_sage_100_stay_apart(tmp_path: Path) -> None:
    """Two companies share customer numbers; each keeps its own keys, currency, aging and year."""
    companies = (CompanyOptions(), BY_INVOICE_DATE)
    options = AgentOptions(seed=3, customers=120, invoices=600, vendors=8, companies=companies)
    hubspot = HubSpotOptions(seed=3, additional_currencies=("CAD",))
    async with open_site(tmp_path, options, hubspot=hubspot) as site, site.app() as app:
        await run(site, app)
        assert holding.differences(site.portal, site.expectation()) == []
        assert_ties(site)
        numbers = [
            one["sage100_customer_no"] for one in holding.held(site.portal)["companies"].values()
        ]
        assert numbers.count("01-ABF") == 2


@pytest.mark.parametrize("seed", [4, 5])
async def test_what_people_change_arrives(tmp_path: Path, seed: int) -> None:
    """After a day of changes at screens and by postings, HubSpot is as expected anew."""
    options = AgentOptions(seed=seed, customers=120, invoices=500, vendors=8)
    async with open_site(tmp_path, options) as site, site.app() as app:
        await run(site, app)
        first, before = site.expectation(), holding.held(site.portal)
        office.change_masters(site.company)
        office.post(site.company, site.today())
        assert holding.differences(site.portal, site.expectation(), before=before) != []
        await run(site, app)
        found = holding.differences(site.portal, site.expectation(), before=before, left=first)
        assert found == []
        assert_ties(site)


async def test_what_left_no_stamp_arrives_with_a_sweep(tmp_path: Path) -> None:
    """Imports and unstamped postings reach HubSpot with the next sweep, right and only once."""
    options = AgentOptions(seed=6, customers=120, invoices=500, vendors=8)
    async with open_site(tmp_path, options) as site, site.app() as app:
        await run(site, app)
        before = holding.held(site.portal)
        company, someone = site.company, office.customers(site.company)
        maintenance.change_customer(
            company, next(someone), {"City": "Evanston", "ZipCode": "60201"}, stamp=False
        )
        payer = next(someone)
        invoice = posting.post_invoice(company, payer, "812.40", stamp=False)
        posting.receive_payment(company, invoice, "12.40", stamp=False)
        maintenance.describe_terms(company, "02", "Net 15 days, imported", stamp=False)
        maintenance.add_vendor(company, ("01", "IMPORT"), {"VendorName": "Imported"}, stamp=False)
        await run(site, app, sweep=True)
        assert holding.differences(site.portal, site.expectation(), before=before) == []
        assert_ties(site)


async def test_a_number_used_again_does_not_inherit_payments(tmp_path: Path) -> None:
    """A receipt belongs to the invoice whose HeaderSeqNo it names, not to all of that number."""
    async with open_site(tmp_path) as site, site.app() as app:
        buyer, today = ("01", "ABF"), site.today()
        old = posting.post_invoice(
            site.company, buyer, "100", invoice_date=today - timedelta(days=40)
        )
        posting.receive_payment(site.company, old, "100", on=today - timedelta(days=9))
        period_end.period_end(site.company)
        new = posting.post_invoice(site.company, buyer, "70", invoice_no=old[2])
        assert (old[3], new[3]) == ("000001", "000002")
        await run(site, app)
        assert holding.differences(site.portal, site.expectation()) == []


async def test_an_open_item_that_vanished_is_owed_nowhere(tmp_path: Path) -> None:
    """Once an open item is gone from Sage 100 for good, no sum in HubSpot counts it any more."""
    async with open_site(tmp_path) as site, site.app() as app:
        invoice = posting.post_invoice(site.company, ("01", "ABF"), "33.10")
        await run(site, app)
        assert_ties(site)
        maintenance.remove(site.company, "AR_Invoice", invoice)
        await run(site, app, sweep=True)
        await run(site, app, sweep=True)
        assert_ties(site)


async def test_a_number_with_a_slash_reads_as_in_sage_100(tmp_path: Path) -> None:
    """Separators inside a CustomerNo are escaped in our key alone, not in what people read."""
    async with open_site(tmp_path) as site, site.app() as app:
        maintenance.add_customer(site.company, ("01", "C/O 7"), {"CustomerName": "Care Of"})
        await run(site, app)
        [company] = [
            one
            for one in holding.held(site.portal)["companies"].values()
            if one["name"] == "Care Of"
        ]
        assert company["sage100_customer_key"] == "ABC:01-C%2FO 7"
        assert company["sage100_customer_no"] == "01-C/O 7"


@pytest.mark.parametrize("code", ["N%", ":/"])
async def test_terms_of_any_code_are_told_and_dated_by(tmp_path: Path, code: str) -> None:
    """A terms code may hold what our keys escape: it is found all the same, and receivables tie."""
    async with open_site(tmp_path) as site, site.app() as app:
        terms = {"TermsCode": code, "TermsCodeDesc": "Odd", "DaysBeforeDue": "1"}
        maintenance.add(site.company, "AR_TermsCode", terms)
        maintenance.change_customer(site.company, ("01", "ABF"), {"TermsCode": code})
        invoice = posting.post_invoice(
            site.company, ("01", "ABF"), "5", invoice_date=site.today() - timedelta(days=9)
        )
        maintenance.set_raw(site.company, "AR_Invoice", invoice, "InvoiceDueDate", "")
        await run(site, app)
        assert holding.differences(site.portal, site.expectation()) == []
        assert (await prove(app.store, ["ABC"], Silent())).ok


@pytest.mark.parametrize("cell", ["", "00000000", "17530101", "20230230"])
async def test_an_invoice_without_a_date_shows_none(tmp_path: Path, cell: str) -> None:
    """HubSpot dates an invoice to the moment it is created unless it is told otherwise."""
    async with open_site(tmp_path) as site, site.app() as app:
        invoice = posting.post_invoice(site.company, ("01", "ABF"), "5.00")
        for column in ("InvoiceDate", "InvoiceDueDate"):
            maintenance.set_raw(site.company, "AR_Invoice", invoice, column, cell)
        await run(site, app)
        assert holding.differences(site.portal, site.expectation()) == []
