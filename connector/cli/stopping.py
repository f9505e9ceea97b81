"""Ending what runs until it is told to: SIGTERM and Ctrl-C ask, and get the time to finish.

So does SIGHUP, the terminal that goes away, unless whoever started the process had it ignored.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


def stopping_signals() -> list[signal.Signals]:
    """The signals of others that end a process of ours in good order."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN  # nohup
    return [signal.SIGTERM] if ignored else [signal.SIGTERM, signal.SIGHUP]


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that the first such signal or SIGINT sets; the second one interrupts at once.

    To be entered inside a running event loop.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    main = asyncio.current_task()

    def ask() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    signals = [signal.SIGINT, *stopping_signals()]
    for each in signals:
        loop.add_signal_handler(each, ask)
    try:
        yield stop
    finally:
        for each in signals:
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
