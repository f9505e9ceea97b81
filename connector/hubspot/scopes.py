"""Kinds of object that the token may not write: left alone, and tried again now and then.

A 403 concerns one kind of object, not the token. Its commands stay pending, the others go on, and
one command tries again after a minute, then after two, four … up to an hour: once somebody has
granted the scope everything of that kind goes on by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

_FIRST_S: Final = 60
_LONGEST_S: Final = 3600


class Holds:
    """Lanes that are held, since how many refusals in a row, and until when (µs UTC)."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._refusals: dict[str, int] = {}
        self._until_us: dict[str, int] = {}

    def refused(self, lane: str) -> None:
        """HubSpot says 403 (once more)."""
        count = self._refusals.get(lane, 0)
        wait_s = min(_LONGEST_S, _FIRST_S << min(count, 10))
        self._refusals[lane] = count + 1
        self._until_us[lane] = self._now_us() + wait_s * 1_000_000

    def granted(self, lane: str) -> None:
        """HubSpot takes this lane's objects."""
        self._refusals.pop(lane, None)
        self._until_us.pop(lane, None)

    def try_again(self) -> None:
        """A new run has been asked for: every lane may try at once."""
        for lane in self._until_us:
            self._until_us[lane] = 0

    def held(self) -> set[str]:
        """The lanes to leave alone now."""
        now_us = self._now_us()
        return {lane for lane, until_us in self._until_us.items() if until_us > now_us}

    def on_trial(self, lane: str) -> bool:
        """Whether one command is to find out if the lane is still refused."""
        return lane in self._refusals

    def wait_s(self) -> float:
        """Seconds until the next lane may try again; infinite when none is held."""
        until_us = min(self._until_us.values(), default=None)
        if until_us is None:
            return math.inf
        return max(0.0, (until_us - self._now_us()) / 1_000_000)
