"""The writer behind a firewall that answers in HubSpot's place: to one record, or to all."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from connector.hubspot.answer import Answer
from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.outcomes import MAX_ATTEMPTS
from connector.hubspot.passage import BLOCKED, Passage, is_blocked
from connector.sandbox.hubspot import Action, faults
from connector.sandbox.hubspot import Answer as Page
from projections import events
from tests.e2e.waiting import until

from .rig import Site

BAD = "ABC:01-C0042"
PAGE = faults.html(403, "Attention Required! | Cloudflare")


async def is_parked_as_blocked(site: Site, name: str) -> None:
    """With a reason of its own, the page it met, and advice."""
    parked = (await site.stream(name))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == BLOCKED
    assert "between here and HubSpot" in parked.advice
    assert f"{MAX_ATTEMPTS} attempts failed" in parked.message


@pytest.mark.parametrize(
    "page",
    [PAGE, faults.html(400), faults.html(404), Page(status=406), Page(status=400, body="Blocked.")],
    ids=["403", "400", "404", "nothing at all", "a line of text"],
)
async def test_a_record_that_a_firewall_turns_back_is_parked_and_keeps_nobody(
    site: Site, page: Action
) -> None:
    """Its batch's others, other batches and its children's neighbours all arrive in one run."""
    names = await site.emit_many("C", 150)
    for number in range(20):
        await site.emit(f"contacts/ABC:01-C0001:N{number}", firstname="Joe")
    blocked = site.portal.inject(page, route="objects.batch.upsert", containing=BAD, times=None)
    summary = await site.writer().run_until_idle()
    assert (site.portal.count("companies"), site.portal.count("contacts")) == (149, 20)
    assert (summary.parked, summary.pending) == (1, 0)
    await is_parked_as_blocked(site, names[42])
    sent = [one for one in await site.stream(names[42]) if isinstance(one, events.CommandSent)]
    assert [one.attempt for one in sent] == list(range(1, MAX_ATTEMPTS + 1))
    # Found three times among the hundred, and alone from the fifth attempt on.
    assert blocked.hits <= 3 * 6 + MAX_ATTEMPTS
    assert await site.books_close()


async def test_of_one_batch_alone_the_blocked_record_is_told_too(site: Site) -> None:
    """Nothing else is there to get through but its own neighbours."""
    names = await site.emit_many("C", 50)
    site.portal.inject(PAGE, route="objects.batch.upsert", containing=BAD, times=None)
    summary = await site.writer().run_until_idle()
    assert (summary.succeeded, summary.parked, summary.pending) == (49, 1, 0)
    await is_parked_as_blocked(site, names[42])
    assert await site.books_close()


async def test_a_look_that_is_turned_back_is_an_attempt_as_well(site: Site) -> None:
    """A firewall may dislike the key itself: then nothing is ever sent, and it is parked."""
    names = await site.emit_many("C", 50)
    site.portal.inject(PAGE, route="objects.batch.read", containing=BAD, times=None)
    summary = await site.writer().run_until_idle()
    assert (summary.succeeded, summary.parked, summary.pending) == (49, 1, 0)
    await is_parked_as_blocked(site, names[42])
    assert "CommandSent" not in await site.types(names[42])
    assert await site.books_close()


@pytest.mark.parametrize("route", ["objects", "objects.batch.upsert"], ids=["all", "writes"])
async def test_a_firewall_that_turns_everything_back_is_an_outage(site: Site, route: str) -> None:
    """However often it is tried, nothing is parked; when the way is free everything arrives."""
    names = await site.emit_many("C", 3)
    blocked = site.portal.inject(PAGE, route=route, times=None)
    for _ in range(5):
        with pytest.raises(HubSpotUnreachable, match="403"):
            await site.writer().run_until_idle()
    assert min([(await site.target(name)).attempt for name in names]) > MAX_ATTEMPTS
    assert await site.store.count("parked") == 0
    assert blocked.hits == 5 * 8  # one try at a time, and not one more for each of them
    blocked.cancel()
    summary = await site.writer().run_until_idle()
    assert (summary.succeeded, summary.parked) == (3, 0)
    assert await site.books_close()


async def test_a_firewall_that_shuts_in_the_middle_is_an_outage(site: Site) -> None:
    """That others got through before is no proof against those that are turned back now."""
    await site.emit_many("B", 30)
    writer = site.writer()
    assert (await writer.run_until_idle()).succeeded == 30
    await site.emit_many("C", 20)
    blocked = site.portal.inject(PAGE, route="objects.batch.upsert", times=None)
    for _ in range(4):
        with pytest.raises(HubSpotUnreachable, match="403"):
            await writer.run_until_idle()
    assert await site.store.count("parked") == 0
    blocked.cancel()
    assert (await writer.run_until_idle()).succeeded == 20


async def test_the_service_goes_on_beside_a_blocked_record(site: Site) -> None:
    """The first time it might be an outage; from then on no wait of it is anybody else's."""
    name = "companies/ABC:01-C0042"
    await site.emit(name, name="Blocked")
    site.portal.inject(PAGE, route="objects.batch.upsert", containing=BAD, times=None)
    now_us = [1]
    delays_s = iter([600.0, 1.0])  # the record's, then everybody's
    writer = site.writer(now_us=lambda: now_us[0], delay_s=lambda _: next(delays_s, 600.0))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        for turn in range(1, MAX_ATTEMPTS):
            await until(partial(was_tried, site, name, turn), f"attempt {turn}")
            await until(lambda: not writer.in_flight, "at rest")
            assert writer.outage.wait_s == (1.0 if turn == 1 else 0.0)
            now_us[0] += 2_000_000
            await site.emit(f"companies/ABC:01-N{turn}", name="New")
            await until(lambda turn=turn: site.portal.count("companies") == turn, "written")  # type: ignore[misc]
            now_us[0] += 600_000_000
            await site.emit(f"contacts/ABC:01-NONE:N{turn}", lastname="The log moves on")
        await until(partial(is_parked, site), "parked")
        stop.set()
    await is_parked_as_blocked(site, name)


async def is_parked(site: Site) -> bool:
    """Whether one record is."""
    return await site.store.count("parked") == 1


async def was_tried(site: Site, name: str, times: int) -> bool:
    """Whether so many attempts have failed."""
    doc = await site.target(name)
    return (doc.state, doc.attempt) == ("pending", times)


@pytest.mark.parametrize(
    ("answer", "blocked"),
    [
        (Answer(403, None, "<html>"), True),
        (Answer(400, None, ""), True),
        (Answer(400, ["no"], ""), True),
        (Answer(403, {"status": "error"}), False),
        (Answer(401, None, "<html>"), False),
        (Answer(413, None, "<html>"), False),
        (Answer(429, None, "<html>"), False),
        (Answer(502, None, "<html>"), False),
        (Answer(200, None, "<html>"), False),
    ],
)
def test_a_4xx_that_is_not_hubspot_s_json_is_not_hubspot_s(answer: Answer, blocked: bool) -> None:
    """Statuses with a meaning of their own are taken at it, whoever answers."""
    assert is_blocked(answer) is blocked


def test_who_is_turned_back_is_to_blame_only_if_others_got_through_since() -> None:
    """Before that it may be everybody."""
    passage = Passage()
    passage.got_through(["a"])
    assert not passage.turned_back(["b"])
    assert not passage.turned_back(["b", "c"])
    passage.got_through(["d"])
    assert passage.turned_back(["b"])
    assert not passage.turned_back(["e"])


def test_many_in_a_row_are_everybody() -> None:
    """A way that shuts while one record was suspected makes no culprits of all the others."""
    passage = Passage()
    names = [f"n{number}" for number in range(40)]
    for name in names:
        passage.turned_back([name])
    passage.got_through(["other"])
    found = [passage.turned_back([name]) for name in names]
    assert found == [True] * 16 + [False] * 24
