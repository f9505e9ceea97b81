"""On which line of a TOML text a table or key stands, so that a message can point at it.

The standard library's parser gives values without places. This reads the same text once more,
just closely enough to know where each header and key begins: multi-line strings and arrays are
stepped over, everything else is left to the real parser, which has accepted the text before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Path = tuple[str | int, ...]

_PART: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*""")


def lines_of(text: str) -> dict[Path, int]:
    """Key path, with an index behind each array of tables, to its line (the first is 1)."""
    found: dict[Path, int] = {}
    tables: dict[Path, int] = {}  # array of tables -> how many so far
    current: Path = ()
    for number, line in _logical_lines(text):
        if line.startswith("[["):
            array = _inside(_keys(line[2:])[0], tables)
            tables[array] = tables.get(array, 0) + 1
            found.setdefault(array, number)
            current = (*array, tables[array] - 1)
            found.setdefault(current, number)
        elif line.startswith("["):
            current = _inside(_keys(line[1:])[0], tables)
            found.setdefault(current, number)
        else:
            path = current
            for part in _keys(line)[0]:
                path = (*path, part)
                found.setdefault(path, number)
    return found


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of a path, or of the nearest thing around it that has one."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _inside(parts: list[str], tables: dict[Path, int]) -> Path:
    """A header's path: every array of tables on the way is entered at its newest element."""
    path: Path = ()
    for depth, part in enumerate(parts):
        path = (*path, part)
        if path in tables and depth < len(parts) - 1:
            path = (*path, tables[path] - 1)
    return path


def _keys(text: str) -> tuple[list[str], int]:
    """A dotted key at the start of `text`, and where what follows it begins."""
    parts: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        word = match.group(1)
        parts.append(word[1:-1] if word[0] in "\"'" else word)
        at = match.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    return parts, at


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number, text) of each header and each `key = value`, however many lines it spans."""
    open_quote = ""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        start = 0
        if not open_quote and depth == 0:
            if not bare or bare.startswith("#"):
                continue
            yield number, bare
            if bare.startswith("["):
                continue
            line = bare
            start = _keys(bare)[1]
        open_quote, depth = _scan(line, start, open_quote, depth)


def _scan(line: str, at: int, quote: str, depth: int) -> tuple[str, int]:
    """Where the end of this line leaves us: inside which quote, how deep in brackets."""
    while at < len(line):
        if quote:
            if line[at] == "\\" and quote[0] == '"':
                at += 2
            elif line.startswith(quote, at):
                at += len(quote)
                quote = ""
            else:
                at += 1
            continue
        if line[at] == "#":
            break
        if line[at] in "\"'":
            quote = line[at] * 3 if line.startswith(line[at] * 3, at) else line[at]
            at += len(quote)
            continue
        depth += (line[at] in "[{") - (line[at] in "]}")
        at += 1
    # A single-quoted string never spans lines; the real parser has made sure of that.
    return (quote if len(quote) == 3 else ""), depth
