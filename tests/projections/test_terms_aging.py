"""Due dates and aging, by the rules of sage100 section 5."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from projections import aging, terms
from projections.tables import OpenItem

NET30 = {"DaysBeforeDue": "30", "DueDateADayOfTheMonth": "N"}
TENTH = {"DaysBeforeDue": "10", "DueDateADayOfTheMonth": "Y", "MinimumDaysAllowedInv": "5"}
LAST = {"DaysBeforeDue": "31", "DueDateADayOfTheMonth": "Y"}


@pytest.mark.parametrize(
    ("due", "invoiced", "row", "expected"),
    [
        ("20260115", "20260101", NET30, date(2026, 1, 15)),
        ("", "20260101", NET30, date(2026, 1, 31)),
        ("", "20260107", TENTH, date(2026, 2, 10)),
        ("", "20260105", TENTH, date(2026, 1, 10)),
        ("", "20261220", TENTH, date(2027, 1, 10)),
        ("", "20260205", LAST, date(2026, 2, 28)),
        ("", "20260101", None, date(2026, 1, 1)),
        ("", "", NET30, None),
        ("17530101", "20260101", NET30, date(2026, 1, 31)),
        ("", "20260101", {"DaysBeforeDue": "99999999"}, date(2053, 5, 18)),
    ],
)
def test_due_date(
    due: str, invoiced: str, row: dict[str, str] | None, expected: date | None
) -> None:
    """The stored due date wins; a blank one comes from the terms, else from the invoice date."""
    assert terms.due(due, invoiced, row)[0] == expected


def item(kind: str, invoiced: str, due: str, balance: str) -> OpenItem:
    """An open item without terms."""
    return OpenItem(kind, invoiced, due, "", balance)


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (400, 4)],
)
def test_buckets_by_due_date(days: int, bucket: int) -> None:
    """By due date: not late is current, 1-30, 31-60, 61-90, over 90."""
    as_of = date(2026, 6, 30)
    due = date.fromordinal(as_of.toordinal() - days).strftime("%Y%m%d")
    aged = aging.age(
        [item("IN", "20200101", due, "10")],
        as_of=as_of,
        basis="DueDate",
        limits=(30, 60, 90, 120),
        terms_rows={},
    )
    assert [index for index, amount in enumerate(aged.buckets) if amount] == [bucket]


@pytest.mark.parametrize(("days", "bucket"), [(0, 0), (30, 0), (31, 1), (120, 3), (121, 4)])
def test_buckets_by_invoice_date(days: int, bucket: int) -> None:
    """By invoice date the first limit ends the current bucket."""
    as_of = date(2026, 6, 30)
    invoiced = date.fromordinal(as_of.toordinal() - days).strftime("%Y%m%d")
    aged = aging.age(
        [item("IN", invoiced, "20300101", "10")],
        as_of=as_of,
        basis="InvoiceDate",
        limits=(30, 60, 90, 120),
        terms_rows={},
    )
    assert [index for index, amount in enumerate(aged.buckets) if amount] == [bucket]


@pytest.mark.parametrize(
    ("basis", "limits", "edges"),
    [
        ("DueDate", (10, 20, 50), (0, 10, 20, 50)),
        ("DueDate", (10, 20, 50, 70), (0, 10, 20, 50)),
        ("DueDate", (10, 20, 50, 0), (0, 10, 20, 50)),
        ("InvoiceDate", (10, 20, 50, 70), (10, 20, 50, 70)),
        ("InvoiceDate", (10, 20, 50, 70, 90), (10, 20, 50, 70)),
        ("DueDate", (10, 20), (0, 30, 60, 90)),
        ("InvoiceDate", (10, 20, 50), (30, 60, 90, 120)),
        ("InvoiceDate", (), (30, 60, 90, 120)),
    ],
)
def test_limits_end_the_buckets(
    basis: str, limits: tuple[int, ...], edges: tuple[int, ...]
) -> None:
    """Three are enough by due date, four by invoice date; fewer, as in old logs, count for none."""
    assert aging.edges(basis, limits) == edges


@pytest.mark.parametrize(
    ("basis", "limits", "first", "second", "last"),
    [
        ("DueDate", (30, 60, 90, 120), "not yet late", "1–30 days late", "over 90 days late"),
        ("DueDate", (10, 20, 50), "not yet late", "1–10 days late", "over 50 days late"),
        (
            *("InvoiceDate", (30, 60, 90, 120)),
            *("up to 30 days old", "31–60 days old", "over 120 days old"),
        ),
    ],
)
def test_buckets_are_called_by_their_days(
    basis: str, limits: tuple[int, ...], first: str, second: str, last: str
) -> None:
    """The words follow the company's own limits, and what the days are counted from."""
    spans = aging.spans(basis, limits)
    assert (spans[0], spans[1], spans[4]) == (first, second, last)


def test_credits_are_signed_and_set_no_oldest_date() -> None:
    """A prepayment lowers the balance; only debits make a customer late."""
    aged = aging.age(
        [item("IN", "20260501", "20260531", "100.10"), item("PP", "20260101", "", "40.05-")],
        as_of=date(2026, 6, 30),
        basis="DueDate",
        limits=(),
        terms_rows={},
    )
    assert aged.balance == Decimal("60.05")
    assert sum(aged.buckets) == aged.balance
    assert aged.oldest_due == date(2026, 5, 31)


def test_an_item_without_dates_is_current() -> None:
    """Nothing is lost for want of a date."""
    aged = aging.age(
        [item("IN", "", "", "5")],
        as_of=date(2026, 6, 30),
        basis="DueDate",
        limits=(30, 60, 90, 120),
        terms_rows={},
    )
    assert aged.buckets[0] == Decimal(5)
