"""Whose the files beside the store are: the store's owner's, also when root made them.

An operator who gives a command as root leaves its orders, plans and list of erasures for a service
that is not root, and that could not read what it is told.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def hand_over(fd: int, store_file: Path) -> None:
    """As root, give the opened file or folder to whom the store belongs, where that may be done."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        owner = (store_file if store_file.exists() else store_file.parent).stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)


def make_folder(folder: Path, store_file: Path) -> None:
    """A folder beside the store, for its owner only, whatever it was before. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    fd = os.open(folder, _FOLDER)
    try:
        os.fchmod(fd, 0o700)  # one that was put back may have another mode
        hand_over(fd, store_file)
    finally:
        os.close(fd)
