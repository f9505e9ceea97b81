"""The files that a deployment lives on: no report, export or anchor may be written in their place.

What lies beside the store under one of its names is the store's, also where it is not there just
now: an empty list of erasures, or a torn write-ahead log, is as bad as another store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.errors import Misconfigured

_BESIDE: Final = (
    *("", "-wal", "-shm", "-journal", ".lock", ".new"),
    *(".erased", ".orders", ".plans"),
)


def owner_of(path: Path, store: Path | None, others: tuple[Path | None, ...] = ()) -> str:
    """What this path belongs to, in words; "" when to nothing of ours.

    `others`: files of the configuration.
    """
    wanted = path.resolve()
    if store is not None:
        ours = store.resolve()
        beside = {ours.with_name(f"{ours.name}{suffix}") for suffix in _BESIDE}
        if beside & {wanted, *wanted.parents}:
            return "belongs to the store"
    if any(one is not None and one.resolve() == wanted for one in others):
        return "belongs to the configuration"
    return ""


def refuse_own(
    path: Path, store: Path | None, others: tuple[Path | None, ...] = (), *, remedy: str
) -> None:
    """Raises Misconfigured for a file of ours, by whatever name or link it is called."""
    owner = owner_of(path, store, others)
    if owner:
        raise Misconfigured(f"the file {owner}: it is left alone", where=str(path), remedy=remedy)
