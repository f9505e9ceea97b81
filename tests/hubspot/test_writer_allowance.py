"""The writer and the calls it is allowed: right of way, the reserve, the portal's own count."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.limiter import Limiter
from connector.hubspot.matching import Matching, MatchRules
from connector.hubspot.sharing import Sharing
from connector.sandbox.hubspot import Limits, faults
from projections import events, keys
from tests.e2e.waiting import until

from .rig import Site, a_client, a_site

COMPANY = "companies/ABC:01-ABF"
INVOICE = "invoices/ABC:01-ABF:0100215-000001-IN"


async def invoice_and_backfill(site: Site, count: int) -> None:
    """A company HubSpot has, a posted invoice of it, and a backfill of other companies."""
    await site.emit(COMPANY, name="ABF")
    assert (await site.writer().run_until_idle()).succeeded == 1
    await site.emit_many("C", count)
    await site.emit(INVOICE, hs_currency="USD", hs_number="0100215")


async def test_invoices_do_not_wait_for_the_end_of_a_backfill(site: Site) -> None:
    """An invoice whose company HubSpot has goes among the first batches, not behind them all."""
    await invoice_and_backfill(site, 800)
    site.portal.calls.clear()
    summary = await site.writer(in_flight=1).run_until_idle()
    assert summary.succeeded == 801
    order = [call.object for call in site.portal.calls if call.write]
    assert order.index("invoices") <= 3
    assert order[-1] == "companies"


async def test_an_invoice_whose_company_is_not_there_yet_waits_its_turn(site: Site) -> None:
    """Right of way costs nothing: what waits for a company is not even looked at."""
    await site.emit_many("C", 400)
    await site.emit("invoices/ABC:01-C0399:0100215-000001-IN", hs_currency="USD")
    assert (await site.writer(in_flight=1).run_until_idle()).succeeded == 401
    assert "CommandHeld" not in await site.types("invoices/ABC:01-C0399:0100215-000001-IN")


async def test_the_last_calls_of_the_day_are_for_invoices_and_other_apps(
    tmp_path: Path,
) -> None:
    """A backfill stops before the day's calls are used up; invoices go on, the reserve stays."""
    limits = Limits(burst=10_000, daily=200, association_burst=10_000)
    async with a_site(tmp_path, limits=limits) as site:
        await invoice_and_backfill(site, 30)
        # Of 200 calls 61 are left; a fifth is for other apps, a tenth for what has right of way.
        site.portal.spend("general", 139 - site.portal.limiter.used_today["general"])
        limiter = Limiter("free", reserve=0.2)
        async with a_client(site.portal, limiter=limiter) as hubspot:
            site.hubspot = hubspot
            await hubspot.account_details()
            summary = await site.writer().run_until_idle()
        assert summary.lanes["invoices"].created == 1
        assert summary.lanes["companies"].created == 0
        assert "kept for invoices" in summary.barred["companies"]
        assert await site.store.count("outbox_companies") == 30
        assert site.portal.calls.count(status=429) == 0
        assert await site.books_close()


async def test_what_the_day_has_no_call_for_stays_pending_and_goes_on_tomorrow(
    tmp_path: Path,
) -> None:
    """When only the reserve is left nothing is sent, and the next day everything is."""
    now = [1_000.0]

    async def sleep(delay_s: float) -> None:
        now[0] += delay_s
        await asyncio.sleep(0)

    async with a_site(tmp_path) as site:
        await invoice_and_backfill(site, 30)
        limiter = Limiter("free", reserve=0.2, clock=lambda: now[0], sleep=sleep)
        limiter.learn(
            "general",
            {"x-hubspot-ratelimit-daily": "100", "x-hubspot-ratelimit-daily-remaining": "20"},
        )
        async with a_client(site.portal, limiter=limiter) as hubspot:
            site.hubspot = hubspot
            site.portal.calls.clear()
            writer = site.writer()
            with pytest.raises(HubSpotUnreachable, match="used up"):
                await writer.run_until_idle()
            assert len(site.portal.calls) == 0
            barred = (await writer.summary()).barred
            assert all("used up" in barred[lane] for lane in ("companies", "invoices"))
            now[0] += 25 * 3600.0
            assert (await site.writer(now_us=lambda: 2**60).run_until_idle()).succeeded == 31
        assert await site.books_close()


LINK = keys.association("contacts/ABC:01-ABF:JOE", COMPANY)


async def to_be_linked(site: Site) -> None:
    """A company and a contact that HubSpot has, and a link that it has not."""
    await site.emit(COMPANY, name="ABF")
    await site.emit("contacts/ABC:01-ABF:JOE", lastname="Joe")
    assert (await site.writer().run_until_idle()).succeeded == 2
    await site.emit(LINK, linked="true")


async def test_a_spent_day_of_associations_stops_nothing_else(site: Site) -> None:
    """Links wait for the next day; records are written meanwhile, by the service and at once."""
    await to_be_linked(site)
    spent = site.portal.inject(
        faults.rate_limited("DAILY"), route="associations.batch.default", times=None
    )
    writer, stop = site.writer(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        await until(lambda: spent.hits == 1 and not writer.in_flight, "refused")
        await site.emit(COMPANY, city="Oslo")
        await until(lambda: bool(site.portal.find("companies", "city", "Oslo")), "written")
        assert (writer.outage.failures, writer.outage.wait_s) == (0, 0)
        stop.set()
    assert spent.hits == 1
    assert await site.store.count("outbox_associations") == 1
    failed = (await site.stream(LINK))[-1]
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("daily_limit", False)
    assert await site.books_close()


async def test_a_run_says_of_a_spent_day_when_it_ends(site: Site) -> None:
    """What is left pending is named with its reason, and the remedy is to wait, not to look."""
    now = [1_000.0]
    await to_be_linked(site)
    site.portal.inject(faults.rate_limited("DAILY"), route="associations.batch.default")
    async with a_client(site.portal, limiter=Limiter("free", clock=lambda: now[0])) as hubspot:
        site.hubspot = hubspot
        await hubspot.account_details()
        summary = await site.writer().run_until_idle()
        assert summary.pending == 1
        why = summary.barred["associations"]
        assert why == "The HubSpot account's association calls of this day are used up."
        assert "HubSpot gives new calls in about" in summary.remedies["associations"]
        now[0] += 25 * 3600.0
        assert (await site.writer(now_us=lambda: 2**60).run_until_idle()).succeeded == 1


async def test_the_remedy_for_a_spent_day_is_its_end(site: Site) -> None:
    """A whole day used up: the error says when HubSpot gives new calls, not that it is down."""
    await site.emit(COMPANY, name="ABF")
    site.portal.inject(faults.rate_limited("DAILY"), route="objects", times=None)
    with pytest.raises(HubSpotUnreachable, match="calls of this day are used up") as told:
        await site.writer().run_until_idle()
    assert "HubSpot gives new calls in about 60 minutes" in told.value.remedy
    assert "status.hubspot.com" not in str(told.value)


async def test_what_needs_a_search_waits_for_it_and_nobody_else_does(site: Site) -> None:
    """No searches left today: new companies cannot be looked for; contacts and invoices go on."""
    await invoice_and_backfill(site, 5)
    await site.emit("contacts/ABC:01-ABF:JOE", lastname="Joe")
    rules = MatchRules(name="propose")
    spent = site.portal.inject(faults.rate_limited("DAILY"), route="objects.search", times=None)
    matching = Matching(rules, site.hubspot, Sharing(site.store))
    summary = await site.writer(matching=matching).run_until_idle()
    assert (summary.lanes["contacts"].created, summary.lanes["invoices"].created) == (1, 1)
    assert (summary.lanes["companies"].created, summary.pending) == (0, 5)
    assert "searches of this day are used up" in summary.barred["companies"]
    assert spent.hits == 1


async def test_links_and_searches_leave_the_account_what_is_kept(tmp_path: Path) -> None:
    """Where HubSpot counts them in the day of all calls it never has to refuse one."""
    limits = Limits(burst=10_000, daily=200, association_burst=10_000, one_pool=True)
    async with a_site(tmp_path, limits=limits) as site:
        await site.emit(COMPANY, name="ABF")
        people = [f"contacts/ABC:01-ABF:N{number}" for number in range(60)]
        await site.emit_all({name: {"lastname": "N"} for name in people})
        assert (await site.writer().run_until_idle()).succeeded == 61
        used = sum(site.portal.limiter.used_today.values())
        site.portal.spend("general", 155 - used)
        limiter = Limiter("free", reserve=0.2)
        async with a_client(site.portal, limiter=limiter) as hubspot:
            site.hubspot = hubspot
            await hubspot.account_details()
            writer = site.writer()
            for name in people:
                await site.emit(keys.association(name, COMPANY), linked="true")
                try:
                    await writer.run_until_idle()
                except HubSpotUnreachable:
                    break
        assert sum(site.portal.limiter.used_today.values()) == 160
        assert site.portal.calls.count(status=429) == 0
        assert await site.store.count("outbox_associations") == 1
