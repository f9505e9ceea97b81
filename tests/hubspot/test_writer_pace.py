"""The writer at the pace HubSpot allows: all of it used, nothing refused, on virtual time.

Real writer, real store, sockets; only time is made up. Four records stand for a hundred here, each
so much slower, so that a batch takes as long as it does at HubSpot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.hubspot import writer
from connector.hubspot.api import HubSpot
from connector.hubspot.limiter import Limiter
from connector.sandbox.hubspot import Latency
from eventstore import EventStore

from .rig import Site, a_client, a_portal, a_store
from .virtual_time import VirtualTime

WINDOW_S = 10.0
ALLOWED = 190  # in any window, professional tier
BATCH = 4
LATENCY = Latency(per_record_s=0.003 * 25, contact_per_record_s=0.015 * 25)


class Busy:
    """Whether threads or sockets are at work: everything that is under way without sleeping."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.under_way = 0
        self.asleep = 0

    def __call__(self) -> bool:
        return self.under_way > self.asleep

    async def sleep(self, delay_s: float) -> None:
        """The portal takes its time."""
        self.asleep += 1
        try:
            await self._time.sleep(delay_s)
        finally:
            self.asleep -= 1

    async def during(self, work: Awaitable[Any]) -> Any:
        """Count some work as being under way."""
        self.under_way += 1
        try:
            return await work
        finally:
            self.under_way -= 1


class Watched:
    """A store whose every operation is seen."""

    def __init__(self, store: EventStore, busy: Busy) -> None:
        self._store = store
        self._busy = busy

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        operation = getattr(self._store, name)
        return lambda *given, **options: self._busy.during(operation(*given, **options))


class Measured(Site):
    """A site on virtual time, which notes when the portal let each call in."""

    def __init__(self, *parts: Any, time: VirtualTime, busy: Busy) -> None:
        super().__init__(*parts)
        self.time = time
        self.busy = busy
        self.let_in: list[float] = []
        take = self.portal.limiter.take

        def noting(window: Any) -> str | None:
            refused = take(window)
            if refused is None and window == "general":
                self.let_in.append(time.now)
            return refused

        self.portal.limiter.take = noting  # type: ignore[method-assign]

    async def write(self, **options: Any) -> None:
        """Write all there is."""
        made = self.writer(store=Watched(self.store, self.busy), **options)  # type: ignore[arg-type]

        async def watched() -> None:
            summary = await made.run_until_idle()
            assert summary.pending == summary.parked == 0

        await self.time.run(asyncio.create_task(watched()), busy=self.busy)

    def let_in_between(self, start_s: float, end_s: float) -> int:
        """Calls let in so many seconds after the first one."""
        began = self.let_in[0]
        return sum(1 for when in self.let_in if began + start_s <= when < began + end_s)


@asynccontextmanager
async def a_measured_site(folder: Path) -> AsyncIterator[Measured]:
    """HubSpot's limits and latency, and a client on the same clock."""
    time = VirtualTime()
    busy = Busy(time)

    class Seen(HubSpot):
        async def _exchange(self, *given: Any) -> Any:
            return await busy.during(super()._exchange(*given))

    times = {"clock": time.clock, "now": time.clock, "sleep": busy.sleep}
    limiter = Limiter("free", clock=time.clock, sleep=time.sleep)  # what is allowed is learnt
    async with (
        # Where the portal's day is long, so that none ends meanwhile.
        a_portal(limits="tier", latency=LATENCY, timezone="Etc/UTC", times=times) as portal,
        a_store(folder) as store,
        a_client(portal, kind=Seen, limiter=limiter) as hubspot,
    ):
        yield Measured(store, portal, hubspot, time=time, busy=busy)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of four records."""
    monkeypatch.setattr(writer, "BATCH_LIMIT", BATCH)


@pytest.mark.parametrize(
    ("lane", "batches", "steady_s"), [("companies", 320, 10), ("contacts", 360, 20)]
)
async def test_a_first_load_uses_what_hubspot_allows_and_is_never_refused(
    tmp_path: Path, lane: str, batches: int, steady_s: float
) -> None:
    """Once under way 95 % and more of the calls that are allowed are made, and not one too many."""
    async with a_measured_site(tmp_path) as site:
        await site.emit_all({"companies/ABC:01-P": {"name": "P"}})
        await site.write()
        site.let_in.clear()
        prefix = "companies/ABC:01-C" if lane == "companies" else "contacts/ABC:01-P:C"
        named = "name" if lane == "companies" else "lastname"
        await site.emit_all({f"{prefix}{n:05}": {named: "N"} for n in range(batches * BATCH)})
        await site.write()
        end_s = steady_s + 2 * WINDOW_S
        assert site.let_in[-1] - site.let_in[0] > end_s
        assert site.let_in_between(steady_s, end_s) >= 0.95 * 2 * ALLOWED
        assert site.portal.calls.count(status=429) == 0
        assert site.portal.count(lane) == batches * BATCH + (lane == "companies")
