"""The database file: whose it is, how a new one comes to be, how it is opened.

A file is looked at with plain reads before SQLite touches it, so that another program's file, or a
newer program's store, is refused exactly as it was found. A new store is built under another name
and moved into place, so that a file of the store's name is always a whole store. Everything here
blocks and runs on a connection's thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from .errors import NotAStore, StoreMissing, Unavailable, UnknownSchema
from .lock import FILE_MODE
from .statements import SCHEMA

APPLICATION_ID = int.from_bytes(b"mlev", "big")
SCHEMA_VERSION = 1
MINIMUM_SQLITE = (3, 37, 0)  # STRICT tables

_MAGIC = b"SQLite format 3\0"
_BUSY_TIMEOUT_MS = 5_000
# Larger pages keep long read-model rows whole and replace them faster; but pages of the log and its
# index are written whole by every commit, and that weighs more: projecting took 15 % longer.
_PAGE_BYTES = 4_096
# At SQLite's own 1,000 pages the index pages of a large log, dirtied in random order, are written
# to the main file again and again: that halves the append rate.
_WAL_AUTOCHECKPOINT_BYTES = 200 << 20
_WAL_SIZE_LIMIT_BYTES = 256 << 20
# The writer dirties a page of the stream index per event of a large log, and should not spill;
# readers go through the log in order. Neither may grow with the data.
_WRITER_CACHE_KIB = 20 << 10
_READER_CACHE_KIB = 6 << 10


def identify(path: Path) -> bool:
    """True when a store is there, False when nothing or an empty file is.

    Raises NotAStore, UnknownSchema, Unavailable; reads only, and nothing but the file's header.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"{path} cannot be read ({error.strerror})") from error
    if not header:
        return False
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise NotAStore(f"{path} is not an SQLite file: choose another path; it was left untouched")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise NotAStore(
            f"{path} is another program's SQLite file: choose another path; it was left untouched"
        )
    _check_version(path, int.from_bytes(header[60:64], "big"))
    return True


def check_directory(path: Path) -> None:
    """Raises StoreMissing when the directory of `path` is not there."""
    if not path.parent.is_dir():
        raise StoreMissing(
            f"the directory {path.parent} does not exist: create it. (sqlite:///a/b.db is relative "
            "to the working directory; an absolute path takes four slashes: sqlite:////a/b.db)"
        )


def create(path: Path) -> None:
    """Build an empty store at `path`, readable and writable by its owner only."""
    new = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    try:
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise Unavailable(f"{new} cannot be created ({error.strerror})") from error
    try:
        os.fchmod(fd, FILE_MODE)
        conn = sqlite3.connect(_uri(new, "rw"), uri=True, isolation_level=None)
        try:
            conn.execute("PRAGMA encoding = 'UTF-8'")
            conn.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            conn.execute("PRAGMA auto_vacuum = NONE")
            conn.executescript(
                f"BEGIN; {SCHEMA['create']}"
                f"PRAGMA application_id = {APPLICATION_ID};"
                f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
            _use_wal(conn, path)
        finally:
            conn.close()
        os.fsync(fd)
    finally:
        os.close(fd)
    new.replace(path)
    _sync_directory(path.parent)


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes: every commit is on disk before it returns."""
    _keep_private(path)
    conn = _connect(path, "rw", _WRITER_CACHE_KIB)
    try:
        _use_wal(conn, path)
        conn.execute("PRAGMA synchronous = FULL")
        # What a statement would have to put back should it fail: a page of the stream index for
        # nearly every event. It is never needed, for the whole transaction is undone then, and as a
        # file it costs a twelfth of an append.
        conn.execute("PRAGMA temp_store = MEMORY")
        conn.execute(f"PRAGMA wal_autocheckpoint = {_WAL_AUTOCHECKPOINT_BYTES // _PAGE_BYTES}")
        conn.execute(f"PRAGMA journal_size_limit = {_WAL_SIZE_LIMIT_BYTES}")
        # Stream ids are given out by the one writer and streams are permanent, by trigger:
        # checking every event's reference again would only cost time.
        conn.execute("PRAGMA foreign_keys = OFF")
        # Overwrites what it frees where that costs no further write; an erasure asks for more.
        conn.execute("PRAGMA secure_delete = FAST")
    except BaseException:  # whatever it is, nobody else has this connection to close it
        conn.close()
        raise
    return conn


def connect_reader(path: Path, *, writable_beside: bool) -> sqlite3.Connection:
    """A connection that can only read; `writable_beside` when this process writes the store too."""
    conn = _connect(path, "rw" if writable_beside else "ro", _READER_CACHE_KIB)
    try:
        conn.execute("PRAGMA query_only = ON")
    except BaseException:  # whatever it is, nobody else has this connection to close it
        conn.close()
        raise
    return conn


def _keep_private(path: Path) -> None:
    """Take away what others may do with a file that was put back, or with what goes with it.

    By name: closing a file that SQLite has open would give up the locks it holds there.
    """
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        with contextlib.suppress(FileNotFoundError, PermissionError):  # another's: he may decide
            path.with_name(name).chmod(FILE_MODE)


def _connect(path: Path, mode: str, cache_kib: int) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old: this needs 3.37 or newer")
    conn = sqlite3.connect(
        _uri(path, mode),
        uri=True,
        isolation_level=None,
        timeout=_BUSY_TIMEOUT_MS / 1000,
        cached_statements=512,
        check_same_thread=True,
    )
    try:
        _check_version(path, conn.execute("PRAGMA user_version").fetchone()[0])
        conn.execute(f"PRAGMA cache_size = -{cache_kib}")
    except BaseException as error:  # whatever it is, nobody else has this connection to close it
        conn.close()
        if getattr(error, "sqlite_errorname", "").startswith(
            ("SQLITE_READONLY", "SQLITE_CANTOPEN")
        ):
            raise Unavailable(
                f"{path} cannot be opened by this user ({error}): whoever reads it, too, must be "
                f"able to write {path.name}-shm and {path.name}-wal in {path.parent}"
            ) from error
        raise
    return conn


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise UnknownSchema(
            f"{path} has store schema {version}, this program knows it up to {SCHEMA_VERSION}: "
            "upgrade the program; the file was left untouched"
        )


def _use_wal(conn: sqlite3.Connection, path: Path) -> None:
    (mode,) = conn.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise Unavailable(
            f"{path}: its file system cannot share memory between readers and the writer "
            f"(journal mode {mode}): put the store on a local disk"
        )


def _uri(path: Path, mode: str) -> str:
    return f"{path.as_uri()}?mode={mode}"


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
