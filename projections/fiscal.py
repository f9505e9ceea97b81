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


def sold(sales: Mapping[str, str], source: Source) -> Decimal | None:
    """DollarsSold over the company's last `revenue_periods` periods, the newest one included; None
    when one of them is no number.
    """
    newest = _index(source.latest_period, source.periods_per_year)
    oldest = newest - source.revenue_periods
    counted = [
        dollars
        for period, dollars in sales.items()
        if oldest < _index(period, source.periods_per_year) <= newest
    ]
    if any(map(values.is_garbage, counted)):
        return None
    return sum(map(values.amount, counted), Decimal(0))


def _number(period: str) -> int:
    year, _, number = period.partition("-")
    return int(number) if len(year) == 4 and year.isdecimal() and number.isdecimal() else 0


def _index(period: str, per_year: int) -> int:
    number = _number(period)
    return int(period[:4]) * per_year + number if number else 0
