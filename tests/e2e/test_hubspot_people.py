"""What people do to records in HubSpot: delete, restore, merge, take the key away."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import replaying, reports
from connector.sandbox.agent import maintenance, posting
from connector.sandbox.hubspot import HubSpotOptions
from tests.e2e import holding
from tests.e2e.site import Site, open_site

KEY = "sage100_customer_key"
ONE, OTHER = "ABC:01-ABF", "ABC:02-ABF"


def company(site: Site, key: str) -> dict[str, str]:
    """What HubSpot shows of a customer."""
    return site.portal.one("companies", KEY, key)


def record_id(site: Site, key: str) -> str:
    """Its id in HubSpot."""
    return company(site, key)["hs_object_id"]


def change(site: Site, key: str, **cells: str) -> None:
    """A customer changed in Sage 100."""
    division, number = key.partition(":")[2].split("-", 1)
    maintenance.change_customer(site.company, (division, number), cells)


async def test_a_change_that_lacks_the_name_brings_a_deleted_company_back_whole(
    tmp_path: Path,
) -> None:
    """Only the telephone changed: the record is created again with all of it, and its links."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        site.portal.archive("companies", record_id(site, ONE))
        change(site, ONE, TelephoneNo="312 555 0199")
        assert (await app.run_once()).complete
        assert company(site, ONE)["phone"] == "312 555 0199"
        assert holding.differences(site.portal, site.expectation()) == []
        writes = site.portal.calls.writes
        assert (await app.run_once()).complete
        assert site.portal.calls.writes == writes


async def test_every_kind_of_record_comes_back(tmp_path: Path) -> None:
    """A contact and a vendor that were deleted, each with its next change."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        shown = holding.held(site.portal)
        contact = next(key for key in shown["contacts"] if key.count(":") == 2)
        vendor = next(iter(shown["vendors"]))
        site.portal.archive("contacts", shown["contacts"][contact]["hs_object_id"])
        site.portal.archive("companies", shown["vendors"][vendor]["hs_object_id"])
        division, number = contact.split(":")[1].split("-", 1)
        code = contact.split(":")[2]
        maintenance.change(
            site.company,
            "AR_CustomerContact",
            (division, number, code),
            {"TelephoneNo1": "312 555 0177"},
        )
        division, number = vendor.split(":")[1].split("-", 1)
        maintenance.change(site.company, "AP_Vendor", (division, number), {"City": "Bergen"})
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_a_deleted_company_that_gets_an_invoice_comes_back_with_it(tmp_path: Path) -> None:
    """The new invoice hangs on the new record, not on one that is gone."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        site.portal.archive("companies", record_id(site, ONE))
        posting.post_invoice(site.company, ("01", "ABF"), "99.50")
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_a_deleted_company_restored_in_hubspot_is_the_same_again(tmp_path: Path) -> None:
    """Restored before anything changed it simply goes on."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        record = record_id(site, ONE)
        site.portal.archive("companies", record)
        site.portal.recycle("companies", record)
        change(site, ONE, CustomerName="Renamed")
        assert (await app.run_once()).complete
        assert record_id(site, ONE) == record
        assert holding.differences(site.portal, site.expectation()) == []


@pytest.mark.parametrize("ids", ["new_id", "keep_primary"])
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours is primary", "theirs is primary"])
async def test_a_merge_with_a_foreign_record_is_followed(
    tmp_path: Path, ids: str, *, ours_first: bool
) -> None:
    """The merged record is ours from then on, whatever id it has, and gets no twin."""
    options = HubSpotOptions(merge=ids)  # type: ignore[arg-type]
    async with open_site(tmp_path, hubspot=options) as site, site.app() as app:
        assert (await app.run_once()).complete
        before = site.portal.count("companies")
        theirs = site.portal.add("companies", {"name": "Theirs", "description": "seen at a fair"})
        pair = (record_id(site, ONE), theirs)
        merged = site.portal.merge("companies", *(pair if ours_first else pair[::-1]))
        change(site, ONE, CustomerName="Renamed")
        assert (await app.run_once()).complete
        assert site.portal.count("companies") == before
        shown = company(site, ONE)
        assert (shown["hs_object_id"], shown["name"]) == (merged, "Renamed")
        assert shown["description"] == "seen at a fair"
        assert holding.differences(site.portal, site.expectation()) == []


@pytest.mark.parametrize("ids", ["new_id", "keep_primary"])
async def test_two_of_ours_merged_into_one_are_a_person_s_to_sort_out(
    tmp_path: Path, ids: str
) -> None:
    """The one whose key is left goes on; the other is parked, and a replay creates it anew."""
    options = HubSpotOptions(merge=ids)  # type: ignore[arg-type]
    async with open_site(tmp_path, hubspot=options) as site, site.app() as app:
        assert (await app.run_once()).complete
        before = site.portal.count("companies")
        site.portal.merge("companies", record_id(site, ONE), record_id(site, OTHER))
        change(site, ONE, CustomerName="One")
        change(site, OTHER, CustomerName="Other")
        report = await app.run_once()
        assert company(site, ONE)["name"] == "One"
        assert report.parked == 1
        [item] = await reports.parked(app.store)
        assert (item.target, item.reason) == (f"companies/{OTHER}", "merged")
        assert ONE in item.message
        assert site.portal.count("companies") == before - 1
        # A further change does not undo what people did either.
        change(site, OTHER, City="Bergen")
        assert (await app.run_once()).parked == 1
        selection, targets = await replaying.select_for_replay(app.store, key=[item.target])
        await replaying.request_replay(app.store, selection, targets, dry_run=False, by="test")
        assert (await app.run_once()).complete
        assert company(site, OTHER)["name"] == "Other"
        assert site.portal.count("companies") == before
        assert (await reports.status(app.store))["books_close"]
        assert (await app.rebuild(verify=True)).mismatch is None


async def test_a_key_that_people_took_away_is_put_back(tmp_path: Path) -> None:
    """The record is known by its id: no twin is made for it."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        record = record_id(site, ONE)
        site.portal.edit("companies", record, {KEY: "", "city": "Gotham"})
        change(site, ONE, CustomerName="Renamed")
        assert (await app.run_once()).complete
        assert record_id(site, ONE) == record
        assert holding.differences(site.portal, site.expectation()) == []
