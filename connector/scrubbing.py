"""The last step of an erasure: no file of the store holds old bytes any more.

The file is written anew. A reader beside can keep the write-ahead log from being emptied meanwhile,
so a running service goes on trying until nobody does. How far that has come is a checkpoint: what
was not finished when the process ended is begun again by the next to open the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import msgspec

from connector.waiting import rest
from eventstore import ERASURE_STREAM, Checkpoint, ErasureUnfinished, EventStore, Unavailable

_SCRUBBED: Final = "scrubbed"  # up to which of them everything else has followed
_AGAIN_S: Final = 5.0  # one more try costs next to nothing
_log: Final = logging.getLogger(__name__)


async def behind(store: EventStore) -> Checkpoint | None:
    """The checkpoint that is to be reached; None: everything has followed the last erasure."""
    stored = await store.history(ERASURE_STREAM)
    reached = await store.checkpoint(_SCRUBBED)
    if not stored or reached.position >= stored[-1].position:
        return None
    return msgspec.structs.replace(reached, position=stored[-1].position)


async def scrub(store: EventStore, goal: Checkpoint) -> None:
    """Write the file anew; when a reader keeps it from being done whole, that is told."""
    try:
        await store.compact()
    except ErasureUnfinished as problem:
        _log.warning("%s; a running service, and the next start, try again", problem)
    else:
        await store.append([], checkpoint=goal)


async def keep(store: EventStore, stop: asyncio.Event) -> None:
    """Finish what `scrub` could not, as soon as nobody reads the old bytes any more."""
    while (goal := await behind(store)) is not None:
        await rest(stop, _AGAIN_S)
        if stop.is_set():
            return
        with contextlib.suppress(Unavailable):  # it is read still
            await store.compact(again=True)
            await store.append([], checkpoint=goal)
            _log.info("the write-ahead log is empty: no file holds what was erased any more")
