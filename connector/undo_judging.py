"""What can be put back of chosen commands: by the log, and by what HubSpot holds and has held.

Judging a record is pure (`projections.undo`); here records are read for it, some hundreds at a
time. What somebody has changed in HubSpot since is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connector import rows
from connector.earlier import remember
from connector.hubspot.api import HubSpot
from connector.hubspot.schema import STREAM as SCHEMA_STREAM
from connector.projector import entries_of
from connector.undo_scopes import Scope, chosen
from eventstore import EventStore
from projections import events, keys, ledger
from projections.mapping.compiled import CompiledMapping
from projections.tables import Target
from projections.undo import Asked, Left, Pins, undoing
from projections.workspace import Workspace

_PAGE: Final = 500


class Judged(msgspec.Struct, frozen=True):
    """What the log alone says. `asked`: target to the properties to ask HubSpot about."""

    selection: str
    left: list[Left]
    asked: dict[str, dict[str, Asked]]


class UndoReport(msgspec.Struct, frozen=True):
    """What is put back (target to property to ours and the value from before), and what is not."""

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    requested: bool = False


async def judge(
    store: EventStore, scope: Scope, mapping: CompiledMapping, only: Sequence[str] = ()
) -> Judged:
    """What the log says can be put back of these commands; `only`: of these targets."""
    made = await _made(store)
    left: list[Left] = []
    asked: dict[str, dict[str, Asked]] = {}
    numbers = await chosen(store, scope)
    names = sorted(name for name in numbers if not only or name in only)
    for start in range(0, len(names), _PAGE):
        page = {name: keys.hubspot_stream(name) for name in names[start : start + _PAGE]}
        stored = await store.histories(page.values())
        work = Workspace()
        await rows.load(store, work, {"target": page})
        for name, stream in page.items():
            doc = work.get("target", Target, name) or ledger.EMPTY
            section = mapping.objects.get(keys.split_target(name)[0])
            found = undoing(name, entries_of(stored[stream]), numbers[name], doc, section, made)
            if found is not None:
                left += found.left
                if found.asked:
                    asked[name] = found.asked
    return Judged(scope.selection, left, asked)


async def _made(store: EventStore) -> set[str]:
    """Properties that setup created: "companies.sage100_terms" each."""
    out: set[str] = set()
    for stored in await store.history(SCHEMA_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.SchemaEnsured):
            out.update(event.created)
    return out


async def still_ours(
    store: EventStore, judged: Judged, hubspot: HubSpot, mapping: CompiledMapping
) -> UndoReport:
    """What HubSpot holds as we wrote it, and what it held before.

    Raises Unreachable, TokenRefused, Refused.
    """
    memory = await remember(store, hubspot, mapping, judged.asked)
    left = sorted(judged.left + memory.left, key=lambda one: (one.target, one.property))
    return UndoReport(judged.selection, memory.fields, left)
