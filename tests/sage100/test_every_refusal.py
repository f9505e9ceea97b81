"""Refused: the log-on, the certificate, or what is configured. Nothing is tried twice, all heals.

Each row is made by the simulated agent over a real socket; then whoever is responsible (Windows,
IIS, our configuration) mends it, and where that takes a restart, it is made.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from connector.sage100.auth import Scheme
from connector.sage100.auth_certificate import ClientCertificate
from connector.sandbox.agent import LogonOptions, SoapFault
from connector.sandbox.agent.tls_certificates import Authority
from connector.secret import Secret
from projections import events as e
from tests.sage100.fault import Act, Fault, rows, suffer
from tests.sage100.room import Room
from tests.sage100.test_trust import FLAWS

SCHEMES: dict[Scheme, Any] = {"negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}
OLD = {"tls1.0": ssl.TLSVersion.TLSv1, "tls1.1": ssl.TLSVersion.TLSv1_1}
UNLOCK = "unlock the account or enable it again, then 'ml-connector release acme'"


def told(**told: Any) -> Act:
    """The connector is started with this in its configuration."""

    async def configure(room: Room) -> None:
        room.told = {**room.told, **told}
        await room.start()

    return configure


def corrected(*names: str) -> Act:
    """What was wrong in the configuration is right again."""

    def correct(room: Room) -> None:
        room.told = {name: value for name, value in room.told.items() if name not in names}

    return correct


def logon_rows(scheme: Scheme) -> tuple[Fault, ...]:
    """What can be refused of a log-on by this scheme. Basic needs no challenge: one request."""

    async def locked(room: Room) -> None:
        for _ in range(3):
            room.sim.account.admits(SCHEMES[scheme], right=False)
        await room.start()

    async def changed(room: Room) -> None:
        room.sim.account.change_password("another one")
        await room.start()

    def row(name: str, make: Act, mend: Act, *says: str, **more: Any) -> Fault:
        usual: dict[str, Any] = {
            "options": {"logon": LogonOptions(schemes=(SCHEMES[scheme],), lock_after=3)},
            "told": {"scheme": scheme},
            "category": "logon",
            "code": "401",
            "restart": True,
            "asked": 1 if scheme == "basic" else 2,
        }
        name = f"{scheme}: {name}"
        return Fault(name=name, make=make, mend=mend, says=says, **{**usual, **more})

    refused = ("HTTP status 401", UNLOCK)
    other: Scheme = "negotiate" if scheme == "ntlm" else "ntlm"
    return (
        row("wrong password", told(password="wr0ng"), corrected("password"), *refused),
        row("unknown user", told(username="nobody"), corrected("username"), *refused),
        row(
            "locked account",
            locked,
            lambda room: room.sim.account.unlock(),
            *refused,
            release=True,
        ),
        row(
            "password changed in Windows",
            changed,
            lambda room: room.told.update(password="another one"),
            *refused,
        ),
        row(
            "wrong API key",
            told(api_key="another"),
            corrected("api_key"),
            "X-API-Key is unknown",
            "restart",
            code="403",
        ),
        row(
            "another scheme is offered",
            told(scheme=other),
            lambda room: room.told.update(scheme=scheme),
            f"asks for: {SCHEMES[scheme]}",
            f'scheme = "{scheme}"',
            asked=1,
        ),
    )


def shown(profile: Any) -> Act:
    """IIS shows another certificate, or speaks an old TLS only; connections are made anew."""

    async def show(room: Room) -> None:
        listener = room.sim.tls
        if profile in OLD:
            listener._only = OLD[profile]
            listener._limit(listener.context)
        await asyncio.to_thread(listener.use, "good" if profile in OLD else profile)
        await room.start()

    return show


async def renewed(room: Room) -> None:
    """The administrator of IIS puts it right."""
    listener = room.sim.tls
    if listener._only is not None:
        listener._only = ssl.TLSVersion.TLSv1_3
        listener._limit(listener.context)
    await asyncio.to_thread(listener.use, "good")


async def of_another_ca(room: Room) -> None:
    """Ours is a certificate, but of nobody whom the agent trusts."""

    def issued() -> ClientCertificate:
        folder = room.sim.tls.ca_bundle.parent
        file = Authority("UMBRELLA").client("ml-connector").write(folder / "umbrella.pem")
        return ClientCertificate(file, Secret(file.read_text("ascii")))

    await told(certificate=await asyncio.to_thread(issued))(room)


def of_tls(name: str, make: Act, *says: str, code: str, wrong: str, **options: Any) -> Fault:
    """Our own configuration of TLS does not go with the agent's."""
    return Fault(
        name=f"TLS: {name}",
        options={"tls": "good", **options},
        make=make,
        mend=corrected(wrong),
        category="tls",
        code=code,
        says=("localhost", "issued by", "sha256:", *says),
        asked=0,
        event=e.TrustRefused,
        restart=True,
    )


OURS: dict[str, Any] = {
    "code": "client_certificate",
    "wrong": "certificate",
    "client_certificates": "required",
}
OUR_TLS = (
    of_tls(
        "another certificate than the pinned one",
        told(trust={"pin": f"sha256:{'ab' * 32}"}),
        "pin",
        "compare the fingerprint on the server",
        code="pin_mismatch",
        wrong="trust",
    ),
    of_tls(
        "no client certificate",
        told(certificate=None),
        "client_certificate and client_key",
        "SSL Settings",
        **OURS,
    ),
    of_tls(
        "a client certificate of another CA",
        of_another_ca,
        "another client certificate than ours",
        "Trusted Root Certification Authorities",
        **OURS,
    ),
)
TRUST = tuple(
    Fault(
        name=f"TLS: {profile}",
        options={"tls": "good"},
        make=shown(profile),
        mend=renewed,
        category="tls",
        code=problem,
        says=("localhost", "issued by", "sha256:", *words),
        asked=0,
        event=e.TrustRefused,
    )
    for profile, problem, words in FLAWS
)


def misfit(name: str, make: Act, *says: str, wrong: str = "instance") -> Fault:
    """What is configured does not fit the agent."""
    return Fault(
        name=name,
        make=make,
        mend=corrected(wrong),
        category="configuration",
        says=says,
        restart=True,
    )


def aged(limits: str, *, told: str) -> Fault:
    """The agent tells limits by which nothing can be aged."""
    return Fault(
        name=f"aging limits: {told}",
        make=lambda room: setattr(room.sim.conduct, "aging_limits", limits),
        mend=lambda room: setattr(room.sim.conduct, "aging_limits", ""),
        category="configuration",
        says=(
            f"Company ABC ages by DueDate, which takes 3 limits, each greater than the one before; "
            f"the agent tells: {told}.",
            "Accounts Receivable Options",
        ),
        asked=1,
    )


MISFITS = (
    aged(" ", told="none"),
    aged("30 60", told="30 60"),
    aged("30 30 90 120", told="30 30 90 120"),
    aged("90 60 30 120", told="90 60 30 120"),
    aged("-30 60 90 120", told="-30 60 90 120"),
    aged("0 30 60 90", told="0 30 60 90"),
    aged(f"30 60 {'9' * 30}", told=f"30 60 {'9' * 20}"),
    misfit(
        "another time zone",
        told(instance={"timezone": "America/Denver"}),
        "time zone is America/Chicago, configured is America/Denver",
        'timezone = "America/Chicago"',
    ),
    misfit(
        "a column mapped to another one's name",
        told(columns={"DateUpdated": "DateCreated"}),
        "DateCreated",
        "[sage100.columns]",
        wrong="columns",
    ),
)
SAGE_USER = Fault(
    name="Sage 100 refuses the agent's user",
    make=lambda room: room.sim.inject(
        SoapFault(code="LogonFailed", operation="ReadPage", times=9_999)
    ),
    mend=lambda room: room.sim.faults.clear(),
    category="logon",
    code="LogonFailed",
    says=("LogonFailed", "Sage 100 refused the agent's user", UNLOCK),
    asked=2,  # GetInfo, which needs no session, and one page
    release=True,
)


@rows(*logon_rows("negotiate"), *logon_rows("ntlm"), *logon_rows("basic"), SAGE_USER)
async def test_each_refused_log_on(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One attempt, the remedy, no locked account; corrected or released, all is healed."""
    await suffer(fault, tmp_path, capsys)


@rows(*OUR_TLS)
async def test_each_certificate_of_ours_that_does_not_fit(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pin or a client certificate that the agent's does not go with; corrected, all is healed."""
    await suffer(fault, tmp_path, capsys)


@rows(*TRUST)
async def test_each_refused_certificate(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The flaw, the facts and the way to mend it in IIS; renewed, all is healed by itself."""
    await suffer(fault, tmp_path, capsys)


@rows(*MISFITS)
async def test_each_configuration_that_does_not_fit(
    fault: Fault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is configured, what the agent has, and where to change it; then all is healed."""
    await suffer(fault, tmp_path, capsys)
