"""Waiting for whatever comes first, so that nothing which was only waited for outlives the wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Collection
from typing import Any


async def first_of(
    *work: Awaitable[object],
    beside: Collection[asyncio.Task[Any]] = (),
    timeout_s: float | None = None,
) -> None:
    """Wait until any of them is done, at most so long. `work` ends then, also when this is
    cancelled; what is `beside` goes on.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait(
            [*tasks, *beside], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def rest(stop: asyncio.Event, longest_s: float) -> None:
    """Wait so long, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await stop.wait()
