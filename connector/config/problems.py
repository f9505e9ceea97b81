"""What can be wrong with a configuration file, said so that it can be put right at once.

Everything found in one file is reported together: a person who corrects one line at a time and
starts again each time has been served badly.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import Misconfigured

_REMEDY: Final = (
    "Correct the file, or what it refers to; 'ml-connector init' in an empty folder writes an "
    "example of it."
)


class Problem(msgspec.Struct, frozen=True):
    """One mistake: the line it is on (None: nowhere in particular), the key, and the matter."""

    key: str
    message: str
    line: int | None = None


class InvalidConfiguration(Misconfigured):
    """The configuration cannot be used as it is."""

    def __init__(self, path: Path, problems: Iterable[Problem], remedy: str = "") -> None:
        """All problems of one file, in the order of its lines."""
        self.path = path
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__(
            "\n".join(f"{self._place(each)}{each.message}" for each in self.problems),
            where=str(path),
            remedy=remedy or _REMEDY,
        )

    def _place(self, problem: Problem) -> str:
        line = f"line {problem.line}, " if problem.line is not None else ""
        return f"{line}{problem.key}: " if problem.key else line


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that `word` was probably meant to be, or ""."""
    by_folded = {name.casefold().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else ""


def shown(value: object) -> str:
    """A value as a message may repeat it: short, and on one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
