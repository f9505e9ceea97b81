"""An amount that is no number is never nothing: what hangs on it is not said, and that is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import reports
from connector.progress import Silent
from connector.proof import prove
from connector.rebuild import rebuild, this_version
from projections import customer as customers
from projections import invoice, receivables
from projections.source import ADDED_UP
from projections.tables import Account, Bill, OpenItem, Source
from tests.projections.rig import Rig, bill, customer, open_rig, payment

ACME = "companies/ABC:01-ACME"
KEY = "ABC:01-ACME:0000001-000001-IN"
INVOICE = f"invoices/{KEY}"
LATE = {"InvoiceDueDate": "20260601", "InvoiceDate": "20260501"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with a customer who owes two invoices, which HubSpot knows."""
    async with open_rig(tmp_path) as made:
        await made.store.append([], also=[this_version()])
        await made.settings()
        await made.see(
            customer("ACME"),
            bill("ACME", "0000001", "60", **LATE),
            bill("ACME", "0000002", "7.50", **LATE),
        )
        await made.idle()
        await made.carry_out_all()
        await made.idle()
        yield made


async def after(desk: Rig) -> None:
    """Everything is decided and carried out; the books close and a rebuild finds the same."""
    await desk.idle()
    await desk.carry_out_all()
    await desk.idle()
    assert (await reports.status(desk.store))["books_close"]
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


async def test_a_balance_that_is_no_number_leaves_all_as_it_was(desk: Rig) -> None:
    """Balance, status and aging stay as last told, whatever else changes; then they follow."""
    before = (await desk.target(ACME)).held
    await desk.see(bill("ACME", "0000001", "60.OO", CustomerPONo="PO 7", **LATE))
    await desk.see(bill("ACME", "0000002", "0", **LATE))
    await after(desk)
    held = (await desk.target(INVOICE)).held
    assert held["hs_purchase_order_number"] == "PO 7"
    assert (held["sage100_balance"], held["sage100_status"]) == ("60.00", "partial")
    assert (held["hs_invoice_status"], held["sage100_total"]) == ("open", "100.00")
    now = (await desk.target(ACME)).held
    assert {k: v for k, v in now.items() if "aging" in k or "balance" in k} == {
        k: v for k, v in before.items() if "aging" in k or "balance" in k
    }
    await desk.see(bill("ACME", "0000001", "1,060.00-", **LATE))
    await after(desk)
    assert (await desk.target(INVOICE)).held["sage100_status"] == "credit"
    assert (await desk.target(ACME)).held["sage100_balance"] == "-1060.00"


async def test_it_leaves_an_event_with_its_reason(desk: Rig) -> None:
    """The log says which cell it is, once; history and status show it; and when it is over."""
    await desk.see(bill("ACME", "0000001", "x", FreightAmt="?", **LATE))
    await after(desk)
    await desk.see(bill("ACME", "0000001", "x", FreightAmt="?", Comment="again", **LATE))
    await after(desk)
    told = [event for event in await desk.events(INVOICE) if event == "GarbageFound"]
    assert len(told) == 1
    doc = await desk.target(INVOICE)
    assert doc.garbage == {"Balance": "x", "FreightAmt": "?"}
    status = await reports.status(desk.store)
    assert status["unreadable"] == {"records": 1, "some": {INVOICE: "Balance 'x', FreightAmt '?'"}}
    moments = (await reports.history(desk.store, KEY)).moments
    [said] = [one.moment for one in moments if one.moment.event == "GarbageFound"]
    assert ("Balance 'x'" in said.text, said.facts) == (True, {"reason": "NO_NUMBER"})
    await desk.see(bill("ACME", "0000001", "60", **LATE))
    await after(desk)
    assert (await desk.target(INVOICE)).garbage == {}
    assert (await reports.status(desk.store))["unreadable"]["records"] == 0
    await desk.see(bill("ACME", "0000001", "x", "BF"))  # no document, and told all the same
    await after(desk)
    assert (await reports.status(desk.store))["unreadable"]["records"] == 1


async def test_the_proof_lists_it(desk: Rig) -> None:
    """Neither side takes it for nothing: the item is listed, and so is what HubSpot shows still."""
    await desk.see(bill("ACME", "0000001", "x", **LATE))
    await after(desk)
    proof = await prove(desk.store, ["ABC"], Silent())
    assert proof.ok
    found = proof.companies[0].differences
    assert {(one.record, one.measure, one.between, one.reason) for one in found} == {
        (INVOICE, "documents", "Sage 100 and ours", "unreadable"),
        (INVOICE, "documents", "ours and the ledger", "unreadable"),
        (ACME, "balance", "ours and the ledger", "unreadable"),
        (ACME, "bucket_1", "ours and the ledger", "unreadable"),
    }
    assert all(f"the balance of {KEY} is 'x'" in one.detail for one in found)


ROW = {"InvoiceType": "IN", "NonTaxableAmt": "100", "Balance": "60", "IsOpen": "Y", **LATE}
FACTS = {
    "invoice.total": "100",
    "invoice.balance": "60",
    "invoice.status": "partial",
    "invoice.native_status": "open",
    "invoice.days_overdue": "29",
}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({}, set(FACTS)),
        ({"Balance": "x"}, {"invoice.total"}),
        ({"Balance": "x", "IsOpen": "N"}, set(FACTS)),
        ({"NonTaxableAmt": "x"}, {"invoice.balance", "invoice.days_overdue"}),
        ({"SalesTaxAmt": "x"}, {"invoice.balance", "invoice.days_overdue"}),
        (
            {"SalesTaxAmt": "x", "Balance": "0"},
            {"invoice.balance", "invoice.status", "invoice.days_overdue"},
        ),
        (
            {"RetentionAmt": "x"},
            {"invoice.total", "invoice.balance", "invoice.days_overdue"},
        ),
        ({"Balance": "x", "InvoiceType": "XD"}, {"invoice.total", "invoice.status"}),
    ],
)
def test_what_hangs_on_a_cell_is_left_out(cells: dict[str, str], said: set[str]) -> None:
    """Each amount takes along what depends on it, and nothing else."""
    facts = invoice.facts(KEY, Bill({"000001": {**ROW, **cells}}), {}, Source(as_of="20260630"))
    assert facts is not None
    shown = set(FACTS) & facts.keys()
    if cells.get("InvoiceType") == "XD":
        shown.discard("invoice.native_status")
    assert shown == said


@given(st.lists(st.sampled_from(["5", "1,000.50", "7-", "(2.25)", "x", "", "*****"]), max_size=5))
def test_both_folds_agree_on_what_can_be_read(cells: list[str]) -> None:
    """Aging says nothing where an item is no number; the proof's figures are those of the rest."""
    rows = {f"{at:06d}": {**ROW, "Balance": cell} for at, cell in enumerate(cells)}
    items = {
        f"ABC:01-ACME:{number}-000001-IN": item
        for number, row in rows.items()
        if (item := invoice.open_item(row)) is not None
    }
    source = Source(as_of="20260630", read=ADDED_UP)
    side = receivables.side_of(items, source, {})
    garbage = {cell for cell in cells if cell in {"x", "*****"}}
    assert set(side.unread.values()) == garbage
    facts = customers.facts("ABC:01-ACME", Account(row={}), list(items.values()), {}, source)
    said = {fact for fact in facts if fact.startswith("aging.")}
    assert bool(said) is not bool(garbage)
    if said and items:
        owed = side.customers["ABC:01-ACME"][0]
        assert receivables.cents(Decimal(facts["aging.balance"])) == owed
    assert sum(side.documents.values()) == sum(figures[0] for figures in side.customers.values())


async def test_other_amounts_are_not_nothing_either(desk: Rig) -> None:
    """A payment, a period's sales or Sage 100's own buckets that are no numbers are not told."""
    seen = customer("ACME", CurrentBalance="5", AgingCategory1="5")
    await desk.see(
        seen,
        payment("ACME", "0000001", "20260601", "30"),
        ("AR_CustomerSalesHistory", ["01", "ACME", "2026", "05"], {"DollarsSold": "100"}),
    )
    await after(desk)
    await desk.see(
        customer("ACME", CurrentBalance="5", AgingCategory1="?"),
        payment("ACME", "0000001", "20260602", "3O"),
        ("AR_CustomerSalesHistory", ["01", "ACME", "2026", "05"], {"DollarsSold": "1OO"}),
    )
    await after(desk)
    held = (await desk.target(ACME)).held
    assert (held["sage100_aged_balance"], held["annualrevenue"]) == ("10.00", "100.00")
    # No day is shown beside the amount of another.
    assert held["sage100_last_payment_amount"] == "30.00"
    assert held["sage100_last_payment_date"] == "2026-06-01"


async def test_a_remembered_payment_that_is_no_number_is_not_told(desk: Rig) -> None:
    """Where no payment line was read, Sage 100's own memory of the last one may be garbage."""
    await desk.see(customer("ACME", LastPaymentAmt="77", DateLastPayment="20260101"))
    await after(desk)
    await desk.see(customer("ACME", LastPaymentAmt="7x", DateLastPayment="20260201"))
    await after(desk)
    held = (await desk.target(ACME)).held
    assert held["sage100_last_payment_amount"] == "77.00"
    assert held["sage100_last_payment_date"] == "2026-01-01"


def test_an_item_that_cannot_be_read_is_open() -> None:
    """It stays in the open items, so that nothing takes its customer's sum for whole."""
    row = {**ROW, "Balance": "x"}
    assert invoice.open_item(row) == OpenItem("IN", "20260501", "20260601", "", "x")
    assert invoice.open_item({**row, "IsOpen": "N"}) is None
