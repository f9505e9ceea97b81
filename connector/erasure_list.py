"""The list of erased records, in a file beside the store: what holds whatever store is there.

A backup from before an erasure holds what was erased since. So the list is no part of the store:
it says which records (keys, never data), and whoever opens the store makes the log agree with it
first. To ask for an erasure is to add a line here; the file is the order, and its own proof. One
JSON object a line, appended and flushed to the disk; readable by its owner only.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import Misconfigured
from connector.ownership import hand_over
from projections import keys
from projections.source import record_of

_SUFFIX: Final = ".erased"
_LARGEST_BYTES: Final = 64 << 20
# The kinds of HubSpot objects that show personal data of a record, or of what goes with it.
_SHOWN_BY: Final = {
    "AR_Customer": ("companies", "contacts"),
    "AR_CustomerContact": ("contacts",),
    "AP_Vendor": ("vendors",),
}


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: the stream of a source record (sage/…), when (ISO 8601, UTC), why, who asked."""

    record: str
    time: str
    reason: str
    by: str = ""


_decoder: Final = msgspec.json.Decoder(Listed)


def file_of(store_file: Path) -> Path:
    """Where the list for this store lies."""
    return store_file.with_name(store_file.name + _SUFFIX)


def size(store_file: Path) -> int:
    """How long the list is, in bytes: it only ever grows. Raises Misconfigured."""
    try:
        return file_of(store_file).stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as problem:
        raise _unreadable(file_of(store_file), problem.strerror or str(problem)) from None


async def add(store_file: Path, lines: Sequence[Listed]) -> None:
    """Append lines, durably."""
    content = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    await asyncio.to_thread(_append, store_file, content)


async def read(store_file: Path) -> list[Listed]:
    """The list, oldest first. Raises Misconfigured at a line that is none: none may be missed."""
    path = file_of(store_file)
    content = await asyncio.to_thread(_read, path)
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            listed = _decoder.decode(line)
        except msgspec.MsgspecError as problem:
            raise _unreadable(path, f"line {number}: {problem}") from None
        head, *rest = listed.record.split("/", 4)
        if head != "sage" or len(rest) < 4 or rest[2] not in _SHOWN_BY:
            what = f"{listed.record!r} is no stream of a customer, contact or vendor"
            raise _unreadable(path, f"line {number}: {what}")
        found.append(listed)
    return found


def shown_in(kind: str) -> list[str]:
    """The entities whose personal data HubSpot objects of this kind show."""
    return [entity for entity, kinds in _SHOWN_BY.items() if kind in kinds]


def showing(listed: Iterable[Listed]) -> Callable[[str], bool]:
    """Whether a HubSpot object shows one of the listed records; a customer's contacts do too."""
    shown = {
        (kind, record.key)
        for one in listed
        for record in [record_of(one.record)]
        for kind in _SHOWN_BY.get(record.entity, ())
    }

    def shows(target: str) -> bool:
        kind, key = keys.split_target(target)
        return (kind, key) in shown or (kind, keys.customer_of(key)) in shown

    return shows


def _append(store_file: Path, content: bytes) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    with open(os.open(file_of(store_file), flags, 0o600), "rb+", buffering=0) as file:
        os.fchmod(file.fileno(), 0o600)  # one that was put back may have another mode
        hand_over(file.fileno(), store_file)
        end = file.seek(0, os.SEEK_END)
        if end:
            # A line that a crash cut off would swallow the next one.
            file.seek(end - 1)
            content = content if file.read(1) == b"\n" else b"\n" + content
        file.write(content)
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise _unreadable(path, "it is larger than any such list")
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except PermissionError as problem:
        remedy = (
            f"Give it to the user of the store: chown --reference={path.with_suffix('')} {path}"
        )
        raise _unreadable(path, problem.strerror or str(problem), remedy) from None
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem)) from None


def _unreadable(path: Path, what: str, remedy: str = "") -> Misconfigured:
    remedy = remedy or "Restore the file from a backup or correct the line"
    return Misconfigured(
        f"the list of erased records cannot be read: {what}",
        where=str(path),
        remedy=f"{remedy}; without the list, data that was erased could come back, so nothing is "
        "done.",
    )
