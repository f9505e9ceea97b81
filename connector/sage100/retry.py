"""When to ask again, and when to stop asking.

Only errors that say of themselves that they may pass are tried again: after an exponentially
growing wait with full jitter, never sooner than the agent said, within a number of tries and a
total time. The rest, refused log-ons above all, leave at the first attempt.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import backoff
import msgspec

from connector.sage100.errors import AgentError
from connector.waiting import first_of

T = TypeVar("T")
log: Final = logging.getLogger(__name__)


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """At most `tries` attempts in `deadline_s`; waits of up to base·2ⁿ seconds, at most `cap_s`.

    While others use Sage 100 nobody waits longer than `longest_s`: the next round comes back.
    """

    tries: int = 5
    deadline_s: float = 600.0
    base_s: float = 1.0
    cap_s: float = 60.0
    longest_s: float = 60.0


ONCE: Final = Retry(tries=1)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Time and chance, as `persist` uses them."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[float], float] = backoff.full_jitter
    clock: Callable[[], float] = time.monotonic


async def persist(
    ask: Callable[[], Awaitable[T]],
    retry: Retry,
    waiting: Waiting,
    stop: asyncio.Event | None = None,
) -> T:
    """The answer of `ask`, asked again while its AgentErrors are retryable and `stop` is not set.

    Raises the last AgentError, with `attempts` saying how often it was asked.
    """
    began = waiting.clock()
    waits = backoff.expo(base=2, factor=retry.base_s, max_value=retry.cap_s)
    next(waits)  # the generator's first value is not a wait
    attempt = 1
    while True:
        try:
            return await ask()
        except AgentError as error:
            error.attempts = attempt
            wait_s = max(waiting.jitter(next(waits)), error.retry_after_s or 0.0)
            spent_s = waiting.clock() - began
            last = attempt >= retry.tries or spent_s + wait_s > retry.deadline_s
            last = last or (error.in_use and wait_s > retry.longest_s)
            if last or not error.retryable:
                raise
            log.info("%s: attempt %d failed, next in %.1f s", error.where, attempt, wait_s)
            if await _stopped(waiting.sleep(wait_s), stop):
                raise
        attempt += 1


async def _stopped(wait: Awaitable[None], stop: asyncio.Event | None) -> bool:
    """Wait, but no longer than until `stop` is set; whether it is."""
    if stop is None:
        await wait
        return False
    await first_of(wait, stop.wait())
    return stop.is_set()
