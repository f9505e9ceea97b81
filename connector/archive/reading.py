"""Reading an exported log: commit by commit, checked, and back into a store.

A file is read forwards once and never held as a whole. What is at fault is named by position:
the first that does not fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from connector.archive import files, lines
from connector.archive.errors import ArchiveBroken, CutAtOnce, NotThisLog, Unexplained
from connector.archive.files import Source
from eventstore import (
    GENESIS,
    Blanks,
    ChainBroken,
    EventStore,
    SealedCommit,
    Write,
    check_sealed,
)

PAGE_EVENTS: Final = 2_000
_NOWHERE: Final = 1 << 63
_MOST_EVENTS: Final = 1_000_000  # of one commit: far more than any append

Count = Callable[[int, int], None]
"""Told how far it has come: (done, of how many); 0 when nobody knows of how many."""


class Place(NamedTuple):
    """A position, and the chain's digest there."""

    last: int
    digest: bytes


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did. `held`: events of the file that the store held already; `restored`:
    events added; `head`, `hash`: of the store afterwards; `complete`: False for a file cut off.
    """

    held: int
    restored: int
    head: int
    hash: str
    complete: bool


class Archive:
    """An exported log, open for reading, each commit checked against the one before it. It blocks.

    `begins`: the place before its first commit. `place`: that of the last commit given out.
    `goes_on`: offset in the file, and place, where a file that was cut off can be continued.
    `complete`: its last line was seen, and nothing stands behind it. `blanks`: what is blank so far
    and not explained yet; in a complete file, what its last line owns to.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        """Raises NotThisLog for a file of another kind, CutAtOnce."""
        self._path = path
        self._lines = files.Lines(file, path)
        self._iterator = iter(self._lines)
        self._ended = False
        self._fault: ArchiveBroken | None = None
        self.complete = False
        self.blanks = Blanks()
        self.goes_on: tuple[int, Place] | None = None
        self.begins = self.place = self._header()
        self._passed()

    def page(self, events: int = PAGE_EVENTS) -> list[SealedCommit]:
        """The next commits, about so many events; [] at the end. Raises ArchiveBroken, once all
        that holds before the fault has been given out.

        At the end also Unexplained, when events are blank and nothing says why. A commit that was
        cut off is not given out.
        """
        found: list[SealedCommit] = []
        if self._fault is not None:
            raise self._fault
        while events > 0 and not self._ended:
            try:
                commit = self._commit()
            except ArchiveBroken as problem:
                self._fault = problem
                if found:
                    break
                raise
            if commit is None:
                self._ended = True
            else:
                found.append(commit)
                events -= len(commit.events)
        return found

    def _header(self) -> Place:
        where = str(self._path)
        try:
            first = next(self._iterator, None)
            found = None if first is None else lines.read_line(first)
            if isinstance(found, lines.Header):
                return Place(found.after, lines.digest_of(found.digest))
        except ArchiveBroken as problem:
            raise NotThisLog(f"this is no exported log: {problem.what}", where=where) from None
        except lines.NoLine as problem:
            raise NotThisLog(f"this is no exported log: {problem}", where=where) from None
        if found is None:
            raise CutAtOnce(self._lines.cut, where=where)
        raise NotThisLog("this is no exported log: its first line is missing", where=where)

    def _commit(self) -> SealedCommit | None:
        head = self._next()
        if head is None:
            return None
        if isinstance(head, lines.End):
            self._end(head)
            return None
        expected = self.place.last + 1
        if not isinstance(head, lines.CommitLine):
            raise self._broken(expected, "the line of its commit is missing")
        count = head.last - head.first + 1
        if head.first != expected or not 1 <= count <= _MOST_EVENTS:
            raise self._broken(expected, f"its commit says {head.first} to {head.last}")
        found: list[lines.EventLine] = []
        for position in range(head.first, head.last + 1):
            line = self._next(position)
            if line is None:
                return None
            if not isinstance(line, lines.EventLine) or line.position != position:
                raise self._broken(position, "the event is missing")
            found.append(line)
        try:
            commit = lines.sealed(head, found)
            check_sealed(*self.place, commit, self.blanks)
        except lines.NoLine as problem:
            raise self._broken(head.first, str(problem)) from None
        except ChainBroken as problem:
            raise ArchiveBroken(problem.position, str(problem), where=self._lines.where) from None
        self.place = Place(commit.last, commit.digest)
        self._passed()
        return commit

    def _end(self, line: lines.End) -> None:
        if (line.end, line.digest) != (self.place.last, self.place.digest.hex()):
            raise self._broken(
                self.place.last + 1, f"the last line says that it ends at {line.end}"
            )
        if self._next() is not None or self._lines.cut:
            raise self._broken(self.place.last + 1, "there is more behind the last line")
        if self.blanks.count != line.blank:
            raise Unexplained(
                self.blanks.first or self.place.last,
                "events are blank, and no erasure after them names their streams: the first at "
                f"position {self.blanks.first}"
                if self.blanks.count > line.blank
                else f"the last line says that {line.blank} events are blank by later erasures, "
                f"{self.blanks.count} are",
                where=self._lines.where,
            )
        self.complete = True

    def _next(self, position: int = 0) -> lines.Line | None:
        """The next line, None at the end; `position`: what it should be of, for an error."""
        try:
            line = next(self._iterator, None)
            return None if line is None else lines.read_line(line)
        except (ArchiveBroken, lines.NoLine) as problem:
            what = problem.what if isinstance(problem, ArchiveBroken) else str(problem)
            raise self._broken(position or self.place.last + 1, what) from None

    def _broken(self, position: int, why: str) -> ArchiveBroken:
        return ArchiveBroken(position, f"position {position}: {why}", where=self._lines.where)

    def _passed(self) -> None:
        """Note where the file can go on, now that a whole commit has been read."""
        frames, offset = self._lines.full_frames, self._lines.offset
        if not files.is_compressed(self._path):
            self.goes_on = (offset, self.place)
        while frames and frames[0].content <= offset:
            frame = frames.popleft()
            if frame.content == offset:
                self.goes_on = (frame.file, self.place)


async def must_be_importable(source: Source, *, store_exists: bool) -> None:
    """Raises what `restore` would raise before it had done anything: for a caller that would make
    a store only to find that there is nothing to put into it.
    """
    path = source.path
    file = await asyncio.to_thread(source.open)
    with file:
        archive = await asyncio.to_thread(Archive, path, file)
        if store_exists:
            return
        _must_begin_by(archive.begins, 0, path)
        if not await asyncio.to_thread(_holds_something, archive, source):
            raise ArchiveBroken(
                1, "the file was cut off before anything of it could be proved", where=str(path)
            )


def _holds_something(archive: Archive, source: Source) -> bool:
    """Whether a commit of it can be taken in, or it is whole and holds none."""
    first = archive.page(1)
    if first and archive.blanks.seen and _first_unexplained(source) <= first[0].last:
        while archive.page():
            pass  # up to the fault, which is what to tell
        return False
    return bool(first) or archive.complete


async def restore(
    store: EventStore, source: Source, count: Count, *, also: Sequence[Write] = ()
) -> ImportReport:
    """Append what the file holds beyond the store's log; that log must be how the file begins.

    `also`: written before the first commit is. Raises NotThisLog, ArchiveBroken, Misconfigured;
    what holds before a fault stays imported, and nothing else does.
    """
    path = source.path
    file = await asyncio.to_thread(source.open)
    with file:
        archive = await asyncio.to_thread(Archive, path, file)
        head = await store.head()
        await _must_meet(store, archive.begins, head.last, path)
        held = restored = 0
        ends: int | None = None  # the first position that must not be taken in
        while page := await asyncio.to_thread(archive.page):
            if archive.blanks.seen and ends is None:
                # Before anything blank is taken in: what explains it may be the last event.
                ends = await asyncio.to_thread(_first_unexplained, source)
            if ends is not None:
                page = [commit for commit in page if commit.last < ends]
            known = [commit for commit in page if commit.first <= head.last]
            await _must_be_the_same(store, known, path)
            held += sum(len(commit.events) for commit in known)
            new = page[len(known) :]
            if new:
                if not restored and also:
                    await store.append([], also=also)
                await store.restore(new)
                restored += sum(len(commit.events) for commit in new)
            count(archive.place.last, 0)
        newest = await store.head()
        return ImportReport(held, restored, newest.last, newest.digest.hex(), archive.complete)


def _first_unexplained(source: Source) -> int:
    """The first event of the file that is blank for no reason; far beyond the end when none is.

    Of a file that was cut off: the first whose reason, if there is one, was cut off with it.
    """
    with source.open() as file:
        archive = Archive(source.path, file)
        try:
            while archive.page():
                pass
        except ArchiveBroken as problem:
            if problem.position <= archive.place.last:
                return problem.position
        if archive.complete:
            return _NOWHERE
        return archive.blanks.first or _NOWHERE


async def _must_meet(store: EventStore, begins: Place, head: int, path: Path) -> None:
    """The file must begin inside the store's log or right behind it."""
    _must_begin_by(begins, head, path)
    if await digest_at(store, begins.last) != begins.digest:
        raise _another_log(begins.last, path)


def _must_begin_by(begins: Place, head: int, path: Path) -> None:
    if begins.last > head:
        raise NotThisLog(
            f"the file begins with position {begins.last + 1}, the store ends at {head}",
            where=str(path),
            remedy=f"Import first the file that holds positions {head + 1} to {begins.last}.",
        )


async def _must_be_the_same(store: EventStore, known: list[SealedCommit], path: Path) -> None:
    found = await store.commits([commit.last for commit in known])
    for ours, theirs in zip(found, known, strict=True):
        if ours is None or (ours.last, ours.digest) != (theirs.last, theirs.digest):
            raise _another_log(theirs.first, path)


def _another_log(position: int, path: Path) -> NotThisLog:
    return NotThisLog(
        f"the store holds another log: at position {position} it differs from the file",
        where=str(path),
        remedy="Import into a new store: a log is only ever continued by its own continuation. "
        "'ml-connector verify' says whether either was altered.",
    )


async def digest_at(store: EventStore, position: int) -> bytes | None:
    """The chain's digest at the end of a commit; None where no commit ends."""
    if position == 0:
        return GENESIS
    [commit] = await store.commits([position])
    return commit.digest if commit is not None and commit.last == position else None
