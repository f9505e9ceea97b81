"""The writer when HubSpot refuses, fails, falls silent or is not there."""

from __future__ import annotations

import asyncio

import pytest

from connector.hubspot.errors import DailyLimitReached, HubSpotUnreachable, TokenRefused
from connector.hubspot.limiter import Limiter
from connector.hubspot.outcomes import MAX_ATTEMPTS
from connector.sandbox.hubspot import Answer, Drop, Empty, Omit, faults
from projections import events

from .rig import Fragile, Site, Untraced, a_client

ACME = "companies/ABC:01-ACME"
KEY = "sage100_customer_key"
UPSERT = "objects.batch.upsert"
UPDATE = "objects.batch.update"


async def test_one_poisoned_record_parks_and_ninety_nine_arrive(site: Site) -> None:
    """207: the bad one is parked with HubSpot's message and an advice, in the same single call."""
    names = await site.emit_many("C", 100)
    site.portal.poison("companies", "ABC:01-C0042", "FOO was not one of the allowed options")
    summary = await site.writer().run_until_idle()
    assert site.portal.count("companies") == 99
    assert site.portal.calls.count(route=UPSERT) == 1
    parked = (await site.stream(names[42]))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "INVALID_OPTION"
    assert parked.message.startswith("Property values were not valid")
    assert "Add the option in HubSpot" in parked.advice
    assert parked.correlation_id
    assert (summary.parked, summary.pending) == (1, 0)
    assert await site.store.count("parked") == 1
    assert await site.books_close()


@pytest.mark.parametrize("place", [0, 37, 38, 42, 99])
async def test_a_whole_batch_refused_is_parted_until_the_bad_one_stands_alone(
    site: Site, place: int
) -> None:
    """400 without a name: ninety-nine arrive, one is parked, at most 11 calls more than one."""
    await site.emit_many("C", 100)
    site.portal.poison("companies", f"ABC:01-C{place:04d}", "no")
    async with a_client(site.portal, kind=Untraced) as site.hubspot:
        summary = await site.writer().run_until_idle()
    assert (summary.parked, summary.succeeded) == (1, 99)
    assert site.portal.calls.count(route=UPSERT) <= 12
    assert await site.books_close()


@pytest.mark.parametrize(
    ("applied", "then"),
    [(True, ["CommandSucceeded"]), (False, ["CommandSent", "CommandSucceeded"])],
)
async def test_a_lost_answer_is_resolved_by_reading(
    site: Site, applied: bool, then: list[str]
) -> None:
    """After a dropped connection HubSpot is read: what is there is found, else it is resent."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(Drop(applied=applied), route=UPSERT)
    await site.writer().run_until_idle()
    assert await site.types(ACME) == ["CommandEmitted", "CommandSent", "CommandFailed", *then]
    failed = (await site.stream(ACME))[2]
    assert isinstance(failed, events.CommandFailed)
    assert failed.unknown
    done = (await site.stream(ACME))[-1]
    assert isinstance(done, events.CommandSucceeded)
    assert done.outcome == ("found" if applied else "created")
    assert site.portal.count("companies") == 1
    assert (await site.target(ACME)).doubt == {}
    assert await site.books_close()


async def test_a_lost_update_is_found_by_its_values(site: Site) -> None:
    """An update of unknown outcome counts as done when HubSpot shows every value of it."""
    await site.emit(ACME, name="Acme", annualrevenue="5")
    await site.writer().run_until_idle()
    await site.emit(ACME, annualrevenue="1250.50", sage100_oldest_due_date="2026-03-01")
    site.portal.inject(Drop(applied=True), route=UPDATE)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].found == 1
    assert (await site.target(ACME)).held["annualrevenue"] == "1250.50"


async def test_someone_else_s_record_found_in_doubt_is_adopted(site: Site) -> None:
    """A record that does not hold what we sent may be another's: its values are taken in first."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(Drop(applied=False), route=UPSERT)
    injected = site.portal.inject(Answer(status=503), route="objects.batch.read", skip=1)
    writer = site.writer()
    running = asyncio.create_task(writer.run_until_idle())
    await asyncio.wait_for(injected.reached.wait(), 10)
    site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "Someone's"})
    summary = await running
    assert summary.lanes["companies"].adopted == 1
    assert await site.books_close()


@pytest.mark.parametrize("status", [500, 502, 504, 524])
async def test_a_5xx_after_the_work_makes_no_twin(site: Site, status: int) -> None:
    """A gateway that gives up although HubSpot did the work leaves one record, found by key."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(faults.html(status, applied=True), route=UPSERT)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].found == 1
    assert site.portal.count("companies") == 1


async def test_silence_about_an_input_is_no_success(site: Site) -> None:
    """A 200 that leaves inputs out, or is empty, is read back record by record."""
    await site.emit_many("C", 10)
    site.portal.inject(Omit(inputs=(3, 4)), route=UPSERT)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["companies"].created, summary.lanes["companies"].found) == (8, 2)
    await site.emit_many("D", 10)
    site.portal.inject(Empty(), route=UPSERT)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].found == 10
    assert site.portal.count("companies") == 20
    assert await site.books_close()


async def test_a_429_pauses_and_goes_on_within_the_same_attempt(site: Site) -> None:
    """Refused for the rate, the same request leaves again when the gate opens."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(
        Answer(
            status=429,
            body={"status": "error", "message": "slow", "policyName": "TEN_SECONDLY_ROLLING"},
            headers={"Retry-After": "1"},
        ),
        route=UPSERT,
        times=2,
    )
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        now[0] += delay_s

    now = [0.0]
    limiter = Limiter("enterprise", clock=lambda: now[0], sleep=sleep)
    async with a_client(site.portal, limiter=limiter) as hubspot:
        site.hubspot = hubspot
        summary = await site.writer().run_until_idle()
    assert summary.succeeded == 1
    assert waits == [pytest.approx(1.0), pytest.approx(1.0)]
    assert hubspot.calls.refused_429 == 2
    assert await site.types(ACME) == ["CommandEmitted", "CommandSent", "CommandSucceeded"]


async def test_the_day_s_limit_ends_the_run_and_loses_nothing(site: Site) -> None:
    """With the day's calls used up a run says until when, and everything stays pending."""
    await site.emit_many("C", 3)
    site.portal.inject(faults.rate_limited("DAILY"), route=UPSERT, times=None)
    with pytest.raises(HubSpotUnreachable, match="calls of this day are used up"):
        await site.writer().run_until_idle()
    assert await site.store.count("outbox_companies") == 3
    with pytest.raises(DailyLimitReached):
        await site.hubspot.account_details()
    assert await site.books_close()


async def test_an_outage_costs_a_few_calls_and_blames_nobody(site: Site) -> None:
    """While HubSpot answers 503 one batch tries at a time, and nothing is parked."""
    await site.emit_many("C", 500)
    outage = site.portal.inject(faults.html(503), times=None)
    with pytest.raises(HubSpotUnreachable, match="503"):
        await site.writer(patience=6).run_until_idle()
    assert outage.hits <= 4 + 6
    assert await site.store.count("outbox_companies") == 500
    assert await site.store.count("parked") == 0
    outage.cancel()
    assert (await site.writer().run_until_idle()).succeeded == 500
    assert await site.books_close()


async def test_a_record_that_breaks_hubspot_goes_alone_and_is_parked_at_last(site: Site) -> None:
    """500s that follow one record end with that record parked; the others are not kept."""
    names = await site.emit_many("C", 5)
    async with a_client(site.portal, kind=Fragile) as fragile:
        fragile.breaker = "ABC:01-C0003"  # type: ignore[attr-defined]
        site.hubspot = fragile
        summary = await site.writer(patience=100).run_until_idle()
    assert (summary.succeeded, summary.parked) == (4, 1)
    parked = (await site.stream(names[3]))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "retries_exhausted"
    sent = [one for one in await site.stream(names[3]) if isinstance(one, events.CommandSent)]
    assert [one.attempt for one in sent] == list(range(1, MAX_ATTEMPTS + 1))
    assert await site.books_close()


async def test_a_refused_token_stops_and_keeps_everything(site: Site) -> None:
    """401: the run ends with a message that says what to do, and every command is pending."""
    await site.emit_many("C", 3)
    async with a_client(site.portal, token="pat-wrong") as hubspot:
        site.hubspot = hubspot
        with pytest.raises(TokenRefused) as refused:
            await site.writer().run_until_idle()
    assert refused.value.exit_code == 3
    assert "Issue a new token" in str(refused.value)
    assert "pat-wrong" not in str(refused.value)
    assert await site.store.count("outbox_companies") == 3


async def test_a_token_refused_in_the_middle_loses_no_command(site: Site) -> None:
    """401 on the write itself: the attempt is recorded as not carried out."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(
        faults.error(401, "expired", category="EXPIRED_AUTHENTICATION"), route=UPSERT
    )
    with pytest.raises(TokenRefused, match="expired"):
        await site.writer().run_until_idle()
    assert await site.types(ACME) == ["CommandEmitted", "CommandSent", "CommandFailed"]
    assert (await site.writer().run_until_idle()).succeeded == 1


async def test_a_portal_that_is_not_set_up_says_so(site: Site) -> None:
    """Without its key property an object is parked with 'run setup' as advice."""
    site.forget_property("companies", KEY)
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    parked = (await site.stream(ACME))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "key_property"
    assert "ml-connector setup" in parked.advice


async def test_a_locked_record_is_tried_again_after_the_lock(site: Site) -> None:
    """423: the same request leaves again after the two seconds a lock lasts."""
    await site.emit(ACME, name="Acme")
    site.portal.inject(faults.error(423, "locked"), route=UPSERT)
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)

    summary = await site.writer(sleep=sleep).run_until_idle()
    assert summary.succeeded == 1
    assert waits == [2.0]


async def test_hubspot_that_is_not_there_is_said_to_be_so(site: Site) -> None:
    """A refused connection ends the run; nothing was sent, nothing is in doubt."""
    await site.emit(ACME, name="Acme")
    site.hubspot.base_url = "http://127.0.0.1:1"
    with pytest.raises(HubSpotUnreachable, match="cannot connect") as problem:
        await site.writer(patience=2).run_until_idle()
    assert problem.value.exit_code == 3
    assert "DNS, firewall or proxy, [hubspot] base_url" in problem.value.remedy
    assert "ssl" not in problem.value.what, "it was plain http"
    assert await site.types(ACME) == ["CommandEmitted"]
