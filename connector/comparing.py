"""Whether two sets of read models are the same, row by row and byte for byte.

Work lists are left out: what stands in them is no fold of the log. Both sides are gone through in
the order of their keys, a page at a time, so that a row more or less on one side shifts nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from connector.refolding import Tables
from eventstore import Row
from projections.tables import TABLES, WORK_LISTS

_PAGE: Final = 1_000
_SHOWN: Final = 500  # characters of a row


class Mismatch(msgspec.Struct, frozen=True):
    """The first row that differs: what stands in the live table and what the log gives."""

    table: str
    key: str
    live: str | None
    rebuilt: str | None


class Difference(msgspec.Struct, frozen=True):
    """One table: in how many of its rows the two differ, and the first of them."""

    table: str
    rows: int
    first: Mismatch


class Compared(NamedTuple):
    """Rows compared, and the tables that differ."""

    rows: int
    differences: list[Difference]


async def compare(live: Tables, rebuilt: Tables) -> Compared:
    """Compare every table that is a fold of the log."""
    count = 0
    found = []
    for table in TABLES:
        if table not in WORK_LISTS:
            rows, differs, first = await _table(table, live, rebuilt)
            count += rows
            if first is not None:
                found.append(Difference(table, differs, first))
    return Compared(count, found)


async def _table(table: str, live: Tables, rebuilt: Tables) -> tuple[int, int, Mismatch | None]:
    """Rows, how many of them differ, and the first that does."""
    count = differs = 0
    first: Mismatch | None = None
    after = ""
    while True:
        left = await live.store.scan(live.prefix + table, after=after, limit=_PAGE)
        right = await rebuilt.store.scan(rebuilt.prefix + table, after=after, limit=_PAGE)
        if not left and not right:
            return count, differs, first
        # Up to where both pages reach: beyond it one of them may have more that is not read yet.
        ends = [page[-1].key for page in (left, right) if len(page) == _PAGE]
        after = min(ends) if ends else max(page[-1].key for page in (left, right) if page)
        if left == right:
            count += len(left)
            continue
        ours = {row.key: row for row in left if row.key <= after}
        theirs = {row.key: row for row in right if row.key <= after}
        wrong = sorted(
            key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)
        )
        count += len(ours.keys() | theirs.keys())
        differs += len(wrong)
        if wrong and first is None:
            key = wrong[0]
            first = Mismatch(table, key, _shown(ours.get(key)), _shown(theirs.get(key)))


def _shown(row: Row | None) -> str | None:
    if row is None:
        return None
    text = row.value.decode("utf-8", "replace")[:_SHOWN]
    return text if row.rank is None else f"{text} (rank {row.rank})"
