"""What `check` says of an agent: a line for every step, ok or with its remedy; nothing changes.

The way to the agent and its doors have tests of their own (`test_check_reach`, `test_check_doors`),
and so have columns and rows (`test_check_columns`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
    Exclusive,
    HttpAnswer,
    ManualClock,
    SimulatedAgent,
    SoapFault,
    maintenance,
)
from connector.sandbox.agent.conduct import Misreading
from tests.sage100 import wire
from tests.sage100.conftest import connect
from tests.sage100.wire import NOW
from tests.sage100.world import UTC_NOW, instance

# Of another agent, by hand: as little as has to be there.
WSDL = (
    '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" '
    f'targetNamespace="{wire.NS}"><w:portType name="P"><w:operation name="GetInfo"/>'
    '<w:operation name="ReadPage"/><w:operation name="ReadRow"/></w:portType></w:definitions>'
).encode()


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
        known: dict[str, Any] = {"uses": more.pop("uses")} if "uses" in more else {}
        told = instance(agent.endpoint, **more)
        lines = await check_agent(agent, told, now=lambda: now, **known)
    return {line.subject.removeprefix("Sage 100 acme ").strip(): line for line in lines}


WAY = ["DNS", "connection", "Windows log-on", "API key", "WSDL", "agent", "time zone", "clock"]
COMPANY = ["company ABC", "company ABC currency", "company ABC aging"]


async def test_a_good_agent_is_ok_line_by_line() -> None:
    """The way in, its doors, the company, every entity; one read for each of these, no more."""
    async with office() as sim:
        lines = await lines_of(sim)
        assert [line for line in lines.values() if not line.ok] == []
        entities = [f"{name} {part}" for name in ENTITIES for part in ("columns", "rows")]
        assert list(lines) == [*WAY, *COMPANY, *entities]
        assert all(line.detail and not line.remedy for line in lines.values())
        assert "let in: agent 1.0.0" in lines["agent"].detail
        assert sim.calls.operations == {"WSDL": 1, "GetInfo": 1, "ReadPage": 1 + len(ENTITIES)}


async def test_columns_that_are_always_blank_are_said() -> None:
    """Not a fault by itself: a site may not use them. Shown, so that a person can judge."""
    async with office() as sim:
        sim.conduct.blank_columns.add("AR_Customer.TelephoneNo")
        line = (await lines_of(sim))["AR_Customer rows"]
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


def misread(sim: SimulatedAgent, how: Misreading) -> None:
    """A customer's name has a letter that this agent takes for another."""
    maintenance.set_raw(sim.company, "AR_Customer", ("01", "ABF"), "CustomerName", "Joe’s Diner")
    sim.conduct.misread["AR_Customer.CustomerName"] = how


class Wrong(msgspec.Struct, frozen=True):
    """What is wrong, and the line that says so with its remedy; what cannot be tried for it."""

    name: str
    subject: str
    detail: str
    remedy: str
    make: Make = lambda sim: None
    told: dict[str, Any] = {}
    untried: tuple[str, ...] = ()


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
        untried=("company XYZ currency", "company XYZ aging"),
    ),
    Wrong(
        "external access not allowed",
        "company ABC",
        "ExternalAccessDisabled",
        "Company Maintenance",
        make=injected(
            SoapFault(
                code="ExternalAccessDisabled", operation="ReadPage", entity="AR_TermsCode", times=1
            )
        ),
        untried=tuple(f"{name} rows" for name in ENTITIES),
    ),
    Wrong(
        "another currency",
        "company ABC currency",
        "the agent's is USD, configured is CAD",
        'currency = { ABC = "USD" }',
        told={"currency": {"ABC": "CAD"}},
    ),
    Wrong(
        "an entity that cannot be read",
        "AP_Vendor rows",
        "The agent reports Internal",
        "see its log",
        make=injected(SoapFault(code="Internal", entity="AP_Vendor", times=9)),
    ),
    Wrong(
        "a wrong name in the agent",
        "AR_Customer rows",
        "CustomerName blank in all of the first",
        "by a wrong name",
        make=blank("AR_Customer.CustomerName"),
    ),
    Wrong(
        "a Š in a name shifts what stands behind it",
        "AR_Customer rows",
        "rows cells stand under the wrong column, as",
        "the byte 0x8A",
        make=separator_in_a_name,
    ),
    Wrong(
        "wrong names of amounts",
        "AR_Invoice rows",
        "InvoiceDate, Balance blank in all of the first",
        "by a wrong name",
        make=blank("AR_Invoice.InvoiceDate", "AR_Invoice.Balance"),
    ),
    Wrong(
        "no amount at all",
        "AR_Invoice rows",
        "TaxableAmt, NonTaxableAmt blank in all of the first",
        "by a wrong name",
        make=blank("AR_Invoice.TaxableAmt", "AR_Invoice.NonTaxableAmt"),
    ),
    Wrong(
        "Windows-1252 taken for Latin-1",
        "AR_Customer rows",
        r"letters are not Sage 100's, as CustomerName 'Joe\x92s Diner'",
        "code page 1252",
        make=lambda sim: misread(sim, "latin-1"),
    ),
    Wrong(
        "Windows-1252 recoded twice",
        "AR_Customer rows",
        "letters are not Sage 100's, as CustomerName",
        "once, and write UTF-8",
        make=lambda sim: misread(sim, "utf-8"),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=[one.name for one in ROWS])
async def test_each_thing_that_is_wrong_has_its_line(row: Wrong) -> None:
    """That line and no other is not ok; it says what was found and what to do."""
    async with office() as sim:
        row.make(sim)
        lines = await lines_of(sim, **row.told)
    wrong = [subject for subject, line in lines.items() if line.tried and not line.ok]
    assert wrong == [row.subject]
    untried = [subject for subject, line in lines.items() if not line.tried]
    assert untried == list(row.untried)
    line = lines[row.subject]
    assert row.detail in line.detail
    assert row.remedy in line.remedy


async def test_odd_values_of_sage_100_itself_are_no_mistake() -> None:
    """Garbage dates, minus signs behind, blanks and a Š are ok; letters that somebody misread are
    the one thing to be told of.
    """
    async with office(profile="messy", customers=150, invoices=300) as sim:
        lines = await lines_of(sim)
    told = [line for line in lines.values() if not line.ok]
    assert [line.detail for line in told if "letters are not Sage 100's" not in line.detail] == []
    assert len(told) == 1


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
        wire.serve(wire.answer(WSDL), wire.answer(wire.info(entities)), wire.answer(page)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await check_agent(agent, instance(site.endpoint), now=lambda: UTC_NOW)
    [line] = [one for one in lines if one.subject.endswith(" AR_Customer columns")]
    assert not line.ok
    assert detail in line.detail
    assert remedy in line.remedy


@pytest.mark.parametrize("status", [404, 503])
async def test_where_somebody_else_answers_the_rest_is_not_tried(status: int) -> None:
    """What came instead is said of the WSDL and of the agent; nothing is asked twice."""
    async with office() as sim:
        sim.inject(HttpAnswer(status=status, times=99))
        lines = await lines_of(sim)
        wrong = [subject for subject, line in lines.items() if line.tried and not line.ok]
        assert wrong == ["WSDL", "agent"]
        for subject in wrong:
            assert f"HTTP status {status}" in lines[subject].detail
            assert lines[subject].remedy
        assert lines["WSDL"].where == f"{sim.endpoint}?wsdl"
        untried = [subject for subject, line in lines.items() if not line.tried]
        assert untried[:3] == ["Windows log-on", "API key", "time zone"]
        assert len(untried) == len(lines) - 4
        assert all("the agent did not answer" in lines[one].detail for one in untried)
        assert sim.calls.requests == 2


async def test_a_sage_100_that_is_in_use_is_nothing_wrong() -> None:
    """While others have the files for themselves, what cannot be read is not tried, and says so."""
    async with office() as sim:
        sim.conduct.exclusive = Exclusive(message="Backup is running")
        lines = await lines_of(sim)
        wrong = [subject for subject, line in lines.items() if line.tried and not line.ok]
        assert wrong == []
        assert "in use by others" in lines["company ABC"].detail
        assert "Backup is running" in lines["company ABC"].detail
        assert not lines["AR_Customer rows"].tried
        assert lines["AR_Customer columns"].ok


async def test_after_sage_100_refused_the_agents_user_nothing_more_is_asked() -> None:
    """LogonFailed of a page ends it there, whichever step it meets; nothing is asked after it."""
    for entity, asked in (("AR_TermsCode", 1), ("AR_CustomerContact", 4)):
        async with office() as sim:
            sim.inject(SoapFault(code="LogonFailed", entity=entity, times=99))
            lines = await lines_of(sim)
            assert not lines["Sage 100 user"].ok
            assert "LogonFailed" in lines["Sage 100 user"].detail
            assert "Sage 100 refused the agent's user" in lines["AP_Vendor rows"].detail
            assert not lines["AP_Vendor columns"].tried
            assert sim.calls.operations["ReadPage"] == asked


async def test_a_log_on_that_is_refused_in_the_middle_ends_it_there() -> None:
    """An account that was locked meanwhile: its own line, and nothing is asked after it."""
    async with office() as sim:
        sim.inject(HttpAnswer(status=401, entity="AR_Customer", times=99))
        lines = await lines_of(sim)
        assert not lines["Windows log-on, once more"].ok
        assert lines["Windows log-on"].ok
        assert lines["AR_Customer rows"].detail == "not tried, since we were refused"
        assert sim.calls.operations["ReadPage"] == 3


async def test_a_currency_that_the_agent_does_not_tell_is_a_note() -> None:
    """Nothing is wrong, and yet somebody has to compare it."""
    info = wire.info({}).replace(b"<a:Currency>USD", b"<a:Currency>")
    async with (
        wire.serve(wire.answer(WSDL), wire.answer(info)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await check_agent(agent, instance(site.endpoint), now=lambda: UTC_NOW)
    [line] = [one for one in lines if one.subject.endswith(" currency")]
    assert (line.ok, bool(line.remedy)) == (True, True)
