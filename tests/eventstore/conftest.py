"""Every backend behind one fixture: a promise is tested once and holds for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from eventstore import Commit, EventStore, NewEvent, Table, open_store

TABLES = (Table("items"), Table("spare"), Table("jobs", ranked=True), Table("shadow", ranked=True))
LIMIT_S = 20.0

Opener = Callable[..., contextlib.AbstractAsyncContextManager[EventStore]]


class ManualClock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh store of each backend may be made."""
    assert request.param == "sqlite"
    return f"sqlite:///{tmp_path / 'events.db'}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opener(url: str, clock: ManualClock) -> Opener:
    """Open the same store, as often as the test likes."""

    def open_(**options: Any) -> contextlib.AbstractAsyncContextManager[EventStore]:
        return open_store(url, **{"tables": TABLES, "clock_us": clock, **options})

    return open_


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[EventStore]:
    async with opener() as opened:
        yield opened


@pytest.fixture
def path(url: str) -> Path:
    """The file of a store that is one."""
    return Path(url.removeprefix("sqlite:///"))


def event(stream: str = "a", type_: str = "Noted", data: bytes = b"{}") -> NewEvent:
    return NewEvent(stream, type_, data)


async def fill(store: EventStore, count: int, *, streams: int = 3, per_append: int = 4) -> Commit:
    """Append `count` numbered events over a few streams; the last commit."""
    commit = await store.head()
    for start in range(0, count, per_append):
        events = [
            NewEvent(f"s/{n % streams}", f"Type{n % 2}", b'{"n":%d}' % n)
            for n in range(start, min(start + per_append, count))
        ]
        commit = await store.append(events)
    return commit


async def all_events(store: EventStore) -> list[Any]:
    """The whole log, page by page."""
    found: list[Any] = []
    while page := await store.read(found[-1].position if found else 0):
        found += page
    return found
