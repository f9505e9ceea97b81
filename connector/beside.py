"""Whether the read models are what the log says, found out beside the service that writes them.

The log is folded into a store of its own, which is thrown away, be it by the next one to ask or by
an erasure when this process is killed. It is folded up to where the projector stands.
Then the live store is held still for as long as the comparison takes: it is looked at as it was at
one moment, while the service goes on. The rows that the projector makes stand at its own place
then, those that are written together with their events at the log's end; each is folded so far.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final
from urllib.parse import quote

from connector.comparing import compare
from connector.errors import Misconfigured
from connector.progress import Progress
from connector.projector import CHECKPOINT
from connector.rebuild import RebuildReport, Standing, all_tables, can_be_read, standing, verified
from connector.refolding import Tables, refold
from connector.scratch import scratch_folder
from connector.store import open_log
from eventstore import ERASED_TYPE, StoreInUse, Unavailable, open_store

_CATCHES_UP: Final = 5  # how often the fold follows a service at work before it is held still
_NEARLY: Final = 2_000  # events
_LOOK_S: Final = 0.2
_log: Final = logging.getLogger(__name__)


async def verify(
    url: str,
    *,
    beside: Path | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> RebuildReport:
    """Compare; nothing is changed.

    `scratch`: an absolute folder for what is folded. `beside`: the store's file, where a note of it
    lies meanwhile. While somebody makes the tables, after an erasure say, that is waited for.
    Raises Misconfigured when they are of another version, or nobody makes them.
    """
    while True:
        await _until_made(url)
        with scratch_folder(beside, scratch) as folder:
            own = f"sqlite:///{quote(str(folder))}/folded.db"
            async with open_store(own, tables=all_tables()) as store:
                report = await _verify(url, Tables(store), progress)
        if report is not None:
            return report


async def _verify(url: str, folded: Tables, progress: Progress | None) -> RebuildReport | None:
    """None: somebody was erased meanwhile, so that what is folded already is another log, and the
    tables may not be made from it yet.
    """
    reached = 0
    async with open_log(url, read_only=True) as log:
        if not await can_be_read(log):
            return None
        began = (await log.head()).last
        for _ in range(_CATCHES_UP):
            stands = (await log.checkpoint(CHECKPOINT)).position
            await refold(log, folded, stands, after=reached, progress=progress)
            behind, reached = stands - reached, stands
            if behind <= _NEARLY:
                break
    async with open_log(url, read_only=True, steady=True) as still:
        if await still.read(began, types=[ERASED_TYPE], limit=1) or not await can_be_read(still):
            return None
        stands = (await still.checkpoint(CHECKPOINT)).position
        head = (await still.head()).last
        await refold(still, folded, stands, after=reached)
        await refold(still, folded, head, after=stands, ledger_only=True)
        return verified(head, await compare(Tables(still), folded))


async def _until_made(url: str) -> None:
    """Wait while the tables are to be made and somebody has the store, who makes them."""
    told = False
    in_use = True
    while (found := await _standing(url)) is not Standing.CURRENT:
        if found is Standing.OTHER:
            raise Misconfigured(
                "the read models are of another version of ml-connector: there is nothing to "
                "compare",
                where="store.url",
                remedy="Run 'ml-connector rebuild' once, or start the service of this version.",
            )
        if not in_use:
            raise Misconfigured(
                "the read models have not been made since an erasure or an import, and nobody is "
                "at it: there is nothing to compare",
                where="store.url",
                remedy="Run 'ml-connector rebuild' once, or start the service.",
            )
        in_use = await _is_in_use(url)
        if in_use:
            if not told:
                _log.warning(
                    "after an erasure or an import the read models are made anew by the process "
                    "that has the store: the comparison begins when that is done"
                )
            told = True
            await asyncio.sleep(_LOOK_S)


async def _standing(url: str) -> Standing:
    async with open_log(url, read_only=True) as log:
        return await standing(log)


async def _is_in_use(url: str) -> bool:
    try:
        async with open_log(url):
            return False
    except StoreInUse:
        return True
    except Unavailable:
        return False  # who may not write here cannot know
