"""Several agents in one configuration: what befalls one is not felt by the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector import orders, reports
from connector.app import App
from connector.sage100 import refusals
from connector.sage100.passes import Outcome
from connector.sage100.retry import ONCE
from connector.sandbox.agent import (
    AgentOptions,
    CompanyOptions,
    Exclusive,
    Hold,
    HttpAnswer,
    SimulatedAgent,
    SoapFault,
    StrangerPage,
    maintenance,
)
from projections import events
from tests.e2e import holding
from tests.e2e.expectation import Expectation, merged
from tests.e2e.site import SELDOM, Site, open_site
from tests.e2e.waiting import LIMIT_S, until

SMALL = AgentOptions(seed=81, customers=15, invoices=40, vendors=2)
OFTEN = {"customers": "1s", "invoices": "1s", "vendors": "1s", "sweep": "1d"}


class Two(msgspec.Struct, frozen=True):
    """Two offices with an agent each, in one configuration and one portal."""

    south: Site
    north: Site

    def expectation(self) -> Expectation:
        """What HubSpot must hold of both."""
        return merged([self.south.expectation(), self.north.expectation()])


def configured(north: SimulatedAgent, zone: str, schedule: dict[str, str]) -> str:
    """The tables of the second agent."""
    times = "\n".join(f'{name} = "{when}"' for name, when in schedule.items())
    return f"""
[[sage100]]
name = "north"
endpoint = "{north.endpoint}"
companies = ["XYZ"]
timezone = "{zone}"
currency = "USD"

[sage100.auth]
scheme = "basic"
username = "{north.username}"
password = {{ env = "NORTH_PASSWORD" }}
api_key = {{ env = "NORTH_API_KEY" }}

[sage100.schedule]
{times}
"""


@asynccontextmanager
async def open_two(folder: Path, *, schedule: dict[str, str] = SELDOM) -> AsyncIterator[Two]:
    """Start both."""
    async with open_site(folder, SMALL, schedule=schedule) as south:
        theirs = msgspec.structs.replace(
            SMALL,
            seed=82,
            companies=(CompanyOptions(code="XYZ", name="Northern"),),
            time_zone=south.sage100.options.time_zone,
        )
        async with SimulatedAgent(theirs) as agent:
            text = south.config_path.read_text(encoding="utf-8")
            text += configured(agent, theirs.time_zone, schedule)
            south.config_path.write_text(text, encoding="utf-8")
            south.env.update(NORTH_PASSWORD=agent.password, NORTH_API_KEY=agent.api_key)
            yield Two(south, msgspec.structs.replace(south, sage100=agent))


Make = Callable[[Two], Any]


def injected(fault: Any) -> Make:
    """A scripted fault at the northern agent."""
    return lambda two: two.north.sage100.inject(fault)


def cleared(two: Two) -> None:
    """Mend what was scripted or switched."""
    two.north.sage100.faults.clear()
    two.north.sage100.conduct.exclusive = None


def wrong_password(two: Two) -> None:
    """The configuration has another password than Windows."""
    two.south.env["NORTH_PASSWORD"] = "wr0ng"


def right_password(two: Two) -> None:
    """It is corrected."""
    two.south.env["NORTH_PASSWORD"] = two.north.sage100.password


FAULTS: dict[str, tuple[Make, Make, str]] = {
    "refused by Sage 100": (
        injected(SoapFault(code="LogonFailed", operation="ReadPage", times=999)),
        cleared,
        "LogonFailed",
    ),
    "wrong password": (wrong_password, right_password, "HTTP status 401"),
    "a stranger's page": (
        injected(StrangerPage(page="iis-404.3", times=999)),
        cleared,
        "404.3 - Not Found",
    ),
    "in use": (
        lambda two: setattr(two.north.sage100.conduct, "exclusive", Exclusive()),
        cleared,
        "Period end is running",
    ),
    "its company is not served": (
        injected(SoapFault(code="InvalidCompany", times=999)),
        cleared,
        "InvalidCompany",
    ),
}


async def released(app: App) -> None:
    """A person has seen to the account of the northern agent's user."""
    kept = await refusals.find(app.store, "north")
    assert kept is not None
    assert await refusals.release(app.store, events.LogonReleased("north", kept.at, kept.code))


@pytest.mark.parametrize("name", FAULTS)
async def test_one_fails_and_the_other_is_kept_true(tmp_path: Path, name: str) -> None:
    """The failing agent's passes say why; the other one's records are in HubSpot, all and right."""
    make, mend, says = FAULTS[name]
    async with open_two(tmp_path) as two:
        make(two)
        async with two.south.app() as app:
            report = await app.run_once()
            ended: dict[str, list[Outcome]] = {company: [] for company in ("ABC", "XYZ")}
            for one in report.passes:
                ended[one.company].append(one)
            assert all(one.completed for one in ended["ABC"])
            assert [one for one in ended["XYZ"] if one.completed] == []
            assert all(says in str(one.error) for one in ended["XYZ"])
            assert holding.differences(two.south.portal, two.south.expectation()) == []
            status = await reports.status(app.store)
            assert status["books_close"]
            assert {row["instance"] for row in status["sage100"] if row["error"]} <= {"north"}
        mend(two)
        async with two.south.app() as app:
            if name == "refused by Sage 100":  # nothing of ours was wrong: a person has to say so
                assert not (await app.run_once()).complete
                await released(app)
            assert (await app.run_once()).complete
            assert holding.differences(two.south.portal, two.expectation()) == []


async def test_an_agent_that_hangs_delays_nobody_else(tmp_path: Path) -> None:
    """While one answer does not come, changes of the other office still reach HubSpot."""
    async with open_two(tmp_path, schedule=OFTEN) as two, two.south.app() as app:
        held = two.north.sage100.inject(Hold(operation="ReadPage"))
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def south_is_true() -> bool:
            assert not service.done()
            found = holding.differences(two.south.portal, two.south.expectation())
            return found == []

        await until(lambda: held.reached.is_set(), "the northern agent is asked")
        await until(south_is_true, "the southern office is in HubSpot")
        maintenance.change_customer(two.south.company, ("01", "ABF"), {"CustomerName": "Renamed"})
        await until(south_is_true, "a change of the southern office is in HubSpot")
        assert two.north.sage100.calls.in_flight == 1
        held.release()

        def both_are_true() -> bool:
            assert not service.done()
            return holding.differences(two.south.portal, two.expectation()) == []

        await until(both_are_true, "both offices are in HubSpot")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


def clock_of_the_year_one(two: Two) -> None:
    """The agent never set its clock: .NET's first moment."""
    two.north.sage100.conduct.server_time = "0001-01-01T00:00:00"


def clock_set(two: Two) -> None:
    """And sets it."""
    two.north.sage100.conduct.server_time = ""


ODD: dict[str, tuple[Make, Make, str]] = {
    "its clock": (clock_of_the_year_one, clock_set, "answer"),
    "the wait that a gateway asks for": (
        injected(HttpAnswer(status=503, headers={"Retry-After": "9" * 20}, times=9_999)),
        cleared,
        "not_the_agent",
    ),
    "the wait that a fault asks for": (
        injected(SoapFault(code="Internal", retry_after_s=10**19, times=9_999)),
        cleared,
        "busy",
    ),
}


async def failed_alone(two: Two, app: App, category: str, mend: Callable[[], Any]) -> None:
    """The north fails so, the south is kept true meanwhile; mended, the north is true as well."""
    stop = asyncio.Event()
    service = asyncio.create_task(app.run(stop))

    async def north_failed() -> bool:
        assert not service.done(), service.exception()
        status = await reports.status(app.store)
        errors = [row["error"] for row in status["sage100"] if row["instance"] == "north"]
        return any(error is not None and error["category"] == category for error in errors)

    def south_is_true() -> bool:
        assert not service.done(), service.exception()
        return holding.differences(two.south.portal, two.south.expectation()) == []

    def both_are_true() -> bool:
        assert not service.done(), service.exception()
        return holding.differences(two.south.portal, two.expectation()) == []

    await until(north_failed, "the northern passes have failed")
    await until(south_is_true, "the southern office is in HubSpot")
    maintenance.change_customer(two.south.company, ("01", "ABF"), {"CustomerName": "Renamed"})
    await until(south_is_true, "a change of the southern office is in HubSpot")
    mend()
    await until(both_are_true, "both offices are in HubSpot")
    stop.set()
    async with asyncio.timeout(LIMIT_S):
        await service


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_agent_fails_alone_and_heals(tmp_path: Path, name: str) -> None:
    """Whatever nonsense it answers, the other office is served; mended, it is served as well."""
    make, mend, category = ODD[name]
    async with open_two(tmp_path, schedule=OFTEN) as two, two.south.app() as app:
        app.agents["north"]._retry = ONCE
        make(two)
        await failed_alone(two, app, category, lambda: mend(two))


@pytest.mark.parametrize("what", ["get_info", "read_page"])
async def test_an_error_of_this_program_fails_one_instance_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """It is a failed pass with its place, the traceback is in our log, and it is tried again."""
    async with open_two(tmp_path, schedule=OFTEN) as two, two.south.app() as app:
        north = app.agents["north"]
        right = getattr(north, what)

        async def wrong(*_: Any, **__: Any) -> Any:
            return 1 // 0

        setattr(north, what, wrong)
        await failed_alone(two, app, "internal", lambda: setattr(north, what, right))
        failed = [
            one
            for stored in await app.store.read(0, types=["PollFailed"], limit=5_000)
            if isinstance(one := events.decode(stored.type, stored.data), events.PollFailed)
        ]
    assert {one.code for one in failed} == {"ZeroDivisionError"}
    assert all(one.retryable and not one.stopped for one in failed)
    assert all("ZeroDivisionError in connector.sage100." in one.message for one in failed)
    assert "1 // 0" in caplog.text


async def test_an_agent_that_refused_us_does_not_end_the_service(tmp_path: Path) -> None:
    """Its instance stands still after one attempt; the other one goes on and ends in order."""
    async with open_two(tmp_path, schedule=OFTEN) as two:
        wrong_password(two)
        async with two.south.app() as app:
            stop = asyncio.Event()
            service = asyncio.create_task(app.run(stop))

            def south_is_true() -> bool:
                assert not service.done()
                return holding.differences(two.south.portal, two.south.expectation()) == []

            await until(south_is_true, "the southern office is in HubSpot")
            buyer = ("01", "ABF")
            maintenance.change_customer(two.south.company, buyer, {"CustomerName": "Renamed"})
            await until(south_is_true, "a change of the southern office is in HubSpot")
            assert two.north.sage100.calls.requests == 1
            stop.set()
            async with asyncio.timeout(LIMIT_S):
                await service


async def test_an_agent_that_refused_us_is_asked_again_after_a_release(tmp_path: Path) -> None:
    """The account was unlocked: an order beside the running service, and it goes on by itself."""
    async with open_two(tmp_path, schedule=OFTEN) as two, two.south.app() as app:
        two.north.sage100.inject(SoapFault(code="LogonFailed", operation="GetInfo"))
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        async def north_is_refused() -> bool:
            assert not service.done()
            return await refusals.find(app.store, "north") is not None

        def both_are_true() -> bool:
            assert not service.done()
            return holding.differences(two.south.portal, two.expectation()) == []

        await until(north_is_refused, "the northern agent has refused us")
        kept = await refusals.find(app.store, "north")
        file = two.south.config().store.file
        assert kept is not None
        assert file is not None
        assert two.north.sage100.calls.requests == 1
        left = await orders.leave(file, events.LogonReleased("north", kept.at, kept.code, "eve"))
        await until(both_are_true, "both offices are in HubSpot")
        assert not left.exists()
        [released] = await app.store.history(refusals.logon_stream("north"))
        assert released.type == "LogonReleased"
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


async def test_two_instances_of_one_agent_ask_it_in_turn(tmp_path: Path) -> None:
    """Two entries with one endpoint, however spelled, never have two requests under way."""
    both = msgspec.structs.replace(
        SMALL, companies=(CompanyOptions(), CompanyOptions(code="XYZ", name="Northern"))
    )
    async with open_site(tmp_path, both, companies=["ABC"]) as site:
        agent = site.sage100
        text = site.config_path.read_text(encoding="utf-8")
        text += configured(agent, agent.options.time_zone, SELDOM)
        site.config_path.write_text(
            text.replace(agent.endpoint, agent.endpoint.replace("http:", "HTTP:"), 1), "utf-8"
        )
        site.env.update(NORTH_PASSWORD=agent.password, NORTH_API_KEY=agent.api_key)
        agent.conduct.request_delay_s = 0.02
        async with site.app() as app:
            report = await app.run_once()
        assert {one.company for one in report.passes if one.completed} == {"ABC", "XYZ"}
        assert report.complete
        assert agent.calls.most_in_flight == 1
