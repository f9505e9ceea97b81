"""The whole history once more under two mappings, side by side, with a HubSpot that takes it all.

What Sage 100 said is copied from the log into a store of its own, which the ordinary projector
folds with one mapping in force from the first day on; it decides whenever it had decided then, and
every command succeeds at once. Done for the mapping in force and for another one, it shows what the
other would have written, then and up to now. Nothing is written but the two stores, which are
thrown away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from connector import documents, paging, rows
from connector.new_events import new_event
from connector.planning import MAPPING_STREAM
from connector.progress import Progress, Silent
from connector.projector import Projector
from connector.rebuild import all_tables, this_version
from connector.scratch import scratch_folder
from eventstore import EventStore, NewEvent, StoredEvent, open_store
from projections import events, keys, ledger
from projections.mapping import compiled
from projections.tables import LANES, OPTIONAL, ObjectBook, Target
from projections.workspace import Workspace, decode

SAMPLES: Final = 3
_PAGE: Final = 1000
_ROUND: Final = 500
_FOR_EVER: Final = 2**62
_ROUNDS: Final = 100_000  # far more than any history needs; an end all the same
# What decides nothing, and what this rehearsal does anew.
_LEFT_OUT: Final = ("hubspot/", "config/mapping", "config/schema", "audit/")


class Difference(msgspec.Struct, frozen=True):
    """One value as it would stand under either mapping; None: not written."""

    target: str
    old: str | None
    new: str | None


class FieldDifference(msgspec.Struct, frozen=True):
    """One property of one object: in how many records it is the same, and in how many not."""

    object: str
    property: str
    same: int
    differ: int
    samples: list[Difference]


class ObjectDifference(msgspec.Struct, frozen=True):
    """Records and commands of one object under either mapping, and commands as it really was."""

    object: str
    records_old: int
    records_new: int
    commands_old: int
    commands_new: int
    commands_then: int


class Rehearsal(msgspec.Struct, frozen=True):
    """Old and new side by side; `events`: of the log that was gone through."""

    events: int
    old: str
    new: str
    objects: list[ObjectDifference]
    fields: list[FieldDifference]


async def rehearse(
    store: EventStore,
    old: compiled.CompiledMapping,
    new: compiled.CompiledMapping,
    *,
    beside: Path | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Rehearsal:
    """Go through the log with both mappings.

    `scratch`: an absolute folder for the copies. `beside`: the store's file, where a note of them
    lies meanwhile.
    """
    head = (await store.head()).last
    show = progress or Silent()
    with scratch_folder(beside, scratch) as folder:
        one, two = (f"sqlite:///{quote(str(folder))}/{name}.db" for name in ("old", "new"))
        async with (
            open_store(one, tables=all_tables()) as left,
            open_store(two, tables=all_tables()) as right,
        ):
            for turn, (shadow, mapping) in enumerate(((left, old), (right, new))):
                await _Shadow(shadow).live(store, mapping, head, show, turn * head)
            objects = await _objects(store, left, right)
            fields = await _fields(left, right)
    return Rehearsal(head, old.digest, new.digest, objects, fields)


class _Shadow:
    """A store in which the log is lived through again."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._projector = Projector(store)
        self._adopted: dict[str, events.RecordAdopted] = {}

    async def live(
        self,
        log: EventStore,
        mapping: compiled.CompiledMapping,
        head: int,
        progress: Progress,
        before: int,
    ) -> None:
        """Everything the log was told from outside, decided on where it was decided on then."""
        activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
        first = [new_event(MAPPING_STREAM, activated)]
        await self._store.append(first, also=[this_version()])
        waiting: list[NewEvent] = []
        position = 0
        while page := await log.read(position, upto=head, limit=_PAGE):
            for event in page:
                if event.stream.startswith(_LEFT_OUT) and event.type != "MassChangeReleased":
                    if event.type == "RecordAdopted":
                        self._adopt(event)
                    elif event.type == "CommandEmitted" and waiting:
                        await self._decide(waiting)
                        waiting = []
                elif event.data is not None:
                    waiting.append(_copied(event))
            position = page[-1].position
            progress.project(before + position, 2 * head)
            if len(waiting) >= _PAGE:
                await self._store.append(waiting)
                waiting = []
        await self._decide(waiting)

    def _adopt(self, event: StoredEvent) -> None:
        payload = events.decode(event.type, event.data)
        if isinstance(payload, events.RecordAdopted):
            self._adopted.setdefault(event.stream.removeprefix("hubspot/"), payload)

    async def _decide(self, waiting: Sequence[NewEvent]) -> None:
        await self._store.append(waiting)
        for _ in range(_ROUNDS):
            await self._projector.run_until_idle()
            if not await self._carry_out():
                return

    async def _carry_out(self) -> int:
        """HubSpot takes all that is pending, parents first; how many events that makes."""
        done = 0
        for lane in LANES:
            while due := await self._store.due(f"outbox_{lane}", upto=_FOR_EVER, limit=_ROUND):
                done += await self._answer([row.key for row in due])
        return done

    async def _answer(self, names: Sequence[str]) -> int:
        work = Workspace()
        parents = {name: keys.parents(name) for name in names}
        wanted = {*names, *(parent for group in parents.values() for parent in group)}
        await rows.load(self._store, work, {"target": wanted})
        new = []
        for name in names:
            doc = work.get("target", Target, name) or ledger.EMPTY
            ends = [work.get("target", Target, parent) for parent in parents[name]]
            event = self._outcome(name, doc, ends)
            ledger.track(work, name, event, doc.version + 1)
            new.append(new_event(keys.hubspot_stream(name), event))
            if isinstance(event, events.RecordAdopted):
                # To be decided on anew; until then this command is not open any more.
                over = events.CommandSuperseded(doc.command, "pending", None, "adopted")
                ledger.track(work, name, over, doc.version + 2)
                new.append(new_event(keys.hubspot_stream(name), over))
        await self._store.append(new, also=rows.writes(work))
        return len(new)

    def _outcome(self, name: str, doc: Target, ends: Sequence[Target | None]) -> events.Event:
        missing = [
            parent
            for parent, end in zip(keys.parents(name), ends, strict=True)
            if not ledger.exists_in_hubspot(end)
        ]
        if missing:
            return events.CommandHeld(doc.command, missing)
        if not doc.hubspot_id and name in self._adopted:
            return self._adopted[name]
        hubspot_id = doc.hubspot_id or name
        if name.startswith("associations/"):
            hubspot_id = ">".join(end.hubspot_id for end in ends if end is not None)
        outcome = "updated" if doc.hubspot_id else "created"
        return events.CommandSucceeded(doc.command, hubspot_id, outcome)  # type: ignore[arg-type]


def _copied(event: StoredEvent) -> NewEvent:
    data = event.data or b"{}"
    if event.type == "MassChangeReleased":
        # It names a position of the other log; here it means: what is held by now.
        payload = events.decode(event.type, event.data)
        if isinstance(payload, events.MassChangeReleased):
            data = events.encode(msgspec.structs.replace(payload, held=_FOR_EVER))
    return NewEvent(event.stream, event.type, data, event.schema)


# ------------------------------------------------------------ side by side


async def _objects(log: EventStore, left: EventStore, right: EventStore) -> list[ObjectDifference]:
    out = []
    for lane in LANES:
        books = [
            await documents.one(store, "object_book", ObjectBook, lane) or ObjectBook()
            for store in (left, right, log)
        ]
        counts = [await store.count("target", prefix=f"{lane}/") for store in (left, right)]
        if lane in OPTIONAL and not any(counts):
            continue
        out.append(
            ObjectDifference(
                lane,
                *counts,
                *(book.emitted - book.superseded for book in books),
            )
        )
    return out


async def _fields(left: EventStore, right: EventStore) -> list[FieldDifference]:
    same: dict[tuple[str, str], int] = {}
    differ: dict[tuple[str, str], int] = {}
    samples: dict[tuple[str, str], list[Difference]] = {}
    async for name, old, new in _side_by_side(left, right):
        kind = keys.split_target(name)[0]
        if kind == "associations":
            continue
        for prop in old.keys() | new.keys():
            place = kind, prop
            before, after = old.get(prop), new.get(prop)
            if (before or "") == (after or ""):
                same[place] = same.get(place, 0) + 1
                continue
            differ[place] = differ.get(place, 0) + 1
            shown = samples.setdefault(place, [])
            if len(shown) < SAMPLES:
                shown.append(Difference(name, before, after))
    return [
        FieldDifference(*place, same.get(place, 0), differ.get(place, 0), samples.get(place, []))
        for place in sorted(same.keys() | differ.keys())
    ]


async def _side_by_side(
    left: EventStore, right: EventStore
) -> AsyncIterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Every record, and what HubSpot would hold of it under either mapping."""
    async for one, two in paging.side_by_side((left, "target"), (right, "target")):
        old = {row.key: row.value for row in one}
        new = {row.key: row.value for row in two}
        for name in sorted(old.keys() | new.keys()):
            yield name, _held(old.get(name)), _held(new.get(name))


def _held(value: bytes | None) -> dict[str, str]:
    doc: Target = decode("target", value) if value is not None else Target()
    return doc.held
