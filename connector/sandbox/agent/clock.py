"""The server's clock: local time without an offset, as Sage 100 stamps and reports it.

Everything in the simulator that needs the time calls a `Clock`. The default follows the real time
in the server's zone, shifted by whole days when a "today" was asked for; tests use `ManualClock`,
which stands still until it is told to move, or `ZonedClock`, which knows daylight saving time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]


def server_clock(time_zone: str, today: date | None = None) -> Clock:
    """The time in `time_zone` (IANA), naive; `today` moves the calendar, not the time of day."""
    zone = ZoneInfo(time_zone)

    def local() -> datetime:
        return datetime.now(zone).replace(tzinfo=None)

    if today is None:
        return local
    shift = today - local().date()
    return lambda: local() + shift


class ManualClock:
    """A clock that stands still: `clock.now` may be set, `advance` moves it on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        """Move on (or back, as a wrongly set server does)."""
        self.now += step


class ZonedClock:
    """A clock that stands still in a time zone: in autumn an hour comes twice, in spring one never.

    `instant` is an aware datetime; `advance` moves real time on, and the wall clock follows.
    """

    def __init__(self, instant: datetime, time_zone: str) -> None:
        if instant.tzinfo is None:
            raise ValueError("an instant needs its offset, as datetime(…, tzinfo=UTC)")
        self.instant = instant.astimezone(UTC)
        self._zone = ZoneInfo(time_zone)

    def __call__(self) -> datetime:
        return self.instant.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def advance(self, step: timedelta) -> None:
        """Let so much real time pass."""
        self.instant += step


def shifted(clock: Clock, step: timedelta) -> Clock:
    """The clock, set forward by `step` (negative: back) and running on from there."""
    return lambda: clock() + step
