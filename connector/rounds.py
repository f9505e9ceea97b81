"""Rounds of polling in the log: where one begins and the next one does.

A round is a sequence of passes in which no entity of a company comes twice, with the settings and
the new day that were told just before. So a `run --once` is one round, and the service's passes
fall into rounds by themselves. Days that came and went while nothing was read, for a refused log-on
for instance, belong to the round before.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from connector import paging
from eventstore import EventStore

_TELLING: Final = ("AgingDateAdvanced", "PollStarted", "SourceDescribed")
_ORDERS: Final = (
    "DriftFound",
    "FieldsPinned",
    "MappingActivated",
    "PlanApplied",
    "ReconcileRequested",
    "ReplayRequested",
    "UndoRequested",
)
_PAGE: Final = 1000


class Round(NamedTuple):
    """Positions `first` to `last`; the newest one lasts until the log's head."""

    first: int
    last: int


async def rounds(store: EventStore) -> list[Round]:
    """Every round of the log, the oldest first."""
    starts: list[int] = []
    seen: set[str] = set()
    told = 0  # where what was told just before a pass begins
    tellers: set[str] = set()
    async for page in paging.log(store, types=_TELLING):
        for event in page:
            if event.type != "PollStarted":
                if not told or event.stream in tellers:  # what was told of it before is over
                    told = event.position
                    tellers.clear()
                tellers.add(event.stream)
                continue
            if not starts or event.stream in seen:
                starts.append(told or event.position)
                seen.clear()
            seen.add(event.stream)
            told = 0
    ends = [start - 1 for start in starts[1:]] + [(await store.head()).last]
    return [Round(first, last) for first, last in zip(starts, ends, strict=False)]


async def orders(store: EventStore, after: int) -> frozenset[int]:
    """Positions of what people ordered since: what that led to is no work of the round's."""
    pages = paging.log(store, after, types=_ORDERS)
    return frozenset([event.position async for page in pages for event in page])


async def round_at(store: EventStore, position: int | None) -> Round | None:
    """The round that holds a position, or (None) the newest one that led to a command."""
    found = await rounds(store)
    if position is not None:
        return next((one for one in found if one.first <= position <= one.last), None)
    newest = 0
    for one in reversed(found):
        page = await store.read(one.first, types=["CommandEmitted"], limit=_PAGE)
        ordered = await orders(store, one.first)
        causes = [event.cause or 0 for event in page if event.cause not in ordered]
        newest = max(newest, *causes) if causes else newest
        if newest >= one.first:
            return one
    return None
