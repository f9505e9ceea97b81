"""Asking for an undo: the request, and a pin on each record of what it shall hold.

The projector and the writer do the rest like any other change. Which commands are meant is chosen
in `undo_scopes`, what can be put back of them is judged in `undo_judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from connector import rows
from connector.new_events import in_the_name_of, new_event
from connector.undo_judging import UndoReport
from eventstore import EventStore, Meta, WrongVersion
from projections import events, keys, ledger
from projections.events import FieldsPinned, UndoRequested
from projections.tables import Target
from projections.undo import Pins
from projections.workspace import Workspace

UNDO_STREAM: Final = "audit/undo"
_PAGE: Final = 500
_TRIES: Final = 20


class UndoWanted(msgspec.Struct, frozen=True):
    """An undo to be asked for: target to property to (the value we wrote, the value from before).

    `lifted`: targets whose pins end.
    """

    selection: str
    fields: dict[str, Pins] = {}
    lifted: list[str] = []
    by: str = ""


def requests(report: UndoReport, by: str) -> list[UndoWanted]:
    """What the report puts back, 500 records each."""
    return [
        UndoWanted(report.selection, {name: report.fields[name] for name in names}, by=by)
        for names in _pages(report.fields)
    ]


async def pinned_targets(store: EventStore) -> dict[str, list[str]]:
    """Target to its pinned properties, of everything that was ever undone."""
    names: dict[str, None] = {}
    for stored in await store.history(UNDO_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, UndoRequested):
            names.update(dict.fromkeys(event.targets))
    out: dict[str, list[str]] = {}
    for part in _pages(names):
        work = Workspace()
        await rows.load(store, work, {"target": part})
        docs = {name: work.get("target", Target, name) for name in part}
        out |= {name: sorted(doc.pins) for name, doc in docs.items() if doc and doc.pins}
    return out


async def request(store: EventStore, asked: UndoWanted) -> None:
    """Append the request, and to each record its pins; the projector does the rest."""
    event = UndoRequested(asked.selection, list(asked.fields), asked.lifted, asked.by)
    meta = in_the_name_of(asked.by)
    commit = await store.append([new_event(UNDO_STREAM, event)], meta=meta)
    for names in _pages(asked.fields):
        await _pin(store, names, lambda name, _: _pinned(asked.fields[name]), commit.first)
    for names in _pages(asked.lifted):
        await _pin(store, names, lambda _, doc: FieldsPinned(lifted=sorted(doc.pins)), commit.first)


def _pinned(pins: Pins) -> FieldsPinned:
    """What was asked for, to be written where HubSpot still holds what it did then."""
    return FieldsPinned(pins, expected={prop: ours for prop, (ours, _) in pins.items()})


def _pages(names: Iterable[str]) -> Iterator[list[str]]:
    every = list(names)
    for start in range(0, len(every), _PAGE):
        yield every[start : start + _PAGE]


async def _pin(
    store: EventStore,
    names: Iterable[str],
    event_of: Callable[[str, Target], FieldsPinned],
    cause: int,
) -> None:
    """Append pins to the records that the log knows; again when one of them moves meanwhile."""
    for _ in range(_TRIES):
        work = Workspace()
        await rows.load(store, work, {"target": names})
        new = []
        expect = {}
        for name in names:
            doc = work.get("target", Target, name)
            if doc is None:
                continue
            event = event_of(name, doc)
            stream = keys.hubspot_stream(name)
            expect[stream] = doc.version
            ledger.track(work, name, event, doc.version + 1)
            new.append(msgspec.structs.replace(new_event(stream, event), cause=cause))
        try:
            await store.append(new, expect=expect, also=rows.writes(work), meta=Meta(actor="undo"))
        except WrongVersion:
            continue
        return
    raise RuntimeError("an undo lost every race for its records: a second writer must be at work")
