"""Picking the commands whose turn it is.

Due rows of a lane become batches that HubSpot takes: at most so many, at most 1 MB. Two keys that
differ only in case are one to HubSpot: they are never in work at the same time, in one batch or in
two, so that whoever comes second finds the first one's record and overwrites nothing. What has
failed several times goes alone, so that a record which brings HubSpot down takes no others with
it. An adopted record's command waits until the projector has compared it with what HubSpot holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final

import msgspec

from connector import rows
from connector.hubspot.api import BODY_LIMIT_BYTES
from connector.hubspot.bypass import Bypass
from connector.hubspot.scopes import Standing, kind_of
from connector.projector import CHECKPOINT
from eventstore import EventStore, Row
from projections import keys, ledger
from projections.tables import FORCED, LANES, ORDINARY, Target
from projections.workspace import Workspace

ALONE_FROM: Final = 4  # failed attempts
_INPUT_OVERHEAD_BYTES: Final = 400  # key, property names' quotes, trace id around the values
_FOR_EVER: Final = 2**62  # µs
_LOOK_AHEAD: Final = 300
_ALL: Final = Standing()  # nothing is refused


class Outbox:
    """The work lists of the lanes; remembers what is taken and what waits for the projector."""

    def __init__(self, store: EventStore, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us
        self._taken: dict[str, dict[str, str]] = {lane: {} for lane in LANES}  # name to folded
        self._gates: dict[str, dict[str, int]] = {lane: {} for lane in LANES}
        self._bypasses: dict[str, Bypass] = {}

    @property
    def gated(self) -> int:
        """Adopted targets whose command waits for the projector."""
        return sum(len(gates) for gates in self._gates.values())

    def taken(self, lane: str) -> int:
        """How many targets of a lane are in work."""
        return len(self._taken[lane])

    def give_back(self, lane: str, names: Iterable[str]) -> None:
        """These are no longer in work; what is still due will be taken again."""
        for name in names:
            self._taken[lane].pop(name, None)

    async def take(
        self, lane: str, limit: int, standing: Standing = _ALL, *, together: bool = False
    ) -> list[str]:
        """The next due targets of a lane that may travel in one batch, earliest due first.

        `standing`: of what is on trial there is one, and none while another one is in work.
        `together`: whatever their size or failures, for a step that sends nothing.
        """
        taken, gates = self._taken[lane], self._gates[lane]
        await self._open_gates(gates)
        while True:
            free = [row.key for row in await self._free(lane, self._now_us(), limit, standing)]
            work = Workspace()
            await rows.load(self._store, work, {"target": free})
            docs = {name: doc for name in free if (doc := work.get("target", Target, name))}
            closed = await self._close_gates(docs, gates)
            docs = {name: doc for name, doc in docs.items() if name not in closed}
            if docs or not closed:
                break
        names = list(docs) if together else _fitting(docs, limit)
        taken.update((name, name.casefold()) for name in names)
        return names

    async def take_ready(self, lane: str, limit: int) -> list[str]:
        """Due targets of a lane whose parents HubSpot has, for a batch that goes before its turn.

        Only the first few hundred are looked at: it is no loss when there are none among them.
        """
        taken, gates = self._taken[lane], self._gates[lane]
        due = await self._free(lane, self._now_us(), _LOOK_AHEAD, _ALL)
        free = [row.key for row in due]
        parents = {name: keys.parents(name) for name in free}
        work = Workspace()
        every = {*free, *(one for group in parents.values() for one in group)}
        await rows.load(self._store, work, {"target": every})
        ready = {
            name: doc
            for name in free
            if (doc := work.get("target", Target, name)) is not None
            and all(
                ledger.exists_in_hubspot(work.get("target", Target, one)) for one in parents[name]
            )
        }
        closed = await self._close_gates(ready, gates)
        names = _fitting({name: doc for name, doc in ready.items() if name not in closed}, limit)
        taken.update((name, name.casefold()) for name in names)
        return names

    async def _free(self, lane: str, upto_us: int, limit: int, standing: Standing) -> list[Row]:
        """The first rows due by then that are neither in work, nor wait, nor are left alone."""
        if lane in standing.trial and self._taken[lane]:
            return []
        if standing.concerns(lane):
            return await self._beside(lane, standing).due(upto_us, limit)
        self._bypasses.pop(lane, None)
        wanted = limit + len(self._taken[lane]) + len(self._gates[lane])
        due = await self._store.due(f"outbox_{lane}", upto=upto_us, limit=wanted)
        return self._open(lane, due)[:limit]

    def _beside(self, lane: str, standing: Standing) -> Bypass:
        """What is known of a lane of which some kinds are left alone."""
        known = self._bypasses.get(lane)
        if known is None or known.standing != standing:
            is_open = partial(self._open, lane)
            known = Bypass(self._store, lane, standing, is_open, partial(self._kinds_taken, lane))
            self._bypasses[lane] = known
        return known

    def _kinds_taken(self, lane: str) -> set[str]:
        return {kind_of(name) for name in self._taken[lane]}

    def _open(self, lane: str, found: Iterable[Row]) -> list[Row]:
        gates, folded = self._gates[lane], set(self._taken[lane].values())
        return [row for row in found if row.key not in gates and row.key.casefold() not in folded]

    async def pending(self, lane: str) -> int:
        """How many commands of a lane are not sent yet."""
        return await self._store.count(f"outbox_{lane}")

    async def next_due_us(
        self, left_alone: Collection[str] = (), standing: Standing = _ALL
    ) -> int | None:
        """When the next command that is neither in work nor waits becomes due, maybe in the past.

        None when there is none. `left_alone`: lanes that do not count.
        """
        ranks: list[int] = []
        for lane in LANES:
            if lane in left_alone:
                continue
            found = []
            if standing.concerns(lane):  # where none is due by now, all of it has been read
                found = await self._free(lane, self._now_us(), 1, standing)
            found = found or await self._free(lane, _FOR_EVER, 1, standing)
            ranks += [row.rank for row in found if row.rank is not None]
        return min(ranks, default=None)

    async def _open_gates(self, gates: dict[str, int]) -> None:
        if not gates:
            return
        position = (await self._store.checkpoint(CHECKPOINT)).position
        passed = [name for name, adopted in gates.items() if adopted <= position]
        if not passed:
            return
        marks = [prefix + name for name in passed for prefix in (ORDINARY, FORCED)]
        undecided = (await self._store.rows({"dirty": marks})).get("dirty", {})
        for name in passed:
            if not any(prefix + name in undecided for prefix in (ORDINARY, FORCED)):
                del gates[name]

    async def _close_gates(self, docs: dict[str, Target], gates: dict[str, int]) -> Collection[str]:
        """Find commands older than their record's adoption or loss, also after a restart."""
        adopted: dict[str, int] = {}
        for name, doc in docs.items():
            if (doc.hubspot_id or doc.lost) and doc.version > doc.command:
                stream = keys.hubspot_stream(name)
                for event in await self._store.history(stream, after=doc.command):
                    if event.type in {"RecordAdopted", "RecordLost"}:
                        adopted[name] = event.position
        await self._open_gates(adopted)
        gates.update(adopted)
        return adopted


def _fitting(docs: dict[str, Target], limit: int) -> list[str]:
    names: list[str] = []
    folded: set[str] = set()
    size = 0
    for name, doc in docs.items():
        if name.casefold() in folded:
            continue
        if doc.attempt >= ALONE_FROM:
            if not names:
                return [name]
            continue
        size += len(msgspec.json.encode(doc.changes)) + _INPUT_OVERHEAD_BYTES
        if names and size > BODY_LIMIT_BYTES:
            break
        folded.add(name.casefold())
        names.append(name)
        if len(names) == limit:
            break
    return names
