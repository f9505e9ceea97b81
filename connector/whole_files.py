"""Writing a file whole or not at all, readable by its owner only, whatever lay there before.

The content goes into a draft of this process's own, which takes the file's place in one step once
it is on the disk. The draft is always made anew: no link is followed, nobody else's mode is kept.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from connector.ownership import hand_over

DRAFT: Final = ".draft"
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE: Final = 0o600


def write_whole(path: Path, content: bytes, *, beside: Path | None = None) -> None:
    """Put `content` at `path`, durably. Raises OSError; then nothing is there that was not.

    `beside`: the store whose owner it is for.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT}")
    # One of a process that died under the same number, or a trap: not ours to write through.
    draft.unlink(missing_ok=True)
    try:
        with open(os.open(draft, _FLAGS, _MODE), "wb") as file:
            if beside is not None:
                hand_over(file.fileno(), beside)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:  # interrupted, too: no half a file stays, with what may be a secret
        draft.unlink(missing_ok=True)
        raise
