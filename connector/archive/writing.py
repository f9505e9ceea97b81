"""Writing a log to a file, or on into a file that holds its beginning.

The same log gives the same file, whether it was written in one go, cut off and continued, or
imported elsewhere and exported there. What was erased since the file was begun must not stay in
it: then it is written anew from its beginning. What is blank without an erasure is not passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from connector.archive import files, lines
from connector.archive.errors import CutAtOnce, ErasedMeanwhile, NotThisLog, Unexplained
from connector.archive.reading import PAGE_EVENTS, Archive, Count, Place, digest_at
from connector.errors import Misconfigured
from eventstore import ERASED_TYPE, ERASURE_STREAM, Blanks, EventStore, SealedCommit, check_sealed

_TRIES: Final = 5  # erasures are rare


class ExportReport(msgspec.Struct, frozen=True):
    """What an export did. Positions `first` to `last` stand in the file; the first `kept` of these
    events were there already; `hash`: the chain's digest at `last`.
    """

    first: int
    last: int
    kept: int
    written: int
    hash: str


class _Writer:
    """Appends whole commits to an open file; every method blocks."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._file = file
        self._compressed = files.is_compressed(path)
        self._frame: list[bytes] = []
        self._frame_bytes = 0

    def begin(self, offset: int, header: bytes) -> None:
        """Drop what stands behind `offset`; at 0 begin with the first line."""
        self._file.seek(offset)
        self._file.truncate()
        if offset == 0:
            self._put(header)

    def write(self, commits: Sequence[SealedCommit]) -> None:
        """Append commits."""
        for commit in commits:
            self._put(lines.commit_lines(commit))
            if self._frame_bytes >= files.FRAME_BYTES:
                self._flush()

    def finish(self, last_line: bytes) -> None:
        """Append the last line, and see that all is on the disk."""
        self._flush()
        self._put(last_line)
        self._flush()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _put(self, content: bytes) -> None:
        if self._compressed:
            self._frame.append(content)
            self._frame_bytes += len(content)
        else:
            self._file.write(content)

    def _flush(self) -> None:
        if self._frame:
            self._file.write(files.compress(b"".join(self._frame)))
        self._frame.clear()
        self._frame_bytes = 0


async def export(
    store: EventStore, path: Path, count: Count, *, start: int = 1, upto: int | None = None
) -> ExportReport:
    """Write the commits from the one that holds `start` to the last that ends by `upto`.

    A file that is there is continued. Raises NotThisLog when it holds another log or range,
    ArchiveBroken when it was altered, Misconfigured, ChainBroken when the store was altered, and
    ErasedMeanwhile when erasures leave no time to write it.
    """
    await _range(store, start, upto)  # a range that there is not must leave no file behind
    file = await asyncio.to_thread(files.open_for_writing, path)
    with file:
        for _ in range(_TRIES):
            began = (await store.head()).last
            begins, ends = await _range(store, start, upto)
            offset, place = await _goes_on(store, path, file, begins, ends)
            kept = place.last - begins.last
            place = await _write(store, path, file, offset, place, begins, ends, count)
            if not await store.read(began, types=[ERASED_TYPE], limit=1):
                break  # else what was erased meanwhile may stand in it
        else:
            await asyncio.to_thread(file.truncate, 0)
            raise ErasedMeanwhile(where=str(path))
    return ExportReport(
        first=begins.last + 1,
        last=place.last,
        kept=kept,
        written=place.last - begins.last - kept,
        hash=place.digest.hex(),
    )


async def _write(
    store: EventStore,
    path: Path,
    file: BinaryIO,
    offset: int,
    place: Place,
    begins: Place,
    ends: int,
    count: Count,
) -> Place:
    """Write on behind `offset`, where the file stands at `place`, up to `ends`; where that is."""
    writer = _Writer(path, file)
    header = lines.header_line(begins.last, begins.digest)
    await asyncio.to_thread(writer.begin, offset, header)
    blanks = Blanks()
    while page := await store.sealed(place.last, upto=ends, limit=PAGE_EVENTS):
        for commit in page:
            check_sealed(*place, commit, blanks)
            place = Place(commit.last, commit.digest)
        await asyncio.to_thread(writer.write, page)
        count(place.last - begins.last, ends - begins.last)
    await asyncio.to_thread(
        writer.finish, lines.end_line(*place, await _explained(store, blanks, place.last))
    )
    return place


async def _explained(store: EventStore, blanks: Blanks, last: int) -> int:
    """How many events up to `last` are blank by erasures behind it. Raises ChainBroken for any
    that are blank for no reason.
    """
    open_ = blanks.count
    while blanks.count and (page := await store.read(last, types=[ERASED_TYPE])):
        for event in page:
            if event.stream == ERASURE_STREAM and event.data is not None:
                blanks.erased(event.position, event.data)
        last = page[-1].position
    blanks.check()
    return open_


async def _range(store: EventStore, start: int, upto: int | None) -> tuple[Place, int]:
    """The place before the first commit, and the end of the last."""
    head = await store.head()
    if start > max(head.last, 1):
        raise Misconfigured(
            f"the log ends at position {head.last}",
            where=f"--from {start}",
            remedy="Begin with a position that the log has.",
        )
    [first] = await store.commits([start])
    after = first.first - 1 if first is not None else 0
    digest = await digest_at(store, after)
    if digest is None:
        raise Misconfigured(f"no commit ends at position {after}: run 'ml-connector verify'")
    return Place(after, digest), head.last if upto is None else min(upto, head.last)


async def _goes_on(
    store: EventStore, path: Path, file: BinaryIO, begins: Place, ends: int
) -> tuple[int, Place]:
    """Where the file is to be continued: at (0, begins) when it is new or must be new."""
    if not await asyncio.to_thread(lambda: os.fstat(file.fileno()).st_size):
        return 0, begins
    try:
        archive = await asyncio.to_thread(Archive, path, file)
    except CutAtOnce as problem:
        if lines.header_line(*begins).startswith(problem.seen):
            return 0, begins
        raise NotThisLog("this is no exported log", where=str(path)) from None
    if archive.begins != begins:
        raise NotThisLog(
            f"the file holds a log from position {archive.begins.last + 1} on, and not this one "
            f"from {begins.last + 1} on",
            where=str(path),
        )
    with contextlib.suppress(Unexplained):  # then it is written anew
        while await asyncio.to_thread(archive.page):
            pass
    reached = archive.place
    if reached.last > ends or await digest_at(store, reached.last) != reached.digest:
        raise NotThisLog(
            f"the file holds positions up to {reached.last}, and this store another log there"
            if reached.last <= ends
            else f"the file holds positions up to {reached.last} already, beyond {ends}",
            where=str(path),
        )
    if archive.goes_on is None or archive.blanks.count:
        return 0, begins
    offset, place = archive.goes_on
    if await store.read(place.last, types=[ERASED_TYPE], limit=1):
        return 0, begins
    return offset, place
