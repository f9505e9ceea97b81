"""The free commands of a lane of which some kinds are left alone, without reading all of it anew.

Links that may not be made stand between those that may, by the thousand and for days. The lane is
read once, and what is not left alone of it is kept in mind; from then on the log tells what has
changed. Whenever other kinds are to be left alone, it is read anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Set
from typing import Final

from connector.hubspot.scopes import Standing, kind_of
from eventstore import EventStore, Row
from projections import keys

_PAGE: Final = 1_000
# Whatever makes a command pending, or lets it be so no more.
_MOVES: Final = (
    "CommandEmitted",
    "CommandSent",
    "CommandFailed",
    "CommandParked",
    "CommandSuperseded",
    "CommandHeld",
    "CommandReleased",
)


class Bypass:
    """What is known of one lane while some of its kinds are held or on trial."""

    def __init__(
        self,
        store: EventStore,
        lane: str,
        standing: Standing,
        is_open: Callable[[Iterable[Row]], list[Row]],
        busy: Callable[[], Set[str]],
    ) -> None:
        """`is_open`: which of these may be taken now. `busy`: kinds of which some are in work."""
        self.standing = standing
        self._store = store
        self._lane = lane
        self._is_open = is_open
        self._busy = busy
        self._one_by_one = asyncio.Lock()
        self._position = -1  # of the log, up to which the rows below are what it says
        self._after = ""  # the key up to which the lane has been read
        self._at_end = False
        self._rows: dict[str, dict[str, Row]] = {}  # by kind, then by name
        self._more: set[str] = set()  # kinds on trial of which not all are kept in mind

    async def due(self, upto_us: int, limit: int) -> list[Row]:
        """So many rows due by then, the earliest first; of a kind on trial one, if none is busy.

        When there are fewer, all of the lane has been read.
        """
        async with self._one_by_one:
            await self._catch_up()
            found = self._choose(upto_us)
            missing = limit - len(found)
            while missing > 0 and not self._at_end:
                fresh = await self._read_on()
                others = [row for row in fresh if kind_of(row.key) not in self.standing.trial]
                missing -= len(self._is_open(_due(others, upto_us)))
            return self._choose(upto_us)[:limit]

    async def _catch_up(self) -> None:
        """Learn what the log has told since the last look; begin anew where that is not enough."""
        head = (await self._store.head()).last
        if self._position >= 0:
            await self._follow(head)
            gone = {kind for kind in self._more if not self._rows.get(kind)} - self._busy()
            if not gone:
                return
        self._position, self._after, self._at_end = head, "", False
        self._rows.clear()
        self._more.clear()

    async def _follow(self, head: int) -> None:
        table = f"outbox_{self._lane}"
        while self._position < head:
            page = await self._store.read(self._position, types=_MOVES, upto=head, limit=_PAGE)
            names = {event.stream.removeprefix(keys.hubspot_stream("")) for event in page}
            names = {name for name in names if self._concerns(name)}
            now = (await self._store.rows({table: names})).get(table, {}) if names else {}
            for name in names:
                self._rows.get(kind_of(name), {}).pop(name, None)
            self._keep(now.values())
            self._position = page[-1].position if len(page) == _PAGE else head

    def _concerns(self, name: str) -> bool:
        """Whether a target is one of those that have been read and are not left alone."""
        if not name.startswith(f"{self._lane}/") or not (self._at_end or name <= self._after):
            return False
        return kind_of(name) not in self.standing.held

    async def _read_on(self) -> list[Row]:
        """The next page of the lane; what was kept of it."""
        page = await self._store.scan(f"outbox_{self._lane}", after=self._after, limit=_PAGE)
        if page:
            self._after = page[-1].key
        self._at_end = len(page) < _PAGE
        return self._keep(page)

    def _keep(self, found: Collection[Row]) -> list[Row]:
        kept = []
        for row in found:
            kind = kind_of(row.key)
            if kind in self.standing.held:
                continue
            group = self._rows.setdefault(kind, {})
            if kind in self.standing.trial and len(group) >= _PAGE:
                self._more.add(kind)
                continue
            group[row.key] = row
            kept.append(row)
        return kept

    def _choose(self, upto_us: int) -> list[Row]:
        found: list[Row] = []
        busy = self._busy()
        for kind, group in self._rows.items():
            due = self._is_open(_due(group.values(), upto_us))
            if kind not in self.standing.trial:
                found += due
            elif due and kind not in busy:
                found.append(min(due, key=_order))
        return sorted(found, key=_order)


def _due(rows: Iterable[Row], upto_us: int) -> list[Row]:
    return [row for row in rows if row.rank is not None and row.rank <= upto_us]


def _order(row: Row) -> tuple[int, str]:
    return row.rank or 0, row.key
