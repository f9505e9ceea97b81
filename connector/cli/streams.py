"""Standard output and error as the commands get them: a full disk ends neither in a traceback.

What cannot be written to standard output ends the command with a sentence and a code of its own:
whoever reads the file must not take a torn one for a whole one. A reader that has gone (`| head`)
wanted no more, and is told nothing. Standard error holds what is said beside the work, log lines
too: where it cannot be written the work goes on without.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from connector.errors import ConnectorError

_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET})


class OutputLost(ConnectorError):
    """Standard output cannot be written."""

    category = "output"
    default_remedy = (
        "Make room, or send the output elsewhere, and run the command again: what it did is done, "
        "only the telling is lost."
    )

    def __init__(self, problem: OSError) -> None:
        """`reader_gone`: nobody reads on, so that nobody needs to be told."""
        super().__init__(
            f"the output cannot be written: {problem.strerror or problem}", where="standard output"
        )
        self.reader_gone = problem.errno in _GONE


class _Stream:
    """A stream that is silenced when it fails, and says so to `then`; the rest is its own."""

    def __init__(self, stream: TextIO, then: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or fail as this stream does."""
        try:
            return self._stream.write(text)
        except OSError as problem:
            self._failed(problem)
            return len(text)

    def flush(self) -> None:
        """Flush, or fail as this stream does."""
        try:
            self._stream.flush()
        except OSError as problem:
            self._failed(problem)

    def _failed(self, problem: OSError) -> None:
        _drain(self._stream)
        self._then(problem)


def _end(problem: OSError) -> None:
    raise OutputLost(problem) from None


def _go_on(_: OSError) -> None:
    pass


def _drain(stream: TextIO) -> None:
    """Let what is left in the stream go nowhere: it would be tried again when the process ends."""
    with suppress(OSError, ValueError):  # a stream of a test has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def guarded() -> Iterator[None]:
    """Both streams guarded for the block. Raises OutputLost, at its end at the latest."""
    results, besides = sys.stdout, sys.stderr
    guarding = _Stream(results, _end)
    sys.stdout, sys.stderr = guarding, _Stream(besides, _go_on)
    try:
        yield
        guarding.flush()
    finally:
        sys.stdout, sys.stderr = results, besides
