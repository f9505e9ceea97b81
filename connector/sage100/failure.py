"""How the log is told of a pass that ended early: that it waits, or that it failed.

Period end, a backup or a utility holds Sage 100's files for itself, and a full office takes every
seat; that is how nights there go, and nobody should be woken for it. So a pass that ends because
Sage 100 is in use only waits, and has failed when that has gone on for too long, counted from its
first attempt that brought nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connector.sage100.errors import AgentError
from connector.sage100.place import Place
from projections.events import PollDeferred, PollFailed, Via

ALARM_AFTER: Final = timedelta(hours=4)


def failed(via: Via, error: AgentError) -> PollFailed:
    """The event that says what, where and what to do."""
    tried = f" Tried {error.attempts} times." if error.attempts > 1 else ""
    return PollFailed(
        via=via,
        category=error.category,
        message=error.what + tried,
        remedy=error.remedy,
        endpoint=error.call.endpoint,
        wsdl=error.wsdl,
        code=error.code,
        retryable=error.retryable,
        stopped=error.stopped,
    )


def ended(
    place: Place, via: Via, error: AgentError, now: datetime, alarm_after: timedelta
) -> tuple[Place, PollDeferred | PollFailed]:
    """The place to stand at, and the event; `now` aware, `alarm_after` the time to wait at most."""
    event = failed(via, error)
    if not error.in_use:
        return place, event
    since_s = place.waiting_since_s or int(now.timestamp())
    place = msgspec.structs.replace(place, waiting_since_s=since_s)
    since = datetime.fromtimestamp(since_s, UTC)
    if now - since >= alarm_after:
        long = f"{event.message} That has been so since {_text(since)}."
        remedy = "See who uses Sage 100, or holds its seats, at such an hour; it goes on by itself."
        return place, msgspec.structs.replace(event, message=long, remedy=remedy)
    return place, PollDeferred(
        via=via,
        message=event.message,
        since=_text(since),
        alarm_at=_text(since + alarm_after),
        endpoint=event.endpoint,
        code=event.code,
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
