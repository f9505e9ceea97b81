"""One writing process per store: an advisory lock on a file beside the database.

The lock belongs to the open file, so the system gives it up when the process dies, however it
dies; the file itself stays and holds the writer's process id for whoever asks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .errors import StoreInUse, Unavailable

FILE_MODE = 0o600


class StoreLock:
    """The lock of the store at `database`; taken with `acquire`, given up with `release`."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.path = database.with_name(database.name + ".lock")
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises StoreInUse, naming the file and the process that holds it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self.path, flags, FILE_MODE)
        except OSError as error:
            raise Unavailable(
                f"the lock file {self.path} cannot be opened ({error.strerror}): the store's "
                "directory must exist and be writable"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(PermissionError):
                os.fchmod(fd, FILE_MODE)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise StoreInUse(
                f"{self.database} is in use by process {holder} (lock file {self.path}): "
                "stop that process, or open the store read-only"
            ) from None
        except BaseException:  # an open descriptor would hold the lock for nobody
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Give the lock up. Does nothing when it is not held."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, 0)
            os.close(fd)
