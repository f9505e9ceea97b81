"""What HubSpot held of one record at a position of the log, each value with what led to it.

Pure: the ledger's own fold up to there, so that what is told of the past is what was known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from projections import events as e
from projections import ledger
from projections.folding import Entry
from projections.tables import Target

_REASONS: Final = (e.CommandEmitted, e.RecordAdopted, e.DriftFound, e.TargetErased)


class HeldField(msgspec.Struct, frozen=True):
    """One property: its value, the position that acknowledged it, and that of the command.

    `because` is the position of a CommandEmitted, RecordAdopted, DriftFound or TargetErased.
    """

    field: str
    value: str
    position: int
    because: int


def target_at(entries: Sequence[Entry]) -> Target:
    """The ledger after these entries of one hubspot/ stream, ascending and from its first on."""
    doc = ledger.EMPTY
    for entry in entries:
        if entry.payload is not None:
            doc = ledger.evolve(doc, entry.payload, entry.version)
    return doc


def held_at(entries: Sequence[Entry]) -> list[HeldField]:
    """What HubSpot had acknowledged after these entries, by property."""
    doc = ledger.EMPTY
    since: dict[str, tuple[int, int]] = {}
    because = 0
    for entry in entries:
        if entry.payload is None:
            continue
        before, doc = doc, ledger.evolve(doc, entry.payload, entry.version)
        if isinstance(entry.payload, _REASONS):
            because = entry.position
        told = _told(before, entry.payload)
        for name in doc.held:
            if name in told or name not in since:
                since[name] = entry.position, because
        for name in since.keys() - doc.held.keys():
            del since[name]
    return [HeldField(name, doc.held[name], *since[name]) for name in sorted(doc.held)]


def _told(before: Target, event: e.Event) -> set[str]:
    """The properties that an event says something of."""
    match event:
        case e.CommandSucceeded():
            left_out = event.withheld.keys() | event.overtaken.keys()
            return (before.changes.keys() | event.kept.keys()) - left_out
        case e.RecordAdopted() | e.DriftFound():
            return set(event.values)
        case e.TargetErased():
            return set(event.held)
        case _:
            return set()
