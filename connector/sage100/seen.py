"""Which records a sweep under way has been shown: what is known and not among them is absent.

Every page leaves one row with the keys it showed, in its own append, so a crash loses none and
counts none twice. The rows are kept in the order of their least key, and the known keys are gone
through in that order too; of the pages, only those that reach from before the present keys to
behind them are in memory. An agent's pages are nearly in the order of our keys, so that is one or
two; an agent with another order is read as rightly, and takes memory for the pages that overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.types import EventStore, Put, Remove, Row, Table

# A work table: no fold of the log, and empty when no sweep is under way.
SEEN: Final = Table("sweep_page")

_PAGES: Final = 20  # rows of some 12 KB each
_BREAK: Final = "\t"  # in no key, and below every character that is


class _Shown(NamedTuple):
    """The keys of one page."""

    least: str
    greatest: str
    keys: frozenset[str]


def noted(place: str, generation: int, move: int, keys: Sequence[str]) -> Put:
    """What a page showed. `place`: "ABC/AR_Customer/", with which all `keys` begin; `generation`:
    of the sweep; `move`: number of the append that it goes with.
    """
    bare = [key[len(place) :] for key in keys]
    name = f"{_prefix(place, generation)}{min(bare)}{_BREAK}{move}"
    return Put(SEEN.name, [Row(name, _BREAK.join(bare).encode())])


async def any_noted(store: EventStore, place: str, generation: int) -> bool:
    """Whether this sweep has been shown anything."""
    return bool(await store.scan(SEEN.name, prefix=_prefix(place, generation), limit=1))


async def forget_noted(store: EventStore, place: str) -> None:
    """Drop what every sweep of this entity was shown, those that were given up included."""
    while page := await store.scan(SEEN.name, prefix=place, limit=_PAGES):
        await store.append([], also=[Remove(SEEN.name, [row.key for row in page])])


class Seen:
    """Goes along with the known keys, in their order, and tells which of them were not shown."""

    def __init__(self, store: EventStore, place: str, generation: int) -> None:
        self._store = store
        self._place = place
        self._prefix = _prefix(place, generation)
        self._after = ""
        self._more = True
        self._pages: list[_Shown] = []

    async def missing(self, known: Sequence[Row]) -> list[Row]:
        """Those of these `fingerprint` rows, ascending and behind all asked before, not shown."""
        if not known:
            return []
        begin = len(self._place)
        first, last = known[0].key[begin:], known[-1].key[begin:]
        while self._more and (not self._pages or self._pages[-1].least <= last):
            await self._load(first)
        self._pages = [page for page in self._pages if page.greatest >= first]
        shown: set[str] = set()
        shown.update(*[page.keys for page in self._pages if page.least <= last])
        return [row for row in known if row.key[begin:] not in shown]

    async def _load(self, first: str) -> None:
        """The next pages, but those that end before `first`."""
        found = await self._store.scan(
            SEEN.name, prefix=self._prefix, after=self._after, limit=_PAGES
        )
        self._more = len(found) == _PAGES
        for row in found:
            keys = row.value.decode().split(_BREAK)
            self._pages.append(_Shown(min(keys), max(keys), frozenset(keys)))
        if found:
            self._after = found[-1].key
        # The last stays, to tell how far has been loaded.
        self._pages = [page for page in self._pages[:-1] if page.greatest >= first] + (
            self._pages[-1:]
        )


def _prefix(place: str, generation: int) -> str:
    return f"{place}{generation}{_BREAK}"
