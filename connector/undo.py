"""Asking for an undo: the request, and a pin on each record of what it shall hold.

The projector and the writer do the rest like any other change. Which commands are meant is chosen
in `undo_scopes`, what can be put back of them is judged in `undo_judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from connector import paging, rows
from connector.new_events import in_the_name_of, new_event
from connector.undo_judging import UndoReport
from eventstore import EventStore, Meta, WrongVersion
from projections import events, keys, ledger
from projections.events import Change, CommandSuperseded, FieldsPinned, UndoRequested
from projections.pins import WITHDRAWN
from projections.tables import Target
from projections.undo import Pins
from projections.workspace import Workspace

UNDO_STREAM: Final = "audit/undo"
_PAGE: Final = 500
_TRIES: Final = 20


class UndoWanted(msgspec.Struct, frozen=True):
    """An undo to be asked for: target to property to (the value we wrote, the value from before).

    `lifted`: targets whose pins end. `withdrawn`: target to property to (the value from before, the
    value that is not to be sent).
    """

    selection: str
    fields: dict[str, Pins] = {}
    lifted: list[str] = []
    by: str = ""
    withdrawn: dict[str, dict[str, Change]] = {}

    @property
    def targets(self) -> list[str]:
        """The records that are pinned."""
        return list(dict.fromkeys([*self.fields, *self.withdrawn]))


def requests(report: UndoReport, by: str) -> list[UndoWanted]:
    """What the report puts back, 500 records each."""
    every = UndoWanted(report.selection, report.fields, withdrawn=report.withdrawn)
    return [
        UndoWanted(
            report.selection,
            {name: report.fields[name] for name in names if name in report.fields},
            by=by,
            withdrawn={name: report.withdrawn[name] for name in names if name in report.withdrawn},
        )
        for names in paging.parts(every.targets, _PAGE)
    ]


async def pinned_targets(store: EventStore) -> dict[str, list[str]]:
    """Target to its pinned properties, of everything that was ever undone."""
    names: dict[str, None] = {}
    for stored in await store.history(UNDO_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, UndoRequested):
            names.update(dict.fromkeys(event.targets))
    out: dict[str, list[str]] = {}
    for part in paging.parts(names, _PAGE):
        work = Workspace()
        await rows.load(store, work, {"target": part})
        docs = {name: work.get("target", Target, name) for name in part}
        out |= {name: sorted(doc.pins) for name, doc in docs.items() if doc and doc.pins}
    return out


async def request(store: EventStore, asked: UndoWanted) -> None:
    """Append the request, and to each record its pins; the projector does the rest."""
    event = UndoRequested(asked.selection, asked.targets, asked.lifted, asked.by)
    meta = in_the_name_of(asked.by)
    pinning = Meta("undo", meta.traceparent)
    commit = await store.append([new_event(UNDO_STREAM, event)], meta=meta)
    for names in paging.parts(asked.targets, _PAGE):
        await _pin(store, names, lambda name, doc: _pinned(name, doc, asked), commit.first, pinning)
    for names in paging.parts(asked.lifted, _PAGE):
        await _pin(store, names, _lift, commit.first, pinning)


def _pinned(name: str, doc: Target, asked: UndoWanted) -> FieldsPinned | None:
    """What was asked for, to be written where HubSpot still holds what it did then.

    What was to be withdrawn may have been sent meanwhile: it is then put back as the log knows it.
    """
    withdrawn = asked.withdrawn.get(name, {})
    fields = asked.fields.get(name, {})
    expected = {prop: ours for prop, (ours, _) in fields.items()}
    pins = {
        prop: (withdrawn[prop][1] if prop in withdrawn else ours, back)
        for prop, (ours, back) in fields.items()
    }
    alone: dict[str, str] = {}
    for prop, (before, ours) in withdrawn.items():
        if prop in pins:
            continue
        if before is not None:
            pins[prop], expected[prop] = (ours, before), ours
        elif doc.held.get(prop) != ours:
            alone[prop] = ours
    return FieldsPinned(pins, expected=expected, alone=alone) if pins or alone else None


def _lift(_: str, doc: Target) -> FieldsPinned:
    """All pins of a record end."""
    return FieldsPinned(lifted=sorted(doc.pins))


def _withdrawal(event: FieldsPinned, doc: Target) -> list[CommandSuperseded]:
    """The end of the open command if the pins are against it: at once, lest it be sent before the
    projector has seen them, which then emits what is left of it.
    """
    against = {prop: ours for prop, (ours, _) in event.values.items()} | event.alone
    if not any(against.get(prop) == value for prop, value in doc.changes.items()):
        return []
    match doc.state:
        case "pending" | "held" | "parked" as was if not doc.unknown:
            return [CommandSuperseded(doc.command, was, None, WITHDRAWN)]
        case _:
            return []


async def _pin(
    store: EventStore,
    names: Iterable[str],
    event_of: Callable[[str, Target], FieldsPinned | None],
    cause: int,
    meta: Meta,
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
            if event is None:
                continue
            stream = keys.hubspot_stream(name)
            expect[stream] = doc.version
            for at, one in enumerate([*_withdrawal(event, doc), event], start=1):
                ledger.track(work, name, one, doc.version + at)
                new.append(new_event(stream, one, cause))
        try:
            await store.append(new, expect=expect, also=rows.writes(work), meta=meta)
        except WrongVersion:
            continue
        return
    raise RuntimeError("an undo lost every race for its records: a second writer must be at work")
