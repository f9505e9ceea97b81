"""Existing records that do not carry our key, as an operator has them recognised."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector import replaying, reports
from connector.sandbox.agent import maintenance
from connector.sandbox.hubspot import Hold
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import until

KEY = "sage100_customer_key"
ABF = "ABC:01-ABF"


def configure(site: Site, **rules: str) -> None:
    """Add `[hubspot.matching]` to the configuration."""
    lines = "\n".join(f'{name} = "{value}"' for name, value in rules.items())
    text = site.config_path.read_text("utf-8")
    site.config_path.write_text(f"{text}\n[hubspot.matching]\n{lines}\n", encoding="utf-8")


def give_domain(site: Site) -> None:
    """Customer 01-ABF has a domain that nobody else has."""
    fields = {"URLAddress": "www.only-abf.example", "EmailAddress": ""}
    maintenance.change_customer(site.company, ("01", "ABF"), fields)


async def test_a_company_is_taken_over_by_its_domain(tmp_path: Path) -> None:
    """No twin; what the mapping only fills stays as people had it; the history says how."""
    async with open_site(tmp_path) as site:
        give_domain(site)
        configure(site, domain="adopt")
        mine = {"name": "Abf (fair)", "domain": "only-abf.example", "website": "abf.example/shop"}
        record = site.portal.add("companies", mine)
        async with site.app() as app:
            assert (await app.run_once()).complete
            shown = holding.held(site.portal)["companies"][ABF]
            assert shown["hs_object_id"] == record
            before: holding.Held = {"companies": {ABF: mine}}
            assert holding.differences(site.portal, site.expectation(), before=before) == []
            told = await reports.history(app.store, f"companies/{ABF}")
            assert any("adopted by domain" in one.moment.text for one in told.moments)
            writes = site.portal.calls.writes
            assert (await app.run_once()).complete
            assert site.portal.calls.writes == writes
            assert (await app.rebuild(verify=True)).mismatch is None


async def test_a_proposal_waits_for_a_person_and_what_hangs_on_it_too(tmp_path: Path) -> None:
    """With the key put on the candidate a retry takes it over, and its children follow."""
    async with open_site(tmp_path) as site:
        give_domain(site)
        configure(site, domain="propose")
        record = site.portal.add("companies", {"name": "Abf", "domain": "only-abf.example"})
        async with site.app() as app:
            assert not (await app.run_once()).complete
            [item] = await reports.parked(app.store)
            assert (item.target, item.reason) == (f"companies/{ABF}", "match_proposed")
            assert record in item.message
            assert item.waiting > 0
            site.portal.edit("companies", record, {KEY: ABF})
            selection, targets = await replaying.select_for_replay(app.store, is_parked=True)
            await replaying.request_replay(app.store, selection, targets, dry_run=False)
            assert (await app.run_once()).complete
            assert holding.held(site.portal)["companies"][ABF]["hs_object_id"] == record


async def test_a_person_may_say_that_it_is_another_one(tmp_path: Path) -> None:
    """A retry without the key is the answer: a record of its own is created."""
    async with open_site(tmp_path) as site:
        give_domain(site)
        configure(site, domain="propose")
        record = site.portal.add("companies", {"name": "Abf", "domain": "only-abf.example"})
        async with site.app() as app:
            await app.run_once()
            selection, targets = await replaying.select_for_replay(app.store, is_parked=True)
            await replaying.request_replay(app.store, selection, targets, dry_run=False)
            assert (await app.run_once()).complete
            assert holding.held(site.portal)["companies"][ABF]["hs_object_id"] != record
            site.portal.archive("companies", record)
            assert holding.differences(site.portal, site.expectation()) == []


async def test_a_contact_is_taken_over_by_its_address(tmp_path: Path) -> None:
    """Somebody whom sales knew before accounting did stays one person."""
    async with open_site(tmp_path) as site:
        configure(site, email="adopt")
        fields = {"ContactName": "Ann Doe", "EmailAddress": "Ann@Abf.Example"}
        maintenance.add_contact(site.company, ("01", "ABF", "ANN"), fields)
        record = site.portal.add("contacts", {"email": "ann@abf.example", "jobtitle": "Queen"})
        async with site.app() as app:
            assert (await app.run_once()).complete
            shown = holding.held(site.portal)["contacts"][f"{ABF}:ANN"]
            assert (shown["hs_object_id"], shown["firstname"]) == (record, "Ann")
            assert shown["jobtitle"] == "Queen"


async def test_a_contact_that_sales_make_while_ours_is_written_stays_one(tmp_path: Path) -> None:
    """Between our look and our write: it is taken over, nothing is left out, the books close."""
    async with open_site(tmp_path) as site:
        configure(site, email="adopt")
        fields = {"ContactName": "Ann Doe", "EmailAddress": "ann@abf.example"}
        maintenance.add_contact(site.company, ("01", "ABF", "ANN"), fields)
        held = site.portal.inject(Hold(), route="objects.batch.upsert", object="contacts")
        async with site.app() as app:
            work = asyncio.create_task(app.run_once())
            await until(held.reached.is_set, "the contacts are about to be written")
            record = site.portal.add("contacts", {"email": "ann@abf.example", "jobtitle": "Queen"})
            held.release()
            assert (await work).complete
            shown = holding.held(site.portal)["contacts"][f"{ABF}:ANN"]
            assert (shown["hs_object_id"], shown["firstname"]) == (record, "Ann")
            assert (await reports.status(app.store))["books_close"]
            before: holding.Held = {"contacts": {f"{ABF}:ANN": {"jobtitle": "Queen"}}}
            assert holding.differences(site.portal, site.expectation(), before=before) == []
            writes = site.portal.calls.writes
            assert (await app.run_once()).complete
            assert site.portal.calls.writes == writes
            assert (await app.rebuild(verify=True)).mismatch is None
