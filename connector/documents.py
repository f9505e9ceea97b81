"""Documents of the read models, straight from the store: one, some by key, or a whole table.

For whoever reads: what is changed goes through a workspace, and `rows` between that and the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import TypeVar

from connector import paging
from eventstore.types import EventStore
from projections.tables import Doc
from projections.workspace import decode

D = TypeVar("D", bound=Doc)


async def one(store: EventStore, table: str, kind: type[D], key: str) -> D | None:
    """The document of this key, None when there is none."""
    return (await some(store, table, kind, [key])).get(key)


async def some(store: EventStore, table: str, kind: type[D], keys: Collection[str]) -> dict[str, D]:
    """Key to document, of those that are there."""
    rows = (await store.rows({table: keys}))[table] if keys else {}
    return {key: decode(table, row.value) for key, row in rows.items()}


async def each(
    store: EventStore, table: str, kind: type[D], prefix: str = ""
) -> AsyncIterator[tuple[str, D]]:
    """Key and document of all rows with this key prefix, ascending by key."""
    async for row in paging.each(store, table, prefix):
        yield row.key, decode(table, row.value)
