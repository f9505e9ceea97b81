"""A rival at work in HubSpot: found by key, named from the history, and put right."""

from __future__ import annotations

from pathlib import Path

from connector import orders, reconcile, repairing, reports
from connector.sandbox.hubspot import Empty
from projections.events import ReplayRequested
from tests.e2e import holding
from tests.e2e.site import Site, open_site

KEY = "ABC:01-ABF"
RIVAL = 77_001_002


def rival_edits(site: Site, values: dict[str, str]) -> None:
    """Somebody changes our company in HubSpot's web interface."""
    record = site.portal.one("companies", "sage100_customer_key", KEY)
    site.portal.edit("companies", record["hs_object_id"], values, user_id=RIVAL)


async def test_a_rival_s_edits_are_found_named_and_put_right(tmp_path: Path) -> None:
    """Handed to the service as an order: after it HubSpot holds what Sage 100 says, all of it."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        rival_edits(site, {"phone": "none", "sage100_balance": "1", "city": ""})
        assert len(holding.differences(site.portal, site.expectation())) > 0
        before = site.portal.calls.count()
        found = await reconcile.look(app.store, app.hubspot, app.mapping)
        assert {one.property for one in found.to_repair} == {"phone", "sage100_balance", "city"}
        assert all(f"user {RIVAL} (CRM_UI)" in one.by for one in found.differences)
        # A hundred records, or a thousand records' links, a call; one more for the history.
        lanes = site.portal.calls.count() - before
        assert lanes == found.calls <= 12
        file = site.config().store.file
        assert file is not None
        await orders.leave(file, repairing.request_of(found, "ann"))
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
        assert (await reports.status(app.store))["books_close"]
        again = await reconcile.look(app.store, app.hubspot, app.mapping)
        assert (again.differences, again.missing) == ([], [])


async def test_what_moved_since_the_look_is_left_alone(tmp_path: Path) -> None:
    """A record that was written between looking and asking is not put back to the look's view."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        rival_edits(site, {"phone": "none"})
        found = await reconcile.look(app.store, app.hubspot, app.mapping)
        wanted = repairing.request_of(found, "")
        file = site.config().store.file
        assert file is not None
        replay = ReplayRequested([f"companies/{KEY}"], "by hand")
        await orders.leave(file, replay)
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
        await repairing.request(app.store, wanted)
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []


async def test_what_hubspot_works_out_by_itself_is_told_and_left(tmp_path: Path) -> None:
    """A total that HubSpot derives is no rival's work, and is not fought over."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        invoice = next(
            record_id
            for record_id, values in site.portal.records("invoices").items()
            if float(values["hs_amount_billed"]) > 0
        )
        line = site.portal.add("line_items", {"name": "Bolt", "price": "1", "quantity": "1"})
        site.portal.associate("invoices", invoice, "line_items", line)
        found = await reconcile.look(app.store, app.hubspot, app.mapping, lanes=["invoices"])
        [one] = found.differences
        assert one.property == "hs_amount_billed"
        assert one.stays == "HubSpot works it out by itself"
        assert found.to_repair == []


async def test_a_record_of_very_many_links_does_not_break_the_budget(tmp_path: Path) -> None:
    """Its pages beyond the calls are for the next look, which begins with it and gets on."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        contacts = sorted(site.portal.records("contacts"), key=int)
        busy, parted = contacts[len(contacts) // 2], contacts[-1]
        for number in range(1_200):
            one = site.portal.add("companies", {"name": f"Of theirs {number}"})
            site.portal.associate("contacts", busy, "companies", one)
        [(_, company)] = [
            pair for pair in site.portal.associations("contacts", "companies") if pair[0] == parted
        ]
        site.portal.dissociate("contacts", parted, "companies", company)
        links = ["associations"]
        whole = await reconcile.look(app.store, app.hubspot, app.mapping, lanes=links)
        assert (len(whole.missing), whole.more) == (1, "")

        after = ""
        looks: list[reconcile.ReconcileReport] = []
        while not looks or after:
            looks.append(
                await reconcile.look(
                    app.store, app.hubspot, app.mapping, lanes=links, after=after, calls=1
                )
            )
            assert looks[-1].more != after, "every look gets on"
            after = looks[-1].more
        assert looks[0].calls == 1
        assert max(one.calls for one in looks) == 3, "the busy one is read to its end"
        assert sum(one.links for one in looks) == whole.links
        assert [name for one in looks for name in one.missing] == whole.missing


async def test_records_that_are_named_are_read_and_no_others(tmp_path: Path) -> None:
    """In their order, and on from the last one looked at, as a look at everything goes."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        rival_edits(site, {"phone": "none"})
        rows = await app.store.scan("target", prefix="companies/", limit=9)
        ours = f"companies/{KEY}"
        named = sorted([ours, next(row.key for row in rows if row.key != ours)])
        found = await reconcile.look(
            app.store, app.hubspot, app.mapping, only=[*reversed(named), "companies/ABC:01-NONE"]
        )
        assert (found.records, [each.target for each in found.differences]) == (2, [ours])
        rest = await reconcile.look(app.store, app.hubspot, app.mapping, only=named, after=named[0])
        assert rest.records == 1


async def test_an_empty_success_is_no_sign_that_anything_is_missing(tmp_path: Path) -> None:
    """200 without a body: records are read again, and of links it is said that nobody knows."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        for route in ("objects.batch.read", "associations.batch.read"):
            site.portal.inject(Empty(), route=route)
        found = await reconcile.look(app.store, app.hubspot, app.mapping)
        assert (found.missing, list(found.unreadable)) == ([], ["associations"])
        again = await reconcile.look(app.store, app.hubspot, app.mapping)
        assert (again.missing, again.unreadable) == ([], {})
