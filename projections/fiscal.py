"""Fiscal periods: which ones are a company's last twelve.

A fiscal period is no calendar month, and a company may keep thirteen of them a year, so the
newest period that any customer of the company has sales in says where the company is.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from projections import values
from projections.tables import Source


def advance(source: Source, period: str) -> Source:
    """The company after a sales period "YYYY-PP" was seen; the same object when nothing moved."""
    number = _number(period)
    per_year = max(source.periods_per_year, number if number <= 13 else 12)
    latest = max(source.latest_period, period) if number else source.latest_period
    if (per_year, latest) == (source.periods_per_year, source.latest_period):
        return source
    return msgspec.structs.replace(source, latest_period=latest, periods_per_year=per_year)


def sold(sales: Mapping[str, str], source: Source) -> Decimal:
    """DollarsSold over the company's last `revenue_periods` periods, the newest one included."""
    newest = _index(source.latest_period, source.periods_per_year)
    oldest = newest - source.revenue_periods
    return sum(
        (
            values.amount(dollars)
            for period, dollars in sales.items()
            if oldest < _index(period, source.periods_per_year) <= newest
        ),
        Decimal(0),
    )


def _number(period: str) -> int:
    year, _, number = period.partition("-")
    return int(number) if len(year) == 4 and year.isdecimal() and number.isdecimal() else 0


def _index(period: str, per_year: int) -> int:
    number = _number(period)
    return int(period[:4]) * per_year + number if number else 0
