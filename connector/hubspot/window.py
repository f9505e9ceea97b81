"""At most so many calls in any stretch of time, in the order in which they come.

A call counts from the moment it is let through until one window after HubSpot counted it. When
that was nobody tells; but it was before HubSpot worked on the call, and a batch's answer says how
long that took. So it counts from the arrival of its answer, less that work, at the latest: no
order of slow and fast calls exceeds the limit, and nearly all of it can be used.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right, insort
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

import msgspec

Gate = Literal["general", "associations", "search"]
Sleep = Callable[[float], Awaitable[None]]

SHARE: Final = 0.98
LEAST_SHARE: Final = 0.5
_LESS: Final = 0.9  # of the share, after a 429
_MORE: Final = 0.01  # of the limit, after a window without one
_MARGIN: Final = 1.003  # of the window: HubSpot's clock need not run exactly as ours
_BRIEFEST_REST_S: Final = 0.001  # so that rounding can never make a wait of nothing


class Place(msgspec.Struct):
    """One call's place in a window: how many counted when it was let through, itself included.

    `worked_s`: how long HubSpot says it worked on the call, to be filled in.
    """

    used: int
    worked_s: float = 0.0


class RollingWindow:
    """At most `limit` calls in any `window_s` seconds, first come first served."""

    def __init__(
        self, limit: int, window_s: float, clock: Callable[[], float], sleep: Sleep
    ) -> None:
        self.most = limit  # that HubSpot allows
        self.window_s = window_s * _MARGIN
        self.shut_until = 0.0
        self.waiting = 0
        self._share = SHARE
        self._raise_at = 0.0
        self._clock = clock
        self._sleep = sleep
        self._counted: list[float] = []  # ascending: when each was counted at the latest
        self._under_way = 0
        self._turn = asyncio.Lock()  # wakes its waiters in their order
        self._freed = asyncio.Event()

    @property
    def limit(self) -> int:
        """Calls that we let through in a window."""
        if self._share < SHARE and self._clock() >= self._raise_at:
            self._share = min(SHARE, self._share + _MORE)
            self._raise_at = self._clock() + self.window_s
        return max(1, int(self.most * self._share))

    def last(self, window_s: float) -> None:
        """Learn how long the window is."""
        self.window_s = window_s * _MARGIN

    def use_less(self, shut_s: float) -> None:
        """HubSpot refused what we thought was allowed: shut, and be more careful afterwards."""
        now = self._clock()
        if now >= self.shut_until:  # one refusal, however many calls met it
            self._share = max(LEAST_SHARE, self._share * _LESS)
        self.shut_until = max(self.shut_until, now + shut_s)
        self._raise_at = self.shut_until + self.window_s

    def used(self) -> int:
        """Calls that count now."""
        horizon = self._clock() - self.window_s
        del self._counted[: bisect_right(self._counted, horizon)]
        return len(self._counted) + self._under_way

    def seen_elsewhere(self, used: int, ours: int) -> None:
        """HubSpot counts this many; what is not ours is another user of the same credential.

        `ours`: how many were ours when the call left: HubSpot may have looked then, or later.
        """
        strangers = min(used, self.limit) - max(self.used(), ours)
        self._counted.extend([self._clock()] * max(0, strangers))

    @asynccontextmanager
    async def pass_through(self) -> AsyncIterator[Place]:
        """Wait for a place, and hold it while the call is made."""
        self.waiting += 1
        try:
            async with self._turn:
                while (rest_s := self._rest_s()) > 0:
                    await self._rest(rest_s)
                self._under_way += 1
        finally:
            self.waiting -= 1
        began = self._clock()
        place = Place(self.used())
        try:
            yield place
        finally:
            self._under_way -= 1
            insort(self._counted, max(began, self._clock() - max(0.0, place.worked_s)))
            self._freed.set()

    def _rest_s(self) -> float:
        now = self._clock()
        if now < self.shut_until:
            return max(self.shut_until - now, _BRIEFEST_REST_S)
        if self.used() < self.limit:
            return 0.0
        if not self._counted:
            return float("inf")
        return max(self._counted[0] + self.window_s - now, _BRIEFEST_REST_S)

    async def _rest(self, rest_s: float) -> None:
        if rest_s == float("inf"):
            # Everything the limit allows is on its way: an answer must come before a window starts.
            self._freed.clear()
            await self._freed.wait()
        else:
            await self._sleep(rest_s)
