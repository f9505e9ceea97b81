"""HubSpot's rate limits: rolling windows per app and a daily count that ends at portal midnight.

Refused calls do not count. Association and search calls have windows of their own and carry no
rate-limit headers, as on the real endpoints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from .options import Limits

Window = Literal["general", "association", "search"]
INTERVAL_S = 10.0


class RollingWindow:
    """At most `limit` calls in any `interval_s` seconds of a monotonic clock."""

    def __init__(self, limit: int, interval_s: float, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._interval_s = interval_s
        self._clock = clock
        self._taken: deque[float] = deque()

    def remaining(self) -> int:
        """Calls that could be made now."""
        horizon = self._clock() - self._interval_s
        while self._taken and self._taken[0] <= horizon:
            self._taken.popleft()
        return self.limit - len(self._taken)

    def take(self) -> bool:
        """Count a call; False when the window is full."""
        if self.remaining() <= 0:
            return False
        self._taken.append(self._clock())
        return True


class Limiter:
    """All windows of one portal."""

    def __init__(
        self,
        limits: Limits | None,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        timezone: str,
    ) -> None:
        self.limits = limits
        self._now = now
        self._zone = ZoneInfo(timezone)
        self._day = ""
        self.used_today: dict[Window, int] = {"general": 0, "association": 0, "search": 0}
        self._windows: dict[Window, RollingWindow] = {}
        if limits is not None:
            self._windows = {
                "general": RollingWindow(limits.burst, INTERVAL_S, clock),
                "association": RollingWindow(limits.association_burst, INTERVAL_S, clock),
                "search": RollingWindow(limits.search_per_s, 1.0, clock),
            }

    def take(self, window: Window) -> str | None:
        """Count a call; gives the policy that refuses it, or None."""
        self._roll_day()
        if self.limits is not None:
            if self._day_is_spent(window, self.limits):
                return "DAILY"
            if not self._windows[window].take():
                return "SECONDLY" if window == "search" else "TEN_SECONDLY_ROLLING"
        self.used_today[window] += 1
        return None

    def _day_is_spent(self, window: Window, limits: Limits) -> bool:
        if window == "association" and self.used_today[window] >= limits.association_daily:
            return True
        in_pool = window == "general" or limits.one_pool
        return in_pool and self._used_of_the_day(limits) >= limits.daily

    def _used_of_the_day(self, limits: Limits) -> int:
        """Calls that count in the account's day."""
        return sum(self.used_today.values()) if limits.one_pool else self.used_today["general"]

    def spend(self, window: Window, calls: int) -> None:
        """Count calls of other apps of the account, which share its day and its searches."""
        self._roll_day()
        self.used_today[window] += calls
        if window == "search" and "search" in self._windows:
            for _ in range(calls):
                self._windows["search"].take()

    def headers(self, window: Window) -> dict[str, str]:
        """The headers an ordinary answer carries; none where no limit or another window holds."""
        if self.limits is None or window != "general":
            return {}
        general = self._windows["general"]
        return {
            "X-HubSpot-RateLimit-Max": str(general.limit),
            "X-HubSpot-RateLimit-Remaining": str(general.remaining()),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(INTERVAL_S * 1000)),
            "X-HubSpot-RateLimit-Daily": str(self.limits.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(
                max(0, self.limits.daily - self._used_of_the_day(self.limits))
            ),
        }

    def local_now(self) -> datetime:
        """The portal's local time."""
        return datetime.fromtimestamp(self._now(), self._zone)

    def resets_at(self) -> datetime:
        """The portal's next midnight."""
        tomorrow = self.local_now().date() + timedelta(days=1)
        return datetime.combine(tomorrow, datetime.min.time(), self._zone)

    def _roll_day(self) -> None:
        day = self.local_now().date().isoformat()
        if day != self._day:
            self._day = day
            self.used_today = dict.fromkeys(self.used_today, 0)
