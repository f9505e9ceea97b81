"""The writer on records that people deleted, merged, or took our key from."""

from __future__ import annotations

import asyncio

from connector.sandbox.hubspot import Drop, Hold, Omit, faults
from projections import events, keys
from tests.e2e.waiting import until

from .rig import Site

ACME = "companies/ABC:01-ACME"
OTHER = "companies/ABC:01-OTHER"
JOE = "contacts/ABC:01-ACME:JOE"
KEY = "sage100_customer_key"
NOT_SHOWN = faults.error(400, "not today")


async def written(site: Site, target: str = ACME, /, **properties: str) -> str:
    """A company that HubSpot has; its id."""
    await site.emit(target, **properties)
    await site.writer().run_until_idle()
    return (await site.target(target)).hubspot_id


async def test_a_deleted_record_is_lost_and_then_created_anew(site: Site) -> None:
    """An update that finds nothing creates nothing by itself: the whole record is asked for."""
    record = await written(site, name="Acme", phone="1")
    site.portal.archive("companies", record)
    await site.emit(ACME, phone="2")
    writer = site.writer()
    summary = await writer.run_until_idle()
    assert summary.lanes["companies"].lost == 1
    assert (summary.gated, summary.parked, site.portal.count("companies")) == (1, 0, 0)
    lost = (await site.stream(ACME))[-1]
    assert isinstance(lost, events.RecordLost)
    assert lost.hubspot_id == record
    # The projector decides on all of it.
    await site.emit(ACME, name="Acme", phone="2")
    await site.projector_reaches_the_end()
    assert (await writer.run_until_idle()).lanes["companies"].created == 1
    done = (await site.stream(ACME))[-1]
    assert isinstance(done, events.CommandSucceeded)
    assert (done.outcome, done.replaced) == ("created", record)
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["name"], shown["phone"]) == ("Acme", "2")
    assert await site.books_close()


async def test_a_record_whose_key_was_removed_gets_it_back(site: Site) -> None:
    """Found by its id it is taken over again, with what it holds; no twin is made."""
    record = await written(site, name="Acme", phone="1")
    site.portal.edit("companies", record, {KEY: "", "phone": "9"})
    await site.emit(ACME, phone="2")
    writer = site.writer()
    await writer.run_until_idle()
    adopted = (await site.stream(ACME))[-1]
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule, adopted.unkeyed) == (record, "HubSpot id", True)
    assert (await site.target(ACME)).held["phone"] == "9"
    await site.emit(ACME, phone="2")
    await site.projector_reaches_the_end()
    await writer.run_until_idle()
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["hs_object_id"], shown["phone"]) == (record, "2")
    assert site.portal.count("companies") == 1
    assert not (await site.target(ACME)).unkeyed
    assert await site.books_close()


async def test_neighbours_of_a_lost_record_arrive(site: Site) -> None:
    """One that is gone costs the others of its batch nothing."""
    names = await site.emit_many("C", 20)
    await site.writer().run_until_idle()
    site.portal.archive("companies", (await site.target(names[7])).hubspot_id)
    for name in names:
        await site.emit(name, phone="2")
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].updated == 19
    assert summary.lanes["companies"].lost == 1
    assert site.portal.calls.count(route="objects.batch.update") == 1


async def test_a_crash_between_taking_over_and_writing_makes_no_twin(site: Site) -> None:
    """The ledger knows that the key is not on the record yet."""
    record = await written(site, name="Acme")
    site.portal.edit("companies", record, {KEY: ""})
    await site.emit(ACME, phone="2")
    await site.writer().run_until_idle()
    await site.emit(ACME, phone="2")
    await site.projector_reaches_the_end()
    site.portal.archive("companies", record)  # and now it is deleted after all
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].lost == 1
    assert site.portal.count("companies") == 0


async def test_a_record_that_a_read_by_key_leaves_out_is_no_other_record(site: Site) -> None:
    """Found by its id, with our own key on it: it is the one, and its command is carried out."""
    record = await written(site, name="Acme")
    await site.emit(ACME, city="Oslo")
    site.portal.inject(Drop(), route="objects.batch.update")
    site.portal.inject(Omit(inputs="all"), route="objects.batch.read")
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].updated, summary.parked) == (1, 0)
    assert site.portal.records("companies")[record]["city"] == "Oslo"
    assert site.portal.count("companies") == 1
    assert await site.books_close()


async def test_an_update_carried_out_is_found_though_the_key_is_left_out(site: Site) -> None:
    """The same after an update that HubSpot did carry out: nothing is sent again."""
    await written(site, name="Acme")
    await site.emit(ACME, city="Oslo")
    site.portal.inject(Drop(applied=True), route="objects.batch.update")
    site.portal.inject(Omit(inputs="all"), route="objects.batch.read")
    assert (await site.writer().run_until_idle()).lanes["companies"].found == 1
    assert site.portal.calls.count(route="objects.batch.update") == 1


async def test_a_key_whose_capitals_somebody_changed_is_put_right(site: Site) -> None:
    """To HubSpot it is the same key, and it is the record we know: it is written as ever."""
    record = await written(site, name="Acme")
    site.portal.edit("companies", record, {KEY: "abc:01-acme"})
    await site.emit(ACME, ["domain"], phone="2", domain="acme.example")
    assert (await site.writer().run_until_idle()).lanes["companies"].updated == 1
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["hs_object_id"], shown["phone"]) == (record, "2")


async def test_more_are_looked_for_by_their_ids_than_one_request_takes(site: Site) -> None:
    """Of 120 links one end was deleted, the other lost its key: what is alive is not lost."""
    companies = [f"companies/ABC:01-C{number:04d}" for number in range(120)]
    contacts = [f"contacts/ABC:01-C{number:04d}:X" for number in range(120)]
    await site.emit_all({name: {"name": "Acme"} for name in companies})
    await site.emit_all({name: {"lastname": "Joe"} for name in contacts})
    await site.writer().run_until_idle()
    for company, contact in zip(companies, contacts, strict=True):
        site.portal.archive("contacts", (await site.target(contact)).hubspot_id)
        site.portal.edit("companies", (await site.target(company)).hubspot_id, {KEY: ""})
    ends = zip(contacts, companies, strict=True)
    await site.emit_all({keys.association(*pair): {"linked": "true"} for pair in ends})
    site.portal.calls.clear()
    await site.writer().run_until_idle()
    assert {(await site.types(name))[-1] for name in companies} == {"RecordAdopted"}
    assert {(await site.types(name))[-1] for name in contacts} == {"RecordLost"}
    assert {(await site.target(name)).unkeyed for name in companies} == {True}
    assert site.portal.calls.count(route="objects.batch.read", status=400) == 0
    assert await site.books_close()


async def test_what_is_gone_is_looked_for_a_few_at_a_time(site: Site) -> None:
    """Thirty deleted records are read one by one, four calls under way and never more."""
    names = await site.emit_many("C", 30)
    await site.writer().run_until_idle()
    for name in names:
        site.portal.archive("companies", (await site.target(name)).hubspot_id)
        await site.emit(name, phone="2")
    held = site.portal.inject(Hold(), route="objects.get", times=4)
    later = site.portal.inject(Hold(), route="objects.get", times=None)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(site.writer().run_until_idle())
        await until(lambda: held.hits == 4, "four are read")
        assert later.hits == 0
        later.release()
        held.release()
    assert run.result().lanes["companies"].lost == 30
    assert await site.books_close()


async def test_trouble_met_by_one_of_several_reads_stands(site: Site) -> None:
    """One read by id fails while others are answered: nothing is noted of any of them."""
    names = await site.emit_many("C", 8)
    await site.writer().run_until_idle()
    for name in names:
        site.portal.archive("companies", (await site.target(name)).hubspot_id)
        await site.emit(name, phone="2")
    held = site.portal.inject(Hold(), route="objects.get", times=1)
    site.portal.inject(site.failure(502), route="objects.get", times=1)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(site.writer().run_until_idle())
        await until(lambda: site.portal.calls.count(route="objects.get", status=502) == 1, "502")
        assert "RecordLost" not in [one for name in names for one in await site.types(name)]
        held.release()
    assert run.result().lanes["companies"].lost == 8


async def test_a_record_that_hubspot_will_not_show_is_not_lost(site: Site) -> None:
    """The end of a link is looked for and the read is refused: of that nothing follows."""
    record = await written(site, name="Acme")
    await site.emit(JOE, lastname="Joe")
    await site.writer().run_until_idle()
    site.portal.archive("contacts", (await site.target(JOE)).hubspot_id)
    site.portal.edit("companies", record, {KEY: ""})
    refused = site.portal.inject(NOT_SHOWN, route="objects.get", object="companies", times=None)
    site.portal.inject(
        Omit(inputs="all"), route="objects.batch.read", object="companies", times=None
    )
    await site.emit(keys.association(JOE, ACME), linked="true")
    await site.writer().run_until_idle()
    assert refused.hits == 1
    assert (await site.types(ACME))[-1] == "CommandSucceeded"
    assert (await site.types(JOE))[-1] == "RecordLost"


async def test_a_record_whose_id_cannot_be_read_is_parked_with_hubspot_s_words(site: Site) -> None:
    """Our key finds it no more, and by its id HubSpot refuses it: a person has to look."""
    record = await written(site, name="Acme")
    site.portal.edit("companies", record, {KEY: ""})
    await site.emit(ACME, phone="2")
    site.portal.inject(NOT_SHOWN, route="objects.get", times=None)
    site.portal.inject(Omit(inputs="all"), route="objects.batch.read", times=None)
    assert (await site.writer().run_until_idle()).parked == 1
    parked = (await site.stream(ACME))[-1]
    assert isinstance(parked, events.CommandParked)
    assert (parked.message, parked.status) == ("not today", 400)
    assert await site.books_close()
