"""A bundle as a file: one JSON document that says by itself what it is.

It holds no secrets, for the log holds none, and no names, for they are made up; it is readable by
its owner only all the same, until that person hands it on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from connector.errors import Misconfigured
from connector.whole_files import write_whole
from projections import events

_LARGEST_BYTES: Final = 1 << 30


class BundleEvent(msgspec.Struct, frozen=True, gc=False):
    """One event; `position`, `version` and `cause` as in the log it was taken from.

    `data`: its payload, null when that was erased.
    """

    position: int
    stream: str
    version: int
    type: str
    time_us: int
    data: msgspec.Raw
    cause: int | None = None


ERASED: Final = msgspec.Raw(b"null")


def payload_of(event: BundleEvent) -> events.Event | None:
    """What it says; None when that was erased or its type is unknown to this version."""
    return None if event.data == ERASED else events.decode(event.type, bytes(event.data))


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The slice of one record: `key` is its target; `head` the newest position of the whole log."""

    format: Literal["ml-connector-bundle"] = "ml-connector-bundle"
    version: Literal[1] = 1
    made_by: str
    key: str
    head: int
    note: str = ""
    events: list[BundleEvent]


def must_be_free(path: Path, *, replace: bool) -> None:
    """Raises Misconfigured for a file that is there, with `replace` only when it is no bundle."""
    if not os.path.lexists(path) or path.is_dir():
        return  # of a folder writing says more
    if not replace:
        raise Misconfigured(
            "there is such a file already",
            where=str(path),
            remedy="Name another one (-o FILE), or add --force to write over an earlier bundle.",
        )
    read(path)


def write(path: Path, bundle: Bundle) -> int:
    """Write the file, whole or not at all; its size in bytes. Raises Misconfigured."""
    content = msgspec.json.encode(bundle)
    try:
        write_whole(path, content)
    except OSError as problem:
        raise Misconfigured(
            f"the bundle cannot be written: {problem.strerror or problem}",
            where=str(path),
            remedy="Name a file in a folder that is there and may be written: -o FILE.",
        ) from None
    return len(content)


def read(path: Path) -> Bundle:
    """Read the file. Raises Misconfigured when it is not one."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise Misconfigured("the file is larger than any bundle", where=str(path))
        return msgspec.json.decode(path.read_bytes(), type=Bundle)
    except FileNotFoundError:
        raise Misconfigured(
            "there is no such file",
            where=str(path),
            remedy="Give a file that 'ml-connector bundle' wrote.",
        ) from None
    except OSError as problem:
        raise Misconfigured(
            f"the file cannot be read: {problem.strerror or problem}",
            where=str(path),
            remedy="Give a file that 'ml-connector bundle' wrote.",
        ) from None
    except msgspec.MsgspecError as problem:
        raise Misconfigured(
            f"this is no bundle: {problem}",
            where=str(path),
            remedy="Give a file that 'ml-connector bundle' of this or an earlier version wrote.",
        ) from None
