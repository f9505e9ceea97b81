"""The calls of a day: how many are left, for whom, and when the next day begins.

HubSpot counts the calls of all private apps of an account together, until midnight in the portal's
time zone. A share of them is kept for the other apps, and of the rest the last tenth is for
invoices: a first load must not keep today's invoices from being written. What is left is learnt
from HubSpot's headers and, between two of them, counted; where there are no headers it is counted
alone.

Association and search calls are taken to draw on the account's day as well: HubSpot exempts them
from the limit of ten seconds by name, and from nothing else. So they, too, leave the account what
is kept. Associations have a day of their own besides; when HubSpot says that a day is spent, that
holds for the calls it was said to and for no others.

Figures: usage guidelines of 2026, per account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

Tier = Literal["free", "starter", "professional", "enterprise"]

RIGHT_OF_WAY: Final = 0.1  # of the day's calls: only for what has right of way
DAILY: Final[dict[Tier, int]] = {
    "free": 250_000,
    "starter": 250_000,
    "professional": 625_000,
    "enterprise": 1_000_000,
}
ASSOCIATIONS_DAILY: Final = 500_000
_PROBE_S: Final = 3600.0  # how long to hold back when the portal's midnight is not known
_LATE: Final = 100  # calls by which an answer that overtook others may be behind

_backfill: ContextVar[bool] = ContextVar("backfill", default=False)


@contextmanager
def as_backfill() -> Iterator[None]:
    """Calls made in here leave the last of the day's calls to others."""
    token = _backfill.set(True)
    try:
        yield
    finally:
        _backfill.reset(token)


def is_backfill() -> bool:
    """Whether the calls made now are of an `as_backfill` block."""
    return _backfill.get()


class Midnight:
    """When the portal's day ends. `zone` None: not known."""

    def __init__(self, wall: Callable[[tzinfo], datetime]) -> None:
        self.zone: tzinfo | None = None
        self._wall = wall

    def until_s(self) -> float:
        """Seconds until it is worth asking again."""
        if self.zone is None:
            return _PROBE_S
        now = self._wall(self.zone)
        # Plus a minute: HubSpot's midnight need not be ours to the second.
        return max(_midnight_after(now).timestamp() - now.timestamp(), 0.0) + 60.0

    def comes_at(self) -> datetime | None:
        """The portal's next midnight, in UTC; None when it is not known."""
        if self.zone is None:
            return None
        return _midnight_after(self._wall(self.zone)).astimezone(UTC)


def _midnight_after(now: datetime) -> datetime:
    tomorrow = now.date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), tzinfo=now.tzinfo)


class Allowance:
    """The calls of the day of one of HubSpot's counts.

    `limit`, `left`: None as long as they are not known. `reserve`: share that is for other apps.
    """

    def __init__(
        self,
        limit: int | None,
        reserve: float,
        clock: Callable[[], float],
        midnight: Midnight,
        *,
        told: bool,
    ) -> None:
        """`told`: HubSpot's headers say what is left; else it is counted from `limit`."""
        self.limit = limit
        self.left: int | None = None if told else limit
        self.under_way = 0
        self._reserve = reserve
        self._told = told
        self._clock = clock
        self._midnight = midnight
        self._ends: float | None = None  # by the clock: when what is known is of yesterday
        self._spent_until = 0.0  # HubSpot said so

    def learn(self, limit: int | None, left: int | None) -> None:
        """What an answer's headers say."""
        self._roll()
        if limit is not None:
            self.limit = limit
        if left is None:
            return
        # Answers overtake each other; what is a little more than known is older, not newer.
        older = self.left is not None and self.left < left <= self.left + _LATE
        if not older:
            self.left = left
        self._mark_day()

    def begin(self) -> None:
        """A call leaves."""
        self.under_way += 1

    def end(self, *, told: bool) -> None:
        """Its answer is there, or will never be. `told`: such answers say what is left."""
        self.under_way -= 1
        if not told and self.left is not None:
            self.left -= 1
            self._mark_day()

    def spent(self) -> float:
        """HubSpot says that the day's calls are used up; for how many seconds."""
        shut_s = self._midnight.until_s()
        self._spent_until = self._clock() + shut_s
        return shut_s

    def shut_s(self, *, backfill: bool) -> float:
        """Seconds until a call may leave again; 0 when one may now."""
        told_s = self._spent_until - self._clock()
        return told_s if told_s > 0 else self.short_s(backfill=backfill)

    def short_s(self, *, backfill: bool) -> float:
        """The same by what is left alone, for calls that draw on this day besides their own."""
        self._roll()
        if self.left is None or self.limit is None:
            return 0.0
        if self.left - self.under_way > self.floor(backfill=backfill):
            return 0.0
        now = self._clock()
        return max((self._ends or now) - now, 1.0)

    def floor(self, *, backfill: bool) -> int:
        """How many calls are to be left."""
        kept = self._reserve + (RIGHT_OF_WAY if backfill else 0.0)
        return int((self.limit or 0) * min(kept, 1.0))

    def _mark_day(self) -> None:
        if self._ends is None:
            self._ends = self._clock() + self._midnight.until_s()

    def _roll(self) -> None:
        if self._ends is not None and self._clock() >= self._ends:
            self._ends = None
            self.left = None if self._told else self.limit
