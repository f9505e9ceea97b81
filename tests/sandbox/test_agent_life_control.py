"""Another process lives the company's life, and the command line chooses what it is."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from connector.cli import sandbox as command
from connector.sandbox.agent import AgentOptions, CompanyOptions
from tests.sandbox.agent_wire import serving
from tests.sandbox.test_agent_control import done, tell
from tests.sandbox.test_agent_life_machine import check_books

ABF, OTHER = ["01", "ABF"], ["02", "ABF"]
LIMIT_S = 10.0


async def test_jobs_can_be_ordered() -> None:
    """Import, match, aging, period end and purges run over the control endpoint."""
    async with serving() as wire:
        company = wire.agent.company
        answer = await done(wire, do="import", fields={"CreditLimit": "5"})
        assert answer == {"count": 60}
        few = await done(wire, do="import", fields={"City": "X"}, customers=[ABF], stamp=True)
        assert few == {"count": 1}
        assert company.row("AR_Customer", ("01", "ABF"))["DateUpdated"] == "20261122"
        invoice = (await done(wire, do="invoice", customer=ABF, total="80"))["key"]
        credit = (await done(wire, do="credit", customer=ABF, amount="80"))["key"]
        await done(wire, do="match", credit=credit, invoice=invoice, amount="30")
        assert company.row("AR_Invoice", invoice)["Balance"] == "50"
        await done(wire, do="match", credit=credit, invoice=invoice)
        assert await done(wire, do="age", as_of="2026-12-31") == {"count": 60}
        closed = await done(wire, do="period_end", retain_days=0)
        assert closed["items"] >= 2
        assert company.row("AR_Invoice", invoice)["IsOpen"] == "N"
        purged = await done(wire, do="purge_payments", through="2026-11-22")
        assert purged["count"] >= 4
        assert (await done(wire, do="purge_history", through="2026-11-22"))["count"] > 100
        assert company.find("AR_Invoice", invoice) is None
        check_books(company)


async def test_utilities_can_be_ordered() -> None:
    """Renumber, merge, retype, expand, back up, restore and swap run over the control endpoint."""
    async with serving(companies=(CompanyOptions(), CompanyOptions(code="XYZ"))) as wire:
        company, model = wire.agent.company, wire.agent.model
        await done(wire, do="back_up", name="before")
        before = model.rows("AR_Customer")
        await done(wire, do="renumber", customer=ABF, to=["01", "ZULU"])
        await done(wire, do="merge", customer=["01", "ZULU"], into=OTHER)
        assert company.find("AR_Customer", ("01", "ZULU")) is None
        invoice = (await done(wire, do="invoice", customer=OTHER, total="8"))["key"]
        odd = (await done(wire, do="retype", invoice=invoice, type="ZZ"))["key"]
        assert company.row("AR_Invoice", odd)["Balance"] == "8"
        await done(wire, do="expand")
        assert company.invoice_digits == 20
        await done(wire, do="restore", name="before")
        assert model.rows("AR_Customer") == before
        assert company.invoice_digits == 7
        await done(wire, do="swap", other="XYZ", name="own")
        assert model.rows("AR_Customer") == model.rows("AR_Customer", "XYZ") != before
        await done(wire, do="restore", name="own")
        assert model.rows("AR_Customer") == before
        assert (await tell(wire, {"do": "restore", "name": "never"}))[0] == 400


async def test_updates_can_be_ordered() -> None:
    """Batches, national accounts, balance forward, stamps, clock and settings likewise."""
    async with serving() as wire:
        company = wire.agent.company
        number = await done(wire, do="enter", batch="00001", customer=ABF, total="10")
        assert number == {"invoice_no": "0100240"}
        (key,) = (await done(wire, do="post", batch="00001", renumber=True))["keys"]
        assert key[2] == "0100241"
        national = (await done(wire, do="national", payer=OTHER, buyer=ABF, total="7"))["key"]
        assert company.row("AR_Invoice", national)["SoldToCustomerNo"] == "ABF"
        assert (await done(wire, do="carry", customer=ABF))["key"][4] == "BF"
        stamped = await done(
            wire, do="restamp", entity="AR_Customer", moment="2027-01-01T01:30:00", keys=[ABF]
        )
        assert stamped == {"count": 1}
        assert company.row("AR_Customer", ("01", "ABF"))["TimeUpdated"] == "1.5"
        assert (await done(wire, do="restamp", entity="AR_Customer"))["count"] == 60
        await done(wire, do="clock", shift_s=-86_400)
        await done(wire, do="settings", posting_stamps_customers=False, workstation_skew_s=172_800)
        await done(wire, do="invoice", customer=ABF, total="1")
        row = company.row("AR_Customer", ("01", "ABF"))
        assert (row["DateUpdated"], row["DateLastActivity"]) == ("", "20261121")
        await done(wire, do="change", entity="AR_Customer", key=ABF, fields={"City": "X"})
        assert company.row("AR_Customer", ("01", "ABF"))["DateUpdated"] == "20261123"
        await done(wire, do="settings", external_access=False)
        refused = await wire.page_call("AR_Customer")
        assert refused.fault[1] == "ExternalAccessDisabled"


async def test_manners_can_be_ordered() -> None:
    """Exclusive use, locks, dead sessions, caps and mistakes are switched on and off."""
    async with serving() as wire:

        async def answer() -> str | None:
            found = await wire.page_call("AR_Customer")
            return "ok" if found.status == 200 else found.fault[1]

        for order, undo, meant in (
            ({"do": "exclusive", "module": "AR"}, {"do": "exclusive", "on": False}, "ExclusiveUse"),
            (
                {"do": "lock", "entity": "AR_Customer", "key": ABF},
                {"do": "lock", "entity": "AR_Customer", "key": ABF, "on": False},
                "RecordLocked",
            ),
            ({"do": "poison"}, {"do": "recycle"}, "Internal"),
        ):
            await done(wire, **order)
            assert await answer() == meant
            await done(wire, **undo)
            assert await answer() == "ok"
        await done(wire, do="conduct", seats_left=0)
        await done(wire, do="recycle")
        assert await answer() == "LicenseExhausted"
        blank = ["AR_Customer.City"]
        await done(wire, do="conduct", seats_left=9, scan_cap=3, blank_columns=blank)
        page = await wire.page("AR_Customer")
        assert (len(page.rows), page.complete, {row["City"] for row in page.rows}) == (
            3,
            False,
            {""},
        )
        await done(wire, do="conduct", scan_cap=0, separator_collision=True, server_skew_s=-3600)
        page = await wire.page("AR_Customer")
        assert (page.complete, page.server_time) == (True, "2026-11-22T08:15:03")
        assert wire.agent.conduct.separator_collision
        assert wire.agent.conduct.blank_columns == set(blank)


async def test_new_faults_have_tags() -> None:
    """Pages, trickles and oversized answers are scripted over the control endpoint too."""
    async with serving() as wire:
        for fault in (
            {"fault": "page", "page": "tunnel-530"},
            {"fault": "trickle", "piece_bytes": 100_000, "pause_s": 0},
            {"fault": "oversized", "body_bytes": 200_000},
            {"fault": "truncated", "abruptly": True},
        ):
            await done(wire, do="fault", fault=fault)
        assert (await wire.call("GetInfo", "")).status == 530
        assert (await wire.call("GetInfo", "")).status == 200
        assert len((await wire.call("GetInfo", "")).body) >= 200_000
        with pytest.raises(aiohttp.ClientError):
            await wire.call("GetInfo", "")


async def test_a_restart_can_be_ordered() -> None:
    """The order is answered, then the agent is away, and after the gap it is back."""
    async with serving() as wire:
        await done(wire, do="poison")
        await done(wire, do="restart", gap_s=0)
        async with asyncio.timeout(LIMIT_S):
            assert wire.agent._gap is not None
            await wire.agent._gap
        assert (await wire.page_call("AR_Customer")).status == 200


@pytest.mark.parametrize(
    "order",
    [
        {"do": "match", "credit": ["01", "ABF"], "invoice": ["01", "ABF"]},
        {"do": "renumber", "customer": ["01", "NOBODY"], "to": ["01", "X"]},
        {"do": "post", "batch": "99999"},
        {"do": "purge_history", "through": "yesterday"},
        {"do": "swap", "other": "QQQ", "name": "x"},
        {"do": "expand", "width": 7},
        {"do": "lock", "entity": "GL_Account", "key": ["1"]},
        {"do": "conduct", "scan_cap": -1},
        {"do": "conduct", "patience": 1},
        {"do": "fault", "fault": {"fault": "page", "page": "iis-418"}},
        {"do": "restamp", "entity": "AR_Customer", "keys": [["01", "NOBODY"]]},
        {"do": "clock"},
    ],
)
async def test_wrong_orders_are_named(order: Any) -> None:
    """An order that makes no sense is answered 400 with the reason, and changes nothing."""
    async with serving() as wire:
        before = wire.agent.model.rows("AR_Customer")
        status, answer = await tell(wire, order)
        assert status == 400
        assert len(answer["error"]) > 5
        assert wire.agent.model.rows("AR_Customer") == before


async def test_the_books_show_what_was_answered() -> None:
    """Faults of session and site are counted by their codes, like any other answer."""
    async with serving() as wire:
        wire.agent.sessions.poison()
        for _ in range(2):
            assert (await wire.page_call("AR_Customer")).fault[1] == "Internal"
        assert (await done(wire, do="stats"))["answers"] == {"Internal": 2}


def chosen(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> AgentOptions:
    """The options that the command makes of its arguments."""
    made: list[AgentOptions] = []

    async def run_agent(options: AgentOptions, **_: Any) -> None:
        made.append(options)

    monkeypatch.setattr("connector.sandbox.agent.run_agent", run_agent)
    result = CliRunner().invoke(command.app, ["agent", *arguments])
    assert result.exit_code == 0, result.output
    (options,) = made
    return options


def test_the_command_has_one_session_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options the command serves a current Sage 100, quickly, one request at a time."""
    options = chosen(monkeypatch)
    assert (options.profile, options.capacity.sessions) == ("current", 1)
    assert (options.capacity.cold_start_s, options.capacity.row_delay_s) == (0, 0)


def test_the_command_chooses_profile_and_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profile, sessions, cold start in seconds and milliseconds a row reach the agent."""
    options = chosen(
        monkeypatch,
        *("--profile", "messy", "--session-capacity", "2", "--cold-start", "30", "--latency", "5"),
    )
    assert (options.profile, options.capacity.sessions) == ("messy", 2)
    assert (options.capacity.cold_start_s, options.capacity.row_delay_s) == (30, 0.005)


def test_the_command_names_wrong_choices() -> None:
    """A profile that there is not, or no session at all, is refused at once."""
    for wrong in (["--profile", "ancient"], ["--session-capacity", "0"], ["--latency", "-1"]):
        result = CliRunner().invoke(command.app, ["agent", *wrong])
        assert result.exit_code == 2
