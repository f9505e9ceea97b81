"""The properties that were left out of records, as the writes that left them out say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec

from connector import documents, paging
from eventstore import EventStore, StoredEvent
from projections import events, keys
from projections.tables import Target

_PAGE: Final = 500


class LeftOut(msgspec.Struct, frozen=True):
    """One property of one record, and the event that left it out."""

    target: str
    field: str
    what: events.Withheld
    event: StoredEvent
    correlation_id: str


async def ledgers(store: EventStore) -> AsyncIterator[tuple[str, Target]]:
    """Every target with something left out, and its ledger."""
    async for page in paging.pages(store, "withheld", size=_PAGE):
        names = [row.key for row in page]
        found = await documents.some(store, "target", Target, names)
        for name in names:
            if name in found:
                yield name, found[name]


async def left_out(store: EventStore, reason: str = "") -> list[LeftOut]:
    """All of them, or those of one reason."""
    out: list[LeftOut] = []
    wanted: dict[str, set[str]] = {}
    async for name, doc in ledgers(store):
        left = {field for field, one in doc.withheld.items() if reason in {"", one.reason}}
        if left:
            wanted[name] = left
        if len(wanted) == _PAGE:
            out += await _told(store, wanted)
            wanted.clear()
    return out + await _told(store, wanted)


async def _told(store: EventStore, wanted: Mapping[str, set[str]]) -> list[LeftOut]:
    """Of each target the newest writes that left these properties out."""
    out: list[LeftOut] = []
    histories = await store.histories([keys.hubspot_stream(name) for name in wanted])
    for name, fields in wanted.items():
        left = set(fields)
        for event in reversed(histories[keys.hubspot_stream(name)]):
            payload = events.decode(event.type, event.data)
            if not isinstance(payload, events.CommandSucceeded):
                continue
            out += [
                LeftOut(name, field, payload.withheld[field], event, payload.correlation_id)
                for field in sorted(left & payload.withheld.keys())
            ]
            left -= payload.withheld.keys()
            if not left:
                break
    return out
