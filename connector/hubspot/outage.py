"""When HubSpot as a whole is in trouble: hold back, then try with one batch before many.

Failures that are not a record's own count here. Each one in a row doubles the wait, a success ends
it; so an outage costs a few calls instead of the whole outbox, and no record is blamed for it.
"""

from __future__ import annotations

from collections.abc import Callable


class Outage:
    """Failures in a row, and until when to hold back (µs UTC)."""

    def __init__(self, now_us: Callable[[], int], delay_s: Callable[[int], float]) -> None:
        self._now_us = now_us
        self._delay_s = delay_s
        self._until_us = 0
        self.failures = 0
        self.message = ""

    def failed(self, message: str, after_s: float | None) -> None:
        """One more failure; `after_s`: how long HubSpot asked to be left alone.

        While holding back already, it is one of the batches that were under way: the same failure.
        """
        if self.wait_s == 0:
            self.failures += 1
        elif after_s is None:
            return
        self.message = message
        wait_s = self._delay_s(self.failures) if after_s is None else after_s
        self._until_us = max(self._until_us, self._now_us() + int(wait_s * 1_000_000))

    def answered(self) -> None:
        """HubSpot does its part again."""
        self.failures = 0
        self._until_us = 0

    @property
    def wait_s(self) -> float:
        """Seconds still to hold back."""
        return max(0.0, (self._until_us - self._now_us()) / 1_000_000)
