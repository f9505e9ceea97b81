"""Events of an erasure: what is left in the streams whose payloads were blanked.

They are part of `projections.events`, where everybody gets them, and of its promise: names and
fields are stored for ever.
"""

from __future__ import annotations

import msgspec

from projections.settings_events import Event


class RecordErased(Event, frozen=True):
    """Personal data of this source record was blanked: this is left, and stays all there is.

    `row`: the raw row's accounting columns, empty when the log had no row. `fingerprint`: of what
    is left. `vanished`: it had gone from Sage 100 before.
    """

    key: list[str] = msgspec.field(default_factory=list)
    row: dict[str, str] = msgspec.field(default_factory=dict)
    fingerprint: str = ""
    stamp: str = ""
    vanished: bool = False


class TargetErased(Event, frozen=True):
    """The past of this HubSpot object was blanked: this is where it stands.

    `held`: what HubSpot holds of it that is not personal; `cleared`: properties of ours that are to
    be emptied there. The numbers are those of the commands that were blanked; what was open of them
    counts as superseded.
    """

    hubspot_id: str = ""
    held: dict[str, str] = msgspec.field(default_factory=dict)
    cleared: list[str] = msgspec.field(default_factory=list)
    unkeyed: bool = False
    lost: str = ""
    emitted: int = 0
    succeeded: int = 0
    superseded: int = 0
    adopted: int = 0
    skipped: int = 0
