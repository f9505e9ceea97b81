"""A customer of Sage 100 as a HubSpot company: the facts its mapping may use.

A company is a prospect until an invoice has been posted to it. What is not known yet (terms not
read, no as-of day, invoices not read to the end for the first time) is left out, so that HubSpot is
not told guesses; the facts come by themselves when the missing rows do, in whatever order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from projections import aging, fiscal, keys, values
from projections.tables import Account, OpenItem, Source

_INVOICES: Final = "AR_Invoice"
_PAYMENTS: Final = "AR_Payment"
_SALES: Final = "AR_CustomerSalesHistory"

Terms = Mapping[str, Mapping[str, str]]


def compact(day: date | None) -> str:
    """A day in Sage 100's own style, "" for none."""
    return day.strftime("%Y%m%d") if day is not None else ""


def facts(
    key: str, account: Account, items: Sequence[OpenItem], terms_rows: Terms, source: Source
) -> dict[str, str]:
    """Derived facts of company `key` (ABC:01-ABF). `items`: its open receivables."""
    row = account.row or {}
    out = {
        "key.external": key,
        "key.company": keys.company_code(key),
        "key.record": keys.plain(key.partition(":")[2]),
        "account.street": row.get("AddressLine1", ""),
        "account.domain": values.domain(row.get("URLAddress", ""), row.get("EmailAddress", "")),
        "constant.prospect": "PROSPECT",
    }
    if account.posted or _INVOICES in source.read:
        out["account.stage"] = "customer" if account.posted else "prospect"
    if source.currency:
        out["source.currency"] = source.currency
    describe_terms(out, row.get("TermsCode", ""), terms_rows)
    revenue = _revenue(account, source)
    if revenue is not None:
        out["account.revenue"] = str(revenue)
    if _PAYMENTS in source.read:
        _add_payments(out, account, row)
        if _INVOICES in source.read:
            out["account.average_days_to_pay"] = _days_to_pay(account)
    _add_cached(out, row)
    as_of = values.day(source.as_of)
    if as_of is not None and _INVOICES in source.read:
        _add_aging(out, items, as_of, terms_rows, source)
    return out


def describe_terms(out: dict[str, str], code: str, terms_rows: Terms) -> None:
    """Add the description of a terms code; of a code nobody has read yet nothing is said."""
    code = code.rstrip(" ")
    if not code:
        out["terms.description"] = ""
    elif code in terms_rows:
        out["terms.description"] = terms_rows[code].get("TermsCodeDesc", "")


def _revenue(account: Account, source: Source) -> Decimal | None:
    """DollarsSold of the company's last fiscal periods; None without any sales history, or where
    a part of it has not been read or cannot be.
    """
    if not account.sales or _SALES not in source.read:
        return None
    return fiscal.sold(account.sales, source)


def _add_payments(out: dict[str, str], account: Account, row: Mapping[str, str]) -> None:
    last = account.last_payment
    remembered = values.day(row.get("DateLastPayment", ""))
    if last is not None and account.retracted and compact(remembered) > last[0]:
        last = None  # newer ones may have been read than the one that is left
    if values.is_garbage(row.get("LastPaymentAmt", "") if last is None else last[1]):
        return  # a day without its amount would be shown beside the amount of another day
    if last is not None:
        out["account.last_payment_date"], out["account.last_payment_amount"] = last
    else:
        # No payment line was read: Sage 100's own memory of the last one.
        out["account.last_payment_date"] = row.get("DateLastPayment", "")
        amount = values.number(row.get("LastPaymentAmt", ""))
        out["account.last_payment_amount"] = str(amount) if amount else ""


def _days_to_pay(account: Account) -> str:
    if not account.paid_count:
        return ""
    mean = Decimal(account.paid_days) / account.paid_count
    return str(mean.quantize(Decimal(1), ROUND_HALF_UP))


def _add_cached(out: dict[str, str], row: Mapping[str, str]) -> None:
    """What Sage 100's own aging report last wrote on the customer: shown beside ours, never used.

    It is as old as DateLastAging says (sage100 section 5.4).
    """
    cells = [row.get(column, "") for column in aging.CACHED]
    if "CurrentBalance" in row and not any(map(values.is_garbage, cells)):
        total = sum(map(values.amount, cells), Decimal(0))
        out["sage.aged_balance"] = str(total)
        out["sage.aged_on"] = row.get("DateLastAging", "")


def _add_aging(
    out: dict[str, str],
    items: Sequence[OpenItem],
    as_of: date,
    terms_rows: Terms,
    source: Source,
) -> None:
    aged = aging.age(
        items,
        as_of=as_of,
        basis=source.aging_basis,
        limits=source.aging_limits,
        terms_rows=terms_rows,
    )
    if aged.unread:
        return  # a sum of which a part is not known: what was said last stays, with its day
    current, first, second, third, fourth = aged.buckets
    out["aging.balance"] = str(aged.balance)
    out["aging.current"] = str(current)
    out["aging.bucket_1"] = str(first)
    out["aging.bucket_2"] = str(second)
    out["aging.bucket_3"] = str(third)
    out["aging.bucket_4"] = str(fourth)
    out["aging.oldest_due"] = compact(aged.oldest_due)
    # Without open items there is nothing to age: the date would change every day for nothing.
    out["aging.as_of"] = compact(as_of) if aged.items else ""
