"""Orders of a second process: how one asks for a replay or a release while the service runs.

The service holds the store's lock, so another process cannot append. It leaves an order beside
the store instead (`order_files`); the service appends what it asks for within a second and removes
it, a `run --once` does so before it begins. An order may be carried out twice, when the service
dies in between: a replay then sends the same values again, which changes nothing, and a release
names what it releases, so that it lets nothing later go on. One that fails is put aside with the
reason in the log: it must not stop the service, nor come again.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final, TypeVar

from connector import breaker, erasure_list, order_files, planning, repairing, replaying, undo
from connector.errors import Misconfigured
from connector.harmless import harmless_by_the_log
from connector.mappings import Mappings
from connector.order_files import OrdersClosed, Request, folder_of, leave
from connector.repairing import RepairWanted
from connector.sage100 import refusals
from connector.undo import UndoWanted
from connector.waiting import rest
from eventstore import Damaged, EventStore, StoreClosed, Unavailable
from projections.events import LogonReleased, MassChangeReleased, PlanApplied, ReplayRequested

__all__ = ["Request", "carry_out", "carry_out_or_tell", "enter", "folder_of", "keep", "leave"]

_LOOK_S: Final = 1.0

R = TypeVar("R", bound=Request)

_log: Final = logging.getLogger(__name__)


async def carry_out(store: EventStore, store_file: Path, mappings: Mappings | None = None) -> int:
    """Append what the orders ask for, oldest first, and remove them; how many there were.

    `mappings`: who applies plans; without, an order to apply one is left for whoever has it.
    Raises OrdersClosed.
    """
    done = 0
    for path in await asyncio.to_thread(order_files.oldest_first, store_file):
        try:
            request = await asyncio.to_thread(order_files.read, path)
            if isinstance(request, PlanApplied):
                if mappings is None:
                    continue
                kept = await planning.find(store_file, request.digest)
                await mappings.apply(kept, request.by)
            else:
                await enter(store, request)
        except (Damaged, StoreClosed, Unavailable):
            raise  # the store's trouble, not the order's
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with it, it is one order
            await _refuse(store, store_file, path, str(problem) or repr(problem))
            continue
        await asyncio.to_thread(path.unlink, missing_ok=True)
        done += 1
    return done


async def keep(
    store: EventStore, store_file: Path, mappings: Mappings, stop: asyncio.Event
) -> None:
    """Carry out what other processes leave, until `stop`; what keeps it from that is told once."""
    told = ""
    while not stop.is_set():
        told = await carry_out_or_tell(store, store_file, mappings, told)
        await rest(stop, _LOOK_S)


async def carry_out_or_tell(
    store: EventStore, store_file: Path, mappings: Mappings, told: str = ""
) -> str:
    """Carry them out; what keeps it from that, in the log unless it was `told` already, or ""."""
    try:
        await carry_out(store, store_file, mappings)
    except OrdersClosed as problem:
        why = str(problem)
        if why != told:
            _log.error("%s", why)
        return why
    return ""


async def _refuse(store: EventStore, store_file: Path, path: Path, why: str) -> None:
    try:
        kept = await _put_aside(store, store_file, path)
    except (OSError, Misconfigured) as problem:
        kept = f"kept as it was, for it cannot be put aside ({problem})"
    _log.error("the order %s is not carried out, and %s: %s", path, kept, why)


async def _put_aside(store: EventStore, store_file: Path, path: Path) -> str:
    """Keep it for a person, without values of the erased; what became of it.

    Raises OSError, Misconfigured.
    """
    try:
        request = await asyncio.to_thread(order_files.read, path)
    except (order_files.NoOrder, OSError):
        if erasure_list.size(store_file):
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return "removed, since nobody can tell whether it holds what was erased"
        left = None
    else:
        left = await _without_the_erased(store, request)
    return f"kept as {(await asyncio.to_thread(order_files.put_aside, path, left)).name}"


async def enter(store: EventStore, request: Request) -> bool:
    """Append what is asked for; False when there was nothing to ask for any more.

    What was looked up before an erasure is appended without values of the erased. A plan is not
    applied by this: that takes whoever holds the mapping (`Mappings`).
    """
    match request:
        case ReplayRequested():
            await replaying.request_replay(
                store, request.selection, request.targets, dry_run=False, by=request.by
            )
        case RepairWanted():
            await repairing.request(store, request)
        case UndoWanted():
            await undo.request(store, await _without_the_erased(store, request))
        case MassChangeReleased() if not await breaker.release(store, request):
            _log.warning(
                "%s was not released: it is not held, or was held again since; see 'status'",
                request.company,
            )
            return False
        case LogonReleased() if not await refusals.release(store, request):
            _log.warning(
                "%s was not released: its log-on is not refused, or was refused again since",
                request.instance,
            )
            return False
        case _:
            pass
    return True


async def _without_the_erased(store: EventStore, request: R) -> R:
    names: list[str] = []
    if isinstance(request, UndoWanted):
        names = request.targets
    elif isinstance(request, RepairWanted):
        names = list(request.fields)
    left = order_files.without(request, await harmless_by_the_log(store, names))
    if left != request:
        _log.warning("what was erased meanwhile is left out of the %s", type(request).__name__)
    return left
