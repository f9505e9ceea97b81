"""What period end and purges take away, and that they leave neither trace nor wrong sum."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from connector.sandbox.agent import (
    Company,
    ManualClock,
    ModelError,
    batches,
    maintenance,
    period_end,
    posting,
    renumbering,
    stamps,
)
from tests.sandbox.agent_wire import NOW, small_model
from tests.sandbox.test_agent_life_jobs import ABF, OTHER, numbers
from tests.sandbox.test_agent_life_machine import check_books


def paid(company: Company, *, history: bool = True) -> posting.InvoiceKey:
    key = posting.post_invoice(company, ABF, "40", history=history)
    posting.receive_payment(company, key, "40")
    return key


def test_period_end_takes_paid_items_out_of_the_open_file() -> None:
    """Items paid longer ago than retained leave: with history they close, without they vanish."""
    clock = ManualClock(NOW)
    company = small_model().company()
    company.clock = clock
    recorded, bare = paid(company), paid(company, history=False)
    unpaid = posting.post_invoice(company, ABF, "40")
    clock.advance(timedelta(days=10))
    assert recorded not in period_end.period_end(company, retain_days=11).items
    stamps.restamp(company, "AR_Invoice", clock(), [recorded], created=False)
    closed = period_end.period_end(company, retain_days=10).items
    assert {recorded, bare} <= set(closed)
    assert unpaid not in closed
    row = company.row("AR_Invoice", recorded)
    assert (row["IsOpen"], row["Balance"], row["TaxableAmt"]) == ("N", "0", "40")
    assert row["DateUpdated"] == row["DateCreated"] == "20261122"
    assert company.find("AR_Invoice", bare) is None
    assert company.row("AR_Invoice", unpaid)["IsOpen"] == "Y"
    check_books(company)


def test_period_end_can_count_months() -> None:
    """Months to retain reach back to the first of a month, not so many times thirty days."""
    clock = ManualClock(datetime(2026, 9, 30, 12))
    company = small_model().company()
    company.clock = clock
    september = paid(company)
    clock.now = datetime(2026, 10, 1, 12)
    october = paid(company)
    clock.now = datetime(2026, 11, 2, 12)
    closed = period_end.period_end(company, retain_months=1).items
    assert september in closed
    assert october not in closed


def test_period_end_drops_temporary_customers_without_open_items() -> None:
    """A temporary customer and its contacts go, unless an item is open; a batch forbids it all."""
    company = small_model().company()
    temporary = {"TemporaryCustomer": "Y", "CustomerStatus": "T"}
    for number in ("TEMP1", "TEMP2"):
        maintenance.add_customer(company, ("01", number), temporary)
    maintenance.add_contact(company, ("01", "TEMP1", "KIM"), {})
    posting.post_invoice(company, ("01", "TEMP2"), "10")
    batches.enter_invoice(company, "00001", ABF, "5")
    with pytest.raises(ModelError, match="00001 are not posted"):
        period_end.period_end(company)
    batches.post_batch(company, "00001")
    gone = period_end.period_end(company).customers
    assert ("01", "TEMP1") in gone
    assert company.find("AR_CustomerContact", ("01", "TEMP1", "KIM")) is None
    assert company.find("AR_Customer", ("01", "TEMP2")) is not None


def test_purging_history_changes_keys_of_open_items() -> None:
    """Closed rows vanish with their lines; an open one stays under 000000 without its orders."""
    company = small_model().company()
    old = posting.post_invoice(company, ABF, "40", invoice_no="REUSED")
    fields = {"SalesOrderNo": "0000123", "AppliedSalesOrderNos": "0000123", "ModuleCode": "SO"}
    open_item = posting.post_invoice(company, OTHER, "9", invoice_no="REUSED", fields=fields)
    posting.receive_payment(company, old, "40")
    period_end.period_end(company)
    assert open_item[3] == "000002"
    gone = period_end.purge_history(company, NOW.date())
    assert {old, open_item} <= set(gone)
    assert company.find("AR_Invoice", old) is None
    row = company.row("AR_Invoice", (*open_item[:3], "000000", "IN"))
    assert (row["Balance"], row["SalesOrderNo"], row["ModuleCode"]) == ("9", "", "")
    assert list(company.rows("AR_InvoiceDetail")) == []
    assert {row["IsOpen"] for row in company.rows("AR_Invoice")} == {"Y"}
    check_books(company)


def test_purging_keeps_what_is_younger() -> None:
    """History after the date stays, in the file of lines as well."""
    company = small_model().company()
    through = date(2026, 3, 31)
    kept = [
        row
        for row in company.rows("AR_Invoice")
        if row["InvoiceDate"] > "20260331" or not row["ModuleCode"]
    ]
    period_end.purge_history(company, through)
    after = list(company.rows("AR_Invoice"))
    assert [row for row in after if row["ModuleCode"] or row in kept] == kept


def test_purging_payments_spares_open_items() -> None:
    """The lines of closed items go as a whole; an open item keeps its own."""
    company = small_model().company()
    closed, unpaid = paid(company), posting.post_invoice(company, ABF, "40")
    period_end.period_end(company)
    assert period_end.purge_payments(company, NOW.date() - timedelta(days=1)) > 0
    assert closed[2] in numbers(company.rows("AR_Payment", *ABF))
    assert period_end.purge_payments(company, NOW.date()) >= 2
    assert closed[2] not in numbers(company.rows("AR_Payment", *ABF))
    assert unpaid[2] in numbers(company.rows("AR_Payment", *ABF))
    check_books(company)


def test_the_open_file_holds_a_number_once() -> None:
    """A number is used again only when nothing of it and its type is open; a merge keeps to it."""
    company = small_model().company()
    first = posting.post_invoice(company, ABF, "40", invoice_no="TWICE")
    with pytest.raises(ModelError, match="TWICE of 01-ABF is open"):
        posting.post_invoice(company, ABF, "50", invoice_no="TWICE")
    posting.post_invoice(company, ABF, "-5", invoice_type="CM", invoice_no="TWICE")
    others = posting.post_invoice(company, OTHER, "9", invoice_no="TWICE")
    assert others[3] == "000003"
    with pytest.raises(ModelError, match="both have IN TWICE"):
        renumbering.merge_customers(company, OTHER, ABF)
    posting.receive_payment(company, first, "40")
    period_end.period_end(company)
    assert posting.post_invoice(company, ABF, "50", invoice_no="TWICE")[3] == "000004"
    check_books(company)
