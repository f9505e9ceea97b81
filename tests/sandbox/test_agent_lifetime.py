"""An agent as something that lives: starting, stopping, restarting, announcing, keeping secrets."""

from __future__ import annotations

import ast
import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
import pytest

import connector.sandbox.agent as package
from connector.sandbox.agent import (
    AgentOptions,
    Announcement,
    ManualClock,
    SimulatedAgent,
    maintenance,
    run_agent,
    server_clock,
)
from connector.sandbox.agent.values import amount, cents, clean, hours, masked, stamp, ticks
from tests.sandbox.agent_wire import NOW, SMALL, Wire, serving

LIMIT_S = 10.0


async def test_run_agent_announces_and_serves_until_cancelled() -> None:
    """The command's function tells endpoint and credentials once, and ends when cancelled."""
    told: asyncio.Queue[Announcement] = asyncio.Queue()
    task = asyncio.create_task(run_agent(SMALL, announce=told.put_nowait))
    announced = await asyncio.wait_for(told.get(), LIMIT_S)
    headers = {"X-API-Key": announced.api_key}
    async with aiohttp.ClientSession() as session:
        headers |= {
            "Authorization": aiohttp.encode_basic_auth(announced.username, announced.password)
        }
        async with session.get(announced.endpoint + "?wsdl", headers=headers) as response:
            assert response.status == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(announced.endpoint)
    assert announced.companies == ("ABC",)
    assert told.empty()


async def test_a_restart_keeps_data_and_cursors() -> None:
    """An agent restarted on the same model honours cursors issued before; another seed does not."""
    async with serving() as wire:
        model = wire.agent.model
        maintenance.change_customer(wire.agent.company, ("01", "ABF"), {"City": "Racine"})
        first = await wire.page("AR_Customer", limit=3)
    async with serving(model=model) as wire:
        second = await wire.page("AR_Customer", limit=3, after=first.following)
        assert second.rows == model.rows("AR_Customer")[3:6]
        assert model.row("AR_Customer", ("01", "ABF"))["City"] == "Racine"  # type: ignore[index]
    async with serving(seed=2) as wire:
        refused = await wire.page_call("AR_Customer", after=first.following)
        assert refused.fault[1] == "InvalidCursor"


async def test_before_it_runs_an_agent_has_no_model() -> None:
    """Asking for the model too early is an error that says what to do."""
    with pytest.raises(RuntimeError, match="async with"):
        _ = SimulatedAgent(SMALL).model


async def test_a_taken_port_is_an_error_and_leaks_nothing() -> None:
    """An agent that cannot listen raises, and leaves nothing open behind it."""
    async with serving() as wire:
        port = int(wire.agent.endpoint.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="address already in use"):
            async with SimulatedAgent(SMALL, port=port):
                pass
        assert (await wire.call("GetInfo", "")).status == 200


async def test_secrets_show_in_no_repr() -> None:
    """Options and announcements hide their secrets from repr, str and rich."""
    options = AgentOptions(
        password="pw-1", api_key="key-1", control_token="tok-1", customers=1, invoices=0
    )
    async with SimulatedAgent(options) as agent:
        for value in (options, agent.announcement):
            shown = repr(value) + str(value) + repr(list(value.__rich_repr__()))
            assert "***" in shown
            for secret in ("pw-1", "key-1", "tok-1"):
                assert secret not in shown
    assert "username='svc_mlconnector'" in repr(options)


def test_the_clock_can_be_moved_to_another_day() -> None:
    """`today` shifts the calendar by whole days and lets the time of day run on."""
    clock = server_clock("America/Chicago", date(2020, 2, 29))
    real = server_clock("America/Chicago")
    shift = real().replace(microsecond=0) - clock().replace(microsecond=0)
    assert shift.seconds in {0, 1, 86_399}
    assert clock().date() in {date(2020, 2, 29), date(2020, 3, 1)}
    assert clock().tzinfo is None


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (timedelta(hours=15, minutes=30), "15.5"),
        (timedelta(hours=8, minutes=29, seconds=32, milliseconds=568), "8.49238"),
        (timedelta(hours=13, minutes=25, seconds=55, milliseconds=560), "13.4321"),
        (timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999), "23.99999"),
        (timedelta(0), "0"),
        (timedelta(microseconds=36_000), "0.00001"),
    ],
)
def test_times_are_decimal_hours(moment: timedelta, text: str) -> None:
    """A time of day is decimal hours, cut to five decimals and not padded."""
    when = datetime(2026, 11, 22) + moment
    assert hours(ticks(when)) == text
    assert stamp(when) == ("20261122", text)


@pytest.mark.parametrize(
    ("value", "plain", "mask"),
    [
        (0, "0", "0.00"),
        (50, ".5", "0.50"),
        (-50, "-.5", "0.50-"),
        (7, ".07", "0.07"),
        (123_450, "1234.5", "1,234.50"),
        (-123_456, "-1234.56", "1,234.56-"),
        (1200, "12", "12.00"),
    ],
)
def test_amounts_are_written_as_sage_writes_them(value: int, plain: str, mask: str) -> None:
    """Amounts lose superfluous zeros, or go through a mask; both read back to the same cents."""
    assert (amount(value), masked(value)) == (plain, mask)
    assert cents(plain) == cents(mask) == value


def test_cells_are_cleaned_at_the_door() -> None:
    """Trailing blanks go, leading ones stay, forbidden characters become U+FFFD."""
    assert clean(" a b  ") == " a b"
    assert clean("a\x0b\ud800\ufffe") == "a\ufffd\ufffd\ufffd"
    assert clean("tab\tnew\r\nline") == "tab\tnew\r\nline"


def test_the_manual_clock_stands_still() -> None:
    """A manual clock shows what it was set to until it is moved."""
    clock = ManualClock(NOW)
    clock.advance(timedelta(hours=-1))
    assert clock() == clock() == NOW - timedelta(hours=1)


def test_the_simulator_shares_no_code_with_the_client() -> None:
    """The package imports nothing of ours but itself, so that it proves something."""
    ours = ("connector", "projections", "eventstore", "tests")
    modules = list(Path(package.__file__).parent.glob("*.py"))
    assert len(modules) > 10
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.split(".")[0] in ours:
                    assert name.startswith("connector.sandbox.agent"), (module.name, name)


def test_public_names_are_there() -> None:
    """Everything the package promises exists."""
    for name in package.__all__:
        assert hasattr(package, name)


def test_options_survive_json() -> None:
    """Options can be handed to another process as JSON."""
    assert msgspec.json.decode(msgspec.json.encode(SMALL), type=AgentOptions) == SMALL


async def test_one_wire_per_agent() -> None:
    """Agents side by side have their own ports, models and counters."""
    async with serving() as one, serving() as two:
        assert one.agent.endpoint != two.agent.endpoint
        await one.call("GetInfo", "")
        assert (one.agent.calls.requests, two.agent.calls.requests) == (1, 0)
        maintenance.remove(one.agent.company, "AR_Customer", ("01", "ABF"))
        assert two.agent.company.find("AR_Customer", ("01", "ABF")) is not None
        assert isinstance(one, Wire)
