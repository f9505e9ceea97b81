"""A value HubSpot will not take costs that value, for as long as HubSpot will not take it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from connector import replaying, reports
from connector.app import App
from connector.sandbox.agent import maintenance
from connector.sandbox.hubspot.property import Option
from tests.e2e import holding
from tests.e2e.site import Site, open_site

JOE, ANN = "ABC:01-ABF:JOE", "ABC:01-ABF:ANN"
KEY = "sage100_contact_key"
SHARED = "ap@abf.example"


def add_contact(site: Site, code: str, address: str) -> None:
    """A contact of customer 01-ABF."""
    fields = {"ContactName": f"{code.title()} Doe", "EmailAddress": address}
    maintenance.add_contact(site.company, ("01", "ABF", code), fields)


def change_address(site: Site, code: str, address: str) -> None:
    """The contact's address as typed in at the screen."""
    maintenance.change(
        site.company, "AR_CustomerContact", ("01", "ABF", code), {"EmailAddress": address}
    )


def contact(site: Site, key: str) -> dict[str, str]:
    """What HubSpot shows of a contact."""
    return site.portal.one("contacts", KEY, key)


def offer(site: Site, object_type: str, name: str, *options: Option) -> None:
    """Make a choice of the portal's offer these options."""
    properties = site.portal.schemas[object_type].properties
    properties[name] = msgspec.structs.replace(properties[name], options=options)
    site.portal.property_changed(object_type, name)


async def left_out(app: App) -> list[tuple[str, str, str]]:
    """(record, property, reason) of all that `parked` shows."""
    items = await reports.parked(app.store)
    return [(item.target, item.field, item.reason) for item in items]


async def test_an_address_two_contacts_share_goes_over_when_it_is_free(tmp_path: Path) -> None:
    """One has it, the other is written without and says so; when the one gives it up the other
    gets it in the same run, and nothing is sent again in between."""
    async with open_site(tmp_path) as site, site.app() as app:
        add_contact(site, "JOE", SHARED)
        assert (await app.run_once()).complete
        add_contact(site, "ANN", SHARED)
        report = await app.run_once()
        assert (report.parked, report.withheld, report.complete) == (0, 1, False)
        assert contact(site, JOE)["email"] == SHARED
        assert contact(site, ANN)["lastname"] == "Doe"
        assert "email" not in contact(site, ANN)
        assert await left_out(app) == [(f"contacts/{ANN}", "email", "CONFLICT")]
        told = await reports.history(app.store, ANN)
        assert any("email left out (CONFLICT)" in one.moment.text for one in told.moments)
        status = await reports.status(app.store)
        assert status["books_close"]
        assert {row["object"]: row["withheld"] for row in status["hubspot"]}["contacts"] == 1

        writes = site.portal.calls.writes
        await app.run_once()
        assert site.portal.calls.writes == writes

        change_address(site, "JOE", "joe@abf.example")
        report = await app.run_once()
        assert contact(site, JOE)["email"] == "joe@abf.example"
        assert contact(site, ANN)["email"] == SHARED
        assert report.complete
        assert await left_out(app) == []
        assert (await app.rebuild(verify=True)).mismatch is None
        assert holding.differences(site.portal, site.expectation()) == []


async def test_two_contacts_that_want_each_other_s_address_do_not_wake_each_other(
    tmp_path: Path,
) -> None:
    """Each is left without the change, and the run comes to an end."""
    async with open_site(tmp_path) as site, site.app() as app:
        add_contact(site, "JOE", "joe@abf.example")
        add_contact(site, "ANN", "ann@abf.example")
        assert (await app.run_once()).complete
        change_address(site, "JOE", "ann@abf.example")
        change_address(site, "ANN", "joe@abf.example")
        report = await app.run_once()
        assert report.parked + report.withheld == 2
        writes = site.portal.calls.writes
        await app.run_once()
        assert site.portal.calls.writes <= writes + 1
        assert (await reports.status(app.store))["books_close"]


async def test_a_contact_of_other_people_in_the_way_is_watched(tmp_path: Path) -> None:
    """Nothing in the log says that somebody cleared an address in HubSpot: it is looked at."""
    async with open_site(tmp_path) as site, site.app() as app:
        owner = site.portal.add("contacts", {"email": SHARED, "firstname": "Stranger"})
        add_contact(site, "ANN", SHARED)
        assert (await app.run_once()).withheld == 1
        assert (await app.run_once()).withheld == 1
        site.portal.edit("contacts", owner, {"email": "moved@abf.example"})
        assert (await app.run_once()).complete
        assert contact(site, ANN)["email"] == SHARED


async def test_an_option_added_to_the_portal_is_noticed(tmp_path: Path) -> None:
    """A value left out for the portal's definitions is written once they allow it."""
    async with open_site(tmp_path) as site, site.app() as app:
        await app.setup()
        stage = site.portal.properties("companies")["sage100_stage"].options or ()
        offer(
            site, "companies", "sage100_stage", *[one for one in stage if one.value != "customer"]
        )
        report = await app.run_once()
        assert report.withheld > 0
        assert report.parked == 0
        assert {one[1:] for one in await left_out(app)} == {("sage100_stage", "INVALID_OPTION")}
        offer(site, "companies", "sage100_stage", *stage)
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_a_person_can_have_it_tried_again(tmp_path: Path) -> None:
    """`retry` takes records with something left out for those that are parked whole."""
    async with open_site(tmp_path) as site, site.app() as app:
        site.portal.add("contacts", {"email": SHARED})
        add_contact(site, "ANN", SHARED)
        await app.run_once()
        selection, targets = await replaying.select_for_replay(
            app.store, is_parked=True, reason="CONFLICT"
        )
        assert targets == [f"contacts/{ANN}"]
        await replaying.request_replay(app.store, selection, targets, dry_run=False)
        assert (await app.run_once()).withheld == 1
