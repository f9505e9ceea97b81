"""Whether two sets of read models are the same, row by row and byte for byte.

Work lists are left out: what stands in them is no fold of the log. Both sides are gone through in
the order of their keys, so that a row more or less on one side shifts nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from connector import paging
from connector.refolding import Tables
from eventstore import Row
from projections.tables import TABLES, WORK_LISTS

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
    async for left, right in paging.side_by_side(live.place(table), rebuilt.place(table)):
        if left == right:
            count += len(left)
            continue
        ours, theirs = ({row.key: row for row in page} for page in (left, right))
        every = ours.keys() | theirs.keys()
        wrong = sorted(key for key in every if ours.get(key) != theirs.get(key))
        count += len(every)
        differs += len(wrong)
        if wrong and first is None:
            key = wrong[0]
            first = Mismatch(table, key, _shown(ours.get(key)), _shown(theirs.get(key)))
    return count, differs, first


def _shown(row: Row | None) -> str | None:
    if row is None:
        return None
    text = row.value.decode("utf-8", "replace")[:_SHOWN]
    return text if row.rank is None else f"{text} (rank {row.rank})"
