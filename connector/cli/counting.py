"""Showing how far one long piece of work is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LINE_EVERY_S: Final = 5.0


@contextmanager
def counting(
    console: Console, what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int, int], None]]:
    """A function to be told (done, of how many); 0 when nobody knows of how many."""
    if not console.is_interactive:
        said_s = clock()

        def line(done: int, total: int) -> None:
            nonlocal said_s
            if clock() - said_s >= _LINE_EVERY_S:
                said_s = clock()
                of = f" of {total:,}" if total else ""
                console.print(f"{what}: {done:,}{of}", soft_wrap=True, markup=False)

        yield line
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total or None)
