"""What the service does now and then beside its work: a mistake in it must not end the service.

Trying again what was refused, looking for deals, publishing anchors: the service goes on without
any of them, so a mistake is logged with its traceback and the next turn comes a while later. What
the store says is another matter: it ends the service, as in every other part of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from connector.waiting import rest
from eventstore import EventStoreError

LOOK_S: Final = 5.0
PAUSE_S: Final = 300.0  # after a mistake, at least
_log: Final = logging.getLogger(__name__)


async def every(
    period_s: float,
    turn: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
    *,
    what: str,
    first_s: float = 0.0,
    look_s: float = LOOK_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Take a turn every so many seconds (the first after `first_s`) until `stop`.

    `what`: its name in the log. `look_s`: how often the `clock` (monotonic seconds) is looked at.
    """
    due_s = clock() + first_s
    while not stop.is_set():
        if clock() >= due_s:
            went_well = await shielded(turn, what)
            due_s = clock() + (period_s if went_well else max(period_s, PAUSE_S))
        await rest(stop, look_s)


async def shielded(turn: Callable[[], Awaitable[object]], what: str) -> bool:
    """Take one turn; whether it went well. Raises what the store raises, and nothing else."""
    try:
        await turn()
    except EventStoreError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the service has work to do
        _log.exception("%s failed by a mistake of ours; the service goes on", what)
        return False
    return True
