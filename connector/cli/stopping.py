"""Ending what runs until it is told to: SIGTERM and Ctrl-C ask, and get the time to finish."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second one interrupts at once.

    To be entered inside a running event loop.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    main = asyncio.current_task()

    def ask() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    for each in SIGNALS:
        loop.add_signal_handler(each, ask)
    try:
        yield stop
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)


async def until_stopped(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Wait for a stop or for the work to end by itself; cancel the work, raise what it raised."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        work.cancel()
        await asyncio.wait({waiting, work})
    if not work.cancelled():
        work.result()
