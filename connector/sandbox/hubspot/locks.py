"""Locked records: for some seconds by order, or while another write of them is under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

LOCK_S = 2.0
"""How long a lock of HubSpot's lasts."""

Key = tuple[str, int]
"""Object type and record id."""


class Locks:
    """What is locked, by a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[Key, float] = {}
        self._under_way: Counter[Key] = Counter()

    def lock(self, key: Key, seconds: float = LOCK_S) -> None:
        """Lock a record for some seconds."""
        self._until[key] = self._clock() + seconds

    def met(self, keys: Iterable[Key]) -> list[Key]:
        """Those of the records that are locked now."""
        if not self._until and not self._under_way:
            return []
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        return [key for key in keys if key in self._until or self._under_way[key] > 0]

    @contextmanager
    def under_way(self, keys: Iterable[Key]) -> Iterator[None]:
        """Lock records while a write of them has not been answered."""
        held = list(keys)
        self._under_way.update(held)
        try:
            yield
        finally:
            self._under_way.subtract(held)
            self._under_way += Counter()  # drops those that are at zero
