"""One round against the simulated agent: order, checks, what else it logs, and what stops it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.sage100.agent import Agent
from connector.sage100.contract import ENTITIES
from connector.sandbox.agent import (
    AgentOptions,
    CompanyOptions,
    HttpAnswer,
    ManualClock,
    SimulatedAgent,
    SoapFault,
    maintenance,
)
from eventstore import EventStore
from projections import events as e
from tests.sage100 import wire
from tests.sage100.conftest import connect
from tests.sage100.shelf import check_books, logged, whole_log
from tests.sage100.wire import NOW
from tests.sage100.world import World, failures, rounds


async def test_a_round_reads_every_entity_in_order(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """What others refer to comes first; every row of every entity is in the log; books close."""
    outcomes = await rounds(agent, store, world).run_once()
    assert [one.entity for one in outcomes] == list(ENTITIES)
    assert all(one.completed for one in outcomes)
    assert {one.entity: one.read for one in outcomes} == {
        name: sim.model.count(name) for name in ENTITIES
    }
    order = list(dict.fromkeys(call.entity for call in sim.calls.log if call.entity))
    assert order == list(ENTITIES)
    assert [what for what, _ in world.rounds] == ["started", "ended"]
    assert sim.calls.most_in_flight == 1
    await check_books(store)


async def test_a_second_round_observes_nothing(
    agent: Agent, store: EventStore, world: World
) -> None:
    """Nothing has changed: no record, no description, no day; only that it was looked at."""
    running = rounds(agent, store, world)
    await running.run_once()
    before = (await store.head()).last
    assert all(one.observed == 0 for one in await running.run_once())
    kinds = {event.type for event in await whole_log(store) if event.position > before}
    assert kinds == {"PollStarted", "PollCompleted", "CallsCounted"}


async def test_what_changed_is_observed_and_what_was_not_stamped_is_swept(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World, clock: ManualClock
) -> None:
    """The cursor sees a maintenance, not an import; the sweep sees that, and counts it."""
    running = rounds(agent, store, world)
    await running.run_once()
    clock.advance(timedelta(days=3))
    await running.run_once()
    rows = [(r["ARDivisionNo"], r["CustomerNo"]) for r in sim.company.rows("AR_Customer")]
    maintenance.change_customer(sim.company, rows[0], {"City": "Moved"})
    maintenance.change_customer(sim.company, rows[1], {"City": "Imported"}, stamp=False)
    by_entity = {one.entity: one for one in await running.run_once()}
    assert by_entity["AR_Customer"].observed == 1
    swept = {one.entity: one for one in await running.run_once(sweep=True)}
    assert (swept["AR_Customer"].observed, swept["AR_Customer"].missed) == (1, 1)
    assert sum(one.observed for one in swept.values()) == 1


async def test_the_company_is_described_once_and_when_it_changes(
    agent: Agent, store: EventStore, world: World
) -> None:
    """Settings reach the log as an event: by a round, and again only when they differ."""
    for periods in (12, 12, 6):
        await rounds(agent, store, world, revenue_periods=periods).run_once()
    found = await logged(store, e.SourceDescribed)
    assert [one.revenue_periods for one in found if isinstance(one, e.SourceDescribed)] == [12, 6]
    first = found[0]
    assert isinstance(first, e.SourceDescribed)
    assert (first.instance, first.company, first.currency) == ("acme", "ABC", "USD")
    assert (first.aging_basis, first.aging_limits) == ("DueDate", [30, 60, 90, 120])
    assert list(first.columns) == list(ENTITIES)
    assert "CustomerName" in first.columns["AR_Customer"]


async def test_the_sites_day_reaches_the_log_once_a_day(
    agent: Agent, store: EventStore, world: World
) -> None:
    """The day is that of the site's zone by our own clock, and never goes back."""
    running = rounds(agent, store, world)
    for hours in (0, 8, 7, 2, -48):  # 09:15, 17:15, 00:15 and 02:15 in Chicago, and back
        world.now += timedelta(hours=hours)
        await running.run_once()
    assert await logged(store, e.AgingDateAdvanced) == [
        e.AgingDateAdvanced("ABC", day) for day in ("2026-11-22", "2026-11-23")
    ]


async def test_calls_are_counted_in_the_log(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """The books know how often the agent was asked."""
    running = rounds(agent, store, world)
    await running.run_once()
    await running.run_once(sweep=True)
    counted = [
        one for one in await logged(store, e.CallsCounted) if isinstance(one, e.CallsCounted)
    ]
    assert sum(one.agent_calls for one in counted) == sim.calls.requests


async def test_a_company_that_is_not_served_is_named(
    agent: Agent, store: EventStore, world: World
) -> None:
    """Its entities fail with the codes that are served; the others' are read."""
    outcomes = await rounds(agent, store, world, companies=("XYZ", "ABC")).run_once()
    assert [one.company for one in outcomes if one.completed] == ["ABC"] * len(ENTITIES)
    failed = await failures(store)
    assert len(failed) == len(ENTITIES)
    assert "XYZ; it serves ABC" in failed[0].message
    assert failed[0].category == "configuration"
    assert failed[0].wsdl == f"{agent.endpoint}?wsdl"


async def test_a_company_that_cannot_be_aged_is_passed_over(
    store: EventStore, world: World
) -> None:
    """Nothing of it is read, so nothing is aged by limits it does not have; another one is."""
    companies = (CompanyOptions(), CompanyOptions(code="XYZ", aging_basis="InvoiceDate"))
    options = AgentOptions(customers=5, invoices=5, vendors=1, companies=companies)
    async with SimulatedAgent(options, clock=ManualClock(NOW)) as sim, connect(sim) as agent:
        running = rounds(agent, store, world, companies=("XYZ", "ABC"))
        assert all(one.completed for one in await running.run_once())
        sim.conduct.aging_limits = "30 60 90"
        world.now += timedelta(days=1)
        outcomes = await running.run_once()
    assert [one.company for one in outcomes if one.completed] == ["ABC"] * len(ENTITIES)
    failed = await failures(store)
    assert {one.category for one in failed} == {"configuration"}
    assert all("XYZ ages by InvoiceDate, which takes 4 limits" in one.message for one in failed)
    sources = await logged(store, e.SourceDescribed)
    assert [
        (one.company, one.aging_limits) for one in sources if isinstance(one, e.SourceDescribed)
    ] == [
        ("XYZ", [30, 60, 90, 120]),
        ("ABC", [30, 60, 90, 120]),
        ("ABC", [30, 60, 90]),
    ]
    assert len(await logged(store, e.AgingDateAdvanced)) == 4, "its days go on"


async def test_another_time_zone_is_refused(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """Stamps of another zone would be misread: nothing is read, and both zones are named."""
    outcomes = await rounds(agent, store, world, timezone="America/New_York").run_once()
    assert not any(one.completed for one in outcomes)
    assert sim.calls.operations["ReadPage"] == 0
    (first, *_) = await failures(store)
    assert "America/Chicago" in first.message
    assert "America/New_York" in first.message
    assert not await logged(store, e.SourceDescribed)


async def test_an_agent_that_cannot_be_reached_fails_every_entity(
    sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """The log says of each entity that and why it was not read; the day goes on regardless."""
    async with connect(sim) as agent:
        running = rounds(agent, store, world)
        await running.run_once()
        world.now += timedelta(days=1)
        sim.inject(HttpAnswer(status=503, times=99))
        outcomes = await running.run_once()
    assert {one.error.category for one in outcomes if one.error} == {"not_the_agent"}
    assert len(await failures(store)) == len(ENTITIES)
    assert len(await logged(store, e.AgingDateAdvanced)) == 2


async def test_one_entitys_failure_leaves_the_others(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """An entity that fails is logged and passed over; those after it get one try each."""
    sim.inject(SoapFault(code="Internal", entity="AR_Customer", times=99))
    sim.inject(SoapFault(code="Internal", entity="AR_Payment", times=99))
    outcomes = await rounds(agent, store, world).run_once()
    assert [one.entity for one in outcomes if one.error] == ["AR_Customer", "AR_Payment"]
    assert sim.calls.entities["AR_Customer"] == 3
    assert sim.calls.entities["AR_Payment"] == 1


async def test_a_refused_log_on_ends_the_round_and_all_later_ones(
    agent: Agent, sim: SimulatedAgent, store: EventStore, world: World
) -> None:
    """After LogonFailed not one request more goes out; every entity left is logged as stopped."""
    sim.inject(SoapFault(code="LogonFailed", entity="AR_Customer", times=99))
    running = rounds(agent, store, world)
    outcomes = await running.run_once()
    asked = sim.calls.requests
    assert [one.entity for one in outcomes if one.stopped] == list(ENTITIES[1:])
    assert running.refusal is not None
    assert all(one.stopped for one in await running.run_once())
    assert sim.calls.requests == asked
    assert all(one.stopped and not one.retryable for one in await failures(store))


async def test_an_entity_that_an_older_agent_lacks_is_skipped(
    store: EventStore, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """No failure: the outcome and a log line say so, and the description lists no columns."""
    described = wire.info({"AR_TermsCode": ("TermsCode", "TermsCode DateUpdated TimeUpdated")})
    page = wire.page(("TermsCode", "DateUpdated", "TimeUpdated"), [("00", "20260101", "8.5")])
    handlers = (wire.answer(described), wire.answer(page))
    async with wire.serve(*handlers) as served, wire.client(served.endpoint) as agent:
        outcomes = await rounds(agent, store, world).run_once()
    async with wire.serve(*handlers) as served, wire.client(served.endpoint) as agent:
        await rounds(agent, store, world).run_once()
    assert outcomes[0].completed
    assert all("does not serve" in one.skipped for one in outcomes[1:])
    skipped = await logged(store, e.PollSkipped)
    assert len(skipped) == len(ENTITIES) - 1, "once each, not once a round"
    assert not await failures(store)
    assert "agent 1.0.0 does not serve AR_Invoice" in caplog.text
    (source,) = await logged(store, e.SourceDescribed)
    assert isinstance(source, e.SourceDescribed)
    assert source.columns["AR_Invoice"] == []
    assert source.columns["AR_TermsCode"] == ["TermsCode", "DateUpdated", "TimeUpdated"]


async def test_an_entity_without_its_stamps_fails_alone(store: EventStore, world: World) -> None:
    """Columns that are missing and not mapped are named, with where to map them."""
    described = wire.info({"AR_TermsCode": ("TermsCode", "TermsCode DateLastUpdated")})
    async with wire.serve(wire.answer(described)) as served, wire.client(served.endpoint) as agent:
        outcomes = await rounds(agent, store, world).run_once()
    (failed,) = await failures(store)
    assert outcomes[0].error is not None
    assert "DateUpdated, TimeUpdated" in failed.message
    assert "[sage100.columns]" in failed.remedy
