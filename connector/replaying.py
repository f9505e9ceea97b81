"""Replays: which records are meant, and asking for them to be sent again in full.

Choosing reads only; asking appends the request, and the projector does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connector import documents, paging, reports, withheld
from connector.moments import iso
from connector.new_events import in_the_name_of, new_event
from eventstore import EventStore
from projections import events
from projections.tables import PlainText
from projections.workspace import decode

REPLAY_STREAM: Final = "audit/replay"
_TARGETS: Final = 500  # of one request
_PAGE: Final = 1_000  # ledgers held at once


class ReplayReport(msgspec.Struct, frozen=True):
    """What a replay covers; `requested` is False for a dry run."""

    selection: str
    targets: list[str]
    requested: bool


async def select_for_replay(
    store: EventStore,
    *,
    key: Sequence[str] = (),
    is_parked: bool = False,
    reason: str = "",
    object_name: str = "",
    since_us: int | None = None,
    everything: bool = False,
) -> tuple[str, list[str]]:
    """(selection in words, targets) of a replay; unknown keys raise KeyError with the key."""
    if key:
        names: list[str] = []
        for one in key:
            found = await reports.find(store, one)
            if not found:
                raise KeyError(one)
            names += found
        return f"keys {', '.join(key)}", list(dict.fromkeys(names))
    if is_parked:
        return f"parked {reason}".strip(), await _parked(store, reason)
    if object_name or everything:
        words = f"all {object_name}" if object_name else "all records"
        return words, await _written(store, f"{object_name}/" if object_name else "")
    position = await store.position_at(since_us or 0)
    seen: dict[str, None] = {}
    async for commands in paging.log(store, position, types=["CommandEmitted"]):
        seen.update(dict.fromkeys(event.stream.removeprefix("hubspot/") for event in commands))
    return f"since {iso(since_us or 0)}", list(seen)


async def _parked(store: EventStore, reason: str) -> list[str]:
    """Targets parked for this reason (for any), and those written without a property for it."""
    names: dict[str, None] = {}
    async for name, why in documents.each(store, "parked", PlainText):
        if reason in {"", why.text}:
            names[name] = None
    async for name, doc in withheld.ledgers(store):
        if any(reason in {"", one.reason} for one in doc.withheld.values()):
            names[name] = None
    return sorted(names)


async def _written(store: EventStore, prefix: str) -> list[str]:
    """Targets that become HubSpot objects; their ledgers are looked at a page at a time."""
    names: list[str] = []
    async for page in paging.pages(store, "target", prefix, size=_PAGE):
        names += [row.key for row in page if not decode("target", row.value).skipped]
    return names


async def request_replay(
    store: EventStore, selection: str, targets: Sequence[str], *, dry_run: bool, by: str = ""
) -> ReplayReport:
    """Append the request (500 targets an event), unless it is a dry run."""
    if not dry_run and targets:
        new = [
            new_event(REPLAY_STREAM, events.ReplayRequested(part, selection, by))
            for part in paging.parts(targets, _TARGETS)
        ]
        await store.append(new, meta=in_the_name_of(by))
    return ReplayReport(selection, list(targets), requested=not dry_run and bool(targets))
