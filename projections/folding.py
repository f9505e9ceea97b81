"""What one step of folding works with: decoded log entries, the rows, and what became dirty.

A target may be marked more than once before it is decided on, and then the stronger mark stands: to
be sent in full is more than to look whether something that HubSpot worked out is to be put right,
and that is more than to be decided on.
"""

from __future__ import annotations

import msgspec

from projections import line
from projections.events import Event
from projections.tables import Dirty, Fanout
from projections.workspace import Workspace


class Entry(msgspec.Struct, frozen=True):
    """One event of the log, decoded. `payload` is None when erased or of an unknown type."""

    position: int
    stream: str
    version: int
    payload: Event | None


def stronger(mark: Dirty, before: Dirty | None) -> Dirty:
    """Of two marks on one target the one that asks for more, or else the newer."""
    return before if before is not None and _strength(before) > _strength(mark) else mark


def _strength(mark: Dirty) -> int:
    if not mark.force:
        return 0
    return 1 if mark.force == line.ARRIVED else 2


class Folding:
    """Rows being changed, targets to decide on again, and targets that something now frees.

    `dirty`: target to the newest position that touches it. `forced`: target to why it is sent in
    full. `arrived`: targets that have just come to exist in HubSpot, to the position that says so.
    `settled`: targets whose open attempt ended, to the position of its outcome. `observed`: rows
    observed per pass, not yet in its book. `moved`: "object:HubSpot id" of records that changed,
    to the position that says so: one of them may have been in another's way.
    """

    def __init__(self, work: Workspace) -> None:
        self.work = work
        self.dirty: dict[str, int] = {}
        self.forced: dict[str, Dirty] = {}
        self.arrived: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.observed: dict[str, int] = {}
        self.moved: dict[str, int] = {}

    def force(self, name: str, mark: Dirty) -> None:
        """Mark a target in one of the ways that say why."""
        self.forced[name] = stronger(mark, self.forced.get(name))

    def fan_out(self, fanout: Fanout) -> None:
        """Touch many targets later, in pages; one of the same kind and prefix starts over."""
        self.work.put("fanout", f"{fanout.kind}/{fanout.prefix}{fanout.note}", fanout)
