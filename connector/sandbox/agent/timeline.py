"""The calendar of the seeded data, counted in days before today, with its texts kept ready.

Seeding writes millions of dates; here each day's text, fiscal period and due dates are worked out
once. Day 0 is today, higher numbers are longer ago, and nothing is stamped later than now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random

from connector.sandbox.agent import words
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.options import CompanyOptions
from connector.sandbox.agent.terms import bucket, discount_date, due_date, fiscal_period
from connector.sandbox.agent.values import day, hours, ticks

AGED_DAYS_AGO = 3  # when the aging report last refreshed the customers' buckets
_OPENING, _CLOSING = 700_000, 1_900_000  # office hours, in ticks of 0.00001 h
_USER_KEYS = ("0000000001", "0000000002", "0000000017")


class Timeline:
    """Dates and stamps relative to one fixed moment."""

    def __init__(self, company: CompanyOptions, now: datetime) -> None:
        self.company = company
        self.today = now.date()
        self.aged = AGED_DAYS_AGO
        self._now_ticks = ticks(now)
        self._days: dict[int, str] = {}
        self._due: dict[tuple[int, int], tuple[int, int | None]] = {}
        self._periods: dict[int, tuple[int, int]] = {}
        self._terms = [terms_row(fields) for fields in words.TERMS]

    def day(self, ago: int) -> str:
        """`YYYYMMDD` of so many days ago (negative: ahead)."""
        text = self._days.get(ago)
        if text is None:
            text = self._days[ago] = day(self.date(ago))
        return text

    def date(self, ago: int) -> date:
        """The date of so many days ago."""
        return self.today - timedelta(days=ago)

    def time(self, rng: Random, ago: int) -> str:
        """Some time of that day, in decimal hours; not after now when the day is today.

        One draw either way, so that the time of the day at which a model is built changes today's
        stamps and nothing else.
        """
        share = rng.random()
        if ago > 0:
            return hours(_OPENING + int(share * (_CLOSING - _OPENING)))
        return hours(int(share * (self._now_ticks + 1)))

    def due(self, terms: int, ago: int) -> tuple[int, int | None]:
        """Days ago of the due date and of the discount date (None: no discount) of an invoice."""
        found = self._due.get((terms, ago))
        if found is None:
            invoiced, row = self.date(ago), self._terms[terms]
            until = discount_date(invoiced, row)
            found = (
                (self.today - due_date(invoiced, row)).days,
                None if until is None else (self.today - until).days,
            )
            self._due[terms, ago] = found
        return found

    def discount_rate(self, terms: int) -> int:
        """The discount of a terms code in whole percent."""
        return int(self._terms[terms]["DiscountRate"])

    def period(self, ago: int) -> tuple[int, int]:
        """(fiscal year, period) of that day."""
        found = self._periods.get(ago)
        if found is None:
            found = self._periods[ago] = fiscal_period(self.date(ago), self.company)
        return found

    def recent_periods(self, count: int) -> set[tuple[int, int]]:
        """The last `count` fiscal periods, the running one among them."""
        first = self.today.replace(day=1)
        found = set()
        for _ in range(count):
            found.add(fiscal_period(first, self.company))
            first = (first - timedelta(days=1)).replace(day=1)
        return found

    def bucket(self, invoiced_ago: int, due_ago: int) -> int:
        """The cached aging bucket of an item at the last aging run."""
        return bucket(
            self.company,
            invoiced=self.date(invoiced_ago),
            due=self.date(due_ago),
            as_of=self.date(self.aged),
        )

    def stamps(self, rng: Random, created_ago: int, *, blank_share: float) -> dict[str, str]:
        """Created and updated stamps; a share has none (converted), a third was never updated."""
        roll = rng.random()
        if roll < blank_share:
            return {}
        row = {
            "DateCreated": self.day(created_ago),
            "TimeCreated": self.time(rng, created_ago),
            "UserCreatedKey": rng.choice(_USER_KEYS),
        }
        if roll < 0.3:
            return row
        updated = rng.randrange(created_ago) if created_ago else 0
        return row | {
            "DateUpdated": self.day(updated),
            "TimeUpdated": self.time(rng, updated),
            "UserUpdatedKey": rng.choice(_USER_KEYS),
        }


def terms_row(fields: Mapping[str, str]) -> dict[str, str]:
    """A whole row of AR_TermsCode (without stamps) from the fields that matter."""
    layout = ENTITIES["AR_TermsCode"]
    flags = {"DueDateADayOfTheMonth": "N", "DiscountDateADayOfTheMo": "N"}
    cells = layout.cells({**flags, "DiscountCalculationMethod": "1", **fields})
    return dict(zip(layout.names, cells, strict=True))
