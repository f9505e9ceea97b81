"""Attempts whose outcome a crash hid: marked, so that they are read before a resend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connector import rows
from connector.hubspot import journal
from connector.hubspot.journal import OutcomeEntry
from eventstore import EventStore
from projections import events
from projections.workspace import Workspace

_PAGE: Final = 500


async def mark_interrupted(store: EventStore, now_us: Callable[[], int]) -> None:
    """Record of every attempt that is under way that nobody knows its outcome; due at once."""
    while page := await store.scan("inflight", limit=_PAGE):  # none of them stays there
        names = [row.key for row in page]
        work = Workspace()
        await rows.load(store, work, {"target": names})
        docs = {name: journal.target_of(work, name) for name in names}
        causes = await journal.emitted(store, docs)
        outcomes = [
            OutcomeEntry(
                name,
                doc.command,
                events.CommandFailed(
                    doc.command,
                    "interrupted",
                    "the service ended before HubSpot's answer was recorded",
                    now_us(),
                    doc.attempt,
                    unknown=True,
                ),
                causes[name],
            )
            for name, doc in docs.items()
        ]
        await journal.record(store, outcomes)
