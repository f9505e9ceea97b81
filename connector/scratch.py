"""A folder for copies of the log that goes away again, even when its process was killed.

Copies hold whatever the log holds. So a note beside the store says where a folder of copies lies,
and is held locked by whoever uses it: a note that nobody holds is of a process that was killed, and
what it names is removed by the next one to ask for a folder, and by an erasure.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PREFIX: Final = "ml-connector-copies-"
_EARLIER: Final = "ml-connector-rehearsal-"  # what versions before this one called theirs
_NOTE: Final = ".copies-"
_log: Final = logging.getLogger(__name__)


@contextlib.contextmanager
def scratch_folder(store_file: Path | None, within: Path | None) -> Iterator[Path]:
    """A folder inside `within` (the system's own place for such, when None), gone at the end."""
    if store_file is not None:
        clear_left(store_file)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=within) as name:
        folder = Path(name).resolve()
        with _noted(store_file, folder):
            yield folder


def clear_left(store_file: Path) -> int:
    """Remove the copies of processes that were killed; how many folders."""
    removed = 0
    for note in sorted(store_file.parent.glob(f"{glob.escape(store_file.name)}{_NOTE}*")):
        try:
            with _locked(note, os.O_RDWR) as fd:
                folder = Path(os.pread(fd, 4096, 0).decode("utf-8", "replace"))
                if folder.name.startswith((_PREFIX, _EARLIER)) and folder.is_dir():
                    shutil.rmtree(folder)
                    removed += 1
                note.unlink(missing_ok=True)
        except BlockingIOError:
            continue  # in use
        except OSError as problem:
            _log.warning("copies of the log are left: %s: %s", note, problem)
    return removed


@contextlib.contextmanager
def _noted(store_file: Path | None, folder: Path) -> Iterator[None]:
    if store_file is None:
        yield
        return
    note = store_file.with_name(f"{store_file.name}{_NOTE}{folder.name.removeprefix(_PREFIX)}")
    try:
        lock = contextlib.ExitStack()
        fd = lock.enter_context(_locked(note, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    except OSError as problem:
        _log.warning("%s: no note of the copies in %s can be left (%s)", note, folder, problem)
        yield
        return
    with lock:
        os.write(fd, str(folder).encode())
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(note: Path, flags: int) -> Iterator[int]:
    """The note, opened and held by nobody else. Raises OSError."""
    fd = os.open(note, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield fd
    finally:
        os.close(fd)
