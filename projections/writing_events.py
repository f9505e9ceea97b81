"""Events of audit/writing: what HubSpot does not let us write, and since when.

A refused token stops all writing, a missing scope that of one kind of object. Either is told once,
when it begins, and once when it is over: in between everything that waits is in the log anyhow.
They are part of `projections.events`, where everybody gets them, and of its promise.
"""

from __future__ import annotations

from projections.settings_events import Event


class WritingStopped(Event, frozen=True):
    """HubSpot does not accept the token: nothing is written any more until a person acts.

    `since`: "YYYY-MM-DDTHH:MM:SSZ".
    """

    category: str
    message: str
    remedy: str
    since: str
    endpoint: str = ""


class WritingResumed(Event, frozen=True):
    """HubSpot accepts the token again."""


class LaneHeld(Event, frozen=True):
    """The token may not write this kind of object: its commands wait, all others go on.

    `object`: a lane, or of associations the pair of lanes, "invoices > deals". `since`:
    "YYYY-MM-DDTHH:MM:SSZ".
    """

    object: str
    category: str
    message: str
    remedy: str
    since: str


class LaneReleased(Event, frozen=True):
    """HubSpot takes this kind of object again."""

    object: str
