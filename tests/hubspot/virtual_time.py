"""A clock that jumps: tests of waiting take no time, and every wait is exact.

Where threads and sockets are at work as well, `run` is told whether they are: time stands still
meanwhile, however long that really takes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable

_MOMENT_S = 0.0005  # real: how often to look whether threads and sockets have come to rest


class VirtualTime:
    """Seconds that pass only when everybody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def clock(self) -> float:
        """The time now."""
        return self.now

    async def sleep(self, delay_s: float) -> None:
        """Wait until the time has passed."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + delay_s, next(self._count), woken))
        await woken

    async def run(
        self, *tasks: asyncio.Task[None], busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Let time pass until these tasks have ended; none passes while something is `busy`."""
        loop = asyncio.get_running_loop()
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            while loop._ready:  # type: ignore[attr-defined]  # noqa: ASYNC110 - all come to rest
                await asyncio.sleep(0)
            if all(task.done() for task in tasks):
                break
            if busy():
                await asyncio.sleep(_MOMENT_S)
                continue
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            assert self._sleepers, "everybody waits and nobody for time"
            due, _, woken = heapq.heappop(self._sleepers)
            self.now = max(self.now, due)
            woken.set_result(None)
        await asyncio.gather(*tasks)
