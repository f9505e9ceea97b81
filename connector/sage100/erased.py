"""Records whose personal data was erased, at the door: what is personal never comes in again.

The log says which (`RecordErased`), and its fold is asked with every page. Their personal cells are
emptied before anything is fingerprinted, compared or appended, so that to all behind here Sage 100
has no such data, and a change of it is no change. With a customer go the contacts it has or gets.
"""

from __future__ import annotations

import msgspec

from connector import paging
from connector.sage100.contract import Page
from connector.sage100.selection import Selection
from eventstore.types import EventStore
from projections import keys, personal
from projections.source import fingerprint_key


async def erased_keys(store: EventStore, company: str, entity: str) -> set[str]:
    """The record keys (01-ABF) of this entity whose personal data was erased."""
    prefix = fingerprint_key(company, entity, "")
    return {row.key[len(prefix) :] async for row in paging.each(store, "erased", prefix)}


async def blanked(
    store: EventStore, company: str, selection: Selection, page: Page
) -> tuple[Page, frozenset[str]]:
    """The page without personal cells of erased records, and those records' `fingerprint` keys."""
    entity = selection.entity
    if entity not in personal.KEPT:
        return page, frozenset()
    erased = await erased_keys(store, company, entity)
    customers: set[str] = set()
    if entity == "AR_CustomerContact":
        customers = await erased_keys(store, company, "AR_Customer")
    if not erased and not customers:
        return page, frozenset()
    places = [page.columns.index(column) for column in selection.key]
    rows = []
    touched = []
    for cells in page.rows:
        key = keys.record_key(entity, [cells[place] for place in places])
        if key in erased or key.partition(":")[0] in customers:
            touched.append(fingerprint_key(company, entity, key))
            left = personal.kept(entity, key, dict(zip(page.columns, cells, strict=True)))
            rows.append(tuple(left.get(column, "") for column in page.columns))
        else:
            rows.append(cells)
    if not touched:
        return page, frozenset()
    return msgspec.structs.replace(page, rows=rows), frozenset(touched)
