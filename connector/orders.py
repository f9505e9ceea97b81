"""Orders left for the running service: how a second process asks for a replay.

The service holds the store's lock, so another process cannot append. It leaves an order beside
the store instead, one file each, complete or not there at all; the service appends what it asks
for within a second and removes it, a `run --once` does so before it begins. An order carried out
twice, because the service died in between, sends the same values twice, which changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from connector import reports
from eventstore import EventStore
from projections.events import ReplayRequested

_SUFFIX: Final = ".order"
_REFUSED: Final = ".refused"
_LARGEST_BYTES: Final = 64 << 20
_log: Final = logging.getLogger(__name__)


def folder_of(store_file: Path) -> Path:
    """Where the orders for this store lie."""
    return store_file.with_name(store_file.name + ".orders")


async def leave(store_file: Path, request: ReplayRequested) -> Path:
    """Leave one order, readable by its owner only; where it lies."""
    return await asyncio.to_thread(_leave, folder_of(store_file), msgspec.json.encode(request))


def _leave(folder: Path, content: bytes) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{time.time_ns():020d}-{os.getpid()}{_SUFFIX}"
    draft = path.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return path


async def carry_out(store: EventStore, store_file: Path) -> int:
    """Append what the orders ask for, oldest first, and remove them; how many there were."""
    done = 0
    for path, content in await asyncio.to_thread(_read, folder_of(store_file)):
        try:
            order = msgspec.json.decode(content, type=ReplayRequested)
        except msgspec.MsgspecError as problem:
            _log.error("%s is no order (%s); it is kept as %s", path, problem, _REFUSED)
            await asyncio.to_thread(path.replace, path.with_suffix(_REFUSED))
            continue
        await reports.request_replay(
            store, order.selection, order.targets, dry_run=False, by=order.by
        )
        await asyncio.to_thread(path.unlink, missing_ok=True)
        done += 1
    return done


def _read(folder: Path) -> list[tuple[Path, bytes]]:
    if not folder.is_dir():
        return []
    found = sorted(folder.glob(f"*{_SUFFIX}"))
    return [(path, path.read_bytes()) for path in found if path.stat().st_size <= _LARGEST_BYTES]
