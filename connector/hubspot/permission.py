"""Whether HubSpot lets us write, as the log knows it: what `status` says of a refused token.

A refusal that the log holds already is not told again, however often the service starts and asks:
what stands there since when is the first time. It is over with the first answer that proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from connector.hubspot.errors import TokenRefused
from connector.hubspot.refusal import Why
from connector.hubspot.settle import Settlement, refused_kinds
from connector.new_events import done_by, new_event
from eventstore import EventStore
from projections import events

STREAM: Final = "audit/writing"


class Permission:
    """What is refused: the token, and kinds of object or of association. One per store."""

    def __init__(self, store: EventStore, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us
        self._known = False
        self._stopped = False
        self._held: set[str] = set()

    async def is_stopped(self) -> bool:
        """Whether the last that the log knows is that the token was refused."""
        await self._look()
        return self._stopped

    async def stopped(self, why: TokenRefused) -> None:
        """HubSpot does not accept the token."""
        if not await self.is_stopped():
            self._stopped = True
            await self._tell(
                events.WritingStopped(why.category, why.what, why.remedy, self._now(), why.where)
            )

    async def accepted(self) -> None:
        """HubSpot accepts the token."""
        if await self.is_stopped():
            self._stopped = False
            await self._tell(events.WritingResumed())

    async def heed(self, lane: str, settled: Settlement, refused: TokenRefused | None) -> None:
        """What a batch of this lane has shown. `refused`: why nothing more is sent at all."""
        if refused is not None:
            # What was under way when the token was refused proves nothing of it any more.
            await self.stopped(refused)
            return
        if settled.heard and settled.verdict not in {"stop", "pause"}:
            await self.accepted()
        for kind, why in refused_kinds(lane, settled).items():
            await self._hold(kind, why)
        for kind in settled.wrote if settled.verdict != "bar" else (lane,):
            await self._release(kind)

    async def _hold(self, kind: str, why: Why) -> None:
        await self._look()
        if not why.status or kind in self._held:
            return  # without a status HubSpot has not said so
        self._held.add(kind)
        await self._tell(events.LaneHeld(kind, why.reason, why.message, why.advice, self._now()))

    async def _release(self, kind: str) -> None:
        await self._look()
        if kind in self._held:
            self._held.discard(kind)
            await self._tell(events.LaneReleased(kind))

    async def _look(self) -> None:
        """Once: what the log says."""
        if self._known:
            return
        self._known = True
        for stored in await self._store.history(STREAM):
            match events.decode(stored.type, stored.data):
                case events.WritingStopped():
                    self._stopped = True
                case events.WritingResumed():
                    self._stopped = False
                case events.LaneHeld() as held:
                    self._held.add(held.object)
                case events.LaneReleased() as released:
                    self._held.discard(released.object)
                case _:
                    pass

    async def _tell(self, event: events.Event) -> None:
        await self._store.append([new_event(STREAM, event)], meta=done_by("writer"))

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._now_us() / 1_000_000, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
