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
