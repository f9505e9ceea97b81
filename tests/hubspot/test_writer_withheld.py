"""The writer when HubSpot will not take one property: it is left out, and the rest is written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.sandbox.hubspot import Hold
from projections import events, ledger
from tests.e2e.waiting import LIMIT_S

from .rig import Site, Untraced, a_client, a_site, succeeded

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
ANN = "contacts/ABC:01-ACME:ANN"
KEY = "sage100_customer_key"
CONTACT_KEY = "sage100_contact_key"
UPSERT = "objects.batch.upsert"


@pytest.mark.parametrize("traced", [True, False], ids=["told apart", "whole batch refused"])
async def test_an_e_mail_address_of_another_contact_is_left_out(
    site: Site, *, traced: bool
) -> None:
    """The rest of the contact is written; the owner is named and stands in the way."""
    owner = site.portal.add("contacts", {"email": "joe@acme.example"})
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, firstname="Joe", email="joe@acme.example")
    await site.emit(ANN, firstname="Ann", email="ann@acme.example")
    kind = {} if traced else {"kind": Untraced}
    async with a_client(site.portal, **kind) as site.hubspot:
        summary = await site.writer().run_until_idle()
    assert (summary.lanes["contacts"].created, summary.parked) == (2, 0)
    shown = site.portal.one("contacts", CONTACT_KEY, "ABC:01-ACME:JOE")
    assert shown["firstname"] == "Joe"
    assert "email" not in shown
    left_out = (await succeeded(site, JOE)).withheld["email"]
    assert (left_out.value, left_out.reason) == ("joe@acme.example", "CONFLICT")
    assert left_out.owner == owner
    assert f"record {owner}" in left_out.advice
    blocked = ledger.blocked_key("contacts", owner, JOE)
    assert [row.key for row in await site.store.scan("blocked", limit=9)] == [blocked]
    assert [row.key for row in await site.store.scan("withheld", limit=9)] == [JOE]
    assert (await site.target(JOE)).held == {"firstname": "Joe"}
    assert await site.books_close()


async def test_a_secondary_address_of_another_contact_is_in_the_way_as_well(site: Site) -> None:
    """HubSpot allows an address once, whether it is a contact's first or a further one."""
    owner = site.portal.add(
        "contacts", {"email": "j@acme.example", "hs_additional_emails": "joe@acme.example"}
    )
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, firstname="Joe", email="joe@acme.example")
    await site.writer().run_until_idle()
    assert (await succeeded(site, JOE)).withheld["email"].owner == owner
    assert site.portal.count("contacts") == 2


async def test_contacts_that_share_an_address_are_all_written(site: Site) -> None:
    """The first one written has it; the others go without, each with the reason."""
    await site.emit(ACME, name="Acme")
    names = [f"contacts/ABC:01-ACME:N{number}" for number in range(5)]
    for name in names:
        await site.emit(name, firstname=name[-2:], email="ap@acme.example")
    summary = await site.writer().run_until_idle()
    assert summary.lanes["contacts"].created == 5
    done = [await succeeded(site, name) for name in names]
    [holder] = [one.hubspot_id for one in done if not one.withheld]
    assert [one.withheld["email"].owner for one in done if one.withheld] == [holder] * 4
    assert site.portal.calls.count(route=UPSERT) == 3  # ACME, all five, the four


async def test_another_unique_property_is_left_out_likewise(site: Site) -> None:
    """A vendor's unique value that another record has costs that property alone."""
    owner = site.portal.add("companies", {"name": "V", "sage100_vendor_key": "ABC:00-V1"})
    await site.emit(ACME, name="Acme", sage100_vendor_key="ABC:00-V1")
    await site.writer().run_until_idle()
    left_out = (await succeeded(site, ACME)).withheld["sage100_vendor_key"]
    assert (left_out.reason, left_out.owner) == ("CONFLICTING_UNIQUE_VALUE", owner)
    assert site.portal.one("companies", KEY, "ABC:01-ACME")["name"] == "Acme"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("industry", "NONSENSE", "INVALID_OPTION"),
        ("phone", "5" * 65_537, "INVALID_LENGTH"),
        ("hs_object_id", "7", "READ_ONLY_VALUE"),
        ("annualrevenue", "a lot", "INVALID_NUMBER"),
        ("sage100_oldest_due_date", "soon", "INVALID_DATE"),
        ("no_such_thing", "x", "PROPERTY_DOESNT_EXIST"),
    ],
)
async def test_a_value_that_hubspot_refuses_is_left_out(
    site: Site, name: str, value: str, reason: str
) -> None:
    """Unknown option, too long, read-only, no number, no date, no property: the rest arrives."""
    await site.emit(ACME, name="Acme", **{name: value})
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].created, summary.parked) == (1, 0)
    left_out = (await succeeded(site, ACME)).withheld
    assert list(left_out) == [name]
    assert left_out[name].message
    assert left_out[name].advice
    if reason not in {"INVALID_LENGTH", "INVALID_NUMBER"}:  # HubSpot's codes for these vary
        assert left_out[name].reason == reason
    assert site.portal.one("companies", KEY, "ABC:01-ACME")["name"] == "Acme"


async def test_what_is_left_out_of_many_goes_again_in_one_call(site: Site) -> None:
    """A hundred records with a property the portal lacks take two calls."""
    for number in range(100):
        await site.emit(f"companies/ABC:01-C{number:03d}", name=f"C{number}", nothing="x")
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].created == 100
    assert site.portal.calls.count(route=UPSERT) == 2


async def test_a_record_of_which_nothing_sensible_is_left_is_parked(site: Site) -> None:
    """A contact that would have no name and no address, and a change of nothing else."""
    owner = site.portal.add("contacts", {"email": "joe@acme.example"})
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, email="joe@acme.example")
    await site.emit(ANN, firstname="Ann", email="ann@acme.example")
    await site.writer().run_until_idle()
    parked = (await site.stream(JOE))[-1]
    assert isinstance(parked, events.CommandParked)
    assert (parked.reason, parked.owner) == ("CONFLICT", owner)
    await site.emit(ANN, email="joe@acme.example")
    await site.writer().run_until_idle()
    assert isinstance((await site.stream(ANN))[-1], events.CommandParked)
    assert (await site.target(ANN)).held["email"] == "ann@acme.example"
    assert await site.books_close()


async def test_what_is_refused_whatever_is_left_out_is_parked(site: Site) -> None:
    """HubSpot objects to a property that is no longer sent: it is the record after all."""
    await site.emit(ACME, name="Acme", domain="acme.example", industry="BANKING")
    site.portal.poison("companies", "ABC:01-ACME", "no", property="industry")
    summary = await site.writer().run_until_idle()
    assert summary.parked == 1
    assert site.portal.calls.count(route=UPSERT) == 2


async def test_an_attempt_of_unknown_outcome_is_not_thought_lost(site: Site) -> None:
    """What was left out is no sign that a write did not happen: no second record is made."""
    site.portal.add("contacts", {"email": "joe@acme.example"})
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    await site.emit(JOE, firstname="Joe", email="joe@acme.example")
    await site.writer().run_until_idle()
    await site.emit(JOE, firstname="Joseph", email="joe@acme.example")
    await site.writer().run_until_idle()
    done = await succeeded(site, JOE)
    assert list(done.withheld) == ["email"]
    assert site.portal.one("contacts", CONTACT_KEY, "ABC:01-ACME:JOE")["firstname"] == "Joseph"
    assert site.portal.count("contacts") == 2


@pytest.mark.parametrize("traced", [True, False], ids=["told apart", "whole batch refused"])
async def test_an_invalid_value_costs_an_update_that_property_alone(
    site: Site, *, traced: bool
) -> None:
    """Of a record that HubSpot has; its neighbours in the batch lose nothing."""
    names = await site.emit_many("C", 5)
    await site.writer().run_until_idle()
    for name in names:
        await site.emit(name, phone="2", **({"industry": "NONSENSE"} if name == names[3] else {}))
    async with a_client(site.portal, **({} if traced else {"kind": Untraced})) as site.hubspot:
        summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].updated, summary.parked) == (5, 0)
    done = await succeeded(site, names[3])
    assert {name: one.reason for name, one in done.withheld.items()} == {
        "industry": "INVALID_OPTION"
    }
    assert all(one["phone"] == "2" for one in site.portal.records("companies").values())
    assert await site.books_close()


async def test_an_invalid_value_costs_an_upsert_that_meets_a_record_no_more(site: Site) -> None:
    """Somebody made the record between look and creation, and a value is refused besides."""
    await site.emit(ACME, name="Acme", phone="2", industry="NONSENSE")
    held = site.portal.inject(Hold(), route=UPSERT)
    running = asyncio.create_task(site.writer().run_until_idle())
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    theirs = site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "Acme", "phone": "2"})
    held.release()
    summary = await asyncio.wait_for(running, LIMIT_S)
    assert (summary.lanes["companies"].adopted, summary.parked) == (1, 0)
    assert (await site.target(ACME)).hubspot_id == theirs
    assert site.portal.count("companies") == 1


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("email", "joe(at)acme", "INVALID_EMAIL"),
        ("annualrevenue", "a lot", "INVALID_INTEGER"),
        ("hs_invoice_date", "yesterday", "INVALID_LONG"),
    ],
)
async def test_the_codes_of_values_are_hubspot_s_own(
    site: Site, name: str, value: str, code: str
) -> None:
    """E-mail address, number, time: the code is kept as it is looked up by, with its advice."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    target, properties = {
        "email": (JOE, {"lastname": "Joe"}),
        "annualrevenue": ("companies/ABC:01-OTHER", {"name": "Other"}),
        "hs_invoice_date": ("invoices/ABC:01-ACME:1-0-IN", {"hs_currency": "USD"}),
    }[name]
    await site.emit(target, **properties, **{name: value})
    assert (await site.writer().run_until_idle()).parked == 0
    left_out = (await succeeded(site, target)).withheld[name]
    assert (left_out.reason, left_out.value) == (code, value)
    assert left_out.advice


async def test_a_conflict_that_names_no_owner_is_found_all_the_same(tmp_path: Path) -> None:
    """409 without an id for the whole batch: the address is left out, and no owner is named."""
    async with a_site(tmp_path, email_conflict="unnamed") as site:
        site.portal.add("contacts", {"email": "joe@acme.example"})
        await site.emit(ACME, name="Acme")
        for number in range(20):
            email = {"email": "joe@acme.example"} if number == 13 else {}
            await site.emit(f"contacts/ABC:01-ACME:N{number:02}", lastname="N", **email)
        async with a_client(site.portal, kind=Untraced) as site.hubspot:
            summary = await site.writer().run_until_idle()
        assert (summary.lanes["contacts"].created, summary.parked) == (20, 0)
        left_out = (await succeeded(site, "contacts/ABC:01-ACME:N13")).withheld["email"]
        assert (left_out.reason, left_out.owner) == ("CONFLICT", "")
        assert "Contact already exists" in left_out.message
        assert site.portal.calls.count(route=UPSERT, status=409) <= 9
        assert await site.books_close()
