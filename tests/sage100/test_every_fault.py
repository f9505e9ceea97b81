"""Whatever comes between us and Sage 100: the log's event, the operator's words, and the healing.

Each row is made by the simulated agent over a real socket. What an administrator could not mend
without us (a wrong password in our configuration) is in `test_every_refusal`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from connector.sage100.agent import Limits
from connector.sandbox.agent import (
    Capacity,
    DoctypeXml,
    DropConnection,
    Exclusive,
    Hold,
    HttpAnswer,
    LogonOptions,
    MalformedXml,
    Oversized,
    SoapFault,
    StrangerPage,
    Trickle,
    TruncatedBody,
)
from connector.sandbox.agent.faults import AnyFault
from connector.sandbox.agent.pace import ManualPace
from tests.sage100.fault import Act, Fault, nothing, rows, suffer, survive
from tests.sage100.room import Room

ALL: dict[str, Any] = {"times": 9_999}
SOON = Limits(total_s=0.4, idle_s=0.2)


def injected(fault: AnyFault) -> Act:
    """Script this fault."""
    return lambda room: room.sim.inject(fault)


def cleared(room: Room) -> None:
    """End every scripted fault."""
    room.sim.faults.clear()


def conduct(**switches: Any) -> Act:
    """Let the agent or its site behave so."""

    def switch(room: Room) -> None:
        for name, value in switches.items():
            setattr(room.sim.conduct, name, value)

    return switch


def no_seat(room: Room) -> None:
    """The office takes every seat, and the agent has lost its own."""
    room.sim.conduct.seats_left = 0
    room.sim.sessions.recycle()


def fault_code(code: str, category: str, *says: str, waits: bool = False) -> Fault:
    """A fault of the contract on every page."""
    return Fault(
        name=code,
        make=injected(SoapFault(code=code, operation="ReadPage", **ALL)),
        mend=cleared,
        category=category,
        code=code,
        says=(f"The agent reports {code}", *says),
        waits=waits,
    )


def stranger(status: int, *says: str) -> Fault:
    """Another end's answer to everything."""
    return Fault(
        name=f"HTTP {status}",
        make=injected(HttpAnswer(status=status, **ALL)),
        mend=cleared,
        category="not_the_agent",
        code=str(status),
        says=(f"HTTP status {status}", "502 Bad Gateway", "proxy or a tunnel answers", *says),
    )


def page(name: Any, status: int, *says: str, title: str) -> Fault:
    """A page of IIS or a tunnel in place of every answer."""
    return Fault(
        name=f"page {name} as {status}",
        make=injected(StrangerPage(page=name, status=status, **ALL)),
        mend=cleared,
        category="not_the_agent",
        code=str(status),
        says=("Not the agent answered", title, "IIS, a proxy or a tunnel", *says),
    )


def answer(name: str, fault: AnyFault, category: str, *says: str, limits: Any = None) -> Fault:
    """What is wrong with every page of customers."""
    return Fault(
        name=name,
        make=injected(fault),
        mend=cleared,
        category=category,
        says=says,
        limits=limits,
    )


def log_on_ends(**ends: int) -> Act:
    """Connections end so while we log on; the connector begins with a new one."""

    async def end(room: Room) -> None:
        conduct(**ends)(room)
        await room.start()

    return end


def logging_on(name: str, make: Act, mend: Act, *says: str, **more: Any) -> tuple[Fault, ...]:
    """What comes between us and IIS while we log on, by either scheme."""
    schemes: tuple[Literal["Negotiate", "NTLM"], ...] = ("Negotiate", "NTLM")
    return tuple(
        Fault(
            name=f"{scheme}: {name}",
            options={"logon": LogonOptions(schemes=(scheme,), lock_after=3)},
            told={"scheme": scheme.lower()},
            make=make,
            mend=mend,
            says=says,
            **more,
        )
        for scheme in schemes
    )


def sleeps(room: Room) -> None:
    """IIS has stopped the application pool: the next request wakes it, which takes its time."""
    sessions = room.sim.sessions
    sessions.capacity = Capacity(cold_start_s=30.0)
    sessions.restart()


def time_passes(seconds: float) -> Act:
    """The agent's own waits come to their end."""

    async def let(room: Room) -> None:
        pace_of(room).advance(seconds)
        if room.sim._gap is not None:
            await room.sim._gap

    return let


def pace_of(room: Room) -> ManualPace:
    """The agent's waits, in the test's hand."""
    pace = room.sim.sessions.pace
    assert isinstance(pace, ManualPace)
    return pace


async def wakes_in_time(room: Room) -> None:
    """It sleeps, and is up before anybody has lost patience."""
    sleeps(room)

    async def wake() -> None:
        await pace_of(room).asleep()
        pace_of(room).advance(30.0)

    room.told["waking"] = asyncio.create_task(wake())


async def restarts(room: Room) -> None:
    """The agent's process ends, and takes a while to come back."""
    room.sim.restart(5.0)
    await pace_of(room).asleep()


async def restarts_in_the_middle(room: Room) -> None:
    """It ends while it reads the first page of invoices for us."""
    held = room.sim.inject(Hold(entity="AR_Invoice"))

    async def end() -> None:
        await held.reached.wait()
        room.sim.restart(5.0)

    room.told["ending"] = asyncio.create_task(end())


CUSTOMERS: dict[str, Any] = {"entity": "AR_Customer", **ALL}

HICCUPS = (
    *logging_on(
        "a connection is replaced",
        log_on_ends(ends_after_challenge=2),
        nothing,
    ),
    *logging_on("an answer to a proof is lost", log_on_ends(ends_at_proof=1), nothing),
    Fault(name="a cold start", manual=True, make=wakes_in_time),
)
LOG_ONS = (
    *logging_on(
        "a proxy keeps no connection",
        log_on_ends(ends_after_challenge=10**6),
        conduct(ends_after_challenge=0),
        "came to no end in 8 requests",
        "every proxy before it, keeps connections open",
        category="unreachable",
        asked=24,
    ),
    *logging_on(
        "answers to proofs are lost",
        log_on_ends(ends_at_proof=10**6),
        conduct(ends_at_proof=0),
        "was sent 2 times and the connection ended without an answer",
        "a few of those lock the account",
        category="unreachable",
        asked=4,
        restart=True,
    ),
)
IN_USE = (
    Fault(
        name="exclusive use",
        make=conduct(exclusive=Exclusive()),
        mend=conduct(exclusive=None),
        code="ExclusiveUse",
        says=("waiting since 2026-11-22T15:45:02Z", "Period end is running", "goes on by itself"),
        waits=True,
        asked=8,
    ),
    Fault(
        name="no seat",
        make=no_seat,
        mend=conduct(seats_left=9),
        code="LicenseExhausted",
        says=("waiting since", "maximum number of users", "goes on by itself"),
        waits=True,
        asked=8,
    ),
    fault_code("SessionBusy", "busy", "waiting since", "goes on by itself", waits=True),
)
FAULT_CODES = (
    Fault(
        name="a record in use",
        make=lambda room: room.sim.conduct.lock("AR_Customer", ("01", "ABF")),
        mend=lambda room: room.sim.conduct.unlock("AR_Customer", ("01", "ABF")),
        category="busy",
        code="RecordLocked",
        says=("AR_Customer", "in use by another user", "somebody edits this record"),
    ),
    Fault(
        name="a dead session",
        make=lambda room: room.sim.sessions.poison(),
        mend=lambda room: room.sim.sessions.recycle(),
        category="busy",
        code="Internal",
        says=("COM error", "starts a new session", "see its log"),
    ),
    fault_code("ExternalAccessDisabled", "configuration", "Company Maintenance"),
    fault_code("InvalidCompany", "configuration", "three characters, case matters"),
    fault_code("UnknownEntity", "configuration", "Update the agent"),
    fault_code("UnknownColumn", "configuration", "[sage100.columns]"),
    fault_code("InvalidCursor", "cursor", "starts again from its beginning"),
)
STRANGERS = (
    stranger(404),
    stranger(502),
    stranger(503),
    stranger(504),
    page("iis-404.3", 404, title="404.3 - Not Found"),
    page("iis-500.19", 500, title="500.19 - Internal Server Error"),
    page("iis-503", 503, title="Service Unavailable"),
    page("tunnel-502", 502, title="502 Bad Gateway"),
    page("tunnel-530", 530, title="Error 1033"),
    page("tunnel-530", 200, title="Error 1033"),
)
ANSWERS = (
    answer("cut off", TruncatedBody(**CUSTOMERS), "answer", "in the middle", "time limit"),
    answer(
        "cut off abruptly",
        TruncatedBody(abruptly=True, **CUSTOMERS),
        "answer|unreachable",  # as much as had arrived when the connection was reset
        "connection",
    ),
    answer(
        "dropped", DropConnection(**CUSTOMERS), "unreachable", "No connection", "network in between"
    ),
    answer("XML that stops", MalformedXml(**CUSTOMERS), "answer", "ends", "time limit"),
    answer("a DTD", DoctypeXml(**CUSTOMERS), "answer", "DTD", "whoever made the agent"),
    answer(
        "a slow trickle",
        Trickle(piece_bytes=64, pause_s=0.05, **CUSTOMERS),
        "timeout",
        "not complete within 0.4 s",
        "overloaded",
        limits=SOON,
    ),
    answer(
        "silence", Hold(**CUSTOMERS), "timeout", "Nothing came for 0.2 s", "overloaded", limits=SOON
    ),
    answer(
        "oversized",
        Oversized(body_bytes=2_000_000, **CUSTOMERS),
        "answer",
        "larger than 1000000 bytes",
        "smallest page",
        limits=Limits(body_bytes=1_000_000),
    ),
    answer(
        "a zip bomb",
        Oversized(body_bytes=20_000_000, compressed=True, **CUSTOMERS),
        "answer",
        "larger than 1000000 bytes",
        limits=Limits(body_bytes=1_000_000),
    ),
    Fault(
        name="rows behind a scan limit",
        make=conduct(scan_cap=3),
        mend=conduct(scan_cap=None),
        sweep=True,
        category="incomplete",
        code="ScanLimitReached",
        says=("the end was not reached", "scan limit was reached", "raise the scan limit"),
    ),
    Fault(
        name="pages that go round",
        options={"scan_limit": 4},
        make=conduct(goes_round=True),
        mend=conduct(goes_round=False),
        sweep=True,
        category="answer",
        says=("do not come to an end", "whoever made the agent"),
        asked=80,
    ),
    Fault(
        name="a cold start that takes too long",
        manual=True,
        make=sleeps,
        mend=time_passes(30.0),
        limits=SOON,
        category="timeout",
        says=("Nothing came for 0.2 s", "overloaded"),
        asked=3,
    ),
    Fault(
        name="the agent restarts",
        manual=True,
        make=restarts,
        mend=time_passes(5.0),
        category="unreachable",
        says=("No connection", "IIS and the network in between are up"),
        asked=0,
    ),
    Fault(
        name="the agent restarts in the middle of a pass",
        manual=True,
        make=restarts_in_the_middle,
        mend=time_passes(5.0),
        category="unreachable",
        says=("No connection", "IIS and the network in between are up"),
    ),
    Fault(
        name="nobody listens",
        make=lambda room: room.sim.go_down(),
        mend=lambda room: room.sim.come_back(),
        category="unreachable",
        says=("No connection", "IIS and the network in between are up"),
        asked=0,
    ),
)


@rows(*IN_USE, *FAULT_CODES)
async def test_each_fault_of_the_contract(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault says what it is and what to do, or since when it waits; afterwards all is healed."""
    await suffer(fault, tmp_path, capsys)


@rows(*HICCUPS)
async def test_each_hiccup_passes_unnoticed(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is over before we lose patience costs no pass and alarms nobody."""
    await survive(fault, tmp_path, capsys)


@rows(*LOG_ONS)
async def test_each_log_on_that_comes_to_no_end(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ends connections is looked for, no account is locked; mended, all is healed."""
    await suffer(fault, tmp_path, capsys)


@rows(*STRANGERS)
async def test_each_answer_of_somebody_else(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page of IIS, a proxy or a tunnel is shown as such; afterwards all is healed."""
    await suffer(fault, tmp_path, capsys)


@rows(*ANSWERS)
async def test_each_answer_that_cannot_be_used(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off, slow, endless or wrong: nothing of it is believed; afterwards all is healed."""
    await suffer(fault, tmp_path, capsys)
