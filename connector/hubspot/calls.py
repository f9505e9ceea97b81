"""How many calls were made: a plain counter that the service reads and writes to the log."""

from __future__ import annotations

from collections.abc import Callable

from connector.hubspot.limiter import Day
from projections.events import CallsCounted


class CallCounter:
    """Calls since the client was opened; `since_last()` gives what was added, for the books."""

    def __init__(self, day: Callable[[], Day | None] = lambda: None) -> None:
        """`day`: what is known of the account's calls of today."""
        self._day = day
        self.total = 0
        self.writes = 0
        self.reads = 0
        self.refused_429 = 0
        self._told = CallsCounted()

    def count(self, *, write: bool) -> None:
        """One more call leaves."""
        self.total += 1
        if write:
            self.writes += 1
        else:
            self.reads += 1

    def since_last(self) -> CallsCounted | None:
        """What was counted since this was last asked; None when that is nothing."""
        told = self._told
        now = CallsCounted(
            hubspot_calls=self.total,
            hubspot_writes=self.writes,
            hubspot_reads=self.reads,
            hubspot_429=self.refused_429,
        )
        if now == told:
            return None
        self._told = now
        day = self._day()
        ends = None if day is None else day.resets_at
        return CallsCounted(
            hubspot_calls=now.hubspot_calls - told.hubspot_calls,
            hubspot_writes=now.hubspot_writes - told.hubspot_writes,
            hubspot_reads=now.hubspot_reads - told.hubspot_reads,
            hubspot_429=now.hubspot_429 - told.hubspot_429,
            hubspot_daily_limit=None if day is None else day.limit,
            hubspot_daily_left=None if day is None else day.left,
            hubspot_resets_at="" if ends is None else f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        )
