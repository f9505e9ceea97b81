"""What Sage 100 says is owed, straight from its rows in the log, without any of our read models.

This is one side of the AR tie-out. It keeps the newest row of every open item and nothing else, so
that it shares with the projector only the rules of Sage 100 itself: what a cell means, when an
invoice is due, where a bucket ends.

The open file has no HeaderSeqNo in its key: of one number and type of a customer the row that was
seen open last is owed, and none that was seen open before it. Such a one is set aside until its own
row is seen, or until the row that took its place is found to be gone, or closed as it was earlier:
a backup was restored.

Signed sums, as open receivables hold them: credit memos, payments on account and prepayments are
negative. A customer is division and number. Under a national account the payer owes, and the rows
already carry it as their customer; who bought does not matter here. A balance-forward line counts
in what is owed and is no document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

import msgspec

from projections import aging, invoice, keys, values
from projections import events as e
from projections.folding import Entry
from projections.source import record_of
from projections.tables import OpenItem, Source

# What a customer's receivables are made of, and the fact of the mapping that carries each.
MEASURES: Final[dict[str, str]] = {
    "balance": "aging.balance",
    "current": "aging.current",
    "bucket_1": "aging.bucket_1",
    "bucket_2": "aging.bucket_2",
    "bucket_3": "aging.bucket_3",
    "bucket_4": "aging.bucket_4",
}
BUCKETS: Final = tuple(MEASURES)[1:]
DOCUMENTS: Final = "documents"
DOCUMENT_FACT: Final = "invoice.balance"
TYPES: Final = (
    "RecordObserved",
    "RecordVanished",
    "SourceDescribed",
    "AgingDateAdvanced",
    "MappingActivated",
)
EVERYBODY: Final = "*"

Figures = tuple[Decimal, ...]
"""One amount for each of MEASURES, in their order, to the cent."""
NOTHING: Final[Figures] = (Decimal(0),) * len(MEASURES)


class Side(NamedTuple):
    """What one side says of one company: by customer key, and by invoice key.

    `unread`: invoice key to the balance of an open item that is no number. It is in none of the
    figures, which are not all that is owed then.
    """

    customers: dict[str, Figures]
    documents: dict[str, Decimal]
    unread: dict[str, str]


def cents(value: Decimal) -> Decimal:
    """To the cent, half up, as the mapping shapes money."""
    return value.quantize(values.CENT, ROUND_HALF_UP)


def shown_day(compact: str) -> str:
    """A day as YYYY-MM-DD, "" for none."""
    day = values.day(compact)
    return day.isoformat() if day is not None else ""


def figures(
    items: list[OpenItem], source: Source, terms_rows: Mapping[str, Mapping[str, str]]
) -> Figures:
    """A customer's balance and buckets on the as-of day; all current as long as there is none."""
    as_of = values.day(source.as_of)
    if as_of is None:
        owed = cents(sum((values.amount(item.balance) for item in items), Decimal(0)))
        return (owed, owed, *NOTHING[2:])
    aged = aging.age(
        items,
        as_of=as_of,
        basis=source.aging_basis,
        limits=source.aging_limits,
        terms_rows=terms_rows,
    )
    return (cents(aged.balance), *(cents(bucket) for bucket in aged.buckets))


def side_of(
    items: Mapping[str, OpenItem], source: Source, terms_rows: Mapping[str, Mapping[str, str]]
) -> Side:
    """What these open items (by invoice key) add up to."""
    by_customer: dict[str, list[OpenItem]] = defaultdict(list)
    documents: dict[str, Decimal] = {}
    unread: dict[str, str] = {}
    for key, item in items.items():
        by_customer[keys.customer_of(key)].append(item)
        if values.is_garbage(item.balance):
            unread[key] = item.balance
        elif item.type not in invoice.NO_DOCUMENT:
            documents[key] = cents(values.amount(item.balance))
    customers = {key: figures(some, source, terms_rows) for key, some in by_customer.items()}
    return Side(customers, documents, unread)


class _Aside(NamedTuple):
    """An open row in whose place another one (`by`) was seen; its item, None when it is paid."""

    by: str
    item: OpenItem | None


class SourceRows:
    """A fold of the log's source rows, page by page, for the companies asked for.

    `touched`: customer key, or company code and EVERYBODY, to the last position that may have moved
    its figures.
    """

    def __init__(self, companies: frozenset[str]) -> None:
        self._companies = companies
        self._items: dict[str, dict[str, OpenItem]] = {code: {} for code in companies}
        self._open: dict[str, str] = {}  # bill to the key of its row in the open file
        self._stamps: dict[str, datetime | None] = {}  # of rows seen open last, by key
        self._aside: dict[str, dict[str, _Aside]] = {}  # bill to key to what was seen of it
        self._terms: dict[str, dict[str, Mapping[str, str]]] = {code: {} for code in companies}
        self._sources: dict[str, Source] = {code: Source() for code in companies}
        self.touched: dict[str, int] = {}

    def fold(self, entry: Entry) -> None:
        """One event of TYPES, in the order of the log."""
        match entry.payload:
            case e.RecordObserved() | e.RecordVanished():
                self._record(entry)
            case e.SourceDescribed() as described if described.company in self._companies:
                self._sources[described.company] = Source(
                    instance=described.instance,
                    currency=described.currency,
                    aging_basis=described.aging_basis,
                    aging_limits=tuple(described.aging_limits),
                    as_of=self._sources[described.company].as_of,
                )
                self._touch(described.company, EVERYBODY, entry.position)
            case e.AgingDateAdvanced() as advanced if advanced.company in self._companies:
                before = self._sources[advanced.company]
                after = msgspec.structs.replace(before, as_of=advanced.date)
                self._sources[advanced.company] = after
                self._touch(advanced.company, EVERYBODY, entry.position)
            case e.MappingActivated():
                for code in self._companies:
                    self._touch(code, EVERYBODY, entry.position)
            case _:
                pass

    def _record(self, entry: Entry) -> None:
        record = record_of(entry.stream)
        if record.company not in self._companies:
            return
        row = entry.payload.row if isinstance(entry.payload, e.RecordObserved) else None
        if record.entity == "AR_Invoice":
            self._invoice(record.company, record.key, row)
            self.touched[keys.customer_of(record.key)] = entry.position
        elif record.entity == "AR_TermsCode":
            if row is not None:
                self._terms[record.company][keys.code_of(record.key)] = row
            self._touch(record.company, EVERYBODY, entry.position)
        elif record.entity == "AR_Customer":
            self.touched[record.key] = entry.position

    def _invoice(self, company: str, key: str, row: Mapping[str, str] | None) -> None:
        """One row of AR_Invoice as it was seen, or None: complete sweeps did not find it."""
        items, bill = self._items[company], keys.bill_of(key)
        aside = self._aside.get(bill, {})
        aside.pop(key, None)
        items.pop(key, None)
        stamp = self._stamps.pop(key, None)
        if self._open.get(bill) == key:
            del self._open[bill]
        if row is None or invoice.was_restored(stamp, row):
            back = sorted(other for other, one in aside.items() if one.by == key)
            if back and bill not in self._open:
                self._put(company, bill, back[-1], aside.pop(back[-1]).item)
                back.pop()
            for other in back:
                aside[other] = _Aside(self._open[bill], aside[other].item)
        elif invoice.is_open(row):
            former = self._open.get(bill)
            if former is not None:
                self._aside.setdefault(bill, aside)[former] = _Aside(key, items.pop(former, None))
            self._put(company, bill, key, invoice.open_item(row))
            self._stamps[key] = invoice.stamp(row)
        if not aside:
            self._aside.pop(bill, None)

    def _put(self, company: str, bill: str, key: str, item: OpenItem | None) -> None:
        self._open[bill] = key
        if item is not None:
            self._items[company][key] = item

    def _touch(self, company: str, what: str, position: int) -> None:
        self.touched[f"{company}:{what}"] = position

    def source(self, company: str) -> Source:
        """What is known of a company: its currency, its as-of day, its aging."""
        return self._sources[company]

    def side(self, company: str) -> Side:
        """What Sage 100 says of a company by now."""
        return side_of(self._items[company], self._sources[company], self._terms[company])
