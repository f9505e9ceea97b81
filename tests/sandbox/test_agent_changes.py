"""What happens to the data: stamped or not, posted and paid, and what ChangedSince makes of it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.sandbox.agent import Company, ManualClock, ModelError, maintenance, posting
from connector.sandbox.agent.terms import BUCKETS, due_date
from connector.sandbox.agent.values import number
from tests.sandbox.agent_wire import NOW, Wire, serving, small_model

ABF = ("01", "ABF")
TODAY, YESTERDAY = "20261122", "20261121"


async def since(wire: Wire, entity: str, day: str) -> list[dict[str, str]]:
    """What a pass with ChangedSince finds."""
    pages = await wire.everything(entity, since=day)
    return [row for page in pages for row in page.rows]


@pytest.mark.parametrize("entity", ["AR_Customer", "AR_Invoice", "AR_Payment", "AP_Vendor"])
async def test_changed_since_keeps_stamped_on_or_after_and_unstamped(entity: str) -> None:
    """ChangedSince keeps rows created or updated on or after that day, and rows without stamps."""
    async with serving() as wire:
        for day in ("20260101", "20261001", TODAY, "20991231"):
            wanted = []
            for row in wire.agent.model.rows(entity):
                stamps = {row.get("DateCreated", ""), row["DateUpdated"]}
                if max(stamps) >= day or stamps == {""}:
                    wanted.append(row)
            assert await since(wire, entity, day) == wanted
        assert len(await since(wire, entity, "20991231")) < wire.agent.model.count(entity)


@pytest.mark.parametrize("entity", ["AR_CustomerSalesHistory", "AR_InvoiceDetail"])
async def test_entities_without_stamps_ignore_changed_since(entity: str) -> None:
    """An entity without stamps returns every row, whatever the date."""
    async with serving() as wire:
        assert await since(wire, entity, "20991231") == wire.agent.model.rows(entity)


async def test_maintenance_stamps_and_imports_do_not() -> None:
    """A change on the screen is seen by ChangedSince; the same by an import is the blind spot."""
    clock = ManualClock(NOW)
    async with serving(clock=clock) as wire:
        company = wire.agent.company
        for column in ("DateCreated", "DateUpdated"):
            maintenance.set_raw(company, "AR_Customer", ABF, column, "20200101")
        maintenance.change_customer(company, ABF, {"CreditLimit": "10"}, stamp=False)
        row = company.row("AR_Customer", ABF)
        assert (row["CreditLimit"], row["DateUpdated"]) == ("10", "20200101")
        assert ABF not in [key(r) for r in await since(wire, "AR_Customer", YESTERDAY)]
        maintenance.change_customer(company, ABF, {"CreditLimit": "20"})
        row = company.row("AR_Customer", ABF)
        assert (row["DateUpdated"], row["TimeUpdated"]) == (TODAY, "9.2509")  # 09:15:03.25
        assert row["UserUpdatedKey"] == "0000000002"
        assert row["DateCreated"] == "20200101"
        assert ABF in [key(r) for r in await since(wire, "AR_Customer", TODAY)]
        clock.advance(timedelta(days=1))
        assert ABF not in [key(r) for r in await since(wire, "AR_Customer", "20261123")]


def key(row: dict[str, str]) -> tuple[str, str]:
    return row["ARDivisionNo"], row["CustomerNo"]


def test_new_records_are_stamped_or_bare() -> None:
    """A record entered has both stamps; an imported one has none."""
    company = small_model().company()
    maintenance.add_customer(company, ("01", "NEW-1"), {"CustomerName": "New & Co"})
    maintenance.add_customer(company, ("01", "NEW-2"), {}, stamp=False)
    maintenance.add_contact(company, ("01", "NEW-1", "KIM"), {"ContactName": "Kim"})
    maintenance.add_vendor(company, ("01", "NEWVEND"), {"VendorName": "Vend"})
    for entity, where in (
        ("AR_Customer", ("01", "NEW-1")),
        ("AR_CustomerContact", ("01", "NEW-1", "KIM")),
        ("AP_Vendor", ("01", "NEWVEND")),
    ):
        row = company.row(entity, where)
        assert row["DateCreated"] == row["DateUpdated"] == TODAY
        assert row["TimeCreated"] == row["TimeUpdated"] == "9.2509"
    bare = company.row("AR_Customer", ("01", "NEW-2"))
    assert {
        bare[name] for name in bare if name.startswith(("DateC", "DateU", "TimeC", "TimeU"))
    } == {""}
    assert bare["CreditLimit"] == "0"
    assert bare["CustomerStatus"] == "A"


def test_removal_leaves_no_trace() -> None:
    """A removed customer takes its contacts along; one with open items cannot be removed."""
    company = small_model().company()
    maintenance.add_customer(company, ("01", "GONE"), {})
    maintenance.add_contact(company, ("01", "GONE", "A"), {})
    maintenance.remove_customer(company, ("01", "GONE"))
    assert company.find("AR_Customer", ("01", "GONE")) is None
    assert list(company.rows("AR_CustomerContact", "01", "GONE")) == []
    with pytest.raises(ModelError, match="open items"):
        maintenance.remove_customer(company, ABF)


def test_what_sage_would_refuse_is_refused() -> None:
    """Wide values, unknown columns, moved keys, foreign letters and missing records are errors."""
    company = small_model().company()
    change = maintenance.change_customer
    for fields, reason in (
        ({"State": "WIS"}, "takes 2 characters"),
        ({"Sate": "WI"}, "no column 'Sate'"),
        ({"CustomerNo": "X"}, "part of the key"),
        ({"CustomerName": "東京"}, "Windows-1252"),
    ):
        with pytest.raises(ModelError, match=reason):
            change(company, ABF, fields)
    with pytest.raises(ModelError, match="has no AR_Customer 01-NOBODY"):
        change(company, ("01", "NOBODY"), {"City": "X"})
    with pytest.raises(ModelError, match="no entity"):
        maintenance.remove(company, "GL_Account", ("1",))


def test_terms_can_be_renamed() -> None:
    """A terms code's description changes with a stamp; invoices keep their dates."""
    company = small_model().company()
    before = list(company.rows("AR_Invoice"))
    maintenance.describe_terms(company, "01", "Net Thirty")
    row = company.row("AR_TermsCode", ("01",))
    assert (row["TermsCodeDesc"], row["DateUpdated"]) == ("Net Thirty", TODAY)
    assert list(company.rows("AR_Invoice")) == before


def test_posting_touches_every_file() -> None:
    """A posted invoice is an open item, a transaction, a line, sales and a balance."""
    company = small_model().company()
    maintenance.change_customer(company, ABF, {"TermsCode": "03"})
    before = books(company)
    invoice = posting.post_invoice(company, ABF, "1000.50", fields={"CustomerPONo": "PO 7"})
    assert invoice == ("01", "ABF", "0100240", "000001", "IN")
    row = company.row("AR_Invoice", invoice)
    assert row["Balance"] == row["TaxableAmt"] == "1000.5"
    assert (row["IsOpen"], row["CustomerPONo"], row["DateCreated"]) == ("Y", "PO 7", TODAY)
    assert (row["InvoiceDueDate"], row["InvoiceDiscountDate"]) == ("20261222", "20261202")
    assert row["DiscountAmt"] == "20.01"
    (entry,) = company.rows("AR_Payment", "01", "ABF", invoice[2])
    assert (entry["TransactionType"], entry["TransactionAmt"]) == ("I", "1000.5")
    (line,) = company.rows("AR_InvoiceDetail", invoice[2])
    assert line["ExtensionAmt"] == "1000.5"
    assert books(company) == {
        "owed": before["owed"] + Decimal("1000.5"),
        "cached": before["cached"] + Decimal("1000.5"),
        "sold": before["sold"] + Decimal("1000.5"),
    }
    assert company.row("AR_Customer", ABF)["DateLastActivity"] == TODAY


def books(company: Company) -> dict[str, Decimal]:
    """What ABF owes by its items and by its cached buckets, and what it bought this month."""
    customer = company.row("AR_Customer", ABF)
    history = company.find("AR_CustomerSalesHistory", (*ABF, "2026", "11")) or {}
    items = (number(row["Balance"]) for row in company.rows("AR_Invoice", *ABF))
    return {
        "owed": sum(items, Decimal(0)),
        "cached": sum((number(customer[name]) for name in BUCKETS), Decimal(0)),
        "sold": number(history.get("DollarsSold", "0")),
    }


def test_payments_lower_the_balance_to_the_cent() -> None:
    """Receipts lower the item and the customer alike; two on one day are told apart."""
    company = small_model().company()
    before = books(company)
    invoice = posting.post_invoice(company, ABF, "100")
    one = posting.receive_payment(company, invoice, "30.01", check_no="4711")
    two = posting.receive_payment(company, invoice, Decimal("69.99"))
    assert (one[5], two[5]) == ("000002", "000003")  # 000001 is the posting of the same day
    row = company.row("AR_Invoice", invoice)
    assert (row["Balance"], row["IsOpen"]) == ("0", "Y")
    assert company.row("AR_Payment", one)["TransactionAmt"] == "-30.01"
    customer = company.row("AR_Customer", ABF)
    assert (customer["DateLastPayment"], customer["LastPaymentAmt"]) == (TODAY, "69.99")
    assert books(company)["owed"] == books(company)["cached"] == before["owed"]
    assert (
        sum(number(e["TransactionAmt"]) for e in company.rows("AR_Payment", *ABF, invoice[2])) == 0
    )


def test_unstamped_posting_leaves_all_stamps() -> None:
    """Posting without stamps changes balances everywhere and no stamp anywhere."""
    company = small_model().company()
    invoice = posting.post_invoice(company, ABF, "100")
    entity_keys: list[tuple[str, tuple[str, ...]]] = [("AR_Invoice", invoice), ("AR_Customer", ABF)]
    for entity, where in entity_keys:
        maintenance.set_raw(company, entity, where, "DateUpdated", "20200101")
    payment = posting.receive_payment(company, invoice, "1", stamp=False)
    assert company.row("AR_Invoice", invoice)["Balance"] == "99"
    for entity, where in entity_keys:
        assert company.row(entity, where)["DateUpdated"] == "20200101"
    assert company.row("AR_Payment", payment)["DateUpdated"] == ""


def test_a_posting_can_be_split_and_withheld() -> None:
    """Freight, tax and non-taxable parts come out of the total, a deposit out of the balance."""
    company = small_model().company()
    before = books(company)
    parts = {"NonTaxableAmt": "10", "FreightAmt": "5", "SalesTaxAmt": ".5", "DepositAmt": "20"}
    invoice = posting.post_invoice(company, ABF, "100", fields=parts)
    row = company.row("AR_Invoice", invoice)
    assert (row["TaxableAmt"], row["Balance"]) == ("84.5", "80")
    after = books(company)
    assert after["sold"] - before["sold"] == Decimal("94.5")
    assert after["owed"] == after["cached"] == before["owed"] + 80
    (line,) = company.rows("AR_InvoiceDetail", invoice[2])
    assert line["ExtensionAmt"] == "94.5"


def test_a_credit_for_a_closed_item_posts_nothing() -> None:
    """A credit memo that cannot be applied is refused before anything is written."""
    company = small_model().company()
    closed = next(row for row in company.rows("AR_Invoice") if row["IsOpen"] == "N")
    where = (*key(closed), closed["InvoiceNo"], closed["HeaderSeqNo"], closed["InvoiceType"])
    before = list(company.rows("AR_Invoice"))
    with pytest.raises(ModelError, match="not open"):
        posting.credit_memo(company, ABF, "5", apply_to=where)
    assert list(company.rows("AR_Invoice")) == before


def test_credit_memos_and_adjustments_keep_the_books() -> None:
    """A credit applied moves value between items; the customer's total falls by it once."""
    company = small_model().company()
    before = books(company)
    invoice = posting.post_invoice(company, ABF, "100")
    memo = posting.credit_memo(company, ABF, "40", apply_to=invoice, invoice_no=invoice[2])
    assert memo == (*ABF, invoice[2], "000002", "CM")
    assert company.row("AR_Invoice", memo)["TaxableAmt"] == "-40"
    assert company.row("AR_Invoice", memo)["Balance"] == "0"
    assert company.row("AR_Invoice", invoice)["Balance"] == "60"
    loose = posting.credit_memo(company, ABF, "5")
    assert company.row("AR_Invoice", loose)["Balance"] == "-5"
    posting.adjust(company, invoice, "-0.50")
    assert company.row("AR_Invoice", invoice)["Balance"] == "59.5"
    after = books(company)
    assert after["owed"] - before["owed"] == Decimal("54.5")
    assert after["owed"] == after["cached"]


def test_prepayments_and_unrecorded_items_have_no_history() -> None:
    """A PP and an item posted without history have HeaderSeqNo 000000, no lines and no module."""
    company = small_model().company()
    prepaid = posting.post_invoice(company, ABF, "-10", invoice_type="PP", invoice_no="PP-1")
    bare = posting.post_invoice(company, ABF, "10", history=False)
    for invoice in (prepaid, bare):
        row = company.row("AR_Invoice", invoice)
        assert (invoice[3], row["ModuleCode"]) == ("000000", "")
        assert list(company.rows("AR_InvoiceDetail", invoice[2])) == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"total": "-1"}, "wrong sign"),
        ({"total": "1", "invoice_type": "CM"}, "wrong sign"),
        ({"total": "0"}, "wrong sign"),
        ({"total": "1.005"}, "whole cents"),
        ({"total": "many"}, "no number"),
        ({"total": "NaN"}, "no finite number"),
        ({"total": "1", "invoice_type": "XX"}, "cannot be posted"),
        ({"total": "1", "invoice_no": "12345678"}, "wider"),
    ],
)
def test_impossible_postings_are_refused(wrong: dict[str, Any], reason: str) -> None:
    """A posting that Sage 100 could not make changes nothing and says why."""
    company = small_model().company()
    before = list(company.rows("AR_Payment"))
    with pytest.raises(ModelError, match=reason):
        posting.post_invoice(company, ABF, wrong.pop("total"), **wrong)
    assert list(company.rows("AR_Payment")) == before


def test_closed_items_take_no_payment() -> None:
    """Nothing can be applied to an item that has left the open file."""
    company = small_model().company()
    closed = next(row for row in company.rows("AR_Invoice") if row["IsOpen"] == "N")
    where = (*key(closed), closed["InvoiceNo"], closed["HeaderSeqNo"], closed["InvoiceType"])
    with pytest.raises(ModelError, match="not open"):
        posting.receive_payment(company, where, "1")


@pytest.mark.parametrize(
    ("code", "invoiced", "due"),
    [
        ("00", date(2026, 1, 5), date(2026, 1, 5)),
        ("01", date(2026, 1, 31), date(2026, 3, 2)),
        ("04", date(2026, 1, 5), date(2026, 2, 10)),  # the 10th is fewer than 15 days away
        ("04", date(2026, 1, 26), date(2026, 2, 10)),
        ("06", date(2026, 2, 3), date(2026, 2, 28)),  # the 31st means the last day
        ("06", date(2026, 12, 31), date(2026, 12, 31)),
    ],
)
def test_due_dates_follow_the_terms(code: str, invoiced: date, due: date) -> None:
    """Days after the invoice, or the first such day of a month far enough away."""
    terms = small_model().company().row("AR_TermsCode", (code,))
    assert due_date(invoiced, terms) == due
