"""A customer's own contact changes: who stands in for the customer's e-mail, and who no longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.sandbox.agent import maintenance, posting
from tests.e2e import holding
from tests.e2e.site import open_site

BUYER = ("01", "SWITCH")
KEY = "ABC:01-SWITCH"


async def test_a_contact_named_later_is_linked_too(tmp_path: Path) -> None:
    """Invoices of a customer are linked to its own contact, also when it gets one afterwards."""
    async with open_site(tmp_path) as site, site.app() as app:
        company = site.company
        maintenance.add_customer(company, BUYER, {"CustomerName": "Switch Co."})
        maintenance.add_contact(
            company, (*BUYER, "ANN"), {"ContactName": "Ann Day", "EmailAddress": "ann@s.example"}
        )
        posting.post_invoice(company, BUYER, "10")
        assert (await app.run_once()).complete
        first, before = site.expectation(), holding.held(site.portal)
        maintenance.change_customer(company, BUYER, {"ContactCode": "ANN"})
        assert (await app.run_once()).complete
        found = holding.differences(site.portal, site.expectation(), before=before, left=first)
        assert found == []


@pytest.mark.parametrize("code", ["BEE", ""], ids=["from another contact", "from nobody"])
async def test_the_customers_e_mail_goes_over_to_its_new_contact(tmp_path: Path, code: str) -> None:
    """HubSpot allows an e-mail once: with the customer's own contact it changes hands."""
    async with open_site(tmp_path) as site, site.app() as app:
        company = site.company
        told = {"CustomerName": "Switch", "EmailAddress": "ap@s.example", "ContactCode": code}
        maintenance.add_customer(company, BUYER, told)
        for name in ("ANN", "BEE"):
            maintenance.add_contact(company, (*BUYER, name), {"ContactName": f"{name} Day"})
        assert (await app.run_once()).complete
        owner = site.portal.one("contacts", "email", "ap@s.example")
        assert owner["sage100_contact_key"] == (f"{KEY}:{code}" if code else KEY)
        first, before = site.expectation(), holding.held(site.portal)
        maintenance.change_customer(company, BUYER, {"ContactCode": "ANN"})
        assert (await app.run_once()).complete
        found = holding.differences(site.portal, site.expectation(), before=before, left=first)
        assert found == []


async def test_an_address_changes_hands(tmp_path: Path) -> None:
    """A conflict that our own next write resolves is no dead letter."""
    async with open_site(tmp_path) as site, site.app() as app:
        company, address = site.company, {"EmailAddress": "ap@s.example"}
        maintenance.add_customer(company, BUYER, {"CustomerName": "Switch"})
        maintenance.add_contact(company, (*BUYER, "ANN"), {"ContactName": "Ann"})
        maintenance.add_contact(company, (*BUYER, "BEE"), {"ContactName": "Bee", **address})
        assert (await app.run_once()).complete
        before = holding.held(site.portal)
        maintenance.change(company, "AR_CustomerContact", (*BUYER, "ANN"), address)
        maintenance.change(company, "AR_CustomerContact", (*BUYER, "BEE"), {"EmailAddress": ""})
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation(), before=before) == []


async def test_the_link_to_the_former_contact_is_taken_away(tmp_path: Path) -> None:
    """An invoice belongs to the customer's own contact, and to no earlier one any more."""
    async with open_site(tmp_path) as site, site.app() as app:
        company = site.company
        maintenance.add_customer(company, BUYER, {"CustomerName": "Switch", "ContactCode": "BEE"})
        for name in ("ANN", "BEE"):
            maintenance.add_contact(company, (*BUYER, name), {"ContactName": f"{name} Day"})
        number = posting.post_invoice(company, BUYER, "10")[2]
        assert (await app.run_once()).complete
        maintenance.change_customer(company, BUYER, {"ContactCode": "ANN"})
        assert (await app.run_once()).complete
        invoice = site.portal.one("invoices", "sage100_invoice_no", number)["hs_object_id"]
        ann = site.portal.one("contacts", "sage100_contact_key", f"{KEY}:ANN")["hs_object_id"]
        pairs = site.portal.associations("invoices", "contacts")
        assert {right for left, right in pairs if left == invoice} == {ann}
        # And back again: what was taken away is made anew.
        maintenance.change_customer(company, BUYER, {"ContactCode": "BEE"})
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
