"""Invoices as a custom object: the same records and links, with none of HubSpot's invoice rules."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from connector import reports
from connector.checking import check
from connector.sandbox.agent import posting
from connector.sandbox.hubspot import HubSpotOptions
from tests.e2e.site import Site, open_site

TYPE = "sage100_invoice"


def with_custom_invoices(site: Site) -> Site:
    """The same site, configured for the custom object."""
    text = site.config_path.read_text("utf-8")
    text = text.replace("[hubspot]\n", '[hubspot]\ninvoices = "custom"\n')
    site.config_path.write_text(text, "utf-8")
    return site


async def test_invoices_go_into_a_custom_object(tmp_path: Path) -> None:
    """The first run creates the object; every invoice is in it once, linked, and stays true."""
    async with open_site(tmp_path) as site:
        with_custom_invoices(site)
        async with site.app() as app:
            posted = posting.post_invoice(site.company, ("01", "ABF"), "250")
            assert (await app.run_once()).complete
            expected = site.expectation()
            held = {one["sage100_invoice_key"]: one for one in site.portal.records(TYPE).values()}
            assert held.keys() == expected.invoices.keys()
            for key, wanted in expected.invoices.items():
                assert Decimal(held[key]["sage100_balance"]) == wanted.always["sage100_balance"]
                assert held[key]["sage100_status"] == wanted.always["sage100_status"]
            assert site.portal.count("invoices") == 0
            links = [one for one in site.expectation().links if one[0].startswith("invoices/")]
            companies = [other for _, other in links if other.startswith("companies/")]
            assert len(companies) > len(held)  # who pays, and who bought
            assert len(site.portal.associations(TYPE, "companies")) == len(companies)
            assert len(site.portal.associations(TYPE, "contacts")) == len(held)

            posting.receive_payment(site.company, posted, "250")
            assert (await app.run_once()).complete
            paid = site.portal.one(TYPE, "sage100_invoice_no", posted[2])
            assert (paid["sage100_status"], paid["sage100_balance"]) == ("paid", "0.00")
            assert (await reports.status(app.store))["books_close"]
            writes = site.portal.calls.writes
            assert (await app.run_once()).complete
            assert site.portal.calls.writes == writes
        assert all(line.ok for line in await check(site.config()))


async def test_an_account_without_custom_objects_is_told(tmp_path: Path) -> None:
    """`check` and setup say what the account needs; companies and contacts flow all the same."""
    options = HubSpotOptions(custom_objects=False)
    async with open_site(tmp_path, hubspot=options) as site:
        with_custom_invoices(site)
        [line] = [one for one in await check(site.config()) if "p_sage100_invoice" in one.subject]
        assert not line.ok
        assert "Enterprise" in line.remedy
        async with site.app() as app:
            report = await app.run_once()
            assert "invoices" in report.barred or report.parked > 0
            assert site.portal.count("companies") > 0
            assert site.portal.count("contacts") > 0
