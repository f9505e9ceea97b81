"""What a run of the writer did, counted as it goes."""

from __future__ import annotations

import msgspec

from connector.errors import OtherEndFailed
from projections.tables import LANES


class LaneTally(msgspec.Struct, kw_only=True):
    """Counts of one HubSpot object. `failed` attempts are tried again; the others are ends."""

    created: int = 0
    updated: int = 0
    linked: int = 0
    found: int = 0
    adopted: int = 0
    lost: int = 0
    held: int = 0
    parked: int = 0
    failed: int = 0

    @property
    def succeeded(self) -> int:
        """Commands carried out."""
        return self.created + self.updated + self.linked + self.found


class Summary(msgspec.Struct, frozen=True):
    """A run that came to rest: its counts, and what is left.

    `pending`: commands not sent yet, of which `gated` wait for the projector to compare an adopted
    record. `barred`: HubSpot object to why none of it can be written, or not all; `remedies`: what
    to do about it, where that is known. `failed`: why it gave up.
    """

    lanes: dict[str, LaneTally]
    pending: int
    gated: int
    barred: dict[str, str]
    failed: OtherEndFailed | None = None
    remedies: dict[str, str] = {}

    @property
    def succeeded(self) -> int:
        """Commands carried out, over all objects."""
        return sum(lane.succeeded for lane in self.lanes.values())

    @property
    def parked(self) -> int:
        """Commands that need a person, over all objects."""
        return sum(lane.parked for lane in self.lanes.values())


def tallies() -> dict[str, LaneTally]:
    """A count of nothing for every lane."""
    return {lane: LaneTally() for lane in LANES}
