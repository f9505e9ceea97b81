"""The writer without a scope: that kind of object waits, and goes on when the scope is there."""

from __future__ import annotations

import asyncio
import math
from functools import partial

import pytest

from connector.hubspot.api import LINK_LIMIT
from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.outbox import Outbox
from connector.hubspot.permission import STREAM as PERMISSION
from connector.hubspot.scopes import Holds, Standing, kind_of
from connector.sandbox.hubspot import faults
from projections import events, keys
from tests.e2e.waiting import until

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
INVOICE = "invoices/ABC:01-ACME:0100215-000001-IN"
COMPANIES = ("crm.objects.companies.read", "crm.objects.companies.write")
CONTACTS = ("crm.objects.contacts.read", "crm.objects.contacts.write")
INVOICES = ("crm.objects.invoices.read", "crm.objects.invoices.write")


async def test_a_missing_scope_holds_one_object_and_lets_the_others_flow(site: Site) -> None:
    """403 on contacts: they stay pending, one call asked; companies arrive; granted, all go on."""
    await site.emit(ACME, name="Acme")
    for number in range(150):
        await site.emit(f"contacts/ABC:01-ACME:N{number}", firstname="Joe")
    site.grant(*COMPANIES)
    writer = site.writer(in_flight=1)
    summary = await writer.run_until_idle()
    assert summary.lanes["companies"].created == 1
    assert (summary.parked, summary.pending) == (0, 150)
    assert "contacts" in summary.barred
    assert site.portal.calls.count(status=403) == 1
    summary = await writer.run_until_idle()
    assert (summary.pending, site.portal.calls.count(status=403)) == (150, 2)
    site.grant(*COMPANIES, *CONTACTS)
    summary = await writer.run_until_idle()
    assert (summary.lanes["contacts"].created, summary.pending) == (150, 0)
    assert summary.barred == {}
    assert await site.books_close()


async def test_a_scope_taken_away_between_writes_is_no_record_s_fault(site: Site) -> None:
    """403 on the write itself: the attempts are recorded as not carried out, for good reason."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    await site.emit(ACME, phone="1")
    site.grant("crm.objects.companies.read")
    await site.writer().run_until_idle()
    failed = (await site.stream(ACME))[-1]
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("missing_scope", False)
    site.grant(*COMPANIES)
    assert (await site.writer().run_until_idle()).succeeded == 1


async def test_the_service_goes_on_by_itself(site: Site) -> None:
    """Nobody restarts anything: after the wait one command tries, and then all of them."""
    now_us = [1]
    for number in range(30):
        await site.emit(f"companies/ABC:01-S{number}", name="S")
    site.grant("crm.objects.contacts.read")
    writer = site.writer(now_us=lambda: now_us[0])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        await until(
            lambda: site.portal.calls.count(status=403) == 1 and not writer.in_flight, "held"
        )
        site.grant(*COMPANIES)
        now_us[0] += 61_000_000
        await site.emit(ACME, name="Acme")  # the log moves on
        await until(lambda: site.portal.count("companies") == 31, "written")
        stop.set()
    assert site.portal.calls.count(status=403) == 1


@pytest.mark.parametrize(("refusals", "wait_s"), [(1, 60), (2, 120), (3, 240), (9, 3600)])
def test_each_refusal_doubles_the_wait_up_to_an_hour(refusals: int, wait_s: int) -> None:
    """A scope that is missing for days costs a call an hour."""
    now_us = [0]
    holds = Holds(lambda: now_us[0])
    for _ in range(refusals):
        holds.refused("contacts")
    assert holds.held() == {"contacts"}
    assert holds.wait_s() == wait_s
    now_us[0] = wait_s * 1_000_000
    assert holds.held() == set()
    assert holds.wait_s() == math.inf  # its time has come: nobody waits for it any more
    assert holds.on_trial("contacts")
    holds.granted("contacts")
    assert not holds.on_trial("contacts")


async def with_deals(site: Site, count: int) -> list[str]:
    """A company, a contact, an invoice, deals that the token may not link; links to the deals."""
    await site.emit(ACME, name="Acme")
    await site.emit(JOE, lastname="Joe")
    await site.emit(INVOICE, hs_currency="USD")
    await site.writer().run_until_idle()
    links = []
    for _ in range(count):
        deal = site.portal.add("deals", {"dealname": "D"})
        await site.adopt(f"deals/{deal}", deal)
        links.append(keys.association(INVOICE, f"deals/{deal}"))
        await site.emit(links[-1], linked="true")
    site.grant(*COMPANIES, *CONTACTS, *INVOICES, "crm.objects.deals.read")
    return links


async def test_a_kind_of_link_that_may_not_be_made_keeps_no_other_kind(site: Site) -> None:
    """403 on invoices with deals: links of contacts go at once, before and after, and by service.

    One link of the kind tries again when its time has come, and with the scope all of them go.
    """
    now_us = [1]
    deals = await with_deals(site, 30)
    for_company = keys.association(JOE, ACME)
    writer = site.writer(now_us=lambda: now_us[0])
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        await until(lambda: site.portal.calls.count(status=403) == 1, "refused")
        await site.emit(for_company, linked="true")
        await until(lambda: len(site.portal.associations("contacts", "companies")) == 1, "linked")
        now_us[0] += 61_000_000
        await site.emit(keys.association(INVOICE, ACME), linked="true")
        await until(lambda: len(site.portal.associations("invoices", "companies")) == 1, "linked")
        await until(lambda: site.portal.calls.count(status=403) == 2, "tried again")
        await site.emit(keys.association(INVOICE, JOE), linked="true")
        await until(lambda: len(site.portal.associations("invoices", "contacts")) == 1, "linked")
        site.portal.grant(None)
        now_us[0] += 121_000_000
        await site.emit(for_company, linked="true")  # the log moves on
        await until(lambda: len(site.portal.associations("invoices", "deals")) == 30, "linked")
        stop.set()
    tried = [call for call in site.portal.calls if call.status == 403]
    assert [len(call.json()["inputs"]) for call in tried] == [30, 1]
    assert {(await site.target(name)).state for name in deals} == {"idle"}
    assert await site.books_close()


async def test_a_run_ends_with_links_that_may_not_be_made_pending(site: Site) -> None:
    """It says of which kind, writes all others, and each run asks once."""
    await with_deals(site, 3)
    await site.emit(keys.association(JOE, ACME), linked="true")
    writer = site.writer()
    for asked in (1, 2):
        summary = await writer.run_until_idle()
        assert (summary.pending, summary.parked) == (3, 0)
        assert summary.barred["associations"].startswith("invoices > deals: ")
        assert site.portal.calls.count(status=403) == asked
    assert len(site.portal.associations("contacts", "companies")) == 1
    assert await site.books_close()


async def test_a_pair_that_may_not_be_linked_is_told_once(site: Site) -> None:
    """Other associations go on beside it, and end nothing; what is told ends with that pair."""
    await with_deals(site, 3)
    await site.emit(keys.association(JOE, ACME), linked="true")
    await site.writer().run_until_idle()
    await site.emit(keys.association(INVOICE, ACME), linked="true")
    await site.writer().run_until_idle()
    told = await site.store.history(PERMISSION)
    [held] = [events.decode(event.type, event.data) for event in told]
    assert isinstance(held, events.LaneHeld)
    assert (held.object, held.category) == ("invoices > deals", "missing_scope")
    site.portal.grant(None)
    assert (await site.writer().run_until_idle()).pending == 0
    assert [one.type for one in await site.store.history(PERMISSION)] == [
        "LaneHeld",
        "LaneReleased",
    ]


async def test_a_refused_pair_keeps_its_own_reason_though_hubspot_then_fails(site: Site) -> None:
    """One batch, 403 for deals and then 503 for the company: deals are not told with the 503."""
    later = "invoices/ABC:01-ACME:0200000-000001-IN"
    await site.emit(later, hs_currency="USD")
    [deal] = await with_deals(site, 1)
    last = keys.association(later, ACME)
    await site.emit(last, linked="true")
    company = (await site.target(ACME)).hubspot_id
    site.portal.inject(faults.html(503), containing=f'"{company}"', times=None)
    writer = site.writer(patience=1)
    with pytest.raises(HubSpotUnreachable):
        await writer.run_until_idle()
    failed = [(await site.stream(name))[-1] for name in (deal, last)]
    assert [getattr(one, "status", 0) for one in failed] == [403, 503]
    [held] = [events.decode(one.type, one.data) for one in await site.store.history(PERMISSION)]
    assert isinstance(held, events.LaneHeld)
    assert (held.object, held.category) == ("invoices > deals", "missing_scope")
    barred = (await writer.summary()).barred["associations"]
    assert "required scopes" in barred
    assert "503" not in barred


async def test_held_links_before_all_others_are_passed_over(site: Site) -> None:
    """However many there are, the batch of the others is full, and no trial is made twice."""
    held = [f"associations/contacts:ABC:01-A:{n:04}>companies:ABC:01-A" for n in range(3000)]
    free = [f"associations/invoices:ABC:01-A:{n:04}>companies:ABC:01-A" for n in range(2500)]
    await site.emit_all({name: {"linked": "true"} for name in (*held, *free)})
    outbox = Outbox(site.store, lambda: 1)
    assert kind_of(held[0]) == "contacts > companies"
    standing = Standing(held=frozenset({"contacts > companies"}))
    assert await outbox.take("associations", LINK_LIMIT, standing) == free[:LINK_LIMIT]
    assert await outbox.next_due_us((), standing) == 0
    assert await outbox.take("associations", LINK_LIMIT, standing) == free[LINK_LIMIT:]
    assert await outbox.next_due_us((), standing) is None
    trial = Standing(trial=frozenset({"contacts > companies"}))
    assert await outbox.take("associations", LINK_LIMIT, trial) == held[:1]
    assert await outbox.take("associations", LINK_LIMIT, trial) == []
    outbox.give_back("associations", held[:1])
    assert await outbox.take("associations", LINK_LIMIT, trial) == held[:1]


async def test_a_batch_that_asked_nothing_grants_nothing(site: Site) -> None:
    """On trial, a contact that waits for its company: the next one is a trial again, alone."""
    await site.emit(ACME, name="Acme")
    for number in range(50):
        await site.emit(f"contacts/ABC:01-ACME:N{number}", firstname="Joe")
    site.grant(*COMPANIES)
    writer = site.writer()
    await writer.run_until_idle()
    await site.emit("contacts/ABC:01-AAAA:ANN", firstname="Ann")  # whose company is not there
    await writer.run_until_idle()
    assert (await site.stream("contacts/ABC:01-AAAA:ANN"))[-1].__class__ is events.CommandHeld
    refused = [call for call in site.portal.calls if call.status == 403]
    assert [len(call.json()["inputs"]) for call in refused] == [50, 1]


async def test_a_read_that_is_answered_grants_no_write(site: Site) -> None:
    """On trial, a contact that HubSpot has already: that may be read, and still not written."""
    await site.emit(ACME, name="Acme")
    for number in range(20):
        await site.emit(f"contacts/ABC:01-ACME:N{number}", firstname="Joe")
    site.grant(*COMPANIES, "crm.objects.contacts.read")
    writer = site.writer()
    await writer.run_until_idle()
    there = {"sage100_contact_key": "ABC:01-ACME:A", "firstname": "Joe"}
    site.portal.add("contacts", there)
    await site.emit("contacts/ABC:01-ACME:A", firstname="Joe")
    await writer.run_until_idle()
    assert (await site.target("contacts/ABC:01-ACME:A")).hubspot_id
    refused = [call for call in site.portal.calls if call.status == 403]
    assert [len(call.json()["inputs"]) for call in refused] == [20, 1]


async def test_a_batch_that_asked_nothing_is_no_sign_that_hubspot_is_back(site: Site) -> None:
    """Everything in it was held: the next failure in a row is still the second one."""
    writer = site.writer(delay_s=lambda _: 0.0)
    writer.outage.failed("down", None)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(stop))
        await site.emit(JOE, lastname="Joe")
        await until(partial(is_held, site, JOE), "held")
        assert writer.outage.failures == 1
        await site.emit(ACME, name="Acme")
        await until(lambda: site.portal.count("companies") == 1, "written")
        await until(lambda: writer.outage.failures == 0, "HubSpot is back")
        stop.set()


async def is_held(site: Site, name: str) -> bool:
    """Whether a command waits for another record."""
    return (await site.target(name)).state == "held"
