"""Finding records by a part of their name, as Sage 100 has it."""

from __future__ import annotations

from typing import Final

from connector import documents
from eventstore import EventStore
from projections.tables import Account, SourceRow

SHORTEST: Final = 2  # characters of a part worth looking for
MOST: Final = 50  # choices; more help nobody
# table -> (what its rows are, kind of target, columns that hold a name)
_NAMED: Final[dict[str, tuple[type[Account | SourceRow], str, tuple[str, ...]]]] = {
    "account": (Account, "companies", ("CustomerName",)),
    "vendor": (SourceRow, "vendors", ("VendorName",)),
    "contact": (SourceRow, "contacts", ("ContactName", "EmailAddress")),
}


async def by_name(store: EventStore, part: str) -> list[str]:
    """Targets whose name holds this part, in any case; the first `MOST` of each kind."""
    wanted = part.strip().casefold()
    if len(wanted) < SHORTEST:
        return []
    out: list[str] = []
    for table, (rows, kind, columns) in _NAMED.items():
        found: list[str] = []
        async for key, doc in documents.each(store, table, rows):
            cells = doc.row or {}
            if any(wanted in cells.get(column, "").casefold() for column in columns):
                found.append(f"{kind}/{key}")
            if len(found) == MOST:
                break
        out += found
    return out
