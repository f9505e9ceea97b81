"""Waiting for new events: woken by each commit of this process, else by a look every second.

The look is what finds another process's commits when the store is opened read-only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .errors import StoreClosed
from .types import StoredEvent

LOOK_EVERY_S = 1.0

Page = tuple[list[StoredEvent], int]
"""Events, and the position up to which there are no others of the wanted types."""


class Pulse:
    """The newest known position, and everyone who waits for the next one."""

    def __init__(self, head: int, look: Callable[[], Awaitable[int]]) -> None:
        self._head = head
        self._look = look
        self._moved = asyncio.Event()
        self._closed = False

    def advance(self, head: int) -> None:
        """Wake everyone who waits, when the log has grown to `head`."""
        if head > self._head:
            self._head = head
            self._wake()

    def close(self) -> None:
        """Wake everyone who waits, with StoreClosed."""
        self._closed = True
        self._wake()

    async def wait(self, after: int, timeout_s: float) -> bool:
        """True as soon as there is an event after `after`, False when `timeout_s` passes first."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not await self._is_past(after):
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            moved = self._moved
            try:
                async with asyncio.timeout(min(left_s, LOOK_EVERY_S)):
                    await moved.wait()
            except TimeoutError:
                continue
        return True

    async def _is_past(self, after: int) -> bool:
        if self._closed:
            raise StoreClosed
        if self._head <= after:
            self.advance(await self._look())
        return self._head > after

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


class Follower:
    """Pages of events for ever; holds nothing open between pages, so it needs no closing."""

    def __init__(self, after: int, page: Callable[[int], Awaitable[Page]], pulse: Pulse) -> None:
        self._after = after
        self._page = page
        self._pulse = pulse

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> list[StoredEvent]:
        while True:
            events, self._after = await self._page(self._after)
            if events:
                return events
            await self._pulse.wait(self._after, LOOK_EVERY_S)
