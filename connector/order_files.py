"""Orders as files beside the store: left whole or not at all, read one by one, put aside.

An order is an event asked for, an undo or a repair. One that is larger than a file may be is left
in several, which together ask for the same. What cannot be carried out is kept as `.refused` for a
person to look at, the newest few of them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from connector.errors import ConnectorError, Misconfigured
from connector.harmless import Harmless
from connector.ownership import make_folder
from connector.repairing import RepairWanted
from connector.undo import UndoWanted
from connector.whole_files import DRAFT, write_whole
from projections import events
from projections.events import (
    LogonReleased,
    MassChangeReleased,
    PlanApplied,
    ReplayRequested,
)

Request = (
    ReplayRequested | MassChangeReleased | LogonReleased | PlanApplied | UndoWanted | RepairWanted
)

T = TypeVar("T")
R = TypeVar("R", bound=Request)

_SUFFIX: Final = ".order"
_REFUSED: Final = ".refused"
_REFUSED_KEPT: Final = 50
LARGEST_BYTES: Final = 64 << 20
_serial: Final = itertools.count()  # orders left within one tick of the clock keep their order


class OrderTooLarge(ConnectorError):
    """One record of the order is larger than an order's file may be."""

    category = "order"
    default_remedy = "Stop the service, and give the same command again: it then needs no order."


class OrdersClosed(Misconfigured):
    """The folder of the orders is not the service's to look into."""


class NoOrder(ConnectorError):
    """The file is no order."""

    category = "order"


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order's file: the event asked for, the undo or the repair, under its type's name."""

    type: Literal[
        "ReplayRequested",
        "MassChangeReleased",
        "LogonReleased",
        "PlanApplied",
        "UndoWanted",
        "RepairWanted",
    ]
    data: msgspec.Raw


def folder_of(store_file: Path) -> Path:
    """Where the orders for this store lie."""
    return store_file.with_name(store_file.name + ".orders")


async def leave(store_file: Path, request: Request) -> Path:
    """Leave an order, readable by the store's owner only; where it (or its last part) lies.

    Raises OrderTooLarge, OrdersClosed.
    """
    contents = await asyncio.to_thread(lambda: list(_contents(request)))
    return await asyncio.to_thread(_leave, store_file, contents)


def _leave(store_file: Path, contents: list[bytes]) -> Path:
    folder = path = folder_of(store_file)
    try:
        make_folder(folder, store_file)
        for content in contents:
            path = folder / f"{time.time_ns():020d}-{os.getpid()}-{next(_serial):06d}{_SUFFIX}"
            write_whole(path, content, beside=store_file)
    except (PermissionError, NotADirectoryError) as problem:
        raise _closed(folder, problem) from None
    return path


def _closed(folder: Path, problem: OSError) -> OrdersClosed:
    return OrdersClosed(
        f"the orders that wait for the service cannot be got at: {problem.strerror or problem}",
        where=str(folder),
        remedy=f"Give them to the user of the store, and give commands as that user: chown -R "
        f"--reference={folder.with_suffix('')} {folder}",
    )


def _contents(request: Request) -> Iterator[bytes]:
    """The files that ask for it: one, or as many as keep each within LARGEST_BYTES."""
    content = _encoded(request)
    if len(content) <= LARGEST_BYTES:
        yield content
        return
    names = list(dict.fromkeys(_names(request)))
    if len(names) < 2:
        raise OrderTooLarge(where=f"{type(request).__name__} of {', '.join(names) or 'nothing'}")
    half = len(names) // 2
    for part in (names[:half], names[half:]):
        yield from _contents(_only(request, frozenset(part)))


def _encoded(request: Request) -> bytes:
    data = msgspec.Raw(msgspec.json.encode(request))
    return msgspec.json.encode({"type": type(request).__name__, "data": data})


def _names(request: Request) -> list[str]:
    """The records that an order is about, as far as it can be parted by them."""
    match request:
        case ReplayRequested():
            return request.targets
        case UndoWanted():
            return [*request.targets, *request.lifted]
        case RepairWanted():
            return [*request.fields, *request.missing]
        case _:
            return []


def _only(request: Request, names: frozenset[str]) -> Request:
    """The order as far as it is about these records."""
    match request:
        case ReplayRequested():
            return msgspec.structs.replace(request, targets=_of(request.targets, names))
        case UndoWanted():
            return msgspec.structs.replace(
                request,
                fields=_within(request.fields, names),
                lifted=_of(request.lifted, names),
                withdrawn=_within(request.withdrawn, names),
            )
        case RepairWanted():
            return msgspec.structs.replace(
                request,
                fields=_within(request.fields, names),
                who=_within(request.who, names),
                missing=_of(request.missing, names),
            )
        case _:
            return request


def _of(listed: list[str], names: frozenset[str]) -> list[str]:
    return [name for name in listed if name in names]


def _within(values: dict[str, T], names: frozenset[str]) -> dict[str, T]:
    return {name: one for name, one in values.items() if name in names}


# ------------------------------------------------------------ reading them


def oldest_first(store_file: Path) -> list[Path]:
    """The orders that wait. Raises OrdersClosed when their folder cannot be listed."""
    folder = folder_of(store_file)
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise _closed(folder, problem) from None
    return sorted(folder / name for name in names if name.endswith(_SUFFIX))


def read(path: Path) -> Request:
    """What one order asks for. Raises NoOrder, OSError."""
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise NoOrder(f"it has {size:,} bytes, more than any order")
    try:
        order = msgspec.json.decode(path.read_bytes(), type=_Order)
        data = bytes(order.data)
        if order.type == "UndoWanted":
            return msgspec.json.decode(data, type=UndoWanted)
        if order.type == "RepairWanted":
            return msgspec.json.decode(data, type=RepairWanted)
        found = events.decode(order.type, data)
    except msgspec.MsgspecError as problem:
        raise NoOrder(f"it is no order: {problem}") from None
    assert isinstance(found, Request)  # noqa: S101 - its type's name is one of these
    return found


def put_aside(path: Path, left: Request | None = None) -> Path:
    """Keep an order that cannot be carried out for a person, beside the newest few such.

    `left`: what is to be kept of it. Raises OSError.
    """
    aside = path.with_suffix(_REFUSED)
    if left is not None:
        write_whole(path, _encoded(left), beside=path.parent.with_suffix(""))
    path.replace(aside)
    for old in sorted(path.parent.glob(f"*{_REFUSED}"))[:-_REFUSED_KEPT]:
        old.unlink(missing_ok=True)
    return aside


# ------------------------------------------------------------ values that are erased


def forget(store_file: Path, harmless: Harmless) -> None:
    """Take values out of the orders that wait; of drafts and of those put aside nothing is left.

    Raises OrdersClosed.
    """
    folder = folder_of(store_file)
    waiting = oldest_first(store_file)
    for pattern in (f"*{_REFUSED}", f"*{DRAFT}"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    for path in waiting:
        try:
            request = read(path)
        except (NoOrder, OSError):
            path.unlink(missing_ok=True)  # nobody can tell what it holds
            continue
        left = without(request, harmless)
        if left != request:
            write_whole(path, _encoded(left), beside=store_file)


def without(request: R, harmless: Harmless) -> R:
    """The order with harmless values only."""
    match request:
        case UndoWanted():
            return msgspec.structs.replace(
                request,
                fields=_those(request.fields, harmless),
                withdrawn=_those(request.withdrawn, harmless),
            )
        case RepairWanted():
            return msgspec.structs.replace(
                request, fields=_those(request.fields, harmless), who=_those(request.who, harmless)
            )
        case _:
            return request


def _those(values: dict[str, dict[str, T]], harmless: Harmless) -> dict[str, dict[str, T]]:
    left = {
        name: {prop: one for prop, one in properties.items() if harmless(name, prop)}
        for name, properties in values.items()
    }
    return {name: properties for name, properties in left.items() if properties}
