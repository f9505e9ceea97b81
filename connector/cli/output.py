"""What the commands print, and where: results on standard output, all else on standard error.

With `--json` standard output holds one JSON document and nothing else, also when a command fails.
Text from Sage 100 or HubSpot is shown without control characters: a customer's name must not be
able to move the operator's cursor, nor turn what stands beside it round. A document holds such
characters as escapes, and loses none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text
from typer import rich_utils

# Past JSON's own escapes: DEL, C1, line separators, and what sets the direction of writing.
_STEERING: Final = r"\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_CONTROL: Final = re.compile(rf"[\x00-\x08\x0b-\x1f{_STEERING}]")
_UNESCAPED: Final = re.compile(f"[{_STEERING}]")
_WIDE: Final = 160  # columns, when nobody's terminal says otherwise
_WHOLE: Final = 60  # a word longer than this may be broken, rather than that the frame goes
_FOLDED: Final = 40  # where nothing else helps: keys, property names and times stay on one line


def stdout() -> Console:
    """The console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """The console for progress, notices and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(
        stderr=stderr,
        width=width,
        highlight=False,
        soft_wrap=False,
        color_system=None if _unstyled() else "auto",
        force_interactive=False if _unstyled() else None,
    )


def _unstyled() -> bool:
    """Whether no escape code is wanted at all: none for bold, none that moves the cursor."""
    return os.environ.get("NO_COLOR", "") != "" or os.environ.get("TERM") in ("dumb", "unknown")


def style_the_library() -> None:
    """Let the library that shows help and wrong command lines style them as we style ours."""
    rich_utils.COLOR_SYSTEM = None if _unstyled() else "auto"
    rich_utils.FORCE_TERMINAL = None  # it would take a build server for a terminal


def document(value: object) -> None:
    """One JSON document on standard output."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    text = _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    sys.stdout.write(text + "\n")
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


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Picture:
    """A table of cleaned cells; numbers stand to the right."""
    return Picture(title, columns, [[_cell(value) for value in row] for row in rows])


class Picture:
    """A table that no terminal is too narrow for: a number is never broken over two lines.

    Where it does not fit text is folded, then the frame goes, then the columns that hold nothing
    but 0 (they are named under it), then long words are broken; on the narrowest each row becomes
    a sentence.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: list[list[str]]) -> None:
        """The cells are text that is fit for a terminal."""
        self._title = title
        self._columns = columns
        self._rows = rows
        self._numeric = [
            bool(rows) and all(re.fullmatch(r"[\d,.\-]*", row[index]) for row in rows)
            for index in range(len(columns))
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The fullest of the forms that fits."""
        every = range(len(self._columns))
        telling = [at for at in every if any(row[at] != "0" for row in self._rows)] or every
        forms = (
            *((every, True, _WHOLE), (every, False, _WHOLE), (telling, False, _WHOLE)),
            *((every, False, _FOLDED), (telling, False, _FOLDED)),
        )
        for chosen, framed, longest in forms:
            widths = self._widths(chosen, options.max_width, longest, framed=framed)
            if widths:
                yield self._table(widths, framed=framed)
                yield from self._left_out(list(widths))
                return
        if self._title:
            yield Text(self._title)
        for row in self._rows:
            named = [(self._columns[at], row[at]) for at in telling]
            yield Text("\n".join(_sentence(named, options.max_width)))
        yield from self._left_out(telling)

    def _left_out(self, shown: Sequence[int]) -> Iterable[Text]:
        zero = [name for at, name in enumerate(self._columns) if at not in shown]
        if zero:
            yield Text(f"0 in every line: {', '.join(zero)}")

    def _widths(
        self, chosen: Sequence[int], most: int, longest: int, *, framed: bool
    ) -> dict[int, int]:
        """Each column's width; none when `most` terminal columns do not hold the narrowest."""
        least = {at: self._narrowest(at, longest) for at in chosen}
        gaps = 3 * len(least) + 1 if framed else len(least) - 1
        left = most - gaps - sum(least.values())
        if left < 0:
            return {}
        # What is left goes to the texts first, to whichever needs most, then to the headings.
        texts = {at: self._widest_text(at) for at in least}
        headings = {at: cell_len(self._columns[at]) for at in least}
        for wanted in (texts, headings):
            while left and any(wanted[at] > have for at, have in least.items()):
                least[max(least, key=lambda at: wanted[at] - least[at])] += 1
                left -= 1
        return least

    def _narrowest(self, at: int, longest: int) -> int:
        """Numbers whole, and words that are no longer than `longest`."""
        words = [word for row in self._rows for word in row[at].split()]
        widest = max(map(cell_len, words), default=0)
        heading = max(map(cell_len, self._columns[at].split()), default=0)
        return max(1, heading, widest if self._numeric[at] else min(widest, longest))

    def _widest_text(self, at: int) -> int:
        """No line of a cell folded."""
        return max(
            (cell_len(line) for row in self._rows for line in row[at].splitlines()), default=0
        )

    def _table(self, widths: dict[int, int], *, framed: bool) -> Table:
        picture = Table(
            title=self._title or None,
            title_justify="left",
            header_style="bold",
            box=box.HEAVY_HEAD if framed else None,
            padding=(0, 1) if framed else (0, 1, 0, 0),
            pad_edge=framed,
        )
        for at, width in widths.items():
            justify: JustifyMethod = "right" if self._numeric[at] else "left"
            picture.add_column(self._columns[at], justify=justify, overflow="fold", width=width)
        for row in self._rows:
            picture.add_row(*(Text(row[at]) for at in widths))
        return picture


def _sentence(named: Iterable[tuple[str, str]], most: int) -> list[str]:
    """A row in lines of `most` columns, broken between cells; the further lines stand in."""
    lines = [""]
    cells = [f"{name} {cell}".strip().splitlines() for name, cell in named if name or cell]
    for at, (first, *more) in enumerate(cells):
        comma = "," if at + 1 < len(cells) and not more else ""
        fits = cell_len(f"{lines[-1]} {first}{comma}") <= most
        if lines[-1] and fits and not more:
            lines[-1] += f" {first}{comma}"
        else:
            lines.append(f"  {first}{comma}" if at else f"{first}{comma}")
        if more:
            lines += [*(f"  {line}" for line in more), ""]
    return [line for line in lines if line]


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
