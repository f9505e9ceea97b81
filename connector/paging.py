"""Whole tables, two side by side, families of streams, what many streams hold, the log, and long
lists: page by page.

The store gives a page at a time, however much there is, so that nobody waits long behind anybody;
what is gone through is not held as a whole, but for the list of commits. What is written between
two pages is seen, or not, by its key or name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

from eventstore.types import Commit, EventStore, Row, StoredEvent

T = TypeVar("T")

_PAGE: Final = 1_000
_STREAMS: Final = 500  # of which all events are held at once


async def pages(
    store: EventStore, table: str, prefix: str = "", *, after: str = "", size: int = _PAGE
) -> AsyncIterator[list[Row]]:
    """All rows with this key prefix (and key > after), ascending by key, so many at a time."""
    while page := await store.scan(table, prefix=prefix, after=after, limit=size):
        after = page[-1].key
        yield page


async def each(store: EventStore, table: str, prefix: str = "") -> AsyncIterator[Row]:
    """All rows with this key prefix, ascending by key, one by one."""
    async for page in pages(store, table, prefix):
        for row in page:
            yield row


async def side_by_side(
    left: tuple[EventStore, str], right: tuple[EventStore, str], *, size: int = _PAGE
) -> AsyncIterator[tuple[list[Row], list[Row]]]:
    """All rows of two tables, each of its store, ascending by key: what one side has of a key comes
    in the same step as what the other has of it. Of either there may be none in a step.
    """
    after = ""
    while True:
        one, two = [
            await store.scan(table, after=after, limit=size) for store, table in (left, right)
        ]
        if not one and not two:
            return
        # Up to where both pages reach: beyond it one of them may have more that is not read yet.
        ends = [page[-1].key for page in (one, two) if len(page) == size]
        after = min(ends) if ends else max(page[-1].key for page in (one, two) if page)
        yield _upto(one, after), _upto(two, after)


def _upto(page: list[Row], last: str) -> list[Row]:
    return page if not page or page[-1].key <= last else [row for row in page if row.key <= last]


async def streams(store: EventStore, prefix: str) -> AsyncIterator[str]:
    """The names of all streams with this prefix, ascending."""
    after = ""
    while page := await store.streams(prefix, after=after, limit=_PAGE):
        for name in page:
            yield name
        after = page[-1]


async def log(
    store: EventStore,
    after: int = 0,
    *,
    types: Collection[str] = (),
    upto: int | None = None,
    size: int = _PAGE,
) -> AsyncIterator[list[StoredEvent]]:
    """The log's events of these types with position > after (and <= upto), so many at a time."""
    while page := await store.read(after, types=types, upto=upto, limit=size):
        yield page
        after = page[-1].position


async def histories(
    store: EventStore, names: Sequence[str]
) -> AsyncIterator[tuple[str, list[StoredEvent]]]:
    """Each of these streams and all its events, in the order of the names."""
    for some in parts(names, _STREAMS):
        for name, stored in (await store.histories(some)).items():
            yield name, stored


async def commits(store: EventStore, positions: Sequence[int]) -> list[Commit | None]:
    """The commit that holds each position, in their order, however many there are."""
    found: list[Commit | None] = []
    for part in parts(positions, _PAGE):
        found += await store.commits(part)
    return found


def parts(every: Iterable[T], size: int) -> Iterator[list[T]]:
    """All of them in their order, so many at a time."""
    left = iter(every)
    while part := list(islice(left, size)):
        yield part
