"""Waiting for something to become true, with a limit; never for time to pass."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LIMIT_S = 30.0  # far more than anything here takes; only a failure ever waits so long
_LOOK_S = 0.005


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Return as soon as `condition` holds; AssertionError naming `what` after the limit."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not await _asked(condition):  # noqa: ASYNC110 - what is awaited sets no event
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise AssertionError(f"after {LIMIT_S:g} s still not: {what}") from None


async def _asked(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
