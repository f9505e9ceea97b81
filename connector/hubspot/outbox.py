"""Picking the commands whose turn it is.

Due rows of a lane become batches that HubSpot takes: at most so many, at most 1 MB. Two keys that
differ only in case are one to HubSpot: they are never in work at the same time, in one batch or in
two, so that whoever comes second finds the first one's record and overwrites nothing. What has
failed several times goes alone, so that a record which brings HubSpot down takes no others with
it. An adopted record's command waits until the projector has compared it with what HubSpot holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import msgspec

from connector import rows
from connector.hubspot.api import BODY_LIMIT_BYTES
from connector.projector import CHECKPOINT
from eventstore import EventStore
from projections import keys, ledger
from projections.tables import FORCED, LANES, ORDINARY, Target
from projections.workspace import Workspace

ALONE_FROM: Final = 4  # failed attempts
_INPUT_OVERHEAD_BYTES: Final = 400  # key, property names' quotes, trace id around the values
_FOR_EVER: Final = 2**62  # µs
_LOOK_AHEAD: Final = 300


class Outbox:
    """The work lists of the lanes; remembers what is taken and what waits for the projector."""

    def __init__(self, store: EventStore, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us
        self._taken: dict[str, dict[str, str]] = {lane: {} for lane in LANES}  # name to folded
        self._gates: dict[str, dict[str, int]] = {lane: {} for lane in LANES}

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

    async def take(self, lane: str, limit: int, *, together: bool = False) -> list[str]:
        """The next due targets of a lane that may travel in one batch, earliest due first.

        `together`: whatever their size or failures, for a step that sends nothing.
        """
        table = f"outbox_{lane}"
        taken, gates = self._taken[lane], self._gates[lane]
        await self._open_gates(gates)
        while True:
            wanted = limit + len(taken) + len(gates)
            due = await self._store.due(table, upto=self._now_us(), limit=wanted)
            free = [row.key for row in due if row.key not in taken and row.key not in gates]
            work = Workspace()
            await rows.load(self._store, work, {"target": free})
            docs = {name: doc for name in free if (doc := work.get("target", Target, name))}
            closed = await self._close_gates(docs, gates)
            docs = {name: doc for name, doc in docs.items() if name not in closed}
            if docs or not closed or len(due) < wanted:
                break
        names = list(docs)[:limit] if together else _fitting(docs, limit, taken.values())
        taken.update((name, name.casefold()) for name in names)
        return names

    async def take_ready(self, lane: str, limit: int) -> list[str]:
        """Due targets of a lane whose parents HubSpot has, for a batch that goes before its turn.

        Only the first few hundred are looked at: it is no loss when there are none among them.
        """
        taken, gates = self._taken[lane], self._gates[lane]
        wanted = _LOOK_AHEAD + len(taken)
        due = await self._store.due(f"outbox_{lane}", upto=self._now_us(), limit=wanted)
        free = [row.key for row in due if row.key not in taken and row.key not in gates]
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
        ready = {name: doc for name, doc in ready.items() if name not in closed}
        names = _fitting(ready, limit, taken.values())
        taken.update((name, name.casefold()) for name in names)
        return names

    async def pending(self, lane: str) -> int:
        """How many commands of a lane are not sent yet."""
        return await self._store.count(f"outbox_{lane}")

    async def next_due_us(self, held: Collection[str] = ()) -> int | None:
        """When the next command that is neither in work nor waits becomes due, maybe in the past.

        None when there is none. `held`: lanes that are left alone.
        """
        ranks = []
        for lane in LANES:
            if lane in held:
                continue
            passed = self._taken[lane].keys() | self._gates[lane].keys()
            table = f"outbox_{lane}"
            for row in await self._store.due(table, upto=_FOR_EVER, limit=len(passed) + 1):
                if row.key not in passed and row.rank is not None:
                    ranks.append(row.rank)
                    break
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


def _fitting(docs: dict[str, Target], limit: int, in_work: Iterable[str]) -> list[str]:
    """Those that may travel together now; `in_work`: folded names of what is under way."""
    names: list[str] = []
    folded = set(in_work)
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
