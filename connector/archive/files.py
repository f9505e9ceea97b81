"""The bytes below the lines: a plain file, or one compressed by Zstandard when it ends in .zst.

Compressed files are a row of frames of whole commits, each closed as soon as it holds FRAME_BYTES.
So frames depend on what the log holds and not on who wrote when, and a file that was cut off goes
on behind its last full frame, giving the bytes it would have had. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from connector.archive.errors import ArchiveBroken
from connector.errors import Misconfigured

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME_BYTES: Final = 1 << 20
LONGEST_LINE: Final = 64 << 20
_CHUNK: Final = 1 << 20
_MODE: Final = 0o600
_OPTIONS: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}


class FrameEnd(NamedTuple):
    """Where a full frame ends: in what the lines see, and in the file."""

    content: int
    file: int


class Source(NamedTuple):
    """What can be read from its beginning as often as need be. `path`: what it is called."""

    path: Path
    open: Callable[[], BinaryIO]


def is_compressed(path: Path) -> bool:
    """Whether a file of this name is compressed."""
    return path.suffix == ".zst"


def compress(content: bytes) -> bytes:
    """One frame."""
    return zstd.compress(content, options=_OPTIONS)


class Lines:
    """The lines of a file, one after the other; a line that was cut off is none.

    `offset`: of the first byte behind the last line given out. `full_frames`: those not passed yet.
    `cut`: once all lines are given out, what stands behind them without an end.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._path = path
        self._number = 0
        self.offset = 0
        self.cut = b""
        self.full_frames: deque[FrameEnd] = deque()
        self._chunks = self._frames(file) if is_compressed(path) else _plain(file)

    @property
    def where(self) -> str:
        """The file and the line given out last, for an error."""
        return f"{self._path}, line {self._number}"

    def __iter__(self) -> Iterator[bytes]:
        """Lines without their ends. Raises ArchiveBroken for what was not compressed by Zstandard.

        The position of the error is not known here and stands at 0.
        """
        rest = b""
        for chunk in self._chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._number += 1
                self.offset += len(line) + 1
                yield line
            if len(rest) > LONGEST_LINE:
                raise ArchiveBroken(0, "a line is longer than any of ours", where=self.where)
        self.cut = rest

    def _frames(self, file: BinaryIO) -> Iterator[bytes]:
        content = read = 0
        data = file.read(_CHUNK)
        while data:
            decompressor = zstd.ZstdDecompressor()
            began, held = content, b""
            while not decompressor.eof:
                if decompressor.needs_input and not data:
                    data = file.read(_CHUNK)
                    if not data:
                        yield held
                        return  # cut off inside a frame
                try:
                    chunk = decompressor.decompress(data, _CHUNK)
                except zstd.ZstdError as problem:
                    raise ArchiveBroken(
                        0, f"it cannot be decompressed ({problem})", where=self.where
                    ) from None
                read += len(data)
                data = b""
                content += len(chunk)
                if chunk:
                    # One chunk is held back: the frame's end must be known before its last line.
                    yield held
                    held = chunk
            data = decompressor.unused_data
            read -= len(data)
            if content - began >= FRAME_BYTES:
                self.full_frames.append(FrameEnd(content, read))
            yield held
            data = data or file.read(_CHUNK)


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def open_for_reading(path: Path) -> BinaryIO:
    """Raises Misconfigured."""
    try:
        return path.open("rb")
    except OSError as problem:
        raise Misconfigured(
            f"the file cannot be read: {problem.strerror}",
            where=str(path),
            remedy="Name a file that 'ml-connector export' wrote.",
        ) from None


def open_for_writing(path: Path) -> BinaryIO:
    """Open or make a file that only its owner reads, and hold a lock on it while it is open.

    Raises Misconfigured, also while another export writes it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.fdopen(os.open(path, flags, _MODE), "r+b")
    except OSError as problem:
        raise _unusable(path, problem.strerror or "it cannot be opened") from None
    with contextlib.ExitStack() as opened:
        opened.callback(file.close)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _unusable(path, "it is no ordinary file")
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _unusable(path, "another export is writing it") from None
        os.fchmod(file.fileno(), _MODE)
        opened.pop_all()
    return file


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"the file cannot be written: {why}",
        where=str(path),
        remedy="Name a file in a folder that is there and may be written.",
    )
