"""Showing how far a run has come: bars on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from connector.progress import Progress

_LINE_EVERY_S: Final = 5.0


class Words(msgspec.Struct, frozen=True):
    """What a command calls its steps. `brief`: done soon mostly, and then not worth a line.

    `counts_down`: it is known how many there still are to `write`.
    """

    project: str = "decide"
    write: str = "write"
    counts_down: bool = True
    brief: bool = False


SYNCING: Final = Words()
FOLDING: Final = Words(project="fold the log", brief=True)
COMPARING: Final = Words("read the log", "compare", counts_down=False, brief=True)


@contextmanager
def watching(console: Console, words: Words = SYNCING) -> Iterator[Progress]:
    """A `Progress` that shows on this console until the block ends."""
    if not console.is_interactive:
        lines = PlainLines(
            lambda text: console.print(text, soft_wrap=True, markup=False), words=words
        )
        try:
            yield lines
        finally:
            lines.close()
        return
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield TerminalBars(bars, words)


class TerminalBars:
    """One bar per entity read, one for the projector, one per HubSpot object written."""

    def __init__(self, bars: Bars, words: Words = SYNCING) -> None:
        """`bars` is running; its owner stops it."""
        self._bars = bars
        self._words = words
        self._tasks: dict[str, TaskID] = {}

    def poll(self, company: str, entity: str, read: int) -> None:
        """Rows read so far; how many there are, nobody knows before the end."""
        self._move(f"read  {company} {entity}", read, None)

    def project(self, done: int, total: int) -> None:
        """How much of the log is projected."""
        self._move(self._words.project, done, total)

    def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002 - as in Progress
        """How many commands are carried out."""
        total = done + pending if self._words.counts_down else None
        self._move(f"{self._words.write} {object}", done, total)

    def _move(self, name: str, done: int, total: int | None) -> None:
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(task, completed=done, total=total)


class PlainLines:
    """Lines for logs and pipes: what moved, at most every few seconds, and where it all ended."""

    def __init__(
        self,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        words: Words = SYNCING,
    ) -> None:
        """`clock` counts seconds."""
        self._write = write
        self._words = words
        self._clock = clock
        self._last_s = clock()
        self._unsaid: dict[str, str] = {}
        self._closed = False

    def poll(self, company: str, entity: str, read: int) -> None:
        """Rows read so far."""
        self._move(f"read {company} {entity}", f"{read:,} rows")

    def project(self, done: int, total: int) -> None:
        """How much of the log is projected."""
        self._move(self._words.project, f"{done:,} of {total:,} events")

    def write(self, object: str, done: int, pending: int) -> None:  # noqa: A002 - as in Progress
        """How many commands are carried out."""
        left = f", {pending:,} pending" if self._words.counts_down else ""
        self._move(f"{self._words.write} {object}", f"{done:,} done{left}")

    def close(self) -> None:
        """Say what has not been said yet, when anything is worth it."""
        if not self._words.brief:
            self._say()
        self._closed = True

    def _say(self) -> None:
        for name, figures in self._unsaid.items():
            self._write(f"{name}: {figures}")
        self._unsaid.clear()

    def _move(self, name: str, figures: str) -> None:
        if self._closed:
            return
        self._unsaid.pop(name, None)  # what moved last is said last
        self._unsaid[name] = figures
        if self._clock() - self._last_s >= _LINE_EVERY_S:
            self._last_s = self._clock()
            self._say()
