"""Whatever comes between us and Sage 100: the log's event, the operator's words, and the healing.

Each row is made by the simulated agent over a real socket. What an administrator could not mend
without us (a wrong password in our configuration) is in `test_every_refusal`, what answers in its
place or not to the end in `test_every_answer`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from connector.sandbox.agent import Exclusive, LogonOptions, SoapFault
from tests.sage100.acts import ALL, cleared, conduct, injected, pace_of, sleeps
from tests.sage100.fault import Act, Fault, nothing, rows, suffer, survive
from tests.sage100.room import Room


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


async def wakes_in_time(room: Room) -> None:
    """It sleeps, and is up before anybody has lost patience."""
    sleeps(room)

    async def wake() -> None:
        await pace_of(room).asleep()
        pace_of(room).advance(30.0)

    room.told["waking"] = asyncio.create_task(wake())


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
