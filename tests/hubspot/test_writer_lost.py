"""The writer on records that people deleted, merged, or took our key from."""

from __future__ import annotations

from connector.sandbox.hubspot import Drop, Omit
from projections import events

from .rig import Site

ACME = "companies/ABC:01-ACME"
OTHER = "companies/ABC:01-OTHER"
KEY = "sage100_customer_key"


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
