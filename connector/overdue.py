"""Erasures that were ordered and are not carried out: do it now, or wait for whoever has the store.

A running service erases within a second of the order; a single pass leaves it to whoever opens the
store next. What goes out of the house meanwhile would still hold the person.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from connector import erasing, erasure_list
from connector.errors import ConnectorError
from connector.store import open_log
from eventstore import StoreInUse
from projections.source import record_of

PATIENCE_S: Final = 10.0  # a service rests within a second, then erases
_LOOK_S: Final = 0.2


class ErasurePending(ConnectorError):
    """What was ordered to be erased is still in the store."""

    category = "erasure_pending"
    default_remedy = (
        "Try again in a moment: a running service is at it, and after a 'run --once' this "
        "command does it itself."
    )


async def overdue(url: str, store_file: Path | None) -> list[str]:
    """Keys (ABC:01-ABF) of records that the list says are erased and the store still holds."""
    if store_file is None or not erasure_list.size(store_file):
        return []
    if not await asyncio.to_thread(store_file.exists):
        return []
    listed = await erasure_list.read(store_file)
    async with open_log(url, read_only=True) as store:
        found = await erasing.outstanding(store, listed)
    return list(dict.fromkeys(record_of(one.record).key for one in found))


async def see_to_the_erased(
    url: str, store_file: Path | None, *, patience_s: float = 0.0
) -> list[str]:
    """Erase what is overdue, or wait so long for whoever has the store; keys of what still is."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + patience_s
    while keys := await overdue(url, store_file):
        try:
            async with open_log(url) as store:
                await erasing.enforce(store, store_file)
        except StoreInUse:
            if loop.time() >= deadline_s:
                return keys
            await asyncio.sleep(_LOOK_S)
        else:
            break
    return []


async def refuse_while_overdue(url: str, store_file: Path | None) -> None:
    """The same for what is about to be handed on. Raises ErasurePending."""
    keys = await see_to_the_erased(url, store_file, patience_s=PATIENCE_S)
    if keys:
        raise ErasurePending(f"an erasure of {', '.join(keys)} is pending", where=str(store_file))
