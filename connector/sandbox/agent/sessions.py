"""The BOI sessions of the agent: few, one request each, slow to open, and sometimes dead.

Reference 1.2, 6 and 7.1: the object interface serves one request at a time; a session takes a
licence seat for as long as it lives; after a COM error it is dead, and an agent that keeps it
answers every request with that error until it is recycled, by hand or when it is four hours old.
After 20 idle minutes the application pool is stopped, and the next request starts everything anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.sandbox.agent.capacity import Capacity
from connector.sandbox.agent.conduct import Conduct
from connector.sandbox.agent.errors import ServiceUnavailable
from connector.sandbox.agent.faults import FAULT_CODES, SoapFault
from connector.sandbox.agent.pace import Pace


class Sessions:
    """The pool: `wake` for every HTTP request, `turn` around everything that reads Sage 100."""

    def __init__(self, capacity: Capacity, conduct: Conduct, pace: Pace) -> None:
        self.pace = pace
        self.conduct = conduct
        self.poisoned = False
        self.waiting = 0
        self.opened = 0  # how often a session has been opened
        self.capacity = capacity
        self._free = _free(capacity)
        self._waking = asyncio.Lock()
        self._opened_at: float | None = None
        self._last_request: float | None = None

    def resize(self, capacity: Capacity) -> None:
        """Other limits, from the next request on; those that are served or wait keep theirs."""
        if capacity.sessions != self.capacity.sessions:
            self._free = _free(capacity)
        self.capacity = capacity

    def poison(self) -> None:
        """A COM error has killed the session, and the agent keeps it."""
        self.poisoned = True

    def recycle(self) -> None:
        """Throw the session away; the next request opens another one, if there is a seat."""
        self.poisoned = False
        self._opened_at = None

    def restart(self) -> None:
        """The process has ended: no session, and a cold start ahead."""
        self.recycle()
        self._last_request = None

    async def wake(self) -> None:
        """Let the application pool start when it sleeps; all who come meanwhile wait for it."""
        async with self._waking:
            last = self._last_request
            if last is None or self.pace.now() - last >= self.capacity.idle_s:
                if last is not None:
                    self.recycle()
                await self.pace.sleep(self.capacity.cold_start_s)
            self._last_request = self.pace.now()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A session for oneself. Raises AgentFault SessionBusy, LicenseExhausted or Internal.

        Raises ServiceUnavailable in the place of SessionBusy where the agent answers so.
        """
        free = self._free
        await self._acquire(free)
        try:
            self._open()
            yield
        finally:
            if free is not None:
                free.release()

    async def spend(self, rows: int) -> None:
        """Take the time that a request over so many rows takes."""
        conduct = self.conduct
        await self.pace.sleep(conduct.request_delay_s + conduct.row_delay_s * rows)

    async def _acquire(self, free: asyncio.Semaphore | None) -> None:
        if free is None:
            return
        if not free.locked():
            await free.acquire()
            return
        mine = asyncio.ensure_future(free.acquire())
        limit = asyncio.ensure_future(self.pace.sleep(self.capacity.wait_s))
        self.waiting += 1
        got = False
        try:
            await asyncio.wait({mine, limit}, return_when=asyncio.FIRST_COMPLETED)
            got = mine.done()
        finally:
            self.waiting -= 1
            if not got and not mine.cancel():
                free.release()  # it came in the very moment of giving up
            limit.cancel()
            await asyncio.gather(mine, limit, return_exceptions=True)
        if not got:
            if self.capacity.busy == "503":
                raise ServiceUnavailable(FAULT_CODES["SessionBusy"].message)
            raise SoapFault(code="SessionBusy").fault()

    def _open(self) -> None:
        now = self.pace.now()
        if self._opened_at is not None and now - self._opened_at >= self.capacity.recycle_s:
            self.recycle()
        if self._opened_at is None:
            if self.conduct.seats_left < 1:
                raise SoapFault(code="LicenseExhausted").fault()
            self._opened_at = now
            self.opened += 1
        if self.poisoned:
            raise SoapFault(code="Internal").fault()


def _free(capacity: Capacity) -> asyncio.Semaphore | None:
    return asyncio.Semaphore(capacity.sessions) if capacity.sessions else None
