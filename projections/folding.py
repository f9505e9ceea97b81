"""What one step of folding works with: decoded log entries, the rows, and what became dirty."""

from __future__ import annotations

from typing import NamedTuple

from projections.events import Event
from projections.tables import Dirty, Fanout
from projections.workspace import Workspace


class Entry(NamedTuple):
    """One event of the log, decoded. `payload` is None when erased or of an unknown type."""

    position: int
    stream: str
    version: int
    payload: Event | None


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

    def fan_out(self, fanout: Fanout) -> None:
        """Touch many targets later, in pages; one of the same kind and prefix starts over."""
        self.work.put("fanout", f"{fanout.kind}/{fanout.prefix}{fanout.note}", fanout)
