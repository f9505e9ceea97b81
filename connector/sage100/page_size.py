"""How many rows to ask of one entity at a time: as many as this agent serves in good time.

The object interface of Sage 100 reads some 50 to 300 rows a second, has one session, and lets
others wait 30 s for it. So a page is to take no more than `TARGET_S`: one that took longer, or
never came, or was too large, makes the next one half as large; pages in good time let it grow
again by a quarter at a time. A page is found by its place in key order, so however large pages
are, a pass shows the same rows.
"""

from __future__ import annotations

import logging
from typing import Final

from connector.sage100.contract import MAX_LIMIT
from connector.sage100.errors import (
    AgentError,
    AgentTimeout,
    AgentUnreachable,
    CutShort,
    NotTheAgent,
    TooLarge,
)
from eventstore.types import EventStore, Put, Row, Table

TARGET_S: Final = 10.0
FEWEST: Final = 10  # rows; below, what a request costs outweighs what its rows cost
# Rows per page by "instance/entity", where they are fewer than the most. No fold of the log.
PAGE_SIZES: Final = Table("page_size")

log: Final = logging.getLogger(__name__)

_GAVE_UP: Final = frozenset({"408", "502", "504", "524"})  # a gateway waited too long


class PageSizes:
    """Rows per page, by entity, of one agent. `target_s`: how long a page may take."""

    def __init__(self, *, target_s: float = TARGET_S, fewest: int = FEWEST) -> None:
        self._target_s = target_s
        self._fewest = fewest
        self._sizes: dict[str, int] = {}
        self._stored: dict[str, int] | None = None

    def rows(self, entity: str, most: int = MAX_LIMIT) -> int:
        """What to ask for now, at most `most`."""
        return min(self._sizes.get(entity, MAX_LIMIT), most)

    def answered(self, entity: str, asked: int, got: int, took_s: float) -> None:
        """A page of `asked` rows brought `got`.

        One that is not even half full is no smaller for being asked smaller, and one that is not
        full proves nothing about a larger one.
        """
        if took_s > self._target_s:
            if got * 2 > asked:
                self._halve(entity, asked, f"{got} rows took {took_s:.0f} s")
        elif got >= asked >= self.rows(entity) and took_s * 2 <= self._target_s:
            self._sizes[entity] = min(asked + max(asked // 4, 1), MAX_LIMIT)

    def failed(self, entity: str, asked: int, error: AgentError, took_s: float) -> None:
        """A page of `asked` rows did not come. One too large is worth asking again, if smaller."""
        if isinstance(error, TooLarge):
            error.retryable = self._halve(entity, asked, "the answer was too large")
        elif isinstance(error, AgentTimeout):
            if error.connected:
                self._halve(entity, asked, "no answer in time")
        elif took_s > self._target_s and (
            isinstance(error, AgentUnreachable | CutShort)
            or (isinstance(error, NotTheAgent) and error.code in _GAVE_UP)
        ):
            self._halve(entity, asked, f"the connection ended after {took_s:.0f} s")

    def _halve(self, entity: str, asked: int, why: str) -> bool:
        """Whether there is a smaller size to go to."""
        if asked <= self._fewest:
            return False
        self._sizes[entity] = max(asked // 2, self._fewest)
        log.info("%s: %s; pages of %d rows from here on", entity, why, self._sizes[entity])
        return True

    # ------------------------------------------------------------ across restarts

    async def load(self, store: EventStore, instance: str) -> None:
        """Take up the sizes that were found before, once."""
        if self._stored is not None:
            return
        prefix = f"{instance}/"
        found = await store.scan(PAGE_SIZES.name, prefix=prefix, limit=1000)
        self._stored = {row.key.removeprefix(prefix): int(row.value) for row in found}
        self._sizes = {**self._stored, **self._sizes}

    async def save(self, store: EventStore, instance: str) -> None:
        """Keep the sizes that have changed."""
        known = self._stored or {}
        changed = {name: size for name, size in self._sizes.items() if known.get(name) != size}
        if changed:
            rows = [
                Row(f"{instance}/{entity}", str(size).encode()) for entity, size in changed.items()
            ]
            await store.append([], also=[Put(PAGE_SIZES.name, rows)])
            self._stored = {**known, **changed}
