"""Invoices as the portal's rules let them be, with Sage 100's truth in properties of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import reports
from connector.sandbox.agent import posting
from connector.sandbox.hubspot import HubSpotOptions, InvoiceRules
from tests.e2e import holding
from tests.e2e.site import open_site

BUYER = ("01", "ABF")


@pytest.mark.parametrize("status", ["guarded", "strict"])
async def test_a_portal_that_wants_line_items_gets_the_truth_all_the_same(
    tmp_path: Path, status: str
) -> None:
    """HubSpot's own status is left out where it must be; nothing is parked, the run is complete."""
    rules = InvoiceRules(status=status)  # type: ignore[arg-type]
    async with (
        open_site(tmp_path, hubspot=HubSpotOptions(invoices=rules)) as site,
        site.app() as app,
    ):
        assert (await app.run_once()).complete
        posted = posting.post_invoice(site.company, BUYER, "250", invoice_date=site.today())
        assert (await app.run_once()).complete
        posting.receive_payment(site.company, posted, "250")
        assert (await app.run_once()).complete
        expected = site.expectation()
        for invoice in expected.invoices.values():
            invoice.always.pop("hs_invoice_status")
        assert holding.differences(site.portal, expected) == []
        assert (await reports.status(app.store))["books_close"]


async def test_a_credit_memo_is_a_credit_in_our_properties_and_a_draft_in_hubspot_s(
    tmp_path: Path,
) -> None:
    """HubSpot has no word for a credit: amount and balance are negative in our properties."""
    async with open_site(tmp_path) as site, site.app() as app:
        memo = posting.credit_memo(site.company, BUYER, "75")
        assert (await app.run_once()).complete
        shown = site.portal.one("invoices", "sage100_invoice_no", memo[2])
        assert shown["sage100_invoice_type"] == "Credit memo"
        assert (shown["sage100_total"], shown["sage100_balance"]) == ("-75.00", "-75.00")
        assert (shown["sage100_status"], shown["hs_invoice_status"]) == ("credit", "draft")
