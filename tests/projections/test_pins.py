"""What an undo has put back stays so until Sage 100 or the mapping says something new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.rebuild import is_current, rebuild
from projections import events as e
from projections import pins
from tests.projections.rig import Rig, customer, new, open_rig

ACME = "companies/ABC:01-ACME"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A company that moved from Oslo to Bergen, and whose move was undone."""
    async with open_rig(tmp_path) as made:
        assert await is_current(made.store)
        await made.settings()
        for city in ("Oslo", "Bergen"):
            await made.see(customer("ACME", City=city))
            await made.idle()
            await made.carry_out_all()
        await made.tell(ACME, e.FieldsPinned({"city": ("Bergen", "Oslo")}))
        await made.idle()
        yield made


async def test_a_pin_writes_the_value_from_before_once(desk: Rig) -> None:
    """The undo is a command of its own, told as one; after it nothing is left to do."""
    doc = await desk.target(ACME)
    assert (doc.state, doc.changes) == ("pending", {"city": "Oslo"})
    stored = (await desk.store.history(f"hubspot/{ACME}"))[-1]
    emitted = e.decode(stored.type, stored.data)
    assert isinstance(emitted, e.CommandEmitted)
    assert (emitted.changes, emitted.reason) == ({"city": ("Bergen", "Oslo")}, pins.REASON)
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen", State="NO"))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"state": "NO"}


async def test_only_the_first_writing_is_careful(desk: Rig) -> None:
    """What the undo saw must still stand there when it is put back; a replay asks no more."""
    await desk.tell(ACME, e.FieldsPinned({"city": ("Bergen", "Oslo")}, expected={"city": "Bergen"}))
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.changes, doc.expected) == ({"city": "Oslo"}, {"city": "Bergen"})
    await desk.carry_out_all()
    assert (await desk.target(ACME)).expected == {}
    await desk.store.append([new("audit/replay", e.ReplayRequested([ACME], "keys ACME"))])
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.changes["city"], doc.expected) == ("Oslo", {})


async def test_a_person_who_came_first_keeps_what_they_typed(desk: Rig) -> None:
    """The pin is lifted, nothing more is sent, and Sage 100's next value is written as ever."""
    await desk.tell(ACME, e.FieldsPinned({"city": ("Bergen", "Oslo")}, expected={"city": "Bergen"}))
    await desk.idle()
    await overtake(desk)
    await desk.see(customer("ACME", City="Bergen", State="NO"))
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.pins, doc.changes, doc.held["city"]) == ({}, {"state": "NO"}, "Bergen")
    await desk.see(customer("ACME", City="Molde", State="NO"))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"state": "NO", "city": "Molde"}


async def test_lifting_a_pin_sends_nothing_that_was_undone(desk: Rig) -> None:
    """Where HubSpot is not known to hold ours, the property is left alone instead."""
    doc = await desk.target(ACME)
    found = e.RecordAdopted(doc.hubspot_id, "merge in HubSpot", {"city": "Elsewhere"})
    await desk.tell(ACME, found)
    await desk.tell(ACME, e.FieldsPinned({"city": ("Bergen", "Oslo")}, expected={"city": "Bergen"}))
    await desk.idle()
    await overtake(desk)
    await desk.store.append([new("audit/replay", e.ReplayRequested([ACME], "keys ACME"))])
    await desk.idle()
    doc = await desk.target(ACME)
    assert "city" not in doc.changes
    await desk.see(customer("ACME", City="Molde"))
    await desk.idle()
    assert (await desk.target(ACME)).changes["city"] == "Molde"
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


async def overtake(desk: Rig) -> None:
    """The writer finds something else in HubSpot than the open command expects."""
    doc = await desk.target(ACME)
    left = dict.fromkeys(doc.expected, "By Anna")
    found = e.CommandSucceeded(doc.command, doc.hubspot_id, "found", overtaken=left)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    await desk.tell(ACME, found)
    await desk.idle()


async def test_a_new_value_in_sage_100_ends_the_pin(desk: Rig) -> None:
    """Another value is written, and the one that was undone is too when it comes back."""
    await desk.carry_out_all()
    for city in ("Molde", "Bergen"):
        await desk.see(customer("ACME", City=city))
        await desk.idle()
        assert (await desk.target(ACME)).changes == {"city": city}
        await desk.carry_out_all()
    assert (await desk.target(ACME)).pins == {}


async def test_a_replay_in_full_sends_the_pinned_value(desk: Rig) -> None:
    """What HubSpot should hold includes what was put back."""
    await desk.carry_out_all()
    await desk.store.append([new("audit/replay", e.ReplayRequested([ACME], "keys ACME"))])
    await desk.idle()
    assert (await desk.target(ACME)).changes["city"] == "Oslo"


async def test_a_lifted_pin_follows_sage_100_again(desk: Rig) -> None:
    """Lifting writes what Sage 100 says at once."""
    await desk.carry_out_all()
    await desk.tell(ACME, e.FieldsPinned(lifted=["city"]))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"city": "Bergen"}


async def test_a_record_made_anew_has_no_pins(desk: Rig) -> None:
    """When HubSpot has lost the record, the new one is written as Sage 100 has it."""
    await desk.carry_out_all()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.RecordLost(doc.hubspot_id, "deleted in HubSpot"))
    await desk.idle()
    assert (await desk.target(ACME)).changes["city"] == "Bergen"


async def test_pins_are_a_fold_of_the_log(desk: Rig) -> None:
    """A rebuild finds the same pins."""
    await desk.carry_out_all()
    await desk.idle()
    assert (await desk.target(ACME)).pins
    report = await rebuild(desk.store, desk.projector, verify=True)
    assert report.mismatch is None
