"""Events made ready for the log, and in whose name and trace they are appended: the one place."""

from __future__ import annotations

from collections.abc import Iterable

from connector import tracing
from eventstore import Meta, NewEvent
from projections import events
from projections.decide import Emission


def new_event(stream: str, event: events.Event, cause: int | None = None) -> NewEvent:
    """An event ready to append; `cause`: the position of the event that led to it."""
    data = events.encode(event)
    return NewEvent(stream, events.type_of(event), data, events.schema_of(event), cause)


class Drafts:
    """Decided events for one append, encoded as they come; `expect`: the versions of their streams
    that they were decided on.
    """

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        self.expect: dict[str, int] = {}

    def take(self, emissions: Iterable[Emission]) -> None:
        """Add these. What stands in one stream twice counts on its first."""
        for emission in emissions:
            stream, cause = emission.stream, emission.cause
            self.expect.setdefault(stream, emission.expect)
            self.events += [new_event(stream, event, cause) for event in emission.events]


def in_the_name_of(by: str) -> Meta:
    """Who appends what a person asked for; `by` may be "" where nobody was named."""
    return done_by(f"operator:{by}" if by else "operator")


def done_by(actor: str) -> Meta:
    """Which part of the service appends, in the trace of what it is doing or in a new one."""
    return Meta(actor, tracing.of_its_own())
