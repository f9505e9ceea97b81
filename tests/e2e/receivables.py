"""What is owed, aged, paid and sold, worked out from the raw rows in the plainest way.

As in `expectation`, nothing of the product is used: an agreement of the two is no coincidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from tests.e2e import cells
from tests.e2e.company_rows import Row, Rows, Setting, Value, customer_of, invoice_key

CREDITS = {"CM", "PP", "PY"}
BUCKETS = ("current", "1_30", "31_60", "61_90", "over_90")


def open_balance(rows: Rows) -> Decimal:
    """Everything that is open in Sage 100, credits deducted."""
    return sum((balance_of(row) for row in rows["AR_Invoice"]), Decimal(0))


def total_of(row: Row) -> Decimal:
    """What an invoice comes to; a credit is below nothing."""
    parts = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
    total = sum((cells.money(row[part]) for part in parts), Decimal(0))
    return -abs(total) if row["InvoiceType"] in CREDITS else total


def balance_of(row: Row) -> Decimal:
    """What is open on it."""
    return cells.money(row["Balance"]) if row["IsOpen"] == "Y" else Decimal(0)


def native_status(row: Row, total: Decimal, balance: Decimal) -> str:
    """HubSpot's own: what it has no word for stays the draft that it was created as."""
    if row["InvoiceType"] == "XD":
        return "voided"
    if row["InvoiceType"] in CREDITS or total < 0:
        return "draft"
    return "open" if balance > 0 else "paid"


def status(row: Row, total: Decimal, balance: Decimal) -> str:
    """A deposit is money received; retainage is not yet due, so holding it back pays nothing."""
    if row["InvoiceType"] == "XD":
        return "void"
    if balance < 0:
        return "credit"
    if not balance:
        return "paid"
    return "partial" if balance < total - cells.money(row["RetentionAmt"]) else "open"


def aging(invoices: list[Row], setting: Setting, terms: Mapping[str, Row]) -> dict[str, Value]:
    """By due date what is not late is current; by invoice date the first limit is current."""
    by_due = setting.basis == "DueDate"
    limits = (0, *setting.limits[:3]) if by_due else setting.limits[:4]
    sums = [Decimal(0)] * 5
    oldest: list[date] = []
    still_open = [row for row in invoices if balance_of(row)]
    for row in still_open:
        due = cells.due_date(row, terms)
        since = due if by_due else cells.day(row["InvoiceDate"])
        age = (setting.as_of - since).days if since else 0
        sums[sum(age > limit for limit in limits)] += balance_of(row)
        if due and balance_of(row) > 0:
            oldest.append(due)
    return {
        "sage100_balance": sum(sums, Decimal(0)),
        **{f"sage100_aging_{name}": one for name, one in zip(BUCKETS, sums, strict=True)},
        "sage100_oldest_due_date": cells.shown_day(min(oldest, default=None)),
        "sage100_aging_as_of": cells.shown_day(setting.as_of) if still_open else "",
    }


def as_sage_aged(row: Row) -> dict[str, Value]:
    """What Sage 100's aging report last wrote on the customer, and when."""
    buckets = ("CurrentBalance", *(f"AgingCategory{number}" for number in range(1, 5)))
    return {
        "sage100_aged_balance": sum((cells.money(row[name]) for name in buckets), Decimal(0)),
        "sage100_aged_on": cells.shown_day(cells.day(row["DateLastAging"])),
    }


def payments_of(rows: list[Row], setting: Setting) -> dict[str, list[Row]]:
    """Receipts by the invoice they were applied to, number and HeaderSeqNo, as they say it."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["TransactionType"] == "P":
            found[invoice_key(row, setting, "InvoiceHistoryHeaderSeqNo")].append(row)
    return found


def received(receipt: Row) -> date | None:
    """The day of a receipt; of one without, the day it was posted."""
    return cells.day(receipt["PaymentDate"]) or cells.day(receipt["TransactionDate"])


def last_payment(
    invoices: list[Row], payments: Mapping[str, list[Row]], setting: Setting, customer: Row
) -> tuple[date | None, Value]:
    """The newest receipt, the largest of its day; without any what Sage 100 remembers."""
    found = [
        (when, abs(cells.money(one["TransactionAmt"])))
        for row in invoices
        for one in payments.get(invoice_key(row, setting), ())
        if (when := received(one))
    ]
    if found:
        return max(found)
    remembered = cells.money(customer["LastPaymentAmt"])
    return cells.day(customer["DateLastPayment"]), remembered or ""


def days_to_pay(invoices: list[Row], payments: Mapping[str, list[Row]], setting: Setting) -> Value:
    """The mean over paid debits, from the invoice to the receipt that was the last."""
    days = []
    for row in invoices:
        dates = [
            when for one in payments.get(invoice_key(row, setting), ()) if (when := received(one))
        ]
        invoiced = cells.day(row["InvoiceDate"])
        if row["InvoiceType"] in {"IN", "DM", "FC"} and not balance_of(row) and dates and invoiced:
            days.append((max(dates) - invoiced).days)
    return cells.rounded(Decimal(sum(days)) / len(days)) if days else ""


def sales_of(rows: list[Row], setting: Setting) -> dict[str, Decimal]:
    """DollarsSold of the company's last fiscal periods, by customer with any history."""
    periods = sorted({(row["FiscalYear"], row["FiscalPeriod"]) for row in rows})
    if not periods:
        return {}
    year, period = map(int, periods[-1])
    kept = {
        divmod(year * 12 + period - 1 - back, 12)  # twelve periods a year
        for back in range(setting.periods)
    }
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        counts = (int(row["FiscalYear"]), int(row["FiscalPeriod"]) - 1) in kept
        found[customer_of(row, setting)] += (
            cells.money(row["DollarsSold"]) if counts else Decimal(0)
        )
    return found
