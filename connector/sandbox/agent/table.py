"""One Sage 100 file: rows in key order, read forward from a key, changed in place.

Rows are kept packed (UTF-8 cells with a separator between them): half a million invoices fit into
a small machine, and a page of rows becomes XML by a few replacements instead of a walk over cells.
Order is the byte order of the padded key, as in the file, and paging starts behind a key, so rows
that come and go meanwhile never shift the pages that follow.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from sys import intern

import msgspec

from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.layouts import MEMO_LENGTH, Entity
from connector.sandbox.agent.values import clean

CELL_SEPARATOR = "\x1f"  # forbidden in XML, hence never inside a cell once `clean` has seen it
_SEPARATOR = CELL_SEPARATOR.encode()


class Page(msgspec.Struct, frozen=True):
    """Packed rows, and the key to go on from (None: the end of the file was reached)."""

    rows: list[bytes]
    position: bytes | None
    scanned: int
    capped: bool  # stopped by the scan limit, before the page was full
    cut: bool = False  # stopped by the end put to the file: what lies behind it is never served


class Table:
    """The rows of one entity of one company."""

    __slots__ = ("_changed", "_rows", "entity")

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self._rows: list[bytes] = []
        self._changed: list[str] = []  # per row the later of its date stamps; "" when all are blank

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return map(unpack, tuple(self._rows))

    def load(self, rows: list[bytes]) -> None:
        """Take over packed rows in any order (the list itself: it is sorted in place).

        Raises ModelError when two rows share a key.
        """
        self._rows = rows
        rows.sort(key=self.key_of)
        previous = b""
        for row in self._rows:
            key = self.key_of(row)
            if key == previous:
                raise ModelError(f"{self.entity.name} has two rows with the key {key!r}")
            previous = key
        self._changed = [self._stamp(row) for row in self._rows]

    def dump(self) -> list[bytes]:
        """Every packed row, in key order: what `load` takes back, also into another table."""
        return list(self._rows)

    def reshape(self, entity: Entity) -> None:
        """Take on another layout of the same file: cells move by name, new ones are blank.

        Text too wide for its new column is cut, as a conversion does.
        """
        moves: list[tuple[int | None, str, int]] = []  # where from, else what, and the most of it
        for at, column in enumerate(entity.columns):
            wide = column.type != "number"
            most = column.length if wide else MEMO_LENGTH
            moves.append((self.entity.index.get(column.name), entity.blank[at], most))
        rows = []
        for packed in self._rows:
            cells = unpack(packed)
            rows.append(
                pack(
                    blank if source is None else cells[source][:most].rstrip(" ")
                    for source, blank, most in moves
                )
            )
        self.entity = entity
        self.load(rows)

    def rank(self, key: Sequence[str]) -> int:
        """How many rows stand before this key."""
        return self._find(self.entity.padded(key))[0]

    def get(self, key: Sequence[str]) -> tuple[str, ...] | None:
        """The cells of one row, or None."""
        packed = self.packed(key)
        return None if packed is None else unpack(packed)

    def packed(self, key: Sequence[str]) -> bytes | None:
        """One row as it is stored, or None."""
        at, found = self._find(self.entity.padded(key))
        return self._rows[at] if found else None

    def put(self, cells: Sequence[str]) -> bool:
        """Insert the row, or replace the one with its key; True when it is new."""
        if len(cells) != len(self.entity.columns):
            raise ModelError(
                f"a row of {self.entity.name} has {len(self.entity.columns)} cells, "
                f"not {len(cells)}"
            )
        cells = [clean(cell) for cell in cells]
        at, found = self._find(self.entity.padded(cells[: len(self.entity.key_widths)]))
        row = pack(cells)
        if found:
            self._rows[at] = row
            self._changed[at] = self._stamp(row)
        else:
            self._rows.insert(at, row)
            self._changed.insert(at, self._stamp(row))
        return not found

    def remove(self, key: Sequence[str]) -> bool:
        """Delete one row; False when there is none. Like Sage 100, it leaves no trace."""
        at, found = self._find(self.entity.padded(key))
        if found:
            del self._rows[at]
            del self._changed[at]
        return found

    def under(self, prefix: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Every row whose first key parts are these, in key order."""
        parts = zip(prefix, self.entity.key_widths, strict=False)
        start = b"".join(part.encode("cp1252").ljust(width) for part, width in parts)
        at = bisect_left(self._rows, start, key=self.key_of)
        found = []
        while at < len(self._rows) and self.key_of(self._rows[at]).startswith(start):
            found.append(unpack(self._rows[at]))
            at += 1
        return iter(found)

    def holding(self, cell: str) -> list[tuple[str, ...]]:
        """Every row that has this text as one of its cells (a whole scan)."""
        wanted = cell.encode()
        return [unpack(row) for row in self._rows if wanted in row and cell in unpack(row)]

    def page(
        self,
        *,
        after: bytes | None,
        limit: int,
        since: str | None,
        scan_limit: int,
        end: int | None = None,
    ) -> Page:
        """Up to `limit` rows behind the padded key `after`, looking at no more than `scan_limit`.

        `since` (YYYYMMDD) keeps rows stamped on or after that date and rows without any stamp; an
        entity without stamp columns ignores it. `end`: the file is read to this row and no further.
        """
        rows = self._rows
        last = len(rows) if end is None else min(end, len(rows))
        start = 0 if after is None else bisect_right(rows, after, key=self.key_of)
        start = min(start, last)
        horizon = min(last, start + scan_limit)
        if since is None or not self.entity.stamps:
            stop = min(horizon, start + limit)
            picked = rows[start:stop]
        else:
            picked = []
            stop = start
            for stamp in self._changed[start:horizon]:
                if stamp >= since or not stamp:
                    picked.append(rows[stop])
                    if len(picked) == limit:
                        stop += 1
                        break
                stop += 1
        more, cut = stop < last, stop >= last < len(rows)
        return Page(
            rows=picked,
            position=self.key_of(rows[stop - 1]) if more else None,
            scanned=stop - start,
            capped=cut or (more and len(picked) < limit),
            cut=cut,
        )

    def key_of(self, row: bytes) -> bytes:
        """The padded key of a packed row."""
        widths = self.entity.key_widths
        parts = row.split(_SEPARATOR, len(widths))[: len(widths)]
        if not row.isascii():
            parts = [part.decode().encode("cp1252") for part in parts]
        return b"".join(map(bytes.ljust, parts, widths))

    def _find(self, key: bytes) -> tuple[int, bool]:
        at = bisect_left(self._rows, key, key=self.key_of)
        return at, at < len(self._rows) and self.key_of(self._rows[at]) == key

    def _stamp(self, row: bytes) -> str:
        stamps = self.entity.stamps
        if not stamps:
            return ""
        cells = row.split(_SEPARATOR)
        return intern(max(cells[at].strip() for at in stamps).decode())


def pack(cells: Iterable[str]) -> bytes:
    """A row as it is stored, from cells that are already clean."""
    return CELL_SEPARATOR.join(cells).encode()


def unpack(row: bytes) -> tuple[str, ...]:
    """The cells of a packed row."""
    return tuple(row.decode().split(CELL_SEPARATOR))
