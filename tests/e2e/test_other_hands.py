"""What people do in HubSpot between two passes, and records that HubSpot takes for one."""

from __future__ import annotations

from pathlib import Path

from connector import reports
from connector.sandbox.agent import maintenance
from connector.sandbox.hubspot import HubSpotOptions, Latency
from tests.e2e import holding
from tests.e2e.site import open_site

KEY = "ABC:01-ABF"


async def test_what_people_write_beside_us_stays(tmp_path: Path) -> None:
    """Only what changed in Sage 100 is written: other values that people changed are not."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        record = site.portal.one("companies", "sage100_customer_key", KEY)
        site.portal.edit(
            "companies",
            record["hs_object_id"],
            {"domain": "theirs.example", "type": "PARTNER", "city": "Gotham"},
        )
        maintenance.change_customer(
            site.company,
            ("01", "ABF"),
            {"TelephoneNo": "312 555 0199", "URLAddress": "www.ours.example"},
        )
        assert (await app.run_once()).complete
        shown = holding.held(site.portal)["companies"][KEY]
        assert shown["phone"] == "312 555 0199"
        assert (shown["domain"], shown["type"], shown["city"]) == (
            "theirs.example",
            "PARTNER",
            "Gotham",
        )


async def test_an_existing_record_with_our_key_is_taken_over(tmp_path: Path) -> None:
    """A record that carries the key already gets no twin; what it has to fill a gap stays."""
    async with open_site(tmp_path) as site, site.app() as app:
        await app.setup()
        mine = {"sage100_customer_key": KEY, "name": "Old", "domain": "theirs.example"}
        record_id = site.portal.add("companies", mine)
        assert (await app.run_once()).complete
        shown = holding.held(site.portal)
        assert shown["companies"][KEY]["hs_object_id"] == record_id
        # What a new record alone gets (its type) is not for one that was there.
        before: holding.Held = {"companies": {KEY: {"domain": "theirs.example"}}}
        assert holding.differences(site.portal, site.expectation(), before=before) == []


async def test_a_record_deleted_in_hubspot_comes_back_whole(tmp_path: Path) -> None:
    """With its next change a deleted company is created again, links and all."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        record = site.portal.one("companies", "sage100_customer_key", KEY)
        site.portal.archive("companies", record["hs_object_id"])
        maintenance.change_customer(site.company, ("01", "ABF"), {"CustomerName": "Renamed"})
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_a_key_that_differs_in_case_overwrites_nobody(tmp_path: Path) -> None:
    """HubSpot compares unique values without case, Sage 100 with it: the second one is parked."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        before = holding.lasting(site.portal)
        maintenance.add_customer(site.company, ("01", "abf"), {"CustomerName": "Somebody else"})
        await app.run_once()
        assert holding.lasting(site.portal) == before
        [item] = await reports.parked(app.store)
        assert (item.target, item.reason) == ("companies/ABC:01-abf", "same_but_for_case")
        assert "ABC:01-ABF" in item.message
        assert item.waiting == 2  # its contact, and the link to it
        assert (await reports.status(app.store))["books_close"]

        # The one that was first goes on as ever.
        maintenance.change_customer(site.company, ("01", "ABF"), {"City": "Evanston"})
        await app.run_once()
        assert site.portal.one("companies", "sage100_customer_key", KEY)["city"] == "Evanston"


async def test_two_keys_that_differ_in_case_first_seen_in_one_pass(tmp_path: Path) -> None:
    """Neither was ever written: one of them is, whole, and the other is parked behind it."""
    slow = HubSpotOptions(limits=None, latency=Latency(factor=0.1))
    async with open_site(tmp_path, hubspot=slow) as site, site.app() as app:
        names = {"twin": "Lower Firm", "TWIN": "Upper Firm"}
        for number, name in names.items():
            maintenance.add_customer(site.company, ("01", number), {"CustomerName": name})
        await app.run_once()
        [item] = await reports.parked(app.store)
        assert item.reason == "same_but_for_case"
        lost = item.target.rpartition("-")[2]
        [written] = names.keys() - {lost}
        shown = site.portal.one("companies", "sage100_customer_key", f"ABC:01-{written}")
        assert shown["name"] == names[written]
        assert site.portal.find("companies", "name", names[lost]) == []
        assert (await reports.status(app.store))["books_close"]
