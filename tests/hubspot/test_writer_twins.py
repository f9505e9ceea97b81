"""The writer on keys that differ only in case, which are one and the same to HubSpot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.sandbox.hubspot import Action, Drop, Hold, Latency, faults
from projections import events
from tests.e2e.waiting import LIMIT_S

from .rig import Site, a_site

SMALL = "companies/ABC:01-abf"
LARGE = "companies/ABC:01-ABF"
KEY = "sage100_customer_key"
UPSERT = "objects.batch.upsert"
READ = "objects.batch.read"


async def one_is_written_and_the_other_parked(site: Site) -> None:
    """HubSpot holds one of the two, whole and as the log says; the other one is a person's."""
    docs = {name: await site.target(name) for name in (SMALL, LARGE)}
    assert sorted(doc.state for doc in docs.values()) == ["idle", "parked"]
    [(written, doc)] = [one for one in docs.items() if one[1].state == "idle"]
    [(parked, other)] = [one for one in docs.items() if one[1].state == "parked"]
    shown = site.portal.one("companies", KEY, written.partition("/")[2])
    assert (shown["hs_object_id"], shown["name"]) == (doc.hubspot_id, doc.held["name"])
    assert (other.reason, other.hubspot_id) == ("same_but_for_case", "")
    assert not site.portal.find("companies", "name", parked)
    assert await site.books_close()


async def test_of_two_that_are_one_to_hubspot_one_is_written(tmp_path: Path) -> None:
    """Both new, HubSpot slow, batches to spare: the second waits, finds the first, and parks."""
    async with a_site(tmp_path, latency=Latency(factor=0.3)) as site:
        await site.emit(SMALL, name="lower firm")
        await site.emit(LARGE, name="UPPER FIRM")
        summary = await site.writer(in_flight=8).run_until_idle()
        assert (summary.lanes["companies"].created, summary.parked) == (1, 1)
        assert site.portal.count("companies") == 1
        await one_is_written_and_the_other_parked(site)


async def test_two_far_apart_in_a_first_load_never_meet(tmp_path: Path) -> None:
    """Hundreds of others between them, in other batches: none of it makes them meet."""
    async with a_site(tmp_path, latency=Latency(factor=0.3)) as site:
        await site.emit(LARGE, name="UPPER FIRM")
        await site.emit_many("B", 250)
        await site.emit(SMALL, name="lower firm")
        summary = await site.writer(in_flight=8).run_until_idle()
        assert (summary.lanes["companies"].created, summary.parked) == (251, 1)
        await one_is_written_and_the_other_parked(site)


@pytest.mark.parametrize(
    "trouble",
    [Drop(applied=True), Drop(), faults.timed_out(applied=True), faults.error(503, "later")],
    ids=["done and lost", "lost", "done and timed out", "down"],
)
async def test_an_attempt_of_unknown_outcome_is_no_free_way_for_the_other(
    site: Site, trouble: Action
) -> None:
    """The log need not know yet that the first one is there: the second one is not written."""
    await site.emit(SMALL, name="lower firm")
    await site.emit(LARGE, name="UPPER FIRM")
    site.portal.inject(trouble, route=UPSERT)
    await site.writer().run_until_idle()
    assert site.portal.count("companies") == 1
    await one_is_written_and_the_other_parked(site)


async def test_both_known_to_a_writer_that_died_are_told_apart_by_the_next(site: Site) -> None:
    """What is in work is forgotten with the writer; what HubSpot and the log hold is not."""
    await site.emit(SMALL, name="lower firm")
    await site.emit(LARGE, name="UPPER FIRM")
    held = site.portal.inject(Hold(applied=True), route=UPSERT)
    running = asyncio.create_task(site.writer().run_until_idle())
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    held.release()
    await site.writer().run_until_idle()
    await one_is_written_and_the_other_parked(site)


async def test_a_record_that_nobody_knows_under_a_key_in_other_capitals_is_kept(
    site: Site,
) -> None:
    """Nothing says whose it is: it is not overwritten, and the advice names it."""
    theirs = site.portal.add("companies", {KEY: "ABC:01-abf", "name": "Whose?"})
    await site.emit(LARGE, name="UPPER FIRM")
    await site.writer().run_until_idle()
    parked = (await site.stream(LARGE))[-1]
    assert isinstance(parked, events.CommandParked)
    assert (parked.reason, site.portal.count("companies")) == ("same_but_for_case", 1)
    assert f"HubSpot record {theirs}" in parked.advice
    assert site.portal.records("companies")[theirs]["name"] == "Whose?"


async def test_a_record_that_appears_between_look_and_creation_is_read_first(site: Site) -> None:
    """HubSpot says it is not new: it counts as ours only once reading shows what we sent."""
    await site.emit(LARGE, name="UPPER FIRM")
    held = site.portal.inject(Hold(), route=UPSERT)
    running = asyncio.create_task(site.writer().run_until_idle())
    await asyncio.wait_for(held.reached.wait(), LIMIT_S)
    theirs = site.portal.add("companies", {KEY: "ABC:01-ABF", "name": "Somebody's"})
    held.release()
    summary = await asyncio.wait_for(running, LIMIT_S)
    sent, failed, done = (await site.stream(LARGE))[1:]
    assert isinstance(sent, events.CommandSent)
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("existed", True)
    assert isinstance(done, events.CommandSucceeded)
    assert (done.outcome, done.hubspot_id) == ("found", theirs)
    assert summary.lanes["companies"].found == 1
    assert site.portal.calls.count(route=READ) == 2
    assert await site.books_close()
