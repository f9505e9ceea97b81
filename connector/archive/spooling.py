"""A pipe as a file: an import reads a log more than once, and what comes through a pipe comes once.

So it is kept while the import runs, in a file beside the store that has no name: nobody else can
open it, and nothing is left of it, however the process ends. Waiting for a pipe can be interrupted,
also for one that nobody writes to.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from connector.archive import files
from connector.archive.errors import CutAtOnce, NotThisLog
from connector.archive.files import Source
from connector.archive.reading import Archive, Count
from connector.errors import Misconfigured

_CHUNK: Final = 1 << 20


@asynccontextmanager
async def source_of(path: Path, store: Path | None, count: Count) -> AsyncIterator[Source]:
    """The file of this name, or what comes through the pipe of this name, kept until the end.

    `count` is told how many bytes came. Raises Misconfigured for anything else, and NotThisLog as
    soon as a pipe's beginning is that of no log: it may have no end.
    """
    mode = await asyncio.to_thread(_mode, path)
    if stat.S_ISFIFO(mode):
        with await asyncio.to_thread(_nameless, store) as kept:
            source = Source(path, partial(_from_the_beginning, kept))
            await _spool(path, kept, source, count)
            yield source
        return
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise _unreadable(path, "it is neither a file nor a pipe")
    yield Source(path, partial(files.open_for_reading, path))


async def _spool(path: Path, kept: BinaryIO, source: Source, count: Count) -> None:
    """Keep all that comes."""
    reader = asyncio.StreamReader(limit=_CHUNK)
    pipe = await asyncio.to_thread(_open_pipe, path)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    came, is_known = 0, False
    try:
        while chunk := await _next(reader, path):
            await asyncio.to_thread(_keep, kept, chunk)
            came += len(chunk)
            count(came, 0)
            if came >= _CHUNK and not is_known:
                await asyncio.to_thread(_must_be_a_log, source)
                is_known = True
    finally:
        transport.close()


async def _next(reader: asyncio.StreamReader, path: Path) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem)) from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0  # whoever opens it says why


def _open_pipe(path: Path) -> Any:
    """Without waiting for somebody to write to it."""
    try:
        return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem)) from None


def _nameless(store: Path | None) -> BinaryIO:
    folder = None if store is None else store.parent
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=folder, buffering=0))
    except OSError as problem:
        raise _no_room(problem) from None


def _keep(kept: BinaryIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[kept.write(rest) :]
    except OSError as problem:
        raise _no_room(problem) from None


def _must_be_a_log(source: Source) -> None:
    try:
        with source.open() as begun:
            Archive(source.path, begun)
    except CutAtOnce:
        raise NotThisLog(
            "this is no exported log: its first line has no end", where=str(source.path)
        ) from None


class _Again(io.RawIOBase):
    """An open file, read from its beginning, whoever else reads or writes it and where."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read on."""
        found = os.pread(self._file.fileno(), len(buffer), self._offset)
        buffer[: len(found)] = found
        self._offset += len(found)
        return len(found)


def _from_the_beginning(file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(_Again(file), _CHUNK)


def _unreadable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"the file cannot be read: {why}",
        where=str(path),
        remedy="Name a file that 'ml-connector export' wrote, or /dev/stdin behind a pipe.",
    )


def _no_room(problem: OSError) -> Misconfigured:
    return Misconfigured(
        f"what comes through the pipe cannot be kept beside the store: {problem.strerror}",
        where="store.url",
        remedy="See that the store's folder is there, with room for the whole log; or put the log "
        "into a file elsewhere and name that.",
    )
