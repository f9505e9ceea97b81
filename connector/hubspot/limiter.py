"""Never more calls than HubSpot allows, in any window, however many workers there are.

Every call passes a gate here. A gate keeps a rolling window: a call counts from the moment it is
let through until one window after its answer arrived, because only the answer's arrival proves
when HubSpot can have counted it at the latest. So no order of slow and fast calls exceeds the
limit. We use 90 % of what the account may do, learnt from HubSpot's own headers once they are
seen. A 429 shuts the gate for everyone until its window is over.

Figures: usage guidelines and association limits of 2026, per private app or service key.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

import msgspec

from connector.hubspot.errors import DailyLimitReached

Gate = Literal["general", "associations", "search"]
Tier = Literal["free", "starter", "professional", "enterprise"]
Sleep = Callable[[float], Awaitable[None]]

SHARE: Final = 0.9
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
_SEARCH_PER_S: Final = 5
_MARGIN: Final = 1.02  # of the window: HubSpot's clock need not run exactly as ours
_BRIEFEST_REST_S: Final = 0.001  # so that rounding can never make a wait of nothing
_DAILY_PROBE_S: Final = 3600.0  # how long to hold back when the portal's midnight is not known


class GateState(msgspec.Struct, frozen=True):
    """What a gate looks like now: `waiting` callers, `shut_s` seconds until it opens again."""

    gate: Gate
    limit: int
    window_s: float
    used: int
    waiting: int
    shut_s: float


class LimiterState(msgspec.Struct, frozen=True):
    """For status and metrics. `daily_left`: calls left today, None until HubSpot has said."""

    gates: list[GateState]
    daily_limit: int | None
    daily_left: int | None


class _RollingWindow:
    """At most `limit` calls in any `window_s` seconds, first come first served."""

    def __init__(
        self, limit: int, window_s: float, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        self.limit = limit
        self.window_s = window_s * _MARGIN
        self.shut_until = 0.0
        self.spent_until = 0.0  # the day's calls are used up
        self.waiting = 0
        self._clock = clock
        self._sleep = sleep
        self._answered: deque[float] = deque()
        self._under_way = 0
        self._turn = asyncio.Lock()  # wakes its waiters in their order
        self._freed = asyncio.Event()

    def used(self) -> int:
        """Calls that count now."""
        horizon = self._clock() - self.window_s
        while self._answered and self._answered[0] <= horizon:
            self._answered.popleft()
        return len(self._answered) + self._under_way

    def seen_elsewhere(self, used: int) -> None:
        """HubSpot counts this many; what is not ours is another user of the same credential."""
        strangers = min(used, self.limit) - self.used()
        self._answered.extend([self._clock()] * max(0, strangers))

    @asynccontextmanager
    async def pass_through(self) -> AsyncIterator[None]:
        self.waiting += 1
        try:
            async with self._turn:
                while (rest_s := self._rest_s()) > 0:
                    await self._rest(rest_s)
                self._under_way += 1
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._answered.append(self._clock())
            self._freed.set()

    def _rest_s(self) -> float:
        now = self._clock()
        if now < self.shut_until:
            return max(self.shut_until - now, _BRIEFEST_REST_S)
        if self.used() < self.limit:
            return 0.0
        if not self._answered:
            return float("inf")
        return max(self._answered[0] + self.window_s - now, _BRIEFEST_REST_S)

    async def _rest(self, rest_s: float) -> None:
        if rest_s == float("inf"):
            # Everything the limit allows is on its way: an answer must come before a window starts.
            self._freed.clear()
            await self._freed.wait()
        else:
            await self._sleep(rest_s)


class Limiter:
    """The gates of one HubSpot credential, shared by everything that calls with it."""

    def __init__(
        self,
        tier: Tier = "free",
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        wall: Callable[[tzinfo], datetime] = datetime.now,
    ) -> None:
        self._clock = clock
        self._wall = wall
        limits: dict[Gate, tuple[int, float]] = {
            "general": (_GENERAL_PER_10S[tier], 10.0),
            "associations": (_ASSOCIATIONS_PER_10S[tier], 10.0),
            "search": (_SEARCH_PER_S, 1.0),
        }
        self._windows = {
            gate: _RollingWindow(_share(limit), window_s, clock, sleep)
            for gate, (limit, window_s) in limits.items()
        }
        self._daily_limit: int | None = None
        self._daily_left: int | None = None
        self.portal_zone: tzinfo | None = None  # daily limits end at midnight there

    @asynccontextmanager
    async def slot(self, gate: Gate) -> AsyncIterator[None]:
        """Wait for a place, hold it while the call is made. Raises DailyLimitReached."""
        self._check_daily(gate)
        async with self._windows[gate].pass_through():
            self._check_daily(gate)  # it may have been reached while this call waited
            yield

    def learn(self, gate: Gate, headers: Mapping[str, str]) -> None:
        """Take in the rate-limit headers of an answer. What is absent or absurd is ignored."""
        if gate != "general":
            return  # the others' windows are not in headers
        daily = _number(headers, "x-hubspot-ratelimit-daily")
        left = _number(headers, "x-hubspot-ratelimit-daily-remaining")
        self._daily_limit = self._daily_limit if daily is None else daily
        self._daily_left = self._daily_left if left is None else left
        most = _number(headers, "x-hubspot-ratelimit-max")
        remaining = _number(headers, "x-hubspot-ratelimit-remaining")
        interval_ms = _number(headers, "x-hubspot-ratelimit-interval-milliseconds")
        window = self._windows[gate]
        if interval_ms is not None and 1_000 <= interval_ms <= 60_000:
            window.window_s = interval_ms / 1000 * _MARGIN
        if most is not None and 1 <= most <= 10_000:
            window.limit = _share(most)
            if remaining is not None and remaining <= most:
                window.seen_elsewhere(most - remaining)

    def refused(self, gate: Gate, reason: str, retry_after_s: float | None) -> float:
        """A 429 arrived: shut the gate for everyone; return for how long, in seconds.

        `reason`: the policy's name, else the message. `retry_after_s`: what HubSpot asked for.
        """
        window = self._windows[gate]
        text = reason.casefold()
        if "daily" in text:
            shut_s = self._until_midnight_s()
            window.spent_until = self._clock() + shut_s
            return shut_s
        every_second = "secondly" in text and "ten" not in text
        shut_s = 1.0 if every_second else window.window_s
        if retry_after_s is not None:
            shut_s = retry_after_s
        window.shut_until = max(window.shut_until, self._clock() + shut_s)
        return shut_s

    def state(self) -> LimiterState:
        """How the gates stand now."""
        now = self._clock()
        return LimiterState(
            gates=[
                GateState(
                    gate=gate,
                    limit=window.limit,
                    window_s=window.window_s,
                    used=window.used(),
                    waiting=window.waiting,
                    shut_s=max(0.0, window.shut_until - now, window.spent_until - now),
                )
                for gate, window in self._windows.items()
            ],
            daily_limit=self._daily_limit,
            daily_left=self._daily_left,
        )

    def _check_daily(self, gate: Gate) -> None:
        shut_s = self._windows[gate].spent_until - self._clock()
        if shut_s > 0:
            raise DailyLimitReached(shut_s)

    def _until_midnight_s(self) -> float:
        if self.portal_zone is None:
            return _DAILY_PROBE_S
        now = self._wall(self.portal_zone)
        midnight = datetime.combine(
            now.date() + timedelta(days=1), datetime.min.time(), tzinfo=self.portal_zone
        )
        # Plus a minute: HubSpot's midnight need not be ours to the second.
        return max(midnight.timestamp() - now.timestamp(), 0.0) + 60.0


def _share(limit: int) -> int:
    return max(1, int(limit * SHARE))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    # At most 9 digits: a header is outside text, and no limit is larger.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
