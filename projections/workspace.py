"""The rows a step works on: loaded before it, changed by pure code, handed back as writes.

A step names the rows it needs, the caller loads them in one go, and the step then reads and
changes documents here as if they were in memory. Reading a row nobody loaded is a bug and says
so: a missing row and an unloaded one must never be confused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from projections.tables import TABLES, Doc

D = TypeVar("D", bound=Doc)

_encoder = msgspec.json.Encoder()
DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    name: msgspec.json.Decoder(cls) for name, (cls, _) in TABLES.items()
}


def encode(doc: Doc) -> bytes:
    """A row's value bytes."""
    return _encoder.encode(doc)


def decode(table: str, value: bytes) -> Any:
    """A row's document; its type is that of the table."""
    return DECODERS[table].decode(value)


class TableChange(NamedTuple):
    """What changed in one table: rows to put as (key, value, rank), and keys to remove."""

    table: str
    puts: list[tuple[str, bytes, int | None]]
    removes: list[str]


class NotLoaded(KeyError):
    """A step read a row it had not asked for."""


class Workspace:
    """Loaded rows, decoded on first use, and the changes made to them."""

    def __init__(self) -> None:
        self._raw: dict[str, dict[str, bytes | None]] = {}
        self._docs: dict[str, dict[str, Doc | None]] = {}
        self._changed: dict[str, dict[str, int | None]] = {}

    def load(
        self, wanted: Mapping[str, Iterable[str]], rows: Mapping[str, Mapping[str, bytes]]
    ) -> None:
        """Take in rows that were asked for; a wanted key without a row is known to be missing.

        Rows changed here already keep their change: what a step did outlives a later load.
        """
        for table, keys in wanted.items():
            found = rows.get(table, {})
            raw = self._raw.setdefault(table, {})
            docs = self._docs.setdefault(table, {})
            changed = self._changed.get(table, {})
            for key in keys:
                if key not in docs and key not in changed:
                    raw[key] = found.get(key)

    def missing(self, table: str, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are not loaded yet."""
        raw = self._raw.get(table, {})
        docs = self._docs.get(table, {})
        return {key for key in keys if key not in raw and key not in docs}

    def get(self, table: str, cls: type[D], key: str) -> D | None:
        """The document, or None when there is no such row."""
        docs = self._docs.get(table)
        if docs is None:
            raise NotLoaded(table, key)
        try:
            return docs[key]  # type: ignore[return-value]
        except KeyError:
            pass
        try:
            value = self._raw[table][key]
        except KeyError:
            raise NotLoaded(table, key) from None
        doc = None if value is None else DECODERS[table].decode(value)
        docs[key] = doc
        return doc

    def put(self, table: str, key: str, doc: Doc, rank: int | None = None) -> None:
        """Insert or replace a row."""
        self._docs.setdefault(table, {})[key] = doc
        self._changed.setdefault(table, {})[key] = rank

    def remove(self, table: str, key: str) -> None:
        """Delete a row; a missing one is no error."""
        self._docs.setdefault(table, {})[key] = None
        self._changed.setdefault(table, {})[key] = None

    def pack(self, table: str, keys: Iterable[str]) -> None:
        """Encode what was put under these keys now, and let the documents go.

        A page of documents is some megabytes of small objects; those that are done with make room
        for the next ones where the processor has it at hand. Reading one again decodes it.
        """
        docs = self._docs.get(table, {})
        changed = self._changed.get(table, {})
        raw = self._raw.setdefault(table, {})
        for key in keys:
            doc = docs.get(key)
            if doc is not None and key in changed:
                raw[key] = _encoder.encode(doc)
                del docs[key]

    def changes(self) -> list[TableChange]:
        """Everything changed so far, table by table, in the order of first change."""
        out = []
        for table, keys in self._changed.items():
            docs, raw = self._docs[table], self._raw.get(table, {})
            puts: list[tuple[str, bytes, int | None]] = []
            removes: list[str] = []
            for key, rank in keys.items():
                try:
                    doc = docs[key]
                except KeyError:  # packed
                    value = raw[key]
                else:
                    value = None if doc is None else _encoder.encode(doc)
                if value is None:
                    removes.append(key)
                else:
                    puts.append((key, value, rank))
            out.append(TableChange(table, puts, removes))
        return out

    def changed(self, table: str) -> dict[str, Doc | None]:
        """The rows of one table put so far, or removed (None): what to lay over a scan's."""
        return {key: self.get(table, Doc, key) for key in self._changed.get(table, {})}
