"""The server's clock: local time without an offset, as Sage 100 stamps and reports it.

Everything in the simulator that needs the time calls a `Clock`. The default follows the real time
in the server's zone, shifted by whole days when a "today" was asked for; tests use `ManualClock`,
which stands still until it is told to move.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
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
