"""Appending what happens to commands, together with the ledger rows that follow from it.

Two promises. A step that has not acted yet is appended only if every target still stands where it
was read: else nothing is appended and the step is made again. An outcome, which is the only trace
of an act that cannot be repeated, is never lost: it is appended again until it is in, and a
cancellation waits until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from connector import rows
from connector.hubspot.erased import unsaid
from connector.new_events import done_by, new_event
from eventstore import Commit, EventStore, WrongVersion
from projections import events, keys, ledger
from projections.tables import Target
from projections.workspace import Workspace

T = TypeVar("T")

_ACTOR: Final = "writer"
_TRIES: Final = 20
_log: Final = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One event for a target's stream; `cause`: position of the event that led to it."""

    name: str
    event: events.Event
    cause: int | None


class OutcomeEntry(NamedTuple):
    """The outcome of a command that is on its way."""

    name: str
    command: int
    event: events.Event
    cause: int | None


class Contended(RuntimeError):
    """An outcome lost every race for its streams: a second writer must be at work."""


def target_of(work: Workspace, name: str) -> Target:
    """The loaded ledger document of a target; an empty one when there is none yet."""
    return work.get("target", Target, name) or ledger.EMPTY


async def append(
    store: EventStore,
    work: Workspace,
    entries: Sequence[Entry],
    *,
    unmoved: Mapping[str, int] | None = None,
) -> Commit:
    """Append events to targets loaded in `work`, if none of them moved since; rows with them.

    What is told of a record that was erased is left out (see `erased`). `unmoved`: further streams
    that must still stand at these versions. Raises WrongVersion. The position of entries[i] is
    `first + i` of the returned commit.
    """
    expect = dict(unmoved or {})
    new = []
    said = await unsaid(store, [(entry.name, entry.event) for entry in entries])
    for entry, event in zip(entries, said, strict=True):
        stream = keys.hubspot_stream(entry.name)
        before = target_of(work, entry.name)
        expect.setdefault(stream, before.version)
        event = _with_replaced(before, event)
        ledger.track(work, entry.name, event, before.version + 1)
        new.append(new_event(stream, event, entry.cause))
    return await store.append(
        new,
        expect=expect,
        also=rows.writes(work),
        meta=done_by(_ACTOR),
    )


async def record(store: EventStore, outcomes: Sequence[OutcomeEntry]) -> None:
    """Append outcomes of commands on their way; finishes even when cancelled meanwhile."""
    if outcomes:
        await uncancelled(_record(store, outcomes))


async def _record(store: EventStore, outcomes: Sequence[OutcomeEntry]) -> None:
    for _ in range(_TRIES):
        work = Workspace()
        await rows.load(store, work, {"target": [one.name for one in outcomes]})
        entries = []
        for one in outcomes:
            doc = target_of(work, one.name)
            if doc.state == "sent" and doc.command == one.command:
                entries.append(Entry(one.name, one.event, one.cause))
            else:
                _log.error(
                    "%s: the outcome of command %d comes when it is no longer on its way (%s)",
                    one.name,
                    one.command,
                    doc.state,
                )
        try:
            await append(store, work, entries)
        except WrongVersion:
            continue
        return
    raise Contended


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end; a cancellation that comes meanwhile is raised after that."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as order:
            cancelled = order
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


async def emitted(store: EventStore, docs: Mapping[str, Target]) -> dict[str, int | None]:
    """The position of each target's open CommandEmitted."""
    places = [(keys.hubspot_stream(name), doc.command) for name, doc in docs.items()]
    return dict(zip(docs, await store.locate(places), strict=True))


def _with_replaced(before: Target, event: events.Event) -> events.Event:
    """The event, naming the record in whose place another one now stands."""
    if isinstance(event, events.CommandSucceeded) and event.outcome not in {"linked", "unlinked"}:
        known = before.lost or before.hubspot_id
        if known not in {"", event.hubspot_id} and ">" not in known:
            return msgspec.structs.replace(event, replaced=known)
    return event
