"""Where our coroutines wait, and ending the process at one such place, of which pass one likes.

Every task of the loop is driven through here. When it is suspended, the lines of ours that await
are a point it passes ("leaves"): what it asked for is under way, and may yet happen. When it goes
on from there it passes another ("returns"): what it asked for has happened, and nothing of ours
knows. `os._exit` at a point ends the process as a kill or a power failure does: nothing is flushed,
closed or told.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Generator
from pathlib import Path
from types import CoroutineType, FrameType, GeneratorType
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
KILLED: Final = 137
_OURS: Final = tuple(str(ROOT / name) + os.sep for name in ("connector", "eventstore"))


class Point(NamedTuple):
    """Lines that await, on leaving them or returning to them, and which pass of them."""

    place: str
    way: str  # "leaves" or "returns"
    number: int = 1


class Watch:
    """Counts the points that are passed; at `die_at` the process ends."""

    def __init__(self, die_at: Point | None = None) -> None:
        self.passed: Counter[tuple[str, str]] = Counter()
        self._die_at = die_at

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drive every task of the loop from now on."""

        def factory(
            loop: asyncio.AbstractEventLoop, coro: Any, **options: Any
        ) -> asyncio.Task[Any]:
            return asyncio.Task(_Watched(coro, self), loop=loop, **options)

        loop.set_task_factory(factory)

    def passes(self, place: str, way: str) -> None:
        """Count, and die if this is the point."""
        self.passed[place, way] += 1
        if self._die_at == Point(place, way, self.passed[place, way]):
            os._exit(KILLED)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that says where it waits, each time it does."""

    def __init__(self, inner: Coroutine[Any, Any, Any], watch: Watch) -> None:
        self._inner = inner
        self._watch = watch
        self._place = ""

    def send(self, value: Any) -> Any:
        self._returns()
        return self._left(self._inner.send(value))

    def throw(self, *problem: Any) -> Any:
        self._returns()
        return self._left(self._inner.throw(*problem))

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def _returns(self) -> None:
        if self._place:
            self._watch.passes(self._place, "returns")

    def _left(self, waits_for: Any) -> Any:
        self._place = place_of(self._inner)
        if self._place:
            self._watch.passes(self._place, "leaves")
        return waits_for


def place_of(coro: Any) -> str:
    """The lines of ours that await one another, outermost first; "" when none does.

    "connector/app.py:120 > eventstore/sqlite.py:80": one line of the store is many points, by who
    waits for it.
    """
    places = []
    while coro is not None:
        frame, waits_for = _frame_of(coro)
        if frame is None:
            break
        file = frame.f_code.co_filename
        if file.startswith(_OURS) and f"{os.sep}sandbox{os.sep}" not in file:
            places.append(f"{file[len(str(ROOT)) + 1 :]}:{frame.f_lineno}")
        coro = waits_for
    return " > ".join(places)


def _frame_of(coro: Any) -> tuple[FrameType | None, Any]:
    """The frame of a coroutine or generator, and what it waits for; None for anything else."""
    if isinstance(coro, CoroutineType):
        return coro.cr_frame, coro.cr_await
    if isinstance(coro, GeneratorType):
        return coro.gi_frame, coro.gi_yieldfrom
    return None, None
