"""Fields an undo has put back, and for how long they stay that way.

A pin says of one property: as long as Sage 100 and the mapping give `ours`, HubSpot shall hold
`back`. So the next pass over the log does not redo what was undone. A pin ends when the value they
give is another one, with the command that writes it; from then on the property is as any other.
The first time that `back` is written, HubSpot must still hold what the undo saw there: a person who
came first keeps what they typed, and the pin is lifted.

What had not been sent when it was undone is pinned in the same way, and so withdrawn. A record that
was not created yet by then is not created until its pins are lifted, nor a link made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from projections import events as e
from projections.diff import Difference
from projections.tables import Dirty, Pin, Target

REASON: Final = "undo: the value from before is put back"
WITHDRAWN: Final = "an undo withdrew it before it was sent; 'undo --lift' lets it be sent"


def in_force(doc: Target, desired: Mapping[str, str]) -> dict[str, Pin]:
    """Property to its pin, for the pins that what is desired now leaves alone."""
    return {name: pin for name, pin in doc.pins.items() if desired.get(name, pin.ours) == pin.ours}


def withhold_link(doc: Target, desired: str) -> bool:
    """Whether an undo withdrew that two records are linked, or are no more."""
    pin = doc.pins.get("linked")
    return pin is not None and pin.ours == desired


def put_back(
    difference: Difference, pinned: Mapping[str, Pin], doc: Target, mark: Dirty
) -> tuple[Difference, Dirty]:
    """The difference with what the pins ask for; the mark to decide with, telling of the undo."""
    changes = dict(difference.changes)
    expected: dict[str, str] = {}
    for name, pin in pinned.items():
        before = doc.held.get(name)
        again = mark.force or name in doc.doubt
        if pin.back is None or ((before or "") == pin.back and not again):
            continue
        left_out = doc.withheld.get(name)
        if left_out is not None and left_out.value == pin.back and not mark.force:
            continue  # HubSpot would refuse it once more
        changes[name] = before, pin.back
        if pin.expected is not None:
            expected[name] = pin.expected
    if changes and not difference.changes:
        mark = msgspec.structs.replace(mark, why=REASON)
    return msgspec.structs.replace(difference, changes=changes, expected=expected), mark


def outdated(pinned: Mapping[str, Pin], doc: Target) -> set[str]:
    """Pinned properties of which another value was left out than is to be there now."""
    return {
        name
        for name, pin in pinned.items()
        if name in doc.withheld and doc.withheld[name].value != pin.back
    }


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
    kept |= {name: Pin(ours, None) for name, ours in event.alone.items()}
    return kept | {
        name: Pin(ours, back, event.expected.get(name))
        for name, (ours, back) in event.values.items()
    }


def after_success(doc: Target, event: e.CommandSucceeded) -> dict[str, Pin]:
    """The pins once their values are written, or HubSpot held something else before they were.

    Lifting a pin must not send what was undone: where HubSpot is not known to hold that, the
    property is left alone instead.
    """
    kept: dict[str, Pin] = {}
    for name, pin in doc.pins.items():
        if name in event.overtaken:
            if doc.held.get(name) != pin.ours:
                kept[name] = Pin(pin.ours, None)
        elif doc.changes.get(name) == pin.back and name not in event.withheld:
            kept[name] = Pin(pin.ours, pin.back)
        else:
            kept[name] = pin
    return kept
