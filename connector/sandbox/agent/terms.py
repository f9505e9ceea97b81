"""Dates that Sage 100 derives: due and discount dates from terms, fiscal periods, aging buckets.

The due-date rules follow Terms Code Maintenance: so many days after the invoice, or a day of the
month at least so many days away. A day beyond the end of a month means its last day. Aging is what
the aging report writes into the customer's cached buckets: current, then one per limit passed.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta

from connector.sandbox.agent.options import CompanyOptions
from connector.sandbox.agent.values import number

BUCKETS = ("CurrentBalance", "AgingCategory1", "AgingCategory2", "AgingCategory3", "AgingCategory4")


def due_date(invoiced: date, terms: Mapping[str, str]) -> date:
    """When an invoice of that date is due under a row of AR_TermsCode."""
    return _target(
        invoiced,
        day_of_month=terms["DueDateADayOfTheMonth"] == "Y",
        days=_days(terms["DaysBeforeDue"]),
        minimum=_days(terms["MinimumDaysAllowedInv"]),
    )


def discount_date(invoiced: date, terms: Mapping[str, str]) -> date | None:
    """Until when the discount of the terms may be taken; None when they grant none."""
    if not number(terms["DiscountRate"]):
        return None
    return _target(
        invoiced,
        day_of_month=terms["DiscountDateADayOfTheMo"] == "Y",
        days=_days(terms["DaysBeforeDiscountDue"]),
        minimum=_days(terms["MinimumDaysAllowedDisc"]),
    )


def fiscal_period(on: date, company: CompanyOptions) -> tuple[int, int]:
    """(fiscal year, period 1 to 12); the year is named after the calendar year it ends in."""
    months = (on.month - company.fiscal_year_starts) % 12
    shift = company.fiscal_year_starts > 1 and on.month >= company.fiscal_year_starts
    return on.year + int(shift), months + 1


def bucket(company: CompanyOptions, *, invoiced: date, due: date, as_of: date) -> int:
    """Which of `BUCKETS` an open item falls into, by the company's basis and limits.

    By due date anything overdue has left "current"; by invoice date the first limit does that.
    """
    if company.aging_basis == "DueDate":
        limits: tuple[int, ...] = (0, *company.aging_limits[:3])
        age = (as_of - due).days
    else:
        limits = company.aging_limits
        age = (as_of - invoiced).days
    return sum(age > limit for limit in limits)


def _target(invoiced: date, *, day_of_month: bool, days: int, minimum: int) -> date:
    if not day_of_month:
        return invoiced + timedelta(days=days)
    year, month = invoiced.year, invoiced.month
    while True:
        last = monthrange(year, month)[1]
        target = date(year, month, max(1, min(days, last)))
        if target >= invoiced and (target - invoiced).days >= minimum:
            return target
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _days(text: str) -> int:
    return int(number(text))
