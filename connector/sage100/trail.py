"""Whether pages come to an end: an agent that names a place twice would be followed for ever.

A place in key order comes once in a pass. Rather than keep all of them, one is marked, after 1, 2,
4, 8 … pages: whatever ring the agent leads us into, before long a mark lies in it and is long
enough ago for the whole ring to have been gone round (Brent's algorithm).
"""

from __future__ import annotations


class Trail:
    """The places of one reading, in the order in which they are gone to."""

    def __init__(self, place: str) -> None:
        self._mark = place
        self._steps = 0
        self._next_mark = 1

    def comes_again(self, place: str) -> bool:
        """Whether the next place to go to is a former one."""
        if place == self._mark:
            return True
        self._steps += 1
        if self._steps == self._next_mark:
            self._mark = place
            self._next_mark *= 2
        return False
