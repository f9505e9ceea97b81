"""Fields an undo has put back, and for how long they stay that way.

A pin says of one property: as long as Sage 100 and the mapping give `ours`, HubSpot shall hold
`back`. So the next pass over the log does not redo what was undone. A pin ends when the value they
give is another one, with the command that writes it; from then on the property is as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from projections import events as e
from projections.tables import Dirty, Pin, Target

REASON: Final = "undo: the value from before is put back"

Changes = dict[str, tuple[str | None, str]]


def in_force(doc: Target, desired: Mapping[str, str]) -> dict[str, str]:
    """Property to the value it is held at, for the pins that what is desired now leaves alone."""
    return {
        name: pin.back for name, pin in doc.pins.items() if desired.get(name, pin.ours) == pin.ours
    }


def put_back(changes: Changes, pinned: Mapping[str, str], doc: Target, mark: Dirty) -> Dirty:
    """Add to `changes` what the pins ask for; the mark to decide with, telling of the undo."""
    ordinary = bool(changes)
    for name, back in pinned.items():
        before = doc.held.get(name)
        if mark.force or name in doc.doubt or (before or "") != back:
            changes[name] = before, back
    return mark if ordinary or not changes else msgspec.structs.replace(mark, why=REASON)


def after_command(doc: Target, changes: Mapping[str, tuple[str | None, str]]) -> dict[str, Pin]:
    """The pins that outlive a command: one that writes something else ends the pin."""
    return {
        name: pin
        for name, pin in doc.pins.items()
        if name not in changes or changes[name][1] == pin.back
    }


def after_pinning(doc: Target, event: e.FieldsPinned) -> dict[str, Pin]:
    """The pins with those of the event; the ones it lifts are gone."""
    kept = {name: pin for name, pin in doc.pins.items() if name not in event.lifted}
    return kept | {name: Pin(ours, back) for name, (ours, back) in event.values.items()}
