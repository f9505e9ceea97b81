"""Never more calls than HubSpot allows, in any window, however many workers there are.

Every call passes a gate here, and every gate keeps a rolling window (see `window`). Nearly all of
the limit is used: 98 %, learnt from HubSpot's own headers once they are seen; of the 5 searches a
second that all apps of an account share it is 4, by design. A 429 shuts the gate for everyone
until its window is over; from then on the gate uses less, and a little more again with each quiet
window. The calls of the day are `allowance`'s.

Figures: usage guidelines and association limits of 2026, per private app or service key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from typing import Final

import msgspec

from connector.hubspot import pace
from connector.hubspot.allowance import (
    ASSOCIATIONS_DAILY,
    DAILY,
    Allowance,
    Midnight,
    Tier,
    is_backfill,
)
from connector.hubspot.errors import DailyLimitReached
from connector.hubspot.window import Gate, Place, RollingWindow, Sleep

_GENERAL_PER_10S: Final[dict[Tier, int]] = {
    "free": 100,
    "starter": 100,
    "professional": 190,
    "enterprise": 190,
}
_ASSOCIATIONS_PER_10S: Final[dict[Tier, int]] = {
    "free": 100,
    "starter": 100,
    "professional": 150,
    "enterprise": 150,
}
# The association gate carries no headers: what the general limit says of the account.
_ASSOCIATIONS_BY_GENERAL: Final = ((250, 200), (190, 150), (0, 100))
_SEARCH_PER_S: Final = 5
ACCOUNT: Final[Gate] = "general"  # the gate whose day is the account's


class GateState(msgspec.Struct, frozen=True):
    """What a gate looks like now: `waiting` callers, `shut_s` seconds until it opens again."""

    gate: Gate
    limit: int
    window_s: float
    used: int
    waiting: int
    shut_s: float


class LimiterState(msgspec.Struct, frozen=True):
    """For status and metrics. `daily_left`: calls left today, None until HubSpot has said.

    `daily_kept`: how many of the day's are left to other apps; `resets_in_s`: until its end.
    """

    gates: list[GateState]
    daily_limit: int | None
    daily_left: int | None
    daily_kept: int = 0
    resets_in_s: float = 0.0


class Day(msgspec.Struct, frozen=True):
    """The account's calls of a day as HubSpot told, and when they come back (UTC), if known."""

    limit: int
    left: int
    resets_at: datetime | None


class Limiter:
    """The gates of one HubSpot credential, shared by everything that calls with it.

    `reserve`: share of the day's calls that is left to the account's other apps.
    """

    def __init__(
        self,
        tier: Tier = "free",
        *,
        reserve: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        wall: Callable[[tzinfo], datetime] = datetime.now,
    ) -> None:
        self.clock = clock
        self._wall = wall
        limits: dict[Gate, tuple[int, float]] = {
            "general": (_GENERAL_PER_10S[tier], 10.0),
            "associations": (_ASSOCIATIONS_PER_10S[tier], 10.0),
            "search": (_SEARCH_PER_S, 1.0),
        }
        self._windows = {
            gate: RollingWindow(limit, window_s, clock, sleep)
            for gate, (limit, window_s) in limits.items()
        }
        self._midnight = Midnight(wall)
        self._days: dict[Gate, Allowance] = {
            "general": Allowance(None, reserve, clock, self._midnight, told=True),
            "associations": Allowance(
                ASSOCIATIONS_DAILY, reserve, clock, self._midnight, told=False
            ),
            "search": Allowance(None, 0.0, clock, self._midnight, told=False),
        }
        self._typical_daily = DAILY[tier]

    @property
    def portal_zone(self) -> tzinfo | None:
        """The portal's time zone: daily limits end at midnight there. None: not known."""
        return self._midnight.zone

    @portal_zone.setter
    def portal_zone(self, zone: tzinfo | None) -> None:
        """Learn it."""
        self._midnight.zone = zone

    @property
    def daily_limit(self) -> int:
        """The day's calls as HubSpot said, else as is usual for the tier."""
        return self._days["general"].limit or self._typical_daily

    def day(self) -> Day | None:
        """The calls of today; None as long as HubSpot has not told."""
        day = self._days["general"]
        if day.limit is None or day.left is None:
            return None
        return Day(day.limit, day.left, self._midnight.comes_at())

    @asynccontextmanager
    async def slot(self, gate: Gate) -> AsyncIterator[Place]:
        """Wait for a place, hold it while the call is made. Raises DailyLimitReached."""
        self._check_daily(gate)
        began = self.clock()
        async with self._windows[gate].pass_through() as place:
            pace.let_through(gate, self.clock() - began)
            self._check_daily(gate)  # it may have been reached while this call waited
            days = [self._days[name] for name in dict.fromkeys((gate, ACCOUNT))]
            for day in days:
                day.begin()
            try:
                yield place
            finally:
                for day in days:
                    day.end(told=gate == ACCOUNT)

    def spent_s(self, gate: Gate, *, backfill: bool) -> float:
        """Seconds until calls of this gate may be made again today; 0 when they may now."""
        return max(self._shut(gate, backfill=backfill).values())

    def rate(self, gate: Gate) -> float:
        """Calls a second that this gate lets through."""
        window = self._windows[gate]
        return window.limit / window.window_s

    def learn(self, gate: Gate, headers: Mapping[str, str], place: Place | None = None) -> None:
        """Take in the rate-limit headers of an answer. What is absent or absurd is ignored.

        `place`: of the call that was answered.
        """
        if gate != "general":
            return  # the others' windows are not in headers
        self._days["general"].learn(
            _number(headers, "x-hubspot-ratelimit-daily"),
            _number(headers, "x-hubspot-ratelimit-daily-remaining"),
        )
        most = _number(headers, "x-hubspot-ratelimit-max")
        remaining = _number(headers, "x-hubspot-ratelimit-remaining")
        interval_ms = _number(headers, "x-hubspot-ratelimit-interval-milliseconds")
        window = self._windows[gate]
        if interval_ms is not None and 1_000 <= interval_ms <= 60_000:
            window.last(interval_ms / 1000)
        if most is not None and 1 <= most <= 10_000:
            if most != window.most:
                self._windows["associations"].most = next(
                    links for general, links in _ASSOCIATIONS_BY_GENERAL if most >= general
                )
            window.most = most
            if remaining is not None and remaining <= most:
                window.seen_elsewhere(most - remaining, 0 if place is None else place.used)

    def refused(self, gate: Gate, reason: str, retry_after_s: float | None) -> float:
        """A 429 arrived: shut the gate for everyone; return for how long, in seconds.

        `reason`: the policy's name, else the message. `retry_after_s`: what HubSpot asked for.
        """
        window = self._windows[gate]
        text = reason.casefold()
        if "daily" in text:
            return self._days[gate].spent()
        every_second = "secondly" in text and "ten" not in text
        shut_s = 1.0 if every_second else window.window_s
        if retry_after_s is not None:
            shut_s = retry_after_s
        window.use_less(shut_s)
        return shut_s

    def state(self) -> LimiterState:
        """How the gates stand now."""
        now = self.clock()
        day = self._days["general"]
        return LimiterState(
            gates=[
                GateState(
                    gate=gate,
                    limit=window.limit,
                    window_s=window.window_s,
                    used=window.used(),
                    waiting=window.waiting,
                    shut_s=max(window.shut_until - now, self.spent_s(gate, backfill=False)),
                )
                for gate, window in self._windows.items()
            ],
            daily_limit=day.limit,
            daily_left=day.left,
            daily_kept=day.floor(backfill=False),
            resets_in_s=self._midnight.until_s(),
        )

    def _shut(self, gate: Gate, *, backfill: bool) -> dict[Gate, float]:
        """Seconds to wait for the gate's own day, and for the account's, which all draw on."""
        account = self._days[ACCOUNT].short_s(backfill=backfill)
        return {ACCOUNT: account} | {gate: self._days[gate].shut_s(backfill=backfill)}

    def _check_daily(self, gate: Gate) -> None:
        last = self._shut(gate, backfill=False)
        for name, shut_s in self._shut(gate, backfill=is_backfill()).items():
            if shut_s > 0:
                raise DailyLimitReached(shut_s, backfill=last[name] == 0, gate=name)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    # At most 9 digits: a header is outside text, and no limit is larger.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
