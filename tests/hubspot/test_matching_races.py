"""Candidates that change, vanish or appear while a match is looked for: never a twin, no guess."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from connector.hubspot import searching
from connector.hubspot.contested import CATEGORY
from connector.hubspot.searching import MOST
from connector.hubspot.writer import Writer
from connector.sandbox.hubspot import Hold, Omit, faults
from eventstore import Put, Row
from projections import events
from projections.tables import SourceRow
from projections.workspace import encode
from tests.e2e.waiting import until

from .rig import Site, Untraced, a_client, a_site
from .test_matching import ACME, CONTACT_KEY, JOE, KEY, decide_again, last, matching_writer

READ = "objects.batch.read"
UPSERT = "objects.batch.upsert"
TWO = "companies/ABC:01-TWO"
ANN = "contacts/ABC:01-ACME:ANN"
STUTTER = faults.Answer(
    status=207,
    body={
        "status": "COMPLETE",
        "results": [],
        "errors": [{"status": "error", "category": "INTERNAL_ERROR", "message": "later"}],
    },
)


@pytest.mark.parametrize("action", [Omit(inputs="all"), STUTTER], ids=["silent", "stutter"])
async def test_a_candidate_that_the_second_read_passes_over_is_read_alone(
    site: Site, action: faults.Action
) -> None:
    """An answer without the record, and without a word of it, is no proof that it is gone."""
    found = site.portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    await site.emit(ACME, name="Acme", domain="acme.example")
    site.portal.inject(action, route=READ, skip=1)
    await matching_writer(site, domain="adopt").run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert adopted.hubspot_id == found
    assert site.portal.count("companies") == 1


async def test_a_second_read_that_is_refused_parks_what_it_was_for(site: Site) -> None:
    """Both the record to be taken over and the one to be asked about; no other, and no twin."""
    site.portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    site.portal.add("companies", {"name": "Bolt"})
    await site.emit(ACME, name="Acme", domain="acme.example")
    await site.emit("companies/ABC:01-BOLT", name="Bolt")
    await site.emit("companies/ABC:01-NEW", name="New")
    refusal = faults.error(400, "no", category="VALIDATION_ERROR")
    site.portal.inject(refusal, route=READ, skip=1, times=2)
    writer = matching_writer(site, domain="adopt", name="propose")
    await writer.run_until_idle()
    for name in (ACME, "companies/ABC:01-BOLT"):
        parked = await last(site, name)
        assert isinstance(parked, events.CommandParked)
        assert parked.reason == "match_failed"
    assert site.portal.count("companies") == 3
    await site.emit(ACME, name="Acme", domain="acme.example", reason="replay: parked match_failed")
    await writer.run_until_idle()
    assert isinstance(await last(site), events.RecordAdopted)


async def test_a_second_read_that_gets_no_answer_lets_the_command_wait(site: Site) -> None:
    """Nothing is parked or created for an outage; the next attempt takes the record over."""
    site.portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    await site.emit(ACME, name="Acme", domain="acme.example")
    site.portal.inject(site.failure(503), route=READ, skip=1)
    await matching_writer(site, domain="adopt").run_until_idle()
    assert await site.types(ACME) == ["CommandEmitted", "RecordAdopted"]


async def test_what_the_index_shows_is_judged_by_what_it_is_now(site: Site) -> None:
    """With an index that is behind, a deleted candidate, one with our key and one of another domain
    by now are none; the one that is left is the only one, and a later rule has its turn.
    """
    portal = site.portal
    ids = [portal.add("companies", {"name": "A", "domain": "acme.example"}) for _ in range(4)]
    by_name = portal.add("companies", {"name": "Acme Inc"})
    the_index_lags(site)
    portal.archive("companies", ids[0])
    portal.edit("companies", ids[1], {"domain": "moved.example"})
    portal.edit("companies", ids[2], {KEY: "ABC:01-OTHER"})
    await site.emit(ACME, name="Acme Inc", domain="acme.example")
    writer = matching_writer(site, domain="adopt", name="adopt")
    await writer.run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule) == (ids[3], "domain")
    portal.archive("companies", ids[3])
    await site.emit(TWO, name="Acme Inc", domain="acme.example")
    await writer.run_until_idle()
    adopted = await last(site, TWO)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule) == (by_name, "name")


async def test_a_candidate_that_was_merged_meanwhile_is_what_it_was_merged_into(site: Site) -> None:
    """The index shows an id that is gone; the record lives on under another."""
    portal = site.portal
    old = portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    other = portal.add("companies", {"name": "Acme of theirs"})
    the_index_lags(site)
    merged = portal.merge("companies", old, other)
    await site.emit(ACME, name="Acme", domain="acme.example")
    await matching_writer(site, domain="adopt").run_until_idle()
    adopted = await last(site)
    assert isinstance(adopted, events.RecordAdopted)
    assert adopted.hubspot_id == merged


async def test_what_the_index_does_not_show_yet_is_no_candidate(site: Site) -> None:
    """A company made a moment ago is not seen by search: ours is created, as the handbook says."""
    the_index_lags(site)
    site.portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    await site.emit(ACME, name="Acme", domain="acme.example")
    summary = await matching_writer(site, domain="adopt").run_until_idle()
    assert summary.lanes["companies"].created == 1


async def test_one_candidate_is_not_taken_over_by_two_that_are_looked_for_one_after_the_other(
    site: Site,
) -> None:
    """Until our key is on it the writer remembers whose it is."""
    found = site.portal.add("companies", {"name": "Acme", "domain": "acme.example"})
    writer = matching_writer(site, domain="adopt", name="adopt")
    await site.emit(ACME, name="East", domain="acme.example")
    await writer.run_until_idle()
    await site.emit(TWO, name="Acme")
    await writer.run_until_idle()
    assert await site.types(TWO) == ["CommandEmitted", "CommandSent", "CommandSucceeded"]
    await decide_again(site, ACME, phone="1")
    await writer.run_until_idle()
    assert site.portal.one("companies", KEY, "ABC:01-ACME")["hs_object_id"] == found


# -------------------------------------------------------------------- more than can be seen


async def test_a_domain_of_thousands_hides_no_second_candidate(site: Site) -> None:
    """Searched for together, two candidates lie on both sides of where a search ends."""
    portal = site.portal
    ids = [portal.add("companies", {"name": "East", "domain": "acme.example"})]
    for number in range(MOST):
        portal.add("companies", {"name": f"N{number}", "domain": "mall.example"})
    ids.append(portal.add("companies", {"name": "West", "domain": "acme.example"}))
    await site.emit(ACME, name="Acme", domain="acme.example")
    await site.emit(TWO, name="Mall", domain="mall.example")
    await site.emit("companies/ABC:01-NEW", name="New", domain="new.example")
    await matching_writer(site, domain="adopt").run_until_idle()
    parked = await last(site)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_ambiguous"
    assert all(one in parked.message for one in ids)
    parked = await last(site, TWO)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_ambiguous"
    created = await last(site, "companies/ABC:01-NEW")
    assert isinstance(created, events.CommandSucceeded)


async def test_a_value_of_more_records_than_can_be_seen_is_never_taken(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those seen only one is free, but nobody knows of the rest: it is asked about."""
    monkeypatch.setattr(searching, "MOST", 200)
    portal = site.portal
    free = portal.add("companies", {"name": "Free", "domain": "acme.example"})
    for number in range(200):
        portal.add(
            "companies", {"name": "N", "domain": "acme.example", KEY: f"ABC:01-X{number:04d}"}
        )
    await site.emit(ACME, name="Acme", domain="acme.example")
    await matching_writer(site, domain="adopt").run_until_idle()
    parked = await last(site)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_ambiguous"
    assert parked.message.startswith("More HubSpot records than can be looked through have")
    assert free in parked.message
    assert site.portal.count("companies") == 201


# -------------------------------------------------------------------- addresses


async def while_it_is_written(site: Site, writer: Writer, address: str, **more: str) -> str:
    """Somebody makes a contact with this address between our look and our write; its id."""
    held = site.portal.inject(Hold(), route=UPSERT, object="contacts")
    work = asyncio.create_task(writer.run_until_idle())
    await until(held.reached.is_set, "the write")
    found = site.portal.add("contacts", {"email": address, "lastname": "Of theirs"} | more)
    held.release()
    await work
    return found


@pytest.mark.parametrize("shape", ["conflict", "validation"])
async def test_a_contact_that_appears_while_ours_is_written_is_taken_over(
    tmp_path: Path, shape: str
) -> None:
    """Looked for once more, as if it had been there: one contact, and nothing left out."""
    async with a_site(tmp_path, email_conflict=shape) as site:
        await site.emit(ACME, name="Acme")
        await site.emit(JOE, lastname="Joe", email="joe@acme.example")
        writer = matching_writer(site, email="adopt")
        found = await while_it_is_written(site, writer, "joe@acme.example")
        stream = await site.stream(JOE)
        failed, adopted = stream[-2:]
        assert isinstance(failed, events.CommandFailed)
        assert failed.category == CATEGORY
        assert isinstance(adopted, events.RecordAdopted)
        assert (adopted.hubspot_id, adopted.rule) == (found, "e-mail")
        await decide_again(site, JOE, lastname="Joe")
        await writer.run_until_idle()
        assert site.portal.count("contacts") == 1
        assert site.portal.one("contacts", CONTACT_KEY, "ABC:01-ACME:JOE")["lastname"] == "Joe"
        assert await site.books_close()


async def test_a_look_that_does_not_show_it_is_made_good(site: Site) -> None:
    """Twice the read by address passes the contact over: who has the address is read by its id."""
    found = site.portal.add("contacts", {"email": "joe@acme.example"})
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    # Reads: by key, by address; after the refusal the owner, by key, by address, the owner.
    blind = [
        site.portal.inject(Omit(inputs="all"), route=READ, object="contacts", skip=skip)
        for skip in (1, 3)
    ]
    await matching_writer(site, email="adopt").run_until_idle()
    assert [one.hits for one in blind] == [1, 1]
    adopted = await last(site, JOE)
    assert isinstance(adopted, events.RecordAdopted)
    assert adopted.hubspot_id == found
    assert site.portal.count("contacts") == 1


async def test_where_it_is_to_be_proposed_it_is_asked_about(site: Site) -> None:
    """The address is nobody's to leave out before a person has spoken; then it is."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    writer = matching_writer(site, email="propose")
    found = await while_it_is_written(site, writer, "joe@acme.example")
    parked = await last(site, JOE)
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "match_proposed"
    assert found in parked.message
    await site.emit(
        JOE, lastname="Joe", email="joe@acme.example", reason="replay: parked match_proposed"
    )
    await writer.run_until_idle()
    written = await last(site, JOE)
    assert isinstance(written, events.CommandSucceeded)
    assert written.withheld["email"].owner == found
    assert site.portal.count("contacts") == 2


async def test_without_the_rule_the_address_is_left_out(site: Site) -> None:
    """Nobody asked to recognise contacts: the new one is written without what it cannot have."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    found = await while_it_is_written(site, matching_writer(site), "joe@acme.example")
    written = await last(site, JOE)
    assert isinstance(written, events.CommandSucceeded)
    assert written.withheld["email"].owner == found


@pytest.mark.parametrize("keyed", [True, False], ids=["another's", "shared by ours"])
async def test_what_is_not_free_or_tells_nobody_apart_is_left_out(site: Site, keyed: bool) -> None:
    """A record that stands for somebody else, or an address that several of ours have."""
    if not keyed:
        people = {f"ABC:01-ACME:{one}": {"EmailAddress": "ap@acme.example"} for one in "AB"}
        rows = [Row(key, encode(SourceRow(row))) for key, row in people.items()]
        await site.store.append([], also=[Put("contact", rows)])
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="ap@acme.example")
    more = {CONTACT_KEY: "ABC:01-ACME:OTHER"} if keyed else {}
    writer = matching_writer(site, email="adopt")
    found = await while_it_is_written(site, writer, "ap@acme.example", **more)
    written = await last(site, JOE)
    assert isinstance(written, events.CommandSucceeded)
    assert written.withheld["email"].owner == found
    assert "CommandFailed" not in await site.types(JOE)


async def test_of_two_that_want_it_one_is_taken_over_and_one_left_without(site: Site) -> None:
    """Both are refused for the same record's sake: the first gets it, the second its own."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    await site.emit(ANN, lastname="Ann", email="ann@acme.example")
    writer = matching_writer(site, email="adopt")
    found = await while_it_is_written(
        site, writer, "joe@acme.example", hs_additional_emails="ann@acme.example"
    )
    ends = {name: await last(site, name) for name in (JOE, ANN)}
    [adopted] = [one for one in ends.values() if isinstance(one, events.RecordAdopted)]
    [written] = [one for one in ends.values() if isinstance(one, events.CommandSucceeded)]
    assert adopted.hubspot_id == found
    assert written.withheld["email"].owner == found
    assert site.portal.count("contacts") == 2


async def test_in_a_batch_refused_as_a_whole_only_who_may_be_the_same_waits(site: Site) -> None:
    """Without trace ids one taken address refuses all: it is found, and the others are written."""
    async with a_client(site.portal, kind=Untraced) as site.hubspot:
        await site.emit(ACME, name="Acme")
        writer = matching_writer(site, email="adopt")
        await writer.run_until_idle()
        names = [f"contacts/ABC:01-ACME:C{number}" for number in range(7)]
        for number, name in enumerate(names):
            await site.emit(name, lastname=f"C{number}", email=f"c{number}@acme.example")
        found = await while_it_is_written(site, writer, "c4@acme.example")
        ends = [await last(site, name) for name in names]
        adopted = ends.pop(4)
        assert isinstance(adopted, events.RecordAdopted)
        assert adopted.hubspot_id == found
        assert all(isinstance(one, events.CommandSucceeded) for one in ends)
        assert site.portal.count("contacts") == 7
        assert await site.books_close()


async def test_when_the_owner_cannot_be_read_nothing_is_left_out_yet(site: Site) -> None:
    """Not knowing whose the address is, the contact waits for the next attempt."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    writer = matching_writer(site, email="adopt")
    # The reads of companies are over; of contacts: by key, by address, and of the owner.
    site.portal.inject(site.failure(503), route=READ, object="contacts", skip=2)
    await while_it_is_written(site, writer, "joe@acme.example")
    assert isinstance(await last(site, JOE), events.RecordAdopted)


def the_index_lags(site: Site) -> None:
    """From now on what changes is not seen by search for an hour."""
    options = site.portal.options
    site.portal.options = msgspec.structs.replace(options, search_lag_s=(3600.0, 3600.0))
    site.portal.add("companies", {"name": "Nobody's"})  # copies are made with the first change
