"""Whatever answers in place of Sage 100, or only half: the operator's words, and the healing.

Each row is made by the simulated agent over a real socket, as in `test_every_fault`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector.sage100.agent import Limits
from connector.sandbox.agent import (
    DoctypeXml,
    DropConnection,
    Hold,
    HttpAnswer,
    MalformedXml,
    Oversized,
    StrangerPage,
    Trickle,
    TruncatedBody,
)
from connector.sandbox.agent.faults import AnyFault
from tests.sage100.acts import ALL, cleared, conduct, injected, pace_of, sleeps, time_passes
from tests.sage100.fault import Fault, rows, suffer
from tests.sage100.room import Room

SOON = Limits(total_s=0.4, idle_s=0.2)


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
