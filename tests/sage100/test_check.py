"""What `check` says of an agent: a line for every step, ok or with its remedy; nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connector.check import CheckLine
from connector.sage100.checks import check_agent
from connector.sage100.contract import ENTITIES
from connector.sandbox.agent import (
    AgentOptions,
    HttpAnswer,
    ManualClock,
    SimulatedAgent,
    SoapFault,
    maintenance,
)
from tests.sage100 import wire
from tests.sage100.conftest import connect
from tests.sage100.wire import NOW
from tests.sage100.world import UTC_NOW, instance


@asynccontextmanager
async def office(**options: Any) -> AsyncIterator[SimulatedAgent]:
    """An agent with a few dozen rows of everything."""
    usual: dict[str, Any] = {"customers": 30, "invoices": 60, "vendors": 15, "details": False}
    made = AgentOptions(**{**usual, "today": NOW.date(), **options})
    async with SimulatedAgent(made, clock=ManualClock(NOW)) as sim:
        yield sim


async def lines_of(sim: SimulatedAgent, **more: Any) -> dict[str, CheckLine]:
    """The report, by what was looked at, without the instance's name."""
    now: datetime = more.pop("now", UTC_NOW)
    async with connect(sim) as agent:
        lines = await check_agent(agent, instance(agent.endpoint, **more), now=lambda: now)
    return {line.subject.removeprefix("Sage 100 acme ").strip(): line for line in lines}


async def test_a_good_agent_is_ok_line_by_line() -> None:
    """Let in, zone, clock, the company, every entity; one read for each of these, no more."""
    async with office() as sim:
        lines = await lines_of(sim)
        assert [line for line in lines.values() if not line.ok] == []
        assert list(lines) == [sim.endpoint, "time zone", "clock", "company ABC", *ENTITIES]
        assert all(line.detail and not line.remedy for line in lines.values())
        assert "let in: agent 1.0.0" in lines[sim.endpoint].detail
        assert sim.calls.operations == {"GetInfo": 1, "ReadPage": 1 + len(ENTITIES)}


async def test_columns_that_are_always_blank_are_said() -> None:
    """Not a fault by itself: a site may not use them. Shown, so that a person can judge."""
    async with office() as sim:
        sim.conduct.blank_columns.add("AR_Customer.TelephoneNo")
        line = (await lines_of(sim))["AR_Customer"]
        assert line.ok
        assert "blank in all of the first" in line.detail


Make = Callable[[SimulatedAgent], Any]


def blank(*columns: str) -> Make:
    """The agent asks for these by a wrong name."""
    return lambda sim: sim.conduct.blank_columns.update(columns)


def injected(fault: Any) -> Make:
    """A scripted fault."""
    return lambda sim: sim.inject(fault)


def separator_in_a_name(sim: SimulatedAgent) -> None:
    """A customer's name has the letter at which this agent parts its results."""
    [row, *_] = sim.company.rows("AR_Customer")
    key = (row["ARDivisionNo"], row["CustomerNo"])
    maintenance.change_customer(sim.company, key, {"CustomerName": "Škoda Parts"})
    sim.conduct.separator_collision = True


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong, and the line that says so with its remedy."""

    name: str
    subject: str
    detail: str
    remedy: str
    make: Make = lambda sim: None
    told: dict[str, Any] = {}


ROWS = (
    Wrong(
        "a clock that is ahead",
        "clock",
        "7200 s ahead of ours",
        "NTP",
        make=lambda sim: setattr(sim.conduct, "server_skew_s", 7200),
    ),
    Wrong(
        "a clock that is behind",
        "clock",
        "900 s behind ours",
        "NTP",
        told={"now": UTC_NOW + timedelta(minutes=15)},
    ),
    Wrong(
        "another zone",
        "time zone",
        "the agent's is America/Chicago, configured is America/Denver",
        'Set timezone = "America/Chicago"',
        told={
            "timezone": "America/Denver",
            "now": datetime(2026, 11, 22, 16, 15, 2, tzinfo=UTC),
        },
    ),
    Wrong(
        "a company code that is not served",
        "company XYZ",
        "not served; the agent serves ABC",
        "Correct [[sage100]] companies",
        told={"companies": ("ABC", "XYZ")},
    ),
    Wrong(
        "external access not allowed",
        "company ABC",
        "ExternalAccessDisabled",
        "Company Maintenance",
        make=injected(SoapFault(code="ExternalAccessDisabled", operation="ReadPage", times=1)),
    ),
    Wrong(
        "a wrong name in the agent",
        "AR_Customer",
        "CustomerName blank in all of the first",
        "by a wrong name",
        make=blank("AR_Customer.CustomerName"),
    ),
    Wrong(
        "a Š in a name shifts what stands behind it",
        "AR_Customer",
        "rows cells stand under the wrong column, as",
        "the byte 0x8A",
        make=separator_in_a_name,
    ),
    Wrong(
        "wrong names of amounts",
        "AR_Invoice",
        "InvoiceDate, Balance blank in all of the first",
        "by a wrong name",
        make=blank("AR_Invoice.InvoiceDate", "AR_Invoice.Balance"),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=[one.name for one in ROWS])
async def test_each_thing_that_is_wrong_has_its_line(row: Wrong) -> None:
    """That line and no other is not ok; it says what was found and what to do."""
    async with office() as sim:
        row.make(sim)
        lines = await lines_of(sim, **row.told)
    wrong = [subject for subject, line in lines.items() if not line.ok]
    assert wrong == [row.subject]
    line = lines[row.subject]
    assert row.detail in line.detail
    assert row.remedy in line.remedy


async def test_odd_values_of_sage_100_itself_are_no_mistake() -> None:
    """Garbage dates, minus signs behind, blanks and a Š of an honest agent: every line is ok."""
    async with office(profile="messy", customers=150, invoices=300) as sim:
        lines = await lines_of(sim)
    assert [line for line in lines.values() if not line.ok] == []


def served(**more: str) -> dict[str, tuple[str, str]]:
    """Customers as an agent describes them: key, columns."""
    columns = more.get("columns", "ARDivisionNo CustomerNo CustomerName DateUpdated TimeUpdated")
    return {"AR_Customer": ("ARDivisionNo CustomerNo", columns)}


@pytest.mark.parametrize(
    ("entities", "detail", "remedy"),
    [
        (
            served(columns="ARDivisionNo CustomerNo CustomerName"),
            "no column DateUpdated, TimeUpdated",
            "[sage100.columns]",
        ),
        (
            served(columns="ARDivisionNo CustomerNo Name DateUpdated TimeUpdated"),
            "it has no column CustomerName",
            "[sage100.columns]",
        ),
        ({}, "not served by this agent", "Update the agent"),
    ],
    ids=["stamps", "name", "entity"],
)
async def test_missing_columns_are_named(
    entities: dict[str, tuple[str, str]], detail: str, remedy: str
) -> None:
    """What must be there and is not: by name, with where to map it."""
    page = wire.page(("TermsCode",), [])
    async with (
        wire.serve(wire.answer(wire.info(entities)), wire.answer(page)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await check_agent(agent, instance(site.endpoint), now=lambda: UTC_NOW)
    [line] = [one for one in lines if one.subject.endswith(" AR_Customer")]
    assert not line.ok
    assert detail in line.detail
    assert remedy in line.remedy


@pytest.mark.parametrize("status", [404, 503])
async def test_where_nobody_answers_there_is_one_line(status: int) -> None:
    """Behind a door that is shut nothing else can be looked at, and nothing is tried twice."""
    async with office() as sim:
        sim.inject(HttpAnswer(status=status, times=99))
        lines: Sequence[CheckLine] = list((await lines_of(sim)).values())
        assert [line.ok for line in lines] == [False]
        assert f"HTTP status {status}" in lines[0].detail
        assert lines[0].remedy
        assert sim.calls.requests == 1
