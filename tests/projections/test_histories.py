"""What led to each event of a record's life, told as far back as the log goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector import reports
from projections import events as e
from projections.mapping import compiled
from projections.timeline import Moment
from tests.projections.lives import LOUDER
from tests.projections.rig import Rig, bill, customer, new, open_rig

ACME = "companies/ABC:01-ACME"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A company that owes an invoice, in HubSpot."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.see(customer("ACME"), owes("5"))
        await made.idle()
        await made.carry_out_all()
        yield made


def owes(balance: str) -> tuple[str, list[str], dict[str, str]]:
    """The invoice, as it is now."""
    return bill("ACME", "0000001", balance, InvoiceDueDate="20260601", InvoiceDate="20260601")


async def life(desk: Rig) -> dict[int, Moment]:
    """The company's moments by position."""
    await desk.idle()
    return {
        one.moment.position: one.moment for one in (await reports.history(desk.store, ACME)).moments
    }


async def cause(desk: Rig) -> Moment:
    """What led to the newest command."""
    told = await life(desk)
    newest = [one for one in told.values() if one.event == "CommandEmitted"][-1]
    return told[newest.cause or 0]


async def test_another_record_is_told_with_its_name_and_what_changed(desk: Rig) -> None:
    """The second time that an invoice is seen, its columns are told before and after."""
    told = await life(desk)
    assert [one.text for one in told.values() if one.event == "RecordObserved"] == [
        "Sage 100: seen for the first time, by a poll",
        "Sage 100: AR_Invoice 01-ACME:0000001-000001-IN: seen for the first time, by a poll",
    ]
    await desk.see(owes("3"))
    found = await cause(desk)
    name = "Sage 100: AR_Invoice 01-ACME:0000001-000001-IN"
    assert found.text == f"{name}: 1 field changed, by a poll"
    assert found.changes == {"Balance": ("5", "3")}


async def test_a_new_day_is_told(desk: Rig) -> None:
    """What is owed grows older: the as-of day that came is the cause."""
    await desk.store.append([new("config/aging/ABC", e.AgingDateAdvanced("ABC", "2026-07-20"))])
    assert (await cause(desk)).text == "the as-of day of ABC became 2026-07-20"


async def test_a_new_mapping_is_told(desk: Rig) -> None:
    """The whole digest of the mapping that came into force is in its moment."""
    activated = e.MappingActivated(LOUDER.digest, compiled.content(LOUDER))
    await desk.store.append([new("config/mapping", activated)])
    found = await cause(desk)
    assert found.text == f"mapping {LOUDER.digest[:12]} came into force"
    assert found.facts == {"mapping": LOUDER.digest}


async def test_causes_are_told_to_the_end(desk: Rig) -> None:
    """A contact waits for its company: its release leads back to the company's own beginnings."""
    told = (await reports.history(desk.store, "invoices/ABC:01-ACME:0000001-000001-IN")).moments
    by_position = {one.moment.position: one.moment for one in told}
    for one in by_position.values():
        assert one.cause is None or one.cause in by_position
