"""Orders left for the running service: how a second process asks for a replay or a release.

The service holds the store's lock, so another process cannot append. It leaves an order beside
the store instead, one file each, complete or not there at all; the service appends what it asks
for within a second and removes it, a `run --once` does so before it begins. An order may be
carried out twice, when the service dies in between: a replay then sends the same values again,
which changes nothing, and a release names what it releases, so that it lets nothing later go on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Final, Literal

import msgspec

from connector import breaker, planning, reconcile, reports, undo
from connector.errors import ConnectorError
from connector.mappings import Mappings
from connector.reconcile import RepairWanted
from connector.undo import UndoWanted
from eventstore import EventStore
from projections import events
from projections.events import (
    MassChangeReleased,
    PlanApplied,
    ReplayRequested,
)

Request = ReplayRequested | MassChangeReleased | PlanApplied | UndoWanted | RepairWanted

_SUFFIX: Final = ".order"
_REFUSED: Final = ".refused"
_LARGEST_BYTES: Final = 64 << 20
_log: Final = logging.getLogger(__name__)


def folder_of(store_file: Path) -> Path:
    """Where the orders for this store lie."""
    return store_file.with_name(store_file.name + ".orders")


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order's file: the event asked for, the undo or the repair, under its type's name."""

    type: Literal[
        "ReplayRequested", "MassChangeReleased", "PlanApplied", "UndoWanted", "RepairWanted"
    ]
    data: msgspec.Raw


async def leave(store_file: Path, request: Request) -> Path:
    """Leave one order, readable by its owner only; where it lies."""
    data = msgspec.Raw(msgspec.json.encode(request))
    order = {"type": type(request).__name__, "data": data}
    return await asyncio.to_thread(_leave, folder_of(store_file), msgspec.json.encode(order))


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


async def carry_out(store: EventStore, store_file: Path, mappings: Mappings | None = None) -> int:
    """Append what the orders ask for, oldest first, and remove them; how many there were.

    `mappings`: who applies plans; without, an order to apply one is left for whoever has it.
    """
    done = 0
    for path, content in await asyncio.to_thread(_read, folder_of(store_file)):
        try:
            order = msgspec.json.decode(content, type=_Order)
            request = _requested(order)
        except msgspec.MsgspecError as problem:
            _log.error("%s is no order (%s); it is kept as %s", path, problem, _REFUSED)
            await asyncio.to_thread(path.replace, path.with_suffix(_REFUSED))
            continue
        match request:
            case ReplayRequested():
                await reports.request_replay(
                    store, request.selection, request.targets, dry_run=False, by=request.by
                )
            case RepairWanted():
                await reconcile.request(store, request)
            case UndoWanted():
                await undo.request(store, request)
            case MassChangeReleased() if not await breaker.release(store, request):
                _log.warning(
                    "%s was not released: it is not held, or was held again since; see 'status'",
                    request.company,
                )
            case PlanApplied() if mappings is None:
                continue
            case PlanApplied() if mappings is not None:
                await _apply(store_file, request, mappings)
            case _:
                pass
        await asyncio.to_thread(path.unlink, missing_ok=True)
        done += 1
    return done


def _requested(order: _Order) -> Request | None:
    data = bytes(order.data)
    if order.type == "UndoWanted":
        return msgspec.json.decode(data, type=UndoWanted)
    if order.type == "RepairWanted":
        return msgspec.json.decode(data, type=RepairWanted)
    found = events.decode(order.type, data)
    return found if isinstance(found, Request) else None


async def _apply(store_file: Path, request: PlanApplied, mappings: Mappings) -> None:
    try:
        await mappings.apply(await planning.find(store_file, request.digest), request.by)
    except ConnectorError as problem:
        _log.error("plan %s is not applied: %s", request.digest[:12], problem)


def _read(folder: Path) -> list[tuple[Path, bytes]]:
    if not folder.is_dir():
        return []
    found = sorted(folder.glob(f"*{_SUFFIX}"))
    return [(path, path.read_bytes()) for path in found if path.stat().st_size <= _LARGEST_BYTES]
