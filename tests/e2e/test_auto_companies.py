"""Portals that make companies by the e-mail domains of contacts: HubSpot's setting, and ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from connector import reconcile, reports
from connector.sandbox.agent import maintenance
from connector.sandbox.hubspot import HubSpotOptions
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.test_matching import configure

ABF = "ABC:01-ABF"
ANN = f"{ABF}:ANN"
DOMAIN = "abf-works.example"
PRIMARY, DEFAULT = 1, 279  # association types of a contact to a company


@asynccontextmanager
async def a_site(folder: Path, **fields: str) -> AsyncIterator[Site]:
    """A portal with the setting on, and a contact of 01-ABF at a domain that nobody else has."""
    async with open_site(folder, hubspot=HubSpotOptions(auto_companies=True)) as site:
        fields = {"URLAddress": "", "EmailAddress": ""} | fields
        maintenance.change_customer(site.company, ("01", "ABF"), fields)
        person = {"ContactName": "Ann Doe", "EmailAddress": f"ann@{DOMAIN}"}
        maintenance.add_contact(site.company, ("01", "ABF", "ANN"), person)
        yield site


def with_domain(site: Site) -> list[str]:
    """The ids of the companies that have the domain."""
    return [one["hs_object_id"] for one in site.portal.find("companies", "domain", DOMAIN)]


async def test_the_domain_of_a_customer_leads_its_contacts_to_it(tmp_path: Path) -> None:
    """Companies are written first and with their domain: HubSpot finds ours and makes none."""
    async with a_site(tmp_path, URLAddress=f"www.{DOMAIN}") as site, site.app() as app:
        assert (await app.run_once()).complete
        [company] = with_domain(site)
        assert holding.held(site.portal)["companies"][ABF]["hs_object_id"] == company


async def test_a_company_that_hubspot_makes_beside_ours_is_left_alone(tmp_path: Path) -> None:
    """A customer without a domain: its contact belongs to both companies, HubSpot's own is the
    primary one, and neither a later run nor a look for drift touches or minds it.
    """
    async with a_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        shown = holding.held(site.portal)
        contact = shown["contacts"][ANN]["hs_object_id"]
        ours = shown["companies"][ABF]["hs_object_id"]
        [theirs] = with_domain(site)
        companies = {
            company: site.portal.association_types("contacts", contact, "companies", company)
            for left, company in site.portal.associations("contacts", "companies")
            if left == contact
        }
        assert companies == {theirs: (PRIMARY, DEFAULT), ours: (DEFAULT,)}
        wrong = holding.differences(site.portal, site.expectation())
        assert f"link contacts/{ANN} > companies#{theirs} should not be" in wrong
        assert all("companies#" in one or one.endswith("companies, not 35") for one in wrong)
        before = site.portal.record("companies", theirs)
        writes = site.portal.calls.writes
        assert (await app.run_once(sweep=True)).complete
        assert site.portal.calls.writes == writes
        found = await reconcile.look(app.store, app.hubspot, app.mapping)
        assert (found.differences, found.missing) == ([], [])
        assert site.portal.record("companies", theirs) == before


async def test_it_is_taken_over_by_its_domain_where_that_is_wanted(tmp_path: Path) -> None:
    """A customer of that domain that comes later gets no twin: HubSpot's company becomes ours."""
    async with a_site(tmp_path) as site:
        configure(site, domain="adopt")
        async with site.app() as app:
            assert (await app.run_once()).complete
            [theirs] = with_domain(site)
            maintenance.add_customer(
                site.company,
                ("01", "WORKS"),
                {"CustomerName": "Abf Works", "URLAddress": f"www.{DOMAIN}"},
            )
            assert (await app.run_once()).complete
            taken = holding.held(site.portal)["companies"]["ABC:01-WORKS"]
            assert (taken["hs_object_id"], taken["name"]) == (theirs, "Abf Works")
            told = await reports.history(app.store, "companies/ABC:01-WORKS")
            assert any("adopted by domain" in one.moment.text for one in told.moments)
