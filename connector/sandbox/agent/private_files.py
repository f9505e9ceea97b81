"""Files that only their owner can read, and what is said when they cannot be had."""

from __future__ import annotations

from pathlib import Path


class Unfit(Exception):
    """A folder or file cannot be used: `what` is wrong, `where`, and the `remedy`."""

    def __init__(self, what: str, path: Path, remedy: str) -> None:
        super().__init__(f"{path}: {what}. {remedy}")
        self.what = what
        self.where = str(path)
        self.remedy = remedy


def private(path: Path, content: bytes) -> Path:
    """A new file in the place of any other, that only its owner can read. Raises Unfit."""
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
    except OSError as problem:
        raise unusable(path, problem) from None
    return path


def unusable(path: Path, problem: OSError) -> Unfit:
    """What the system says of a path."""
    remedy = "Name a folder that is there, or can be made, and in which you may write."
    return Unfit(f"it cannot be used: {problem.strerror or problem}", path, remedy)
