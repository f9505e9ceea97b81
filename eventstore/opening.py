"""How a store of one file is opened: in which order, and what is given up when it cannot be.

The lock comes before the file is made or touched, the writing connection before the reading one,
which may then find tables that were just made. What fails on the way closes what was open by then.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from . import database, reads
from .codec import Codec
from .connection import Connection
from .errors import StoreMissing
from .lock import StoreLock
from .restoring import RestorableLog
from .sqlite import SqliteStore
from .tables import Tables
from .types import Table


async def open_sqlite(
    path: Path,
    *,
    declared: Sequence[Table],
    read_only: bool,
    steady: bool,
    clock_us: Callable[[], int],
    codec: Codec,
    random_bytes: Callable[[int], bytes],
) -> SqliteStore:
    """Open the store in the file at `path`, creating it when it is not there and may be written."""
    if steady and not read_only:
        raise ValueError("a store that is written cannot be steady")
    tables = Tables(declared)
    log = RestorableLog(tables, clock_us)
    lock = StoreLock(path)

    def connect_writer() -> sqlite3.Connection:
        database.identify(path)  # before the lock file is made beside a file that is not ours
        database.check_directory(path)
        lock.acquire()
        if not database.identify(path):
            database.create(path)
        conn = database.connect_writer(path)
        try:
            tables.prepare(conn, create=True)
        except BaseException:  # whatever it is, nobody else has this connection to close it
            conn.close()
            raise
        return conn

    def connect_reader() -> sqlite3.Connection:
        if not database.identify(path):
            raise StoreMissing(
                f"there is no store at {path}: start the service once, or fix the URL"
            )
        conn = database.connect_reader(path, writable_beside=not read_only)
        try:
            if steady:
                conn.execute("BEGIN")
                reads.read_head(conn)  # only a read takes the view
            tables.prepare(conn, create=False)
        except BaseException:  # whatever it is, nobody else has this connection to close it
            conn.close()
            raise
        return conn

    async with contextlib.AsyncExitStack() as opened:
        if not read_only:
            opened.callback(lock.release)
            writer = await Connection.open(connect_writer)
            opened.push_async_callback(writer.aclose)
        reader = await Connection.open(connect_reader)
        opened.push_async_callback(reader.aclose)
        head = await reader.run(reads.read_head)
        store = SqliteStore(log, tables, codec, reader, head.last, random_bytes)
        if not read_only:
            store.write_through(writer, lock)
        opened.pop_all()
    return store
