"""What became of records that vanished: the kind of going, its evidence, and who is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from connector import reports
from connector.sage100.likeness import NEWCOMERS
from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.period_end import purge_history
from connector.sandbox.agent.renumbering import renumber_customer
from projections import events as e
from tests.sage100.desk import Desk, open_desk

BUYER = ("01", "BUYER")
DAY = date(2026, 9, 1)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A small company with one buyer of our own, its first load over."""
    async with open_desk(tmp_path, customers=8, invoices=10) as made:
        fields = {"CustomerName": "Buyer Ltd", "City": "Oslo", "ZipCode": "0150"}
        maintenance.add_customer(made.company, BUYER, fields)
        yield made


async def gone(desk: Desk, entity: str = "AR_Invoice") -> dict[str, e.RecordVanished]:
    """Two sweeps, and what vanished of an entity: key to event."""
    for _ in range(2):
        desk.pass_time(days=1)
        await desk.round(sweep=True)
    found: dict[str, e.RecordVanished] = {}
    prefix = f"sage/acme/ABC/{entity}/"
    for stored in await desk.store.read(0, types=["RecordVanished"], limit=1000):
        event = e.decode(stored.type, stored.data)
        if isinstance(event, e.RecordVanished) and stored.stream.startswith(prefix):
            found[stored.stream.removeprefix(prefix)] = event
    return found


def name(invoice: tuple[str, ...]) -> str:
    """The record's key in the log."""
    return f"{invoice[0]}-{invoice[1]}:{invoice[2]}-{invoice[3]}-{invoice[4]}"


@pytest.mark.parametrize(
    ("paid", "credited", "kind", "says"),
    [
        ("100", "0", "paid", "payments and credits of 100.00 cover 100.00"),
        ("60", "40", "paid", "payments and credits of 100.00 cover 100.00"),
        ("60", "0", "unknown", "payments and credits come to 60.00"),
        ("0", "0", "unknown", "its balance was 100.00 when last seen"),
    ],
)
async def test_an_open_invoice_that_vanishes_is_paid_when_what_came_in_covers_it(
    desk: Desk, paid: str, credited: str, kind: str, says: str
) -> None:
    """The last balance seen was open; receipts and credits on it decide."""
    invoice = posting.post_invoice(desk.company, BUYER, "100", invoice_date=DAY)
    await desk.round()
    desk.pass_time(days=9)
    if float(paid):
        posting.receive_payment(desk.company, invoice, paid)
    if float(credited):
        posting.credit_memo(desk.company, BUYER, credited, apply_to=invoice)
    maintenance.remove(desk.company, "AR_Invoice", invoice)
    found = (await gone(desk))[name(invoice)]
    assert (found.kind, found.sweeps) == (kind, 2)
    assert says in found.evidence


@pytest.mark.parametrize(("names_it", "kind"), [(True, "unknown"), (False, "paid")])
async def test_payments_of_another_invoice_of_the_number_do_not_count(
    desk: Desk, kind: str, *, names_it: bool
) -> None:
    """A number used again: what was posted to the earlier one paid that; what names none, any."""
    earlier = posting.post_invoice(desk.company, BUYER, "100", invoice_date=DAY)
    row = desk.company.row("AR_Invoice", earlier)
    posting.receive_payment(desk.company, earlier, "100")
    if not names_it:
        for one in list(desk.company.rows("AR_Payment")):
            desk.company.put("AR_Payment", {**one, "InvoiceHistoryHeaderSeqNo": ""})
    again = {**row, "HeaderSeqNo": "000777", "InvoiceDate": "20261120"}
    desk.company.put("AR_Invoice", again)
    await desk.round()
    key = (*earlier[:3], "000777", earlier[4])
    maintenance.remove(desk.company, "AR_Invoice", key)
    found = (await gone(desk))[name(key)]
    assert found.kind == kind
    assert ("payments and credits come to 0.00" in found.evidence) == names_it


async def test_a_closed_invoice_that_vanishes_was_purged(desk: Desk) -> None:
    """It owed nothing when last seen, so only its history went; the open ones keep theirs."""
    invoice = posting.post_invoice(desk.company, BUYER, "100", invoice_date=DAY)
    posting.receive_payment(desk.company, invoice, "100", on=DAY)
    desk.company.update("AR_Invoice", invoice, {"IsOpen": "N"})
    await desk.round()
    purge_history(desk.company, date(2026, 9, 2))
    found = (await gone(desk))[name(invoice)]
    assert found.kind == "purged"
    assert found.evidence.startswith("the invoice of 2026-09-01 was closed when last seen")


async def test_a_balance_nobody_could_read_proves_nothing(desk: Desk) -> None:
    """Nobody knows whether an invoice was paid or purged whose balance was no number."""
    invoice = posting.post_invoice(desk.company, BUYER, "100", invoice_date=DAY)
    maintenance.set_raw(desk.company, "AR_Invoice", invoice, "Balance", "1OO")
    await desk.round()
    maintenance.remove(desk.company, "AR_Invoice", invoice)
    found = (await gone(desk))[name(invoice)]
    assert (found.kind, "'1OO'" in found.evidence) == ("unknown", True)


async def test_an_invoice_under_another_number_was_renumbered(desk: Desk) -> None:
    """A new key with the same customer, date and amounts appeared when it went."""
    invoice = posting.post_invoice(desk.company, BUYER, "123.45", invoice_date=DAY)
    await desk.round()
    row = desk.company.row("AR_Invoice", invoice)
    maintenance.remove(desk.company, "AR_Invoice", invoice)
    desk.company.put("AR_Invoice", {**row, "InvoiceNo": "X99"})
    found = (await gone(desk))[name(invoice)]
    assert found.kind == "renumbered"
    assert (
        found.evidence == "01-BUYER:X99-000001-IN appeared with the same customer, date and amounts"
    )


async def test_one_newcomer_explains_one_vanished_record(desk: Desk) -> None:
    """Two equal invoices went, one came: the other is not said to be renumbered."""
    two = [posting.post_invoice(desk.company, BUYER, "50", invoice_date=DAY) for _ in range(2)]
    await desk.round()
    row = desk.company.row("AR_Invoice", two[0])
    for invoice in two:
        maintenance.remove(desk.company, "AR_Invoice", invoice)
    desk.company.put("AR_Invoice", {**row, "InvoiceNo": "X99"})
    found = await gone(desk)
    assert sorted(found[name(one)].kind for one in two) == ["renumbered", "unknown"]


async def test_a_record_that_appeared_long_before_explains_nothing(desk: Desk) -> None:
    """Only who came since the last complete sweep but one can be who went."""
    invoice = posting.post_invoice(desk.company, BUYER, "50", invoice_date=DAY)
    await desk.round()
    row = desk.company.row("AR_Invoice", invoice)
    desk.company.put("AR_Invoice", {**row, "InvoiceNo": "X99"})
    await desk.round(sweep=True)
    assert await desk.store.count(NEWCOMERS.name) > 0
    await desk.round(sweep=True)
    assert await desk.store.count(NEWCOMERS.name) == 0
    maintenance.remove(desk.company, "AR_Invoice", invoice)
    assert (await gone(desk))[name(invoice)].kind == "unknown"


async def test_a_renumbered_customer_is_told_with_its_invoices(desk: Desk) -> None:
    """The customer by name and address, its invoices by number, date and amounts."""
    invoice = posting.post_invoice(desk.company, BUYER, "123.45", invoice_date=DAY)
    await desk.round()
    renumber_customer(desk.company, BUYER, ("01", "AFTER"))
    invoices = await gone(desk)
    assert invoices[name(invoice)].kind == "renumbered"
    assert "01-AFTER:" in invoices[name(invoice)].evidence
    [customer] = (await gone(desk, "AR_Customer")).values()
    assert (customer.kind, customer.key) == ("renumbered", list(BUYER))
    assert customer.evidence == "01-AFTER appeared with the same name and address"


async def test_the_timeline_tells_how_an_invoice_went(desk: Desk) -> None:
    """The operator reads the kind and the evidence; a closing shows what was open."""
    invoice = posting.post_invoice(desk.company, BUYER, "100", invoice_date=DAY)
    await desk.round()
    desk.pass_time(hours=1)
    posting.receive_payment(desk.company, invoice, "100")
    desk.company.update("AR_Invoice", invoice, {"IsOpen": "N"})
    await desk.round()
    maintenance.remove(desk.company, "AR_Invoice", invoice)
    await gone(desk)
    told = await reports.history(desk.store, f"ABC:{name(invoice)}")
    texts = [one.moment.text for one in told.moments]
    assert any("closed, its balance was 100 when last seen" in text for text in texts)
    assert any(
        "not found in 2 complete sweeps in a row: purged (the invoice of 2026-09-01" in text
        for text in texts
    )
