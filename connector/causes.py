"""Records parked for a cause that lies in the portal, and going on when that is gone.

A key property that somebody creates, a scope that is granted, an object that the edition now has:
the log is told of none of it. So of each kind of record and cause one that is parked is tried again
now and then; when HubSpot takes it, all that were parked for the same cause are sent again. Every
try and every release is a ReplayRequested in the log, asked for by the service. Single values that
were left out of a record are looked after by `second_look`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import msgspec

from connector import documents, replaying
from connector.hubspot import advice
from connector.keeping import LOOK_S, every
from eventstore import EventStore
from projections import ledger
from projections.tables import PlainText, Target

# Reasons that end without anything changing in Sage 100, in the mapping or in the record.
_OF_THE_PORTAL: Final = frozenset(
    {"PROPERTY_DOESNT_EXIST", advice.KEY_PROPERTY, advice.MISSING_SCOPE, advice.OBJECT_UNAVAILABLE}
)
TRY_EVERY_S: Final = 600.0
_BY: Final = "service"
_log: Final = logging.getLogger(__name__)


class _Try(msgspec.Struct, frozen=True):
    """A record that is tried again, and the version of its stream when that was asked for."""

    name: str
    version: int


class Causes:
    """The tries of one store."""

    def __init__(
        self,
        store: EventStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        look_s: float = LOOK_S,
    ) -> None:
        self._store = store
        self._clock = clock
        self._look_s = look_s
        self._tries: dict[tuple[str, str], _Try] = {}
        self._next_s = 0.0

    async def try_again(self) -> int:
        """Ask for one record of each kind and cause, unless one is under way; how many."""
        self._next_s = self._clock() + TRY_EVERY_S
        asked = 0
        for (lane, reason), names in (await self._waiting()).items():
            if (lane, reason) in self._tries:
                continue
            doc = await self._target(names[0])
            self._tries[lane, reason] = _Try(names[0], doc.version)
            await self._replay(f"is {reason} over?", names[:1])
            asked += 1
        return asked

    async def release(self) -> int:
        """Look how the tries did: send again what waited for the same; how many records."""
        released = 0
        for (lane, reason), one in list(self._tries.items()):
            doc = await self._target(one.name)
            if doc.version == one.version or doc.state not in {"idle", "parked"}:
                continue  # still under way
            del self._tries[lane, reason]
            if doc.state == "parked":
                continue
            names = (await self._waiting()).get((lane, reason), [])
            if names:
                _log.info("%s is over for %s: %d are sent again", reason, lane, len(names))
                await self._replay(f"{reason} is over", names)
                released += len(names)
        return released

    async def keep(self, stop: asyncio.Event) -> None:
        """Try and release until `stop`."""
        what = "trying again what the portal would not take"
        await every(0.0, self._turn, stop, what=what, look_s=self._look_s, clock=self._clock)

    async def _turn(self) -> None:
        if self._tries:
            await self.release()
        if self._clock() >= self._next_s:
            self._tries.clear()  # one of a company that is held may never have been sent
            await self.try_again()

    async def _waiting(self) -> dict[tuple[str, str], list[str]]:
        """(Kind, cause) to the parked records, of the causes that lie in the portal."""
        out: dict[tuple[str, str], list[str]] = {}
        async for name, reason in documents.each(self._store, "parked", PlainText):
            if reason.text in _OF_THE_PORTAL:
                lane = name.partition("/")[0]
                out.setdefault((lane, reason.text), []).append(name)
        return out

    async def _target(self, name: str) -> Target:
        return await documents.one(self._store, "target", Target, name) or ledger.EMPTY

    async def _replay(self, selection: str, names: list[str]) -> None:
        await replaying.request_replay(self._store, selection, names, dry_run=False, by=_BY)
