"""What the commands print, and where: results on standard output, all else on standard error.

With `--json` standard output holds one JSON document and nothing else, also when a command fails.
Text from Sage 100 or HubSpot is shown without control characters: a customer's name must not be
able to move the operator's cursor.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WIDE: Final = 160  # columns, when nobody's terminal says otherwise


def stdout() -> Console:
    """The console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console for progress, notices and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def document(value: object) -> None:
    """One JSON document on standard output."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()


def clean(text: object) -> str:
    """Text from outside, fit for a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def say(text: str) -> None:
    """One plain line on standard output."""
    stdout().print(Text(clean(text)), soft_wrap=True)


def note(text: str) -> None:
    """One plain line on standard error."""
    stderr().print(Text(clean(text)), soft_wrap=True)


def show(what: RenderableType) -> None:
    """A table or other picture on standard output."""
    stdout().print(what)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of cleaned cells; numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        bool(cells) and all(re.fullmatch(r"[\d,.\-]*", row[index]) for row in cells)
        for index in range(len(columns))
    ]
    picture = Table(title=title or None, title_justify="left", header_style="bold")
    for heading, is_number in zip(columns, numeric, strict=True):
        picture.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        picture.add_row(*(Text(cell) for cell in row))
    return picture


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return clean(value)


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`, `1,000 records`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def moment(time_us: int) -> str:
    """Microseconds UTC as 2026-11-22 08:15:02Z; "-" for 0."""
    if not time_us:
        return "-"
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def failure(what: str, *, where: str = "", remedy: str = "", as_json: bool = False) -> None:
    """An error as a person needs it: what is wrong, where, and what to do about it."""
    if as_json:
        error: dict[str, Any] = {"what": what, "where": where, "remedy": remedy}
        document({"error": error})
    console = stderr()
    shown = clean(what).replace("\n", "\n       ")
    console.print(Text.assemble(("error: ", "bold red"), shown), soft_wrap=True)
    for label, text in (("where:  ", where), ("remedy: ", remedy)):
        if text:
            console.print(Text.assemble("  ", (label, "bold"), clean(text)), soft_wrap=True)
