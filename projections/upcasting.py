"""Old forms of events, and how each is read as the next one.

A payload in the log is never rewritten. Where an event's form has changed by more than a new
optional field, its schema number has gone up, and here stands what makes the next form of the one
before: pure, by (type, schema), for ever. A type that is not named here has schema 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Document = dict[str, Any]


def _undo_without_values(old: Document) -> Document:
    """UndoRequested 1 held, in `fields`, the very values of every record, where an erasure did not
    find them. Logs were also written in which schema 1 has `targets` already.
    """
    fields = old.get("fields", {})
    rest = {name: value for name, value in old.items() if name != "fields"}
    return {"targets": list(fields)} | rest if fields else rest


UPCASTERS: Final[Mapping[tuple[str, int], Callable[[Document], Document]]] = {
    ("UndoRequested", 1): _undo_without_values,
}


def current_schema(type_name: str) -> int:
    """The schema in which events of this type are written now."""
    return max([schema + 1 for name, schema in UPCASTERS if name == type_name], default=1)
