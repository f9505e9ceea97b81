"""Whole tables, families of streams and long lists of positions, asked of the store page by page.

The store gives a page at a time, however much there is, so that nobody waits long behind anybody
and nothing is held as a whole. What is written between two pages is seen, or not, by its key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from eventstore.types import Commit, EventStore, Row

_PAGE: Final = 1_000


async def pages(
    store: EventStore, table: str, prefix: str = "", *, size: int = _PAGE
) -> AsyncIterator[list[Row]]:
    """All rows with this key prefix, ascending by key, so many at a time."""
    after = ""
    while page := await store.scan(table, prefix=prefix, after=after, limit=size):
        after = page[-1].key
        yield page


async def each(store: EventStore, table: str, prefix: str = "") -> AsyncIterator[Row]:
    """All rows with this key prefix, ascending by key, one by one."""
    async for page in pages(store, table, prefix):
        for row in page:
            yield row


async def streams(store: EventStore, prefix: str) -> AsyncIterator[str]:
    """The names of all streams with this prefix, ascending."""
    after = ""
    while page := await store.streams(prefix, after=after, limit=_PAGE):
        for name in page:
            yield name
        after = page[-1]


async def commits(store: EventStore, positions: Sequence[int]) -> list[Commit | None]:
    """The commit that holds each position, in their order, however many there are."""
    found: list[Commit | None] = []
    for start in range(0, len(positions), _PAGE):
        found += await store.commits(positions[start : start + _PAGE])
    return found
