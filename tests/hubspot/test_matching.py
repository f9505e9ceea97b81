"""Recognising an existing record by something else than our key, before a new one is created."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connector.hubspot.matching import Matching, MatchRules
from connector.hubspot.sharing import Sharing, Trait
from connector.hubspot.writer import Writer
from eventstore import Put, Row
from projections import events
from projections.tables import Account, SourceRow
from projections.workspace import encode

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
KEY = "sage100_customer_key"
CONTACT_KEY = "sage100_contact_key"
SEARCH = "objects.search"


def matching_writer(site: Site, **rules: Any) -> Writer:
    """A writer with these match rules."""
    rules_ = MatchRules(**rules)
    return site.writer(matching=Matching(rules_, site.hubspot, Sharing(site.store)))


async def decide_again(site: Site, name: str, **changes: str) -> None:
    """What the projector does after an adoption."""
    await site.emit(name, **changes)
    await site.projector_reaches_the_end()


async def last(site: Site, name: str = ACME) -> events.Event:
    """The last event of a target."""
    return (await site.stream(name))[-1]


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        ({"customer_number": "adopt", "customer_number_property": "erp_no"}, {"erp_no": "01-acme"}),
        (
            {"customer_number": "adopt", "customer_number_property": "erp_no"},
            {"erp_no": "ABC:01-ACME"},
        ),
        ({"domain": "adopt"}, {"domain": "acme.example"}),
        ({"name": "adopt"}, {"name": "ACME inc"}),
    ],
    ids=["number", "whole key", "domain", "name"],
)
async def test_the_only_candidate_is_taken_over(
    site: Site, rule: dict[str, str], held: dict[str, str]
) -> None:
    """It gets our key with the next write, and no twin is made; the log says by which rule."""
    await site.define("companies", "erp_no")
    found = site.portal.add("companies", {"name": "Acme of theirs", "phone": "9"} | held)
    site.portal.add("companies", {"name": "Another", "domain": "another.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example", phone="1")
    writer = matching_writer(site, **rule)
    assert (await writer.run_until_idle()).lanes["companies"].adopted == 1
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.unkeyed) == (found, True)
    assert adopted.rule in {"customer number", "domain", "name"}
    assert adopted.values["phone"] == "9"
    await decide_again(site, ACME, phone="1")
    await writer.run_until_idle()
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["hs_object_id"], shown["phone"]) == (found, "1")
    assert site.portal.count("companies") == 2
    assert await site.books_close()


@pytest.mark.parametrize("address", ["joe@acme.example", "j2@acme.example"])
async def test_a_contact_is_recognised_by_any_of_its_addresses(site: Site, address: str) -> None:
    """Read by address, not searched: it does not lag, and secondary addresses count."""
    found = site.portal.add(
        "contacts", {"email": "joe@acme.example", "hs_additional_emails": "j2@acme.example"}
    )
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, firstname="Joe", email=address)
    writer = matching_writer(site, email="adopt")
    await writer.run_until_idle()
    adopted = await last(site, JOE)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule) == (found, "e-mail")
    await decide_again(site, JOE, firstname="Joe")
    await writer.run_until_idle()
    assert site.portal.one("contacts", CONTACT_KEY, "ABC:01-ACME:JOE")["hs_object_id"] == found
    assert site.portal.calls.count(route=SEARCH) == 0


async def test_two_contacts_never_take_over_the_same_one(site: Site) -> None:
    """One by its first address and one by its second: the second one gets a record of its own."""
    site.portal.add(
        "contacts", {"email": "joe@acme.example", "hs_additional_emails": "ann@acme.example"}
    )
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, firstname="Joe", email="joe@acme.example")
    await site.emit("contacts/ABC:01-ACME:ANN", firstname="Ann", email="ann@acme.example")
    summary = await matching_writer(site, email="adopt").run_until_idle()
    assert (summary.lanes["contacts"].adopted, summary.lanes["contacts"].created) == (1, 1)


async def test_a_proposal_is_parked_and_a_person_decides(site: Site) -> None:
    """The candidate is named; with the key put on it a replay takes it over."""
    found = site.portal.add("companies", {"name": "Acme of theirs", "domain": "acme.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    writer = matching_writer(site, domain="propose")
    await writer.run_until_idle()
    parked = await last(site)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_proposed"
    assert parked.message == (f"1 HubSpot record has the same domain as ABC:01-ACME: {found}."), (
        "by id and rule: whose record it is stands in HubSpot, not in our log"
    )
    assert KEY in parked.advice
    assert site.portal.count("companies") == 1
    site.portal.edit("companies", found, {KEY: "ABC:01-ACME"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    await writer.run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.rule, adopted.unkeyed) == ("external key", False)


async def test_a_replay_without_the_key_creates_a_record(site: Site) -> None:
    """A change in Sage 100 asks again; a person's replay is the answer that it is another one."""
    site.portal.add("companies", {"name": "Acme of theirs", "domain": "acme.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    writer = matching_writer(site, domain="propose")
    await writer.run_until_idle()
    await site.emit(ACME, name="Acme Ltd", domain="acme.example")
    await writer.run_until_idle()
    assert isinstance(await last(site), events.CommandParked)
    await site.emit(
        ACME, name="Acme Ltd", domain="acme.example", reason="replay: parked match_proposed"
    )
    assert (await writer.run_until_idle()).lanes["companies"].created == 1
    assert site.portal.count("companies") == 2
    assert await site.books_close()


@pytest.mark.parametrize("mode", ["propose", "adopt"])
async def test_several_candidates_are_never_guessed_among(site: Site, mode: str) -> None:
    """All of them are named, and nothing is written."""
    ids = [site.portal.add("companies", {"name": "A", "domain": "acme.example"}) for _ in range(7)]
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    await matching_writer(site, domain=mode).run_until_idle()
    parked = await last(site)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_ambiguous"
    assert sum(one in parked.message for one in ids) == 5
    assert "and 2 more" in parked.message
    assert site.portal.count("companies") == 7


async def test_a_record_with_a_key_of_ours_is_no_candidate(site: Site) -> None:
    """It stands for somebody else already."""
    site.portal.add("companies", {"name": "A", "domain": "acme.example", KEY: "ABC:01-OTHER"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    summary = await matching_writer(site, domain="adopt").run_until_idle()
    assert summary.lanes["companies"].created == 1


async def test_a_value_that_several_of_ours_share_leads_nowhere(site: Site) -> None:
    """Two branches with one domain: HubSpot's company is neither's, each gets its own."""
    site.portal.add("companies", {"name": "Head office", "domain": "acme.example"})
    rows = [
        Row(f"ABC:01-{name}", encode(Account(row={"URLAddress": "www.acme.example"})))
        for name in ("ACME", "BRANCH")
    ]
    await site.store.append([], also=[Put("account", rows)])
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    summary = await matching_writer(site, domain="adopt").run_until_idle()
    assert summary.lanes["companies"].created == 1


async def test_the_rules_are_asked_in_their_order(site: Site) -> None:
    """The customer number decides before the domain does."""
    await site.define("companies", "erp_no")
    by_number = site.portal.add("companies", {"name": "N", "erp_no": "01-ACME"})
    site.portal.add("companies", {"name": "D", "domain": "acme.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    rules = {"customer_number": "adopt", "customer_number_property": "erp_no", "domain": "adopt"}
    await matching_writer(site, **rules).run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert adopted.hubspot_id == by_number


async def test_with_several_companies_only_the_whole_key_is_a_number(site: Site) -> None:
    """01-ACME may be a customer of each company."""
    await site.define("companies", "erp_no")
    site.portal.add("companies", {"name": "N", "erp_no": "01-ACME"})
    await site.emit(ACME, name="Acme Inc")
    rules = {"customer_number": "adopt", "customer_number_property": "erp_no"}
    writer = matching_writer(site, **rules, several_companies=True)
    assert (await writer.run_until_idle()).lanes["companies"].created == 1


async def test_a_hundred_new_records_are_searched_for_in_few_calls(site: Site) -> None:
    """A hundred domains fit into one search; a body never exceeds HubSpot's 3,000 characters."""
    for number in range(100):
        await site.emit(
            f"companies/ABC:01-C{number:03d}", name=f"C{number}", domain=f"c{number:03d}.example"
        )
    await matching_writer(site, domain="adopt").run_until_idle()
    searches = [call for call in site.portal.calls if call.route == SEARCH]
    assert len(searches) == 1
    assert site.portal.count("companies") == 100
    for number in range(100):
        await site.emit(f"companies/ABC:01-N{number:03d}", name=f"A quite long name {number} " * 3)
    await matching_writer(site, name="adopt").run_until_idle()
    searches = [call for call in site.portal.calls if call.route == SEARCH]
    assert all(call.status == 200 and len(call.body or b"") <= 3_000 for call in searches)


async def test_off_costs_no_call(site: Site) -> None:
    """Nothing is searched for and nothing is recognised unless it was asked for."""
    site.portal.add("companies", {"name": "Acme Inc", "domain": "acme.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    summary = await matching_writer(site).run_until_idle()
    assert summary.lanes["companies"].created == 1
    assert site.portal.calls.count(route=SEARCH) == 0


async def test_when_the_search_fails_nothing_is_created(site: Site) -> None:
    """Not knowing is no reason to make a twin: the command waits."""
    found = site.portal.add("companies", {"name": "A", "domain": "acme.example"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    site.portal.inject(site.failure(503), route=SEARCH)
    writer = matching_writer(site, domain="adopt")
    await writer.run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert adopted.hubspot_id == found


async def test_a_rule_that_cannot_be_asked_creates_nothing(site: Site) -> None:
    """A property that the portal does not have: parked with what to correct, and no twin."""
    site.portal.add("companies", {"name": "Acme Inc"})
    await site.emit(ACME, name="Acme Inc")
    rules = {"customer_number": "adopt", "customer_number_property": "not_there"}
    await matching_writer(site, **rules).run_until_idle()
    parked = await last(site)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_failed"
    assert "not_there" in parked.advice
    assert site.portal.count("companies") == 1


@pytest.mark.parametrize(
    ("lane", "trait", "value", "shared"),
    [
        ("companies", "domain", "Acme.Example", True),
        ("companies", "domain", "alone.example", False),
        ("companies", "name", "acme", True),
        ("vendors", "name", "Steel", True),
        ("contacts", "email", "ap@acme.example", True),
        ("contacts", "email", "joe@acme.example", False),
    ],
)
async def test_what_is_shared_is_counted_over_all_of_sage_100(
    site: Site, lane: str, trait: Trait, value: str, shared: bool
) -> None:
    """A customer's own contact that only stands in for it is the same person, not a second."""
    accounts = {
        "ABC:01-A": {"CustomerName": "Acme", "URLAddress": "www.acme.example", "ContactCode": "JOE"}
        | {"EmailAddress": "joe@acme.example"},
        "ABC:01-B": {"CustomerName": " ACME", "URLAddress": "acme.example"}
        | {"EmailAddress": "ap@acme.example"},
        "ABC:01-C": {"CustomerName": "Alone", "URLAddress": "alone.example"},
    }
    contacts = {
        "ABC:01-A:JOE": {"EmailAddress": "joe@acme.example"},
        "ABC:01-A:ANN": {"EmailAddress": "AP@acme.example"},
    }
    vendors = {f"ABC:00-V{number}": {"VendorName": "Steel"} for number in range(2)}
    await site.store.append(
        [],
        also=[
            Put("account", [Row(key, encode(Account(row=row))) for key, row in accounts.items()]),
            Put("contact", [Row(key, encode(SourceRow(row))) for key, row in contacts.items()]),
            Put("vendor", [Row(key, encode(SourceRow(row))) for key, row in vendors.items()]),
        ],
    )
    assert await Sharing(site.store).is_shared(lane, trait, value) is shared


def test_the_default_is_to_recognise_nothing() -> None:
    """Taking over records of others is for the operator to allow."""
    rules = MatchRules()
    modes = (rules.customer_number, rules.email, rules.domain, rules.name)
    assert modes == ("off",) * 4
    assert msgspec.structs.asdict(rules)["customer_number_property"] == ""
