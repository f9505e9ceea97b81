"""A page of the log, decoded, with the place it takes its reader to and the traces it continues.

Pages are never changed once read, but for payloads that are erased; who reads ahead of himself
says from which place, and finds out by his checkpoint whether he is still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context

from connector import tracing
from eventstore import Checkpoint, EventStore, StoredEvent
from projections import events
from projections.folding import Entry


class Page(NamedTuple):
    """`moved`: the reader's checkpoint once the page is folded."""

    entries: list[Entry]
    moved: Checkpoint
    context: Context
    links: list[trace.Link]


def entries_of(stored: Iterable[StoredEvent]) -> list[Entry]:
    """Decode log entries for folding."""
    return [
        Entry(event.position, event.stream, event.version, events.decode(event.type, event.data))
        for event in stored
    ]


async def page_after(store: EventStore, place: Checkpoint, *, limit: int) -> Page | None:
    """The next events behind a place; None at the log's end."""
    entries = entries_of(await store.read(place.position, limit=limit))
    if not entries:
        return None
    ends = entries[0].position, entries[-1].position
    context, links = await tracing.origin(store, ends)
    moved = Checkpoint(place.name, position=ends[1], was=place.position, cursor=place.cursor)
    return Page(entries, moved, context, links)
