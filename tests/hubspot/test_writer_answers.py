"""The writer over sockets, answer by answer: what each of HubSpot's refusals becomes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.hubspot.api import LINK_LIMIT, WriteInput
from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.settle import general_verdict
from connector.sandbox.hubspot import Answer, Empty, Hold, faults
from projections import events, keys
from tests.e2e.waiting import LIMIT_S

from .rig import Site, a_client, a_site, parked

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
KEY = "sage100_customer_key"
UPSERT = "objects.batch.upsert"
UPDATE = "objects.batch.update"
READ = "objects.batch.read"


# ------------------------------------------------------------ kinds of object


@pytest.mark.parametrize(
    "answer",
    [
        faults.error(404, "resource not found"),
        faults.error(400, "Unable to infer object type from: invoices"),
    ],
    ids=["404", "unknown type"],
)
@pytest.mark.parametrize("route", [READ, UPSERT])
async def test_a_kind_of_object_that_the_portal_lacks_is_parked_at_once(
    site: Site, route: str, answer: Answer
) -> None:
    """One call tells it for all of them, whether read or written; the others flow."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe")
    invoices = [f"invoices/ABC:01-ACME:{number:03}-0-IN" for number in range(250)]
    await site.emit_all({name: {"hs_currency": "USD"} for name in invoices})
    asked = site.portal.inject(answer, route=route, object="invoices", times=None)
    summary = await site.writer(in_flight=1).run_until_idle()
    assert (summary.lanes["invoices"].parked, summary.pending) == (250, 0)
    assert (summary.lanes["companies"].created, summary.lanes["contacts"].created) == (1, 1)
    assert asked.hits == 1
    assert (await parked(site, invoices[249])).reason == "object_unavailable"
    assert summary.barred["invoices"]
    assert await site.books_close()


async def test_the_portal_s_own_words_for_an_unknown_type_bar_it(site: Site) -> None:
    """What HubSpot says to a type that is none is understood as that."""
    one = WriteInput("K", {"name": "N"}, "t0", KEY)
    for answer in (
        await site.hubspot.batch_upsert("butterflies", [one]),
        await site.hubspot.batch_read("butterflies", KEY, ["K"], ["name"]),
    ):
        settled = general_verdict(["K"], answer)
        assert settled is not None
        assert settled.verdict == "bar"


async def test_a_key_that_is_not_unique_is_said_to_be_so(site: Site) -> None:
    """HubSpot's text for a read, an upsert and an update by such a property: run setup."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    site.forget_property("companies", KEY)
    await site.define("companies", KEY)
    read = await site.hubspot.batch_read("companies", KEY, ["K"], ["name"])
    assert (read.status, "by non-unique" in read.body["message"]) == (400, True)
    await site.emit(ACME, phone="2")
    await site.emit("companies/ABC:01-NEW", name="New")
    await site.writer().run_until_idle()
    for name in (ACME, "companies/ABC:01-NEW"):
        end = await parked(site, name)
        assert end.reason == "key_property"
        assert "ml-connector setup" in end.advice


# ------------------------------------------------------------ nothing, or too much


async def test_an_empty_success_of_a_read_is_no_sign_that_nothing_is_there(site: Site) -> None:
    """200 without a body: it is read again, and the record that was there is taken over."""
    there = site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "Acme"})
    await site.emit(ACME, name="Acme")
    empty = site.portal.inject(Empty(), route=READ, times=2)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].adopted, empty.hits) == (1, 2)
    assert (await site.target(ACME)).hubspot_id == there
    assert site.portal.calls.count(route=UPSERT) == 0


async def test_an_empty_success_of_a_read_after_a_lost_answer_decides_nothing(site: Site) -> None:
    """What became of the attempt stays unknown until HubSpot says."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(faults.timed_out(applied=True), route=UPSERT)
    site.portal.inject(Empty(), route=READ, skip=1)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].found, site.portal.count("companies")) == (1, 1)
    assert site.portal.calls.count(route=UPSERT) == 1


async def test_a_move_between_data_centres_is_waited_for(site: Site) -> None:
    """477: nothing is sent for as long as HubSpot says, up to a day; then all of it."""
    now_us = [1]
    await site.emit_many("C", 150)
    moving = site.portal.inject(faults.migrating(3600), route=UPSERT)
    writer = site.writer(in_flight=1, now_us=lambda: now_us[0])
    with pytest.raises(HubSpotUnreachable, match="migrated between data centers"):
        await writer.run_until_idle()
    assert moving.hits == 1
    assert writer.outage.wait_s == 3600.0
    assert await site.store.count("outbox_companies") == 150
    now_us[0] += 3600_000_000
    assert (await writer.run_until_idle()).succeeded == 150
    assert await site.books_close()


async def test_a_move_that_takes_a_moment_is_waited_for_by_a_run(site: Site) -> None:
    """The run itself waits, and ends with everything written."""
    await site.emit_many("C", 5)
    site.portal.inject(faults.migrating(1), route=UPSERT)
    assert (await site.writer().run_until_idle()).succeeded == 5


@pytest.mark.parametrize("status", [413, 414])
async def test_what_is_too_large_together_goes_in_parts(site: Site, status: int) -> None:
    """A page of a proxy that says "too large" says so of the batch: its parts are taken."""
    await site.emit_many("C", 60)
    site.portal.inject(faults.html(status), route=UPSERT, times=2)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].created, summary.parked) == (60, 0)
    assert await site.books_close()


async def test_a_record_too_large_alone_is_parked_as_that(site: Site) -> None:
    """413 whenever it is there: the others arrive, and the advice is to shorten it."""
    names = await site.emit_many("C", 30)
    site.portal.inject(faults.html(413), route=UPSERT, containing="ABC:01-C0017", times=None)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].created, summary.parked) == (29, 1)
    end = await parked(site, names[17])
    assert (end.reason, "Shorten" in end.advice) == ("too_large", True)
    assert await site.books_close()


# ------------------------------------------------------------ others at the same record


async def test_a_record_merged_away_before_an_update_by_its_id_is_found(site: Site) -> None:
    """HubSpot leaves it out of the answer without a word: it is looked for and taken over anew."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    record = (await site.target(ACME)).hubspot_id
    site.portal.edit("companies", record, {KEY: ""})
    await site.emit(ACME, phone="2")
    writer = site.writer()
    assert (await writer.run_until_idle()).lanes["companies"].adopted == 1  # by its id
    await site.emit(ACME, phone="2")
    await site.projector_reaches_the_end()
    held = site.portal.inject(Hold(), route=UPDATE)
    running = asyncio.create_task(writer.run_until_idle())
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    other = site.portal.add("companies", {"name": "Theirs"})
    merged = site.portal.merge("companies", other, record)
    held.release()
    summary = await asyncio.wait_for(running, LIMIT_S)
    failed, adopted = (await site.stream(ACME))[-2:]
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("unaccounted", True)
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule) == (merged, "merge in HubSpot")
    assert (summary.gated, summary.parked) == (1, 0)
    await site.emit(ACME, phone="2")
    await site.projector_reaches_the_end()
    await writer.run_until_idle()
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["hs_object_id"], shown["phone"]) == (merged, "2")
    assert await site.books_close()


async def test_a_write_that_meets_another_one_waits_for_its_end(tmp_path: Path) -> None:
    """423 while somebody else's write of the record is under way: the same request goes again."""
    async with a_site(tmp_path, lock_in_flight=True) as site, a_client(site.portal) as rival:
        names = await site.emit_many("C", 3)
        await site.writer().run_until_idle()
        for name in names:
            await site.emit(name, phone="2")
        held = site.portal.inject(Hold(applied=True), route=UPDATE)
        theirs = WriteInput("ABC:01-C0001", {"city": "Oslo"}, "r0", KEY)
        writing = asyncio.create_task(rival.batch_update("companies", [theirs]))
        await asyncio.wait_for(held.reached.wait(), LIMIT_S)
        waits: list[float] = []

        async def sleep(delay_s: float) -> None:
            waits.append(delay_s)
            held.release()
            await writing

        summary = await site.writer(sleep=sleep).run_until_idle()
        assert (summary.lanes["companies"].updated, summary.parked) == (3, 0)
        assert waits == [2.0]
        assert site.portal.calls.count(status=423) == 1
        shown = site.portal.one("companies", KEY, "ABC:01-C0001")
        assert (shown["city"], shown["phone"]) == ("Oslo", "2")
        assert await site.books_close()


# ------------------------------------------------------------ associations


async def test_two_thousand_pairs_travel_in_one_call(site: Site) -> None:
    """2,500 links of one kind: a call of 2,000 and one of 500, and none of it is read back."""
    await site.emit(ACME, name="Acme")
    people = [f"contacts/ABC:01-ACME:N{number:04}" for number in range(2500)]
    await site.emit_all({name: {"lastname": "N"} for name in people})
    await site.writer().run_until_idle()
    await site.emit_all({keys.association(name, ACME): {"linked": "true"} for name in people})
    site.portal.calls.clear()
    summary = await site.writer(in_flight=1).run_until_idle()
    assert summary.lanes["associations"].linked == 2500
    assert [(call.route, call.inputs) for call in site.portal.calls] == [
        ("associations.batch.default", LINK_LIMIT),
        ("associations.batch.default", 500),
    ]
    assert len(site.portal.associations("contacts", "companies")) == 2500
    assert await site.books_close()
