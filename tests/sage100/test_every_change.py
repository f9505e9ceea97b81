"""However Sage 100 changes, stamped or not: what the log says of it, and that nothing is missed.

Each row is something done at the simulated Sage 100, read over a real socket; afterwards the log's
view of every record is that of Sage 100, none invented and none lost.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector import reports
from connector.sandbox.agent import (
    arrangements,
    backups,
    batches,
    jobs,
    maintenance,
    period_end,
    posting,
    renumbering,
)
from projections import events as e
from tests.sage100 import sight
from tests.sage100.room import Room, open_room

BUYER, OTHER = ("01", "ABF"), ("02", "ABF")
LONG_AGO = date(2026, 3, 2)
Do = Callable[[Room], Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`do` it; the pass that shows it is the cursor's (`stamped`) or a sweep's.

    `before`: what was there at the last good pass. `events`: types that the log gains, with
    `kinds` of vanishing; `says`: in `status`; `tells`: in the `history` of the record that `do`
    answered with.
    """

    name: str
    do: Do
    before: Do = lambda room: None
    stamped: bool = False
    events: tuple[type[e.Event], ...] = (e.RecordObserved,)
    kinds: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    options: dict[str, Any] = {}


def customer(room: Room, **fields: str) -> str:
    """A customer is changed at the screen."""
    maintenance.change_customer(room.company, BUYER, fields)
    return "ABC:01-ABF"


def stamped_as(day: str, time: str = "8.5", *, created: str | None = None) -> Do:
    """A change that carries this stamp instead of its own; `created`: that day as well."""

    def change(room: Room) -> str:
        maintenance.change_customer(room.company, BUYER, {"City": "Oslo"}, stamp=False)
        for column, text in (("DateUpdated", day), ("TimeUpdated", time)):
            maintenance.set_raw(room.company, "AR_Customer", BUYER, column, text)
        if created is not None:
            maintenance.set_raw(room.company, "AR_Customer", BUYER, "DateCreated", created)
        return "ABC:01-ABF"

    return change


def imported(room: Room) -> None:
    """A Visual Integrator import over everybody."""
    jobs.import_customers(room.company, {"Comment": "imported"})


def credit_and_invoice(room: Room) -> None:
    """A credit memo and an invoice of one customer, both open."""
    posting.post_invoice(room.company, BUYER, "100", invoice_no="MATCH1")
    posting.credit_memo(room.company, BUYER, "30")


def matched(room: Room) -> None:
    """The credit is matched to the invoice."""
    [credit, *_] = [
        row
        for row in room.company.rows("AR_Invoice", *BUYER)
        if row["InvoiceType"] == "CM" and row["Balance"] in {"-30", "-30.00", "30-", "30.00-"}
    ]
    [invoice] = [
        row for row in room.company.rows("AR_Invoice", *BUYER) if row["InvoiceNo"] == "MATCH1"
    ]
    jobs.match_credit(
        room.company, renumbering.invoice_key(credit), renumbering.invoice_key(invoice)
    )


def clock_back(room: Room) -> str:
    """The server's clock is set back by three hours, and then somebody works."""
    room.clock.advance(timedelta(hours=-3))
    return customer(room, City="Bergen")


def old_invoice(room: Room) -> None:
    """An invoice of long ago, paid long ago."""
    invoice = posting.post_invoice(
        room.company, BUYER, "50", invoice_no="OLD0001", invoice_date=LONG_AGO
    )
    posting.receive_payment(room.company, invoice, "50", on=LONG_AGO)


def without_history(room: Room) -> None:
    """An open item that never had a history row."""
    posting.post_invoice(
        room.company, BUYER, "75", invoice_no="NOHIST1", invoice_date=LONG_AGO, history=False
    )


def paid_and_gone(room: Room) -> str:
    """It is paid, and the period end takes it."""
    [row] = [
        one for one in room.company.rows("AR_Invoice", *BUYER) if one["InvoiceNo"] == "NOHIST1"
    ]
    key = renumbering.invoice_key(row)
    posting.receive_payment(room.company, key, "75", on=LONG_AGO)
    period_end.period_end(room.company, retain_days=7)
    return f"ABC:01-ABF:NOHIST1-{key[3]}-IN"


def a_contact(room: Room) -> None:
    """A contact that can go."""
    maintenance.add_contact(room.company, (*BUYER, "ZOE"), {"ContactName": "Zoe"})


def contact_removed(room: Room) -> str:
    """The contact is deleted."""
    maintenance.remove(room.company, "AR_CustomerContact", (*BUYER, "ZOE"))
    return "ABC:01-ABF:ZOE"


async def contact_gone_for_a_while(room: Room) -> str:
    """The contact is deleted, taken for gone, and then restored from somewhere, as it was."""
    row = room.company.row("AR_CustomerContact", (*BUYER, "ZOE"))
    key = contact_removed(room)
    for _ in range(2):
        await room.round(sweep=True)
    room.company.put("AR_CustomerContact", row)
    return key


def a_batch(room: Room) -> None:
    """An invoice that is entered and not posted."""
    batches.enter_invoice(room.company, "00001", BUYER, "61.20", invoice_no="BATCH01")


def someone(room: Room) -> None:
    """A customer with an address by which he is known again."""
    fields = {"CustomerName": "Known Ltd", "City": "Oslo", "ZipCode": "0150"}
    maintenance.add_customer(room.company, ("01", "KNOWN"), fields)


def backed_up(room: Room) -> None:
    """A backup is made, and work goes on for a while."""
    room.told["backup"] = backups.back_up(room.company)
    room.clock.advance(timedelta(days=2))
    for key in (BUYER, OTHER):
        maintenance.change_customer(room.company, key, {"City": "Bergen"})
    maintenance.add_customer(room.company, ("01", "LATER"), {"CustomerName": "Later"})


ROWS = (
    Change(
        name="the maintenance screen", do=lambda room: customer(room, City="Oslo"), stamped=True
    ),
    Change(
        name="an emptied field",
        do=lambda room: customer(room, TelephoneNo="", EmailAddress=""),
        stamped=True,
    ),
    Change(name="blank stamps", do=stamped_as("", "", created=""), stamped=True),
    Change(name="a blank date of change", do=stamped_as("", ""), says=("blind spot: 1 changes",)),
    Change(name="a blank time", do=stamped_as("20261125", ""), stamped=True),
    Change(name="a future stamp", do=stamped_as("20301231"), stamped=True),
    Change(name="a clock that goes back", do=clock_back, stamped=True),
    Change(
        name="an import",
        do=imported,
        says=("AR_Customer: blind spot:", "changes this week were found by sweeps alone"),
    ),
    Change(name="an old stamp", do=stamped_as("20200101"), says=("blind spot: 1 changes",)),
    Change(
        name="a credit match",
        before=credit_and_invoice,
        do=matched,
        says=("AR_Invoice: blind spot: 2 changes",),
    ),
    Change(name="the aging refreshed", do=lambda room: jobs.refresh_aging(room.company)),
    Change(
        name="a posting that does not stamp",
        do=lambda room: posting.post_invoice(room.company, BUYER, "9.99", stamp=False),
        says=("AR_Customer: blind spot: 1 changes",),
    ),
    Change(
        name="a batch is posted",
        before=a_batch,
        do=lambda room: batches.post_batch(room.company, "00001"),
        stamped=True,
    ),
    Change(
        name="a national account",
        do=lambda room: arrangements.national_invoice(room.company, BUYER, OTHER, "420"),
        stamped=True,
    ),
    Change(
        name="a type that nobody knows",
        do=lambda room: renumbering.retype_invoice(
            room.company, posting.post_invoice(room.company, BUYER, "5"), "ZZ"
        ),
        stamped=True,
    ),
    Change(
        name="a record deleted",
        before=a_contact,
        do=contact_removed,
        events=(e.RecordVanished,),
        kinds=("unknown",),
        tells=("not found in 2 complete sweeps in a row",),
    ),
    Change(
        name="a record that returns",
        before=a_contact,
        do=contact_gone_for_a_while,
        events=(e.RecordVanished, e.RecordReturned, e.RecordObserved),
        kinds=("unknown",),
        tells=("not found in 2 complete sweeps in a row", "found again"),
    ),
    Change(
        name="an open item paid, then gone",
        before=without_history,
        do=paid_and_gone,
        events=(e.RecordVanished,),
        kinds=("paid",),
        tells=("paid (payments and credits of 75.00 cover 75.00",),
    ),
    Change(
        name="history purged",
        before=old_invoice,
        do=lambda room: period_end.purge_history(room.company, LONG_AGO),
        events=(e.RecordVanished,),
    ),
    Change(
        name="a customer renumbered",
        before=someone,
        do=lambda room: renumbering.renumber_customer(
            room.company, ("01", "KNOWN"), ("01", "ANEW")
        ),
        events=(e.RecordObserved, e.RecordVanished),
        kinds=("renumbered",),
    ),
    Change(
        name="customers merged",
        before=someone,
        do=lambda room: renumbering.merge_customers(room.company, ("01", "KNOWN"), BUYER),
        events=(e.RecordVanished,),
    ),
    Change(
        name="invoice numbers expanded",
        do=lambda room: renumbering.expand_invoice_numbers(room.company),
        events=(e.RecordObserved, e.RecordVanished),
        kinds=("renumbered",),
    ),
    Change(
        name="a backup restored",
        before=backed_up,
        do=lambda room: backups.restore(room.company, room.told["backup"]),
        events=(e.SourceRewound, e.RecordVanished),
        says=("went back to an earlier state", "carry an earlier stamp"),
    ),
    Change(
        name="pages cut short by a scan limit",
        options={"scan_limit": 4},
        do=imported,
        says=("AR_Customer: blind spot:",),
    ),
)


@pytest.mark.parametrize("change", ROWS, ids=[one.name for one in ROWS])
async def test_each_change_arrives(
    change: Change, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pass that can show it does, the log says what it was, and all is as in Sage 100."""
    async with open_room(tmp_path, **change.options) as room:
        await room.round()
        change.before(room)
        await room.round(sweep=True)
        for _ in range(2):
            room.clock.advance(timedelta(days=1))
            room.world.now += timedelta(days=1)
            await room.round()
        assert await sight.differences(room.store, room.company) == {}
        before = await room.head()
        key = change.do(room)
        if inspect.isawaitable(key):
            key = await key
        await room.round()
        seen = await sight.differences(room.store, room.company)
        assert (seen == {}) is change.stamped, seen
        texts = []
        for _ in range(2):
            await room.round(sweep=True)
            texts.append((await room.operator(capsys))[0])
        assert await sight.differences(room.store, room.company) == {}
        for kind in change.events:
            assert await room.since(before, kind), kind
        gone = await room.since(before, e.RecordVanished)
        kinds = {one.kind for one in gone if isinstance(one, e.RecordVanished)}
        assert set(change.kinds) <= kinds
        assert [words for words in change.says if not any(words in text for text in texts)] == []
        if change.tells:
            told = await reports.history(room.store, str(key))
            assert told.moments, told.choices
            moments = " ".join(one.moment.text for one in told.moments)
            assert [words for words in change.tells if words not in moments] == [], moments
        room.work()
        await room.healed()
