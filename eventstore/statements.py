"""The SQL of the SQLite backend, kept in .sql files and read once, by the name of its section.

Many rows go into one statement rather than one statement per row: `sqlite3` gives up and takes back
the interpreter's lock at every step, so beside a busy event loop a thousand small steps wait a
thousand times. `batches` cuts rows into few fixed sizes, so few statements need be kept prepared.

A value costs what handing it over costs: `sqlite3` looks for an adapter for every `bytes` and None,
at ten times the price of a number, and takes `int`, `str` and `bytearray` as they are. What is
written by the thousand is handed over as these; the columns come to hold the same.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any, Final

_SECTION = re.compile(r"^-- :section (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_SIZES = (1_000, 500, 128, 32, 8, 1)


def load_sections(file: str) -> dict[str, str]:
    """The named sections of one of this package's .sql files."""
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    parts = _SECTION.split(text)
    return {
        name: _COMMENT.sub("", body).strip()
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


QUERIES = load_sections("queries.sql")
SCHEMA = load_sections("schema.sql")


class Many:
    """One statement in a few sizes: `{rows}` or `{marks}` filled for as many rows as _SIZES has.

    `row`: what stands for one row, where that is more than `width` placeholders.
    """

    def __init__(self, sql: str, width: int = 1, row: str = "") -> None:
        self.width = width
        row = row or f"({marks(width)})"
        self._sql = [
            (
                size * width,
                sql.replace("{rows}", ",".join([row] * size)).replace("{marks}", marks(size)),
            )
            for size in _SIZES
        ]

    def batches(self, values: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Statement and parameters, until the flat `values` are used up."""
        start, end = 0, len(values)
        for length, sql in self._sql:
            while end - start >= length:
                yield sql, values[start : start + length]
                start += length

    def run(self, conn: sqlite3.Connection, values: Sequence[Any]) -> None:
        """Execute for all `values`, a flat list of `width` per row."""
        for sql, part in self.batches(values):
            conn.execute(sql, part)

    def select(self, conn: sqlite3.Connection, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Rows found for all `values`."""
        for sql, part in self.batches(values):
            yield from conn.execute(sql, part)


AS_BLOB: Final = bytearray()
"""`AS_BLOB + data` is `data` in the form that costs least to hand over; TypeError if no bytes."""


def marks(count: int) -> str:
    """`count` placeholders, separated by commas."""
    return ",".join("?" * count)


def prefix_range(prefix: str, after: str = "") -> tuple[str, str | bytes]:
    """Bounds (from, below) of all texts that begin with `prefix` and are greater than `after`.

    Order is that of the UTF-8 bytes. `below` is a BLOB, above every text, where no text will do.
    """
    start = max(prefix, after + "\0") if after else prefix
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return start, b""
    following = ord(stem[-1]) + 1
    if following == 0xD800:  # surrogates are no characters and have no UTF-8
        following = 0xE000
    return start, stem[:-1] + chr(following)
