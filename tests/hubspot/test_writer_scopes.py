"""The writer without a scope: that kind of object waits, and goes on when the scope is there."""

from __future__ import annotations

import asyncio

import pytest

from connector.hubspot.scopes import Holds
from projections import events
from tests.e2e.waiting import until

from .rig import Site

ACME = "companies/ABC:01-ACME"
COMPANIES = ("crm.objects.companies.read", "crm.objects.companies.write")
CONTACTS = ("crm.objects.contacts.read", "crm.objects.contacts.write")


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
    assert holds.on_trial("contacts")
    holds.granted("contacts")
    assert not holds.on_trial("contacts")
