"""The writer: empties the outboxes into HubSpot, object by object in the order of dependence.

Several batches are in flight (see `pace`), each carried out by a `Delivery`; a lane starts when no
batch of an earlier lane is under way, so that parents are there before their children are looked
at. Which rows are due, and everything known of them, is in the store: a writer may die at any point
and the next one goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import msgspec

from connector.errors import TOLD_AT_THE_END, ConnectorError
from connector.hubspot.allowance import as_backfill
from connector.hubspot.api import BATCH_LIMIT, LINK_LIMIT
from connector.hubspot.delivery import Surroundings
from connector.hubspot.errors import HubSpotUnreachable, TokenRefused
from connector.hubspot.interrupted import mark_interrupted
from connector.hubspot.lanes import BACKFILL, Lanes
from connector.hubspot.links import LinkDelivery
from connector.hubspot.objects import ObjectDelivery
from connector.hubspot.outage import Outage
from connector.hubspot.outbox import Outbox
from connector.hubspot.pace import MOST, Pace, metered
from connector.hubspot.permission import Permission
from connector.hubspot.settle import Settlement, Undone, refused_kinds
from connector.hubspot.tally import LaneTally, Summary, tallies
from connector.progress import Progress, Silent
from connector.waiting import first_of
from projections.tables import LANES

PATIENCE: Final = 8  # failures of HubSpot in a row that a run which is to end bears
DRAIN_S: Final = 25.0
_LONGEST_WAIT_S: Final = 600.0  # that a run which is to end waits for HubSpot
_LOOK_S: Final = 1.0  # how often to look for new work while batches are in flight
_GATE_LOOK_S: Final = 0.1  # how often to look whether the projector has come far enough
_IDLE_S: Final = 30.0
_PAGE: Final = 500
_EVERY: Final = 3  # batches: how often
_log: Final = logging.getLogger(__name__)


class _Batch(NamedTuple):
    lane: str
    names: list[str]


class Writer:
    """Carries commands out, one writer per store. `stopped` says why it gave up, if it did."""

    def __init__(
        self,
        around: Surroundings,
        *,
        in_flight: int | None = None,
        patience: int = PATIENCE,
        drain_s: float = DRAIN_S,
    ) -> None:
        """`in_flight`: always at most so many batches; None: as many as HubSpot's pace allows."""
        limiter = around.hubspot.limiter
        self._around = around
        self._in_flight = in_flight
        self._pace = Pace(limiter.rate, limiter.clock)
        self._patience = patience
        self._drain_s = drain_s
        self._objects = ObjectDelivery(around)
        self._links = LinkDelivery(around)
        self._outbox = Outbox(around.store, around.now_us)
        self._outage = Outage(around.now_us, around.delay_s)
        self._lanes = Lanes(limiter, around.now_us)
        self._running: dict[asyncio.Task[Settlement], _Batch] = {}
        self._done = dict.fromkeys(LANES, 0)  # of earlier runs
        self._stalled = False
        self._waited = 0  # batches of a backfill since invoices were looked for
        self.stopped: TokenRefused | None = None
        self.permission = Permission(around.store, around.now_us)

    @property
    def in_flight(self) -> int:
        """Batches under way."""
        return len(self._running)

    @property
    def outage(self) -> Outage:
        """How HubSpot does."""
        return self._outage

    async def run_until_idle(
        self,
        progress: Progress | None = None,
        *,
        stop: asyncio.Event | None = None,
        again: bool = True,
    ) -> Summary:
        """Write until nothing is left that can be written without the projector's help, or `stop`.

        `again`: whether what the token may not write is tried once more, as for a run of its own.
        Raises TokenRefused on a 401 and HubSpotUnreachable when HubSpot keeps failing; in both
        cases everything unwritten is pending still.
        """
        for lane, tally in self._around.tallies.items():
            self._done[lane] += tally.succeeded
        self._around.tallies.update(tallies())
        self._lanes.begin(again=again)
        self.stopped = None
        self._outage.answered()
        await mark_interrupted(self._around.store, self._around.now_us)
        await self._work(stop or asyncio.Event(), progress or Silent(), until_idle=True)
        return await self.summary()

    async def run(self, stop: asyncio.Event, progress: Progress | None = None) -> None:
        """Write whatever comes until `stop`, then let batches in flight end (at most drain_s).

        After a 401 nothing is written any more: `stopped` says so, and commands stay pending.
        """
        await mark_interrupted(self._around.store, self._around.now_us)
        await self._work(stop, progress or Silent(), until_idle=False)

    # ------------------------------------------------------------ the loop

    async def _work(self, stop: asyncio.Event, progress: Progress, *, until_idle: bool) -> None:
        try:
            while not stop.is_set():
                head = (await self._around.store.head()).last
                if not await self._start_next() and not await self._wait(head, stop, until_idle):
                    break
                await self._collect(progress)
                if until_idle and self._hopeless() is not None:
                    break
            await self._drain(progress)
            reason = await self._given_up() if until_idle else None
            if reason is not None:
                raise reason
        finally:
            await self._abandon()

    async def _start_next(self) -> bool:
        """Start the next batch, if there is one whose turn it is."""
        if self.stopped is not None or self._outage.wait_s > 0:
            return False
        if self._stalled and not self._running:
            return False
        held, standing = self._lanes.left_alone(), self._lanes.standing()
        for lane in LANES:
            if lane in held:
                continue
            if not self._has_room(lane):
                return False
            limit = LINK_LIMIT if lane == "associations" else BATCH_LIMIT
            if self._lanes.on_trial(lane):
                limit = 1
            if lane in BACKFILL and await self._start_before_its_turn("invoices", held):
                return True
            names = await self._outbox.take(lane, limit, standing)
            if names:
                self._start(_Batch(lane, names))
                return True
            if self._outbox.taken(lane):
                return False  # the next lane may depend on what is under way
        return False

    def _has_room(self, lane: str) -> bool:
        """Whether one more batch of this lane may be under way."""
        count = len(self._running)
        if self._outage.failures:
            return count == 0
        if self._in_flight is not None:
            return count < self._in_flight
        of_lane = sum(batch.lane == lane for batch in self._running.values())
        return count < MOST and of_lane < self._pace.most(lane)

    async def _start_before_its_turn(self, lane: str, held: Collection[str]) -> bool:
        """Every third batch, if there is any: of invoices whose company HubSpot has.

        So what is invoiced today does not wait for the end of a first load.
        """
        self._waited += 1
        if self._waited < _EVERY or lane in held or self._lanes.on_trial(lane):
            return False
        if not self._has_room(lane):
            return False
        self._waited = 0
        names = await self._outbox.take_ready(lane, BATCH_LIMIT)
        if names:
            self._start(_Batch(lane, names))
        return bool(names)

    def _start(self, batch: _Batch) -> None:
        self._running[asyncio.create_task(self._deliver(batch))] = batch

    async def _deliver(self, batch: _Batch) -> Settlement:
        tally = self._around.tallies[batch.lane]
        before = msgspec.to_builtins(tally)
        backfill = as_backfill() if batch.lane in BACKFILL else contextlib.nullcontext()
        with metered(self._around.hubspot.limiter.clock) as meter, backfill:
            if batch.lane == "associations":
                settled = await self._links.deliver(batch.names)
            else:
                settled = await self._objects.deliver(batch.lane, batch.names)
        self._pace.learn(batch.lane, meter)
        if settled.verdict == "bar":
            await self._park_lane(batch, settled)
        # Nothing came of it: somebody else moved its targets; no reason to spin.
        self._stalled = not settled.verdict and msgspec.to_builtins(tally) == before
        return settled

    async def _park_lane(self, batch: _Batch, settled: Settlement) -> None:
        """HubSpot takes none of this kind of object: park what is due, without asking for each."""
        names = batch.names
        while names:
            await self._objects.park_unsent(names, settled)
            if names is not batch.names:
                self._outbox.give_back(batch.lane, names)
            names = await self._outbox.take(batch.lane, _PAGE, together=True)

    async def _wait(self, head: int, stop: asyncio.Event, until_idle: bool) -> bool:
        """Wait for a batch to end, a commit, a due time or `stop`; False when there is no need."""
        if self._running:
            await first_of(stop.wait(), beside=self._running, timeout_s=_LOOK_S)
            return True
        wait_s = await self._idle_s()
        if until_idle and (wait_s is None or wait_s > _LONGEST_WAIT_S):
            return False
        if wait_s is None:
            wait_s = _IDLE_S
        wait_s = min(wait_s, self._lanes.wait_s())
        if self._outbox.gated and not until_idle:
            wait_s = min(wait_s, _GATE_LOOK_S)
        if wait_s > 0:
            news = self._around.store.wait(head, wait_s)
            await first_of(news, stop.wait(), timeout_s=wait_s)
        return True

    async def _idle_s(self) -> float | None:
        """Seconds until there may be work again; None when nothing is waited for."""
        if self.stopped is not None:
            return None
        if self._outage.wait_s > 0:
            return self._outage.wait_s
        if self._stalled:
            self._stalled = False
            return _GATE_LOOK_S
        due_us = await self._outbox.next_due_us(self._lanes.left_alone(), self._lanes.standing())
        if due_us is None:
            return None
        return max(0.0, (due_us - self._around.now_us()) / 1_000_000)

    def _hopeless(self) -> ConnectorError | None:
        """Why a run that is to end gives up, if it does."""
        outage = self._outage
        if self.stopped is None and (
            outage.failures >= self._patience or outage.wait_s > _LONGEST_WAIT_S
        ):
            return HubSpotUnreachable(
                f"HubSpot failed {outage.failures} times in a row, the last time: {outage.message}",
                where=self._around.hubspot.base_url,
            )
        return self.stopped

    async def _given_up(self) -> ConnectorError | None:
        """Why a run ends without having written what it could, if it does."""
        reason, spent = self._hopeless(), self._lanes.spent()
        if reason is None and spent is not None:
            left = [await self._outbox.pending(lane) for lane in LANES]
            return spent if any(left) else None
        return reason

    async def _collect(self, progress: Progress) -> None:
        """Take in the batches that ended."""
        for task in [task for task in self._running if task.done()]:
            batch = self._running.pop(task)
            self._outbox.give_back(batch.lane, batch.names)
            settled = task.result()
            self._heed(batch.lane, settled)
            done = self._done[batch.lane] + self._around.tallies[batch.lane].succeeded
            await self.permission.heed(batch.lane, settled, self.stopped)
            progress.write(batch.lane, done, await self._outbox.pending(batch.lane))

    def _heed(self, lane: str, settled: Settlement) -> None:
        message = settled.why.message if settled.why is not None else _first_message(settled)
        match settled.verdict:
            case "stop":
                self.stopped = TokenRefused(
                    f"HubSpot does not accept the token: {message}",
                    where=self._around.hubspot.base_url,
                )
                _log.error("writing to HubSpot stops: %s", self.stopped, extra=TOLD_AT_THE_END)
            case "bar":
                self._lanes.bar(lane, message)
                _log.error("HubSpot takes no %s: %s", lane, message, extra=TOLD_AT_THE_END)
            case "pause":
                self._outage.failed(message, settled.after_s)
                _log.warning("HubSpot fails (%d in a row): %s", self._outage.failures, message)
            case "spare":
                self._lanes.spare(lane, settled.gate)
                _log.info("%s: %s", lane, message)
        for kind, why in refused_kinds(lane, settled).items():
            self._lanes.refuse(kind, why.message)
            _log.error("HubSpot takes no %s: %s %s", kind, why.message, why.advice)
        self._lanes.grant(settled.wrote)
        if settled.heard and settled.verdict not in {"stop", "pause"}:
            self._outage.answered()

    # ------------------------------------------------------------ the end

    async def _drain(self, progress: Progress) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._drain_s)
        await self._collect(progress)

    async def _abandon(self) -> None:
        """Cancel what is still under way; what has been answered is recorded first."""
        for task in self._running:
            task.cancel()
        for result in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(result, Exception):
                _log.error("a batch ended badly", exc_info=result)
        for batch in self._running.values():
            self._outbox.give_back(batch.lane, batch.names)
        self._running.clear()

    async def summary(self) -> Summary:
        """What was done since this run began, and what is left."""
        left = {lane: await self._outbox.pending(lane) for lane in LANES}
        copies: Mapping[str, LaneTally] = {
            lane: msgspec.structs.replace(tally) for lane, tally in self._around.tallies.items()
        }
        barred, remedies = self._lanes.reasons(left)
        return Summary(
            dict(copies), sum(left.values()), self._outbox.gated, barred, remedies=remedies
        )


def _first_message(settled: Settlement) -> str:
    for outcome in settled.outcomes:
        if isinstance(outcome, Undone):
            return outcome.message
    return "no reason given"
