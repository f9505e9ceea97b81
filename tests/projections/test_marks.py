"""A target that is marked twice before it is decided on gets what the stronger mark asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.rebuild import this_version
from projections import events as e
from projections import keys
from tests.projections.rig import Rig, bill, customer, new, open_rig

ACME = "companies/ABC:01-ACME"
KEY = "ABC:01-ACME:0000001-000001-IN"
INVOICE = f"invoices/{KEY}"
LINK = f"associations/line_items:{KEY}:000001>{INVOICE.replace('/', ':', 1)}"
REPLAY = e.ReplayRequested([INVOICE], "keys ABC:01-ACME")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with a customer and an invoice that nobody has sent yet."""
    async with open_rig(tmp_path) as made:
        await made.store.append([], also=[this_version()])
        await made.settings()
        await made.see(customer("ACME"), bill("ACME", "0000001", "60"))
        await made.idle()
        yield made


async def settled(desk: Rig) -> None:
    """HubSpot knows them, and a link of a line to the invoice is on its way."""
    for _ in range(3):
        await desk.carry_out_all()
        await desk.idle()
    await desk.tell(LINK, e.CommandEmitted(1, {"linked": (None, "true")}, "x"))
    await desk.tell(LINK, e.CommandSent(1, "b", 1))
    await desk.idle()


async def sending(desk: Rig) -> int:
    """A change of the invoice is being sent; its command."""
    await desk.see(bill("ACME", "0000001", "50"))
    await desk.idle()
    doc = await desk.target(INVOICE)
    await desk.tell(INVOICE, e.CommandSent(doc.command, "b", 1))
    await desk.idle()
    return doc.command


async def replays(desk: Rig) -> int:
    """Commands on the invoice that a replay asked for."""
    stored = await desk.store.history(keys.hubspot_stream(INVOICE))
    told = [e.decode(one.type, one.data) for one in stored]
    return sum(isinstance(one, e.CommandEmitted) and "replay" in one.reason for one in told)


async def ask(desk: Rig) -> None:
    """Somebody asks for the invoice to be sent again."""
    await desk.store.append([new("audit/replay", REPLAY)])


async def test_one_that_is_let_go_and_sent_again_at_once(desk: Rig) -> None:
    """Its company arrives in the page of a replay: both are told, one after the other."""
    doc = await desk.target(INVOICE)
    await desk.tell(INVOICE, e.CommandHeld(doc.command, [ACME]))
    await desk.idle()
    await desk.carry_out(ACME, "1")
    await ask(desk)
    await desk.idle()
    assert (await desk.target(INVOICE)).state == "pending"
    assert await replays(desk) == 1
    assert (await desk.events(INVOICE))[-3:] == [
        "CommandReleased",
        "CommandSuperseded",
        "CommandEmitted",
    ]


async def test_a_replay_outlives_the_arrival_of_a_line_in_flight(desk: Rig) -> None:
    """Asked for while the invoice is being sent, before or after a line of it is linked."""
    await settled(desk)
    command = await sending(desk)
    await ask(desk)
    await desk.idle()
    await desk.tell(LINK, e.CommandSucceeded(1, "1>2", "linked"))
    await desk.idle()
    await desk.tell(INVOICE, e.CommandSucceeded(command, "1", "updated"))
    await desk.idle()
    assert await replays(desk) == 1


async def test_a_replay_in_the_page_of_the_outcome(desk: Rig) -> None:
    """The line's mark has waited for the outcome, with which the replay comes."""
    await settled(desk)
    command = await sending(desk)
    await desk.tell(LINK, e.CommandSucceeded(1, "1>2", "linked"))
    await desk.idle()
    await ask(desk)
    await desk.tell(INVOICE, e.CommandSucceeded(command, "1", "updated"))
    await desk.idle()
    assert await replays(desk) == 1


async def test_a_replay_outlives_it_while_decisions_wait(desk: Rig) -> None:
    """Its company is being read, so that both marks wait on the work list."""
    await settled(desk)
    desk.projector.held_back.add("ABC")
    await ask(desk)
    await desk.idle()
    await desk.tell(LINK, e.CommandSucceeded(1, "1>2", "linked"))
    await desk.idle()
    desk.projector.held_back.clear()
    await desk.idle()
    assert await replays(desk) == 1
    assert await desk.store.scan("dirty", limit=9) == []
