"""What an undo has put back stays so until Sage 100 or the mapping says something new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector import undo
from connector.rebuild import is_current, rebuild
from projections import events as e
from projections import keys, pins
from tests.projections.rig import Rig, contact, customer, new, open_rig

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


async def test_what_hubspot_will_not_take_back_is_written_once(desk: Rig) -> None:
    """The value from before is refused: later decisions leave it at that, and a replay tries it."""
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    left = {"city": e.Withheld("Oslo", "INVALID_OPTION")}
    await desk.tell(ACME, e.CommandSucceeded(doc.command, doc.hubspot_id, "updated", withheld=left))
    for phone in ("1", "2"):
        await desk.see(customer("ACME", City="Bergen", TelephoneNo=phone))
        await desk.idle()
        assert (await desk.target(ACME)).changes == {"phone": phone}
        await desk.carry_out_all()
    assert (await desk.target(ACME)).withheld.keys() == {"city"}
    await desk.store.append([new("audit/replay", e.ReplayRequested([ACME], "keys ACME"))])
    await desk.idle()
    assert (await desk.target(ACME)).changes["city"] == "Oslo"
    await desk.carry_out_all()
    doc = await desk.target(ACME)
    assert (doc.withheld, doc.held["city"]) == ({}, "Oslo")


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


async def test_what_was_not_sent_is_withdrawn_where_nobody_knows_what_stands_there(
    desk: Rig,
) -> None:
    """The open command ends, other values go on, and only another value of Sage 100 is written."""
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen", State="NO"))
    await desk.idle()
    await desk.tell(ACME, e.FieldsPinned(alone={"state": "NO"}))
    await desk.idle()
    assert (await desk.target(ACME)).state == "idle"
    await desk.see(customer("ACME", City="Bergen", State="NO", ZipCode="1"))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"zip": "1"}
    await desk.see(customer("ACME", City="Bergen", State="SE", ZipCode="1"))
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.changes, "state" in doc.pins) == ({"zip": "1", "state": "SE"}, False)


async def test_what_was_sent_meanwhile_is_put_back(desk: Rig) -> None:
    """Between asking and appending HubSpot took the command that was to be withdrawn."""
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Molde", State="NO"))
    await desk.idle()
    changes: dict[str, tuple[str | None, str]] = {"city": ("Oslo", "Molde"), "state": (None, "NO")}
    asked = undo.UndoWanted("a test", withdrawn={ACME: changes})
    await desk.carry_out_all()
    await undo.request(desk.store, asked)
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.changes, doc.expected) == ({"city": "Oslo"}, {"city": "Molde"})
    assert "state" not in doc.pins, "nobody knows what stood there before"


async def test_a_command_on_its_way_is_put_back_when_it_has_arrived(desk: Rig) -> None:
    """The pin outlives its success, and is as careful as any."""
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Molde"))
    await desk.idle()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    asked = undo.UndoWanted("a test", withdrawn={ACME: {"city": ("Oslo", "Molde")}})
    await undo.request(desk.store, asked)
    await desk.idle()
    await desk.tell(ACME, e.CommandSucceeded(doc.command, doc.hubspot_id, "updated"))
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.changes, doc.expected) == ({"city": "Oslo"}, {"city": "Molde"})


async def test_a_record_that_was_not_created_is_not_made_until_that_is_lifted(desk: Rig) -> None:
    """Nor is its link, whatever Sage 100 says of it meanwhile; both are once that is lifted."""
    await desk.carry_out_all()
    await desk.see(contact("ACME", "JOE", ContactName="Joe"))
    await desk.idle()
    joe = "contacts/ABC:01-ACME:JOE"
    link = keys.association(joe, ACME)
    new_ones = {name: await desk.target(name) for name in (joe, link)}
    assert {doc.state for doc in new_ones.values()} == {"pending"}
    asked = undo.UndoWanted(
        "a test",
        withdrawn={
            name: {prop: (None, value) for prop, value in doc.changes.items()}
            for name, doc in new_ones.items()
        },
    )
    await undo.request(desk.store, asked)
    await desk.idle()
    await desk.see(contact("ACME", "JOE", ContactName="Joseph"))
    await desk.store.append([new("audit/replay", e.ReplayRequested([joe, link], "keys JOE"))])
    await desk.idle()
    assert [(await desk.target(name)).state for name in new_ones] == ["idle", "idle"]
    assert (await desk.target(joe)).skipped == pins.WITHDRAWN
    pinned = await undo.pinned_targets(desk.store)
    assert set(pinned) == {joe, link}
    await undo.request(desk.store, undo.UndoWanted("lifted", lifted=list(pinned)))
    await desk.idle()
    doc = await desk.target(joe)
    assert (doc.state, doc.changes["lastname"], doc.skipped) == ("pending", "Joseph", "")
    assert (await desk.target(link)).changes == {"linked": "true"}
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
