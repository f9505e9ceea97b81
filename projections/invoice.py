"""A posted receivable of Sage 100 as a HubSpot invoice, and what it adds to its customer.

Every posted row becomes an invoice object, credit memos, prepayments and cancelled numbers too:
only then do the balances HubSpot shows add up to Sage 100's receivables. Balance-forward lines
are no documents and become none; they still count in the aging.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from projections import keys, terms, values
from projections.customer import Terms, compact, describe_terms
from projections.tables import Bill, OpenItem, Source

# sage100 section 5.1
TYPES: Final = {
    "IN": "Invoice",
    "CM": "Credit memo",
    "DM": "Debit memo",
    "FC": "Finance charge",
    "PP": "Prepayment",
    "PY": "Payment",
    "CA": "Cash sale",
    "AD": "Adjustment",
    "XD": "Deleted",
    "BF": "Balance forward",
    "BC": "Balance forward, other charges",
}
CREDITS: Final = frozenset({"CM", "PP", "PY"})
NO_DOCUMENT: Final = frozenset({"BF", "BC"})
# Whose lines are no line items: HubSpot takes none that are negative, and none of what never was.
WITHOUT_LINES: Final = CREDITS | NO_DOCUMENT | {"XD"}
# What makes a prospect a customer: something was sold.
SALES: Final = frozenset({"IN", "CA"})
# Debits whose payment time says how fast the customer pays.
_TIMED: Final = frozenset({"IN", "DM", "FC"})
_PAYMENT: Final = "P"


# What its total is made of, and what was not posted as due.
_PARTS: Final = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
_WITHHELD: Final = "RetentionAmt"
_BALANCE: Final = "Balance"


def skip_reason(row: Mapping[str, str]) -> str:
    """Why this row becomes no HubSpot invoice, "" when it does."""
    return "balance forward is no document" if row.get("InvoiceType") in NO_DOCUMENT else ""


def total(row: Mapping[str, str]) -> Decimal:
    """Taxable + non-taxable + freight + tax; credits negative whatever sign the history has.

    Of what can be read: see `unread`.
    """
    amount = sum((values.amount(row.get(part, "")) for part in _PARTS), Decimal(0))
    return -amount if amount > 0 and row.get("InvoiceType") in CREDITS else amount


def buyer(key: str, row: Mapping[str, str]) -> str:
    """The external key of the customer who bought what invoice `key` bills, where another one, its
    own, pays (a national account, sage100 section 2.3); "" where they are the same.
    """
    number = row.get("SoldToCustomerNo", "").rstrip(" ")
    if not number:
        return ""
    payer = keys.customer_of(key)
    code, _, record = payer.partition(":")
    division = row.get("SoldToDivisionNo", "").strip(" ") or keys.plain(record.partition("-")[0])
    found = keys.external_key(code, keys.record_key("AR_Customer", [division, number]))
    return found if found != payer else ""


def is_open(row: Mapping[str, str]) -> bool:
    """Whether it stands in the open file; paid items do for a while."""
    return values.flag(row.get("IsOpen", ""))


def balance(row: Mapping[str, str]) -> Decimal:
    """What is open, as signed in open receivables; nothing when the row is closed.

    As far as it can be read: see `unread`.
    """
    return values.amount(row.get(_BALANCE, "")) if is_open(row) else Decimal(0)


def unread(row: Mapping[str, str]) -> dict[str, str]:
    """The amounts of this row that are no numbers: column to what it holds.

    What depends on one is not said, for it is not known; least of all is it nothing.
    """
    columns = (*_PARTS, _WITHHELD, _BALANCE) if is_open(row) else (*_PARTS, _WITHHELD)
    return {name: cell for name in columns if values.is_garbage(cell := row.get(name, ""))}


def was_restored(before: datetime | None, row: Mapping[str, str]) -> bool:
    """Whether a closed row's own stamp lies before the one it was seen open with (`before`)."""
    now = stamp(row)
    return before is not None and now is not None and now < before and not is_open(row)


def stamp(row: Mapping[str, str]) -> datetime | None:
    """When Sage 100 says it last changed the row, by the server's clock; None when it does not."""
    for what in ("Updated", "Created"):
        found = values.moment(row.get(f"Date{what}", ""), row.get(f"Time{what}", ""))
        if found is not None:
            return found
    return None


def open_item(row: Mapping[str, str]) -> OpenItem | None:
    """What aging needs of the row, None when nothing is open. What cannot be read is open."""
    cell = row.get(_BALANCE, "")
    if not is_open(row) or not (values.amount(cell) or values.is_garbage(cell)):
        return None
    return OpenItem(
        row.get("InvoiceType", ""),
        row.get("InvoiceDate", ""),
        row.get("InvoiceDueDate", ""),
        row.get("TermsCode", "").rstrip(" "),
        cell,
    )


def status(row: Mapping[str, str]) -> str | None:
    """open, partial, paid, credit or void; None: an amount that decides it cannot be read.

    Retainage is no part of what was posted as due (sage100 section 5.2): holding it back is no
    payment. A deposit is one.
    """
    if row.get("InvoiceType") == "XD":
        return "void"
    garbage = unread(row)
    if _BALANCE in garbage:
        return None
    open_amount = balance(row)
    if open_amount < 0:
        return "credit"
    if open_amount == 0:
        return "paid"
    if garbage:
        return None
    posted = total(row) - values.amount(row.get(_WITHHELD, ""))
    return "partial" if open_amount < posted else "open"


def native_status(row: Mapping[str, str], state: str | None) -> str | None:
    """HubSpot's own invoice status that says nearest what ours does; None: it has none for it, or
    ours is not known.

    A credit is nothing that HubSpot could call open or paid; what is gone is voided, not deleted.
    """
    if state in {"void", "gone"}:
        return "voided"
    if state is None or row.get("InvoiceType") in CREDITS:
        return None
    if total(row) < 0 or not unread(row).keys().isdisjoint(_PARTS):
        return None
    return "open" if state in {"open", "partial"} else "paid"


def newest_payment(bill: Bill, sequence: str = "") -> tuple[str, str] | None:
    """(date YYYYMMDD, amount) of the newest payment; credits are no payments.

    An invoice number may be used again, so with a `sequence` only payments posted to that history
    row count, and those that name none.
    """
    found = [
        (day, amount)
        for kind, day, amount, posted_to in bill.payments.values()
        if kind == _PAYMENT and (not sequence or posted_to in {"", sequence})
    ]
    return max(found, key=_by_day_and_amount) if found else None


def later_payment(
    one: tuple[str, str] | None, other: tuple[str, str] | None
) -> tuple[str, str] | None:
    """The later of two payments (the larger on one day), whatever order they came in."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=_by_day_and_amount)


def _by_day_and_amount(payment: tuple[str, str]) -> tuple[str, Decimal]:
    return payment[0], values.amount(payment[1])


def paid_days(bill: Bill) -> tuple[int, int]:
    """(count, days): over the bill's paid debits, days from invoice to the newest payment."""
    count = days = 0
    for sequence, row in bill.rows.items() if bill.payments else ():
        if row.get("InvoiceType") not in _TIMED or sequence in bill.withdrawn:
            continue
        if open_item(row) is not None:
            continue
        newest = newest_payment(bill, sequence)
        paid_on = values.day(newest[0]) if newest is not None else None
        invoiced = values.day(row.get("InvoiceDate", ""))
        if paid_on is not None and invoiced is not None and invoiced <= paid_on:
            count += 1
            days += (paid_on - invoiced).days
    return count, days


def standing(key: str, bill: Bill) -> dict[str, str] | None:
    """The row of invoice `key` (ABC:01-ABF:0100215-000001-IN) as it stands; None without one.

    Nothing is open on it any more once it was purged, renumbered or deleted, or its number is open
    anew.
    """
    sequence = keys.sequence_of(key)
    row = bill.rows.get(sequence)
    if row is None or not (sequence in bill.gone or sequence in bill.ended):
        return row
    return {**row, _BALANCE: "", "IsOpen": "N"}


def facts(key: str, bill: Bill, terms_rows: Terms, source: Source) -> dict[str, str] | None:
    """Derived facts of an invoice; None without its row. An amount that cannot be read, and what
    hangs on it, is left out.
    """
    sequence = keys.sequence_of(key)
    row = standing(key, bill)
    if row is None:
        return None
    garbage = unread(row)
    was_open = row is not bill.rows[sequence] and open_item(bill.rows[sequence]) is not None
    state = "gone" if was_open else status(row)
    due, _ = terms.due(
        row.get("InvoiceDueDate", ""),
        row.get("InvoiceDate", ""),
        terms_rows.get(row.get("TermsCode", "").rstrip(" ")),
    )
    kind = row.get("InvoiceType", "")
    newest = newest_payment(bill, sequence)
    out = {
        "key.external": key,
        "key.company": keys.company_code(key),
        "key.customer": keys.customer_of(key),
        "key.sold_to": buyer(key, row),
        "key.record": keys.plain(key.partition(":")[2]),
        "invoice.type": TYPES.get(kind, kind),
        "invoice.due_date": compact(due),
        "invoice.last_payment_date": newest[0] if newest is not None else "",
        "constant.false": "false",
        "constant.true": "true",
    }
    if garbage.keys().isdisjoint(_PARTS):
        out["invoice.total"] = str(total(row))
    if state is not None:
        out["invoice.status"] = state
    # HubSpot's own status takes nothing back: it waits for a row that is about to be seen again.
    native = None if sequence in bill.ended else native_status(row, state)
    if native is not None:
        out["invoice.native_status"] = native
    if source.currency:
        out["source.currency"] = source.currency
    if _BALANCE not in garbage:
        out["invoice.balance"] = str(balance(row))
        late = _days_overdue(balance(row), due, source)
        if late is not None:
            out["invoice.days_overdue"] = late
    describe_terms(out, row.get("TermsCode", ""), terms_rows)
    return out


def _days_overdue(open_amount: Decimal, due: date | None, source: Source) -> str | None:
    """Whole days past due, "" when nothing is; None as long as there is no as-of day."""
    as_of = values.day(source.as_of)
    if open_amount <= 0 or due is None:
        return ""
    return None if as_of is None else str(max(0, (as_of - due).days))


def payment_entry(row: Mapping[str, str]) -> tuple[str, str, str, str]:
    """(type, date YYYYMMDD, amount without sign, HeaderSeqNo or "") of an AR_Payment row."""
    day = values.day(row.get("PaymentDate", "")) or values.day(row.get("TransactionDate", ""))
    cell = row.get("TransactionAmt", "")
    # What is no number is kept as it is: nobody shows it as an amount, least of all as nothing.
    amount = cell if values.is_garbage(cell) else str(abs(values.amount(cell)))
    posted_to = row.get("InvoiceHistoryHeaderSeqNo", "").strip()
    return row.get("TransactionType", ""), compact(day), amount, posted_to


def sold_to(name: str, bill: Bill) -> set[str]:
    """The customers that bill `name` (ABC:01-ABF:0100215-IN) makes more than prospects: who pays,
    and who bought.
    """
    found: set[str] = set()
    for sequence, row in bill.rows.items():
        if row.get("InvoiceType") in SALES and sequence not in bill.withdrawn:
            payer = keys.customer_of(name)
            found |= {payer, buyer(name, row) or payer}
    return found
