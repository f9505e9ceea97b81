"""Kinds of object that the token may not write: left alone, and tried again now and then.

A 403 concerns one kind of object, or one pair of kinds that are associated, not the token. Its
commands stay pending, the others go on, and one command tries again after a minute, then after two,
four … up to an hour: once somebody has granted the scope everything of that kind goes on by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from projections import keys

_FIRST_S: Final = 60
_LONGEST_S: Final = 3600
_APART: Final = " > "


def kind_of(name: str) -> str:
    """What a scope is for: a target's lane, or of an association the pair of its ends' lanes."""
    lane, key = keys.split_target(name)
    if lane != "associations":
        return lane
    left, right = keys.ends(key)
    return pair_of(keys.split_target(left)[0], keys.split_target(right)[0])


def pair_of(left: str, right: str) -> str:
    """The kind of associations between two lanes."""
    return f"{left}{_APART}{right}"


class Standing(NamedTuple):
    """Kinds to leave alone, and kinds of which one command is to find out if they still are."""

    held: frozenset[str] = frozenset()
    trial: frozenset[str] = frozenset()

    def concerns(self, lane: str) -> bool:
        """Whether some of a lane's kinds are among them: only associations are of several."""
        return lane == "associations" and any(_APART in kind for kind in self.held | self.trial)


class Holds:
    """Kinds that are held, since how many refusals in a row, and until when (µs UTC)."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._refusals: dict[str, int] = {}
        self._until_us: dict[str, int] = {}

    def refused(self, kind: str) -> None:
        """HubSpot says 403 (once more)."""
        count = self._refusals.get(kind, 0)
        wait_s = min(_LONGEST_S, _FIRST_S << min(count, 10))
        self._refusals[kind] = count + 1
        self._until_us[kind] = self._now_us() + wait_s * 1_000_000

    def granted(self, kind: str) -> None:
        """HubSpot takes this kind."""
        self._refusals.pop(kind, None)
        self._until_us.pop(kind, None)

    def try_again(self) -> None:
        """A new run has been asked for: every kind may try at once."""
        for kind in self._until_us:
            self._until_us[kind] = 0

    def held(self) -> set[str]:
        """The kinds to leave alone now."""
        now_us = self._now_us()
        return {kind for kind, until_us in self._until_us.items() if until_us > now_us}

    def on_trial(self, kind: str) -> bool:
        """Whether one command is to find out if the kind is still refused."""
        return kind in self._refusals

    def standing(self) -> Standing:
        """Both, as they are now."""
        held = frozenset(self.held())
        return Standing(held, frozenset(self._refusals) - held)

    def wait_s(self) -> float:
        """Seconds until the next kind may try again; infinite when none is held."""
        now_us = self._now_us()
        waits_us = [until_us - now_us for until_us in self._until_us.values() if until_us > now_us]
        return min(waits_us) / 1_000_000 if waits_us else math.inf
