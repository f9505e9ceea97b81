"""An append-only event store: gapless positions, a hash chain, read-model tables beside the log.

    async with open_store("sqlite:///events.db", tables=[Table("orders")]) as store:
        commit = await store.append([NewEvent("order/1", "OrderPlaced", b"{}")])

Everything public is named here; nothing else is importable by contract.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .blanks import ERASED_TYPE, ERASURE_STREAM, Blanks
from .chain import GENESIS
from .codec import Codec, Schemas, Upcaster, Upcasters
from .errors import (
    BadTable,
    BadUpcaster,
    ChainBroken,
    CheckpointMoved,
    Conflict,
    Damaged,
    ErasureUnfinished,
    EventStoreError,
    HeadMoved,
    InvalidAppend,
    Misconfigured,
    NotAStore,
    NotTheNext,
    Refused,
    StoreClosed,
    StoreDamaged,
    StoreInUse,
    StoreMissing,
    StoreReadOnly,
    Unavailable,
    UnknownSchema,
    UnknownTable,
    UnsupportedUrl,
    WrongVersion,
)
from .opening import open_sqlite
from .sealed import check_sealed
from .types import (
    Adopt,
    Checkpoint,
    Clear,
    Commit,
    Erasure,
    EventStore,
    Meta,
    NewEvent,
    Put,
    Remove,
    Row,
    SealedCommit,
    SealedEvent,
    StoredEvent,
    Table,
    Write,
)

__all__ = [
    "ERASED_TYPE",
    "ERASURE_STREAM",
    "GENESIS",
    "Adopt",
    "BadTable",
    "BadUpcaster",
    "Blanks",
    "ChainBroken",
    "Checkpoint",
    "CheckpointMoved",
    "Clear",
    "Commit",
    "Conflict",
    "Damaged",
    "Erasure",
    "ErasureUnfinished",
    "EventStore",
    "EventStoreError",
    "HeadMoved",
    "InvalidAppend",
    "Meta",
    "Misconfigured",
    "NewEvent",
    "NotAStore",
    "NotTheNext",
    "Put",
    "Refused",
    "Remove",
    "Row",
    "Schemas",
    "SealedCommit",
    "SealedEvent",
    "StoreClosed",
    "StoreDamaged",
    "StoreInUse",
    "StoreMissing",
    "StoreReadOnly",
    "StoredEvent",
    "Table",
    "Unavailable",
    "UnknownSchema",
    "UnknownTable",
    "UnsupportedUrl",
    "Upcaster",
    "Upcasters",
    "Write",
    "WrongVersion",
    "check_sealed",
    "open_store",
]


def _system_clock_us() -> int:
    return time.time_ns() // 1_000


@contextlib.asynccontextmanager
async def open_store(
    url: str,
    *,
    tables: Sequence[Table] = (),
    read_only: bool = False,
    steady: bool = False,
    clock_us: Callable[[], int] = _system_clock_us,
    upcasters: Upcasters | None = None,
    schemas: Schemas | None = None,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[EventStore]:
    """Open the store at `url`, close it on the way out; what is queued by then is still appended.

    `sqlite:///events.db` is relative to the working directory, `sqlite:////var/lib/x/events.db`
    is absolute: three slashes and four, as SQLAlchemy counts them. A missing file is created, its
    directory is not. `read_only` takes no lock, may run beside the process that writes, and
    refuses appends; such a reader, when it is `steady`, sees the store all the time as it was when
    it was opened (the write-ahead log cannot be emptied meanwhile). `clock_us` gives the time
    recorded with a commit (µs UTC). `upcasters` lift old payloads on read to the current one of
    `schemas`; an event of these types that is newer is refused with UnknownSchema. `random_bytes`
    salts payload digests.

    Raises Misconfigured (UnsupportedUrl, StoreMissing, StoreInUse, NotAStore, UnknownSchema,
    BadTable, BadUpcaster), StoreDamaged or Unavailable.
    """
    store = await open_sqlite(
        _sqlite_path(url),
        declared=tables,
        read_only=read_only,
        steady=steady,
        clock_us=clock_us,
        codec=Codec(upcasters, schemas),
        random_bytes=random_bytes,
    )
    try:
        yield store
    finally:
        await store.aclose()


def _sqlite_path(url: str) -> Path:
    scheme, _, rest = url.partition(":")
    if scheme in {"postgresql", "postgres"}:
        raise UnsupportedUrl("this build has only the SQLite backend: use sqlite:///file.db")
    if scheme != "sqlite" or not rest.startswith("///"):
        raise UnsupportedUrl(
            f"store URLs look like sqlite:///relative.db or sqlite:////absolute/file.db; "
            f"this one begins with {scheme + ':' + rest[:3] if rest else scheme!r}"
        )
    parts = urlsplit(url)
    name = unquote(parts.path.removeprefix("/"))
    if parts.query or parts.fragment:
        raise UnsupportedUrl(
            "a store URL takes no options: write ? and # in a file name as %3F, %23"
        )
    if not name or name.endswith("/") or name == ":memory:" or "\0" in name:
        raise UnsupportedUrl(f"{url!r} names no file: the store is a file, sqlite:///file.db")
    return Path(name).absolute().resolve()
