"""What a customer owes and how late it is, from its open items and one as-of day.

Sage 100 keeps aging buckets on the customer, but they are a cache that is only right just after
the aging report ran (sage100 section 5.4), so nothing here is worked out of them. Buckets are
signed sums: credits and prepayments lower the bucket of their own date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from projections import terms, values
from projections.tables import OpenItem

DEFAULT_LIMITS: Final = (30, 60, 90, 120)
# Sage 100's own buckets on the customer, to be told beside ours.
CACHED: Final = ("CurrentBalance", *(f"AgingCategory{number}" for number in range(1, 5)))


class Aging(msgspec.Struct, frozen=True):
    """Sums in the company's currency: total, and current plus four older buckets.

    `unread`: items whose balance is no number; they are in none of the sums.
    """

    balance: Decimal
    buckets: tuple[Decimal, Decimal, Decimal, Decimal, Decimal]
    oldest_due: date | None
    items: int
    unread: int = 0


def edges(basis: str, limits: Sequence[int]) -> tuple[int, int, int, int]:
    """The last day count of each bucket but the oldest.

    By due date an item not yet due is current and the first limit ends bucket one, so that three
    limits are enough; by invoice date the first limit ends the current bucket. Source: sage100
    section 5.4. Too few limits, in a log from before they were refused, count as the usual ones.
    """
    if basis == "InvoiceDate":
        first, second, third, fourth = limits[:4] if len(limits) >= 4 else DEFAULT_LIMITS
        return first, second, third, fourth
    first, second, third = limits[:3] if len(limits) >= 3 else DEFAULT_LIMITS[:3]
    return 0, first, second, third


def spans(basis: str, limits: Sequence[int]) -> tuple[str, str, str, str, str]:
    """The five buckets in words: by which days of lateness, or of age, an item falls into each."""
    first, *ends, last = edges(basis, limits)
    by_age = basis == "InvoiceDate"
    unit = "days old" if by_age else "days late"
    begins = [first, *ends]
    second, third, fourth = (
        f"{begin + 1}–{end} {unit}" for begin, end in zip(begins, [*ends, last], strict=True)
    )
    now = f"up to {first} {unit}" if by_age else "not yet late"
    return now, second, third, fourth, f"over {last} {unit}"


def age(
    items: Iterable[OpenItem],
    *,
    as_of: date,
    basis: str,
    limits: Sequence[int],
    terms_rows: Mapping[str, Mapping[str, str]],
) -> Aging:
    """Age open items on `as_of`. An item without any readable date counts as current."""
    ends = edges(basis, limits)
    sums = [Decimal(0)] * 5
    oldest: date | None = None
    count = unread = 0
    for item in items:
        balance = values.amount(item.balance)
        count += 1
        unread += values.is_garbage(item.balance)
        due, invoiced = terms.due(item.due_date, item.invoice_date, terms_rows.get(item.terms))
        since = invoiced if basis == "InvoiceDate" else due
        days = (as_of - since).days if since is not None else 0
        bucket = next((index for index, end in enumerate(ends) if days <= end), 4)
        sums[bucket] += balance
        if balance > 0 and due is not None and (oldest is None or due < oldest):
            oldest = due
    first, second, third, fourth, fifth = sums
    return Aging(
        balance=sum(sums, Decimal(0)),
        buckets=(first, second, third, fourth, fifth),
        oldest_due=oldest,
        items=count,
        unread=unread,
    )
