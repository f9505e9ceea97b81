"""Due dates from a terms code, for the invoices that carry none of their own.

Source: sage100 section 5.3. The date stored on an invoice always wins; terms are asked only when
it is blank, and a later change of the terms does not move stored dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from projections import values


def _last_day(year: int, month: int) -> int:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    return (first_of_next - timedelta(days=1)).day


def due_date(invoice_date: date, *, day_of_month: bool, days: int, minimum_days: int) -> date:
    """The due date: `days` after the invoice, or on that day of the month.

    A day of the month that has passed, or leaves fewer than `minimum_days`, is next month's; a
    day beyond the month's end is its last day.
    """
    if not day_of_month:
        return invoice_date + timedelta(days=days)
    year, month = invoice_date.year, invoice_date.month
    while True:
        candidate = date(year, month, max(1, min(days, _last_day(year, month))))
        if candidate >= invoice_date and (candidate - invoice_date).days >= minimum_days:
            return candidate
        year, month = year + month // 12, month % 12 + 1


def due(
    due_cell: str, invoice_cell: str, terms_row: Mapping[str, str] | None
) -> tuple[date | None, date | None]:
    """(due date, invoice date); a blank due date falls back to terms, then to the invoice date."""
    invoice_date = values.day(invoice_cell)
    stored = values.day(due_cell)
    if stored is not None or invoice_date is None:
        return stored or invoice_date, invoice_date
    if terms_row is None:
        return invoice_date, invoice_date
    # More days than a human life would overflow the calendar: garbage counts as none.
    days = min(int(values.amount(terms_row.get("DaysBeforeDue", ""))), 9999)
    minimum = min(int(values.amount(terms_row.get("MinimumDaysAllowedInv", ""))), 9999)
    return (
        due_date(
            invoice_date,
            day_of_month=values.flag(terms_row.get("DueDateADayOfTheMonth", "")),
            days=max(days, 0),
            minimum_days=max(minimum, 0),
        ),
        invoice_date,
    )
