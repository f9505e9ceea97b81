"""How time passes for the simulated server: for real, or only when a test says so.

Everything that waits (a session's queue, a cold start, a slow answer) waits by a `Pace`. It is not
the server's clock: that one tells the time of day and may go back, this one only measures.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Pace(Protocol):
    """Seconds that pass, and a way to let them."""

    def now(self) -> float:
        """Seconds since some moment; never less than before."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for so long; 0 or less does not wait."""


class RealPace:
    """The time of this machine."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Wait for real."""
        if delay_s > 0:
            await asyncio.sleep(delay_s)


class ManualPace:
    """Stands still until `advance`; whoever sleeps is woken when its time has come.

    `await pace.asleep(2)` returns as soon as two are asleep, so that a test need not guess.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._changed = asyncio.Event()

    def now(self) -> float:
        """Seconds advanced so far."""
        return self._now

    async def sleep(self, delay_s: float) -> None:
        """Wait until enough has been advanced."""
        if delay_s <= 0:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[woken] = self._now + delay_s
        self._changed.set()
        try:
            await woken
        finally:
            self._sleepers.pop(woken, None)

    def advance(self, step_s: float) -> None:
        """Let so many seconds pass."""
        self._now += step_s
        for woken, due in list(self._sleepers.items()):
            if due <= self._now and not woken.done():
                woken.set_result(None)
                del self._sleepers[woken]

    async def asleep(self, count: int = 1) -> None:
        """Wait, in real time, until so many are asleep at once."""
        while len(self._sleepers) < count:
            self._changed.clear()
            await self._changed.wait()
