"""Requests to undo in their first form, which held the very values of the records they named.

Today a request names its records and the values stand in their own streams, where an erasure finds
them. A request of the first form is one event for many records; so when one of them is erased, all
requests are blanked, and said again in today's form, which loses nothing but the values.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from connector.new_events import new_event
from connector.undo import UNDO_STREAM
from eventstore import EventStore, NewEvent
from projections import events
from projections.events import UndoRequested


class _FirstForm(msgspec.Struct, frozen=True):
    """What is looked for: target to the values that stood in it."""

    fields: dict[str, msgspec.Raw] = {}


_decode: Final = msgspec.json.Decoder(_FirstForm).decode


async def hold(store: EventStore, targets: Collection[str]) -> bool:
    """Whether a request holds values of one of these targets."""
    wanted = set(targets)
    for stored in await store.history(UNDO_STREAM):
        if stored.type == UndoRequested.__name__ and stored.data is not None:
            raw = await _as_written(store, stored.position)
            if raw is not None and not wanted.isdisjoint(_decode(raw).fields):
                return True
    return False


async def left(store: EventStore) -> list[NewEvent]:
    """All requests once more, in today's form: what is appended when they are blanked."""
    found = [events.decode(one.type, one.data) for one in await store.history(UNDO_STREAM)]
    return [new_event(UNDO_STREAM, one) for one in found if isinstance(one, UndoRequested)]


async def _as_written(store: EventStore, position: int) -> bytes | None:
    """An event's payload as it stands in the log: what a store reads is in today's form."""
    [commit] = await store.commits([position])
    if commit is None:
        return None
    for sealed in await store.sealed(commit.first - 1, upto=commit.last, limit=1):
        for event in sealed.events:
            if event.position == position:
                return event.data
    return None
