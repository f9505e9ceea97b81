"""Events of drift: what HubSpot holds that is not what it had acknowledged.

They are part of `projections.events`, where everybody gets them, and of its promise.
"""

from __future__ import annotations

import msgspec

from projections.settings_events import Event


class DriftFound(Event, frozen=True):
    """Somebody else changed what we wrote, and it is to be put right by the rules of ownership.

    `values`: property to (what HubSpot had acknowledged, what it holds now). `by`: property to who
    did that and when, as its history tells. `unsaid`: properties that hold something else which is
    not written down, for it may be personal data that was erased.
    """

    values: dict[str, tuple[str, str]]
    by: dict[str, str] = msgspec.field(default_factory=dict)
    unsaid: list[str] = msgspec.field(default_factory=list)


class ReconcileRequested(Event, frozen=True):
    """An operator wants what was found in HubSpot put right.

    `records`: how many hold something else; `missing`: how many, links among them, are not there.
    """

    records: int
    missing: int = 0
    by: str = ""
