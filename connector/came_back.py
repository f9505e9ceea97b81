"""Values of erased records that came into the log behind their erasure, and so are erased again.

Today nothing lets them in; versions before did, from HubSpot and with an undo. Values of Sage 100
are told by another mark (`RecordObserved.erased`).
"""

from __future__ import annotations

from collections.abc import Iterable

from connector import mappings
from connector.harmless import harmless_of
from connector.log_pages import entries_of
from eventstore import EventStore
from projections import keys, personal
from projections.events import (
    CommandSucceeded,
    DriftFound,
    Event,
    FieldsPinned,
    RecordAdopted,
    TargetErased,
)


async def holds(store: EventStore, targets: Iterable[str]) -> bool:
    """Whether a value behind the newest erasure of one of these targets may be personal.

    Raises Misconfigured when there are such values and the mapping in force cannot be read.
    """
    told: dict[str, set[str]] = {}
    for name in targets:
        for entry in entries_of(await store.history(keys.hubspot_stream(name))):
            if isinstance(entry.payload, TargetErased):
                told.pop(name, None)
            elif said := _said_of(entry.payload):
                told.setdefault(name, set()).update(said)
    if not told:
        return False
    harmless = harmless_of(told.__contains__, await mappings.active(store))
    return any(not harmless(name, prop) for name, said in told.items() for prop in said)


def _said_of(event: Event | None) -> set[str]:
    """The properties of which an event gives values that stood in HubSpot, or shall again."""
    match event:
        case RecordAdopted():
            return set(event.values)
        case DriftFound():
            return set(event.values)
        case FieldsPinned():
            return {*event.values, *event.expected, *event.alone}
        case CommandSucceeded():
            found = [*event.kept.items(), *event.overtaken.items()]
            return {prop for prop, value in found if value not in {"", personal.ERASED}}
        case _:
            return set()
