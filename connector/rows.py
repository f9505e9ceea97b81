"""Between the pure workspace and the store: rows in before a step, writes out after it.

`projections` works on loaded rows and knows no store; `eventstore` keeps rows and knows no
documents. This is the whole of what lies between them, for projector and writer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from eventstore.types import EventStore, Put, Remove, Row, Write
from projections.workspace import Workspace, decode


async def load(store: EventStore, work: Workspace, wanted: Mapping[str, Iterable[str]]) -> None:
    """Load the wanted rows (table to keys) that `work` has not loaded yet, in one step."""
    missing = {table: work.missing(table, keys) for table, keys in wanted.items()}
    asked = {table: sorted(keys) for table, keys in missing.items() if keys}
    if not asked:
        return
    found = await store.rows(asked)
    work.load(
        asked,
        {table: {key: row.value for key, row in rows.items()} for table, rows in found.items()},
    )


async def find(
    store: EventStore,
    work: Workspace,
    table: str,
    prefixes: Collection[str],
    prefix_of: Callable[[str], str],
) -> dict[str, dict[str, Any]]:
    """All rows of each prefix, key to document, as they stand with what `work` changes.

    `prefix_of` gives the prefix that a key of this table belongs to.
    """
    found: dict[str, dict[str, Any]] = {prefix: {} for prefix in prefixes}
    if not found:
        return found
    for prefix, rows in (await store.scan_many(table, prefixes)).items():
        found[prefix] = {row.key: decode(table, row.value) for row in rows}
    for key, doc in work.changed(table).items():
        rows_found = found.get(prefix_of(key))
        if rows_found is None:
            continue
        if doc is None:
            rows_found.pop(key, None)
        else:
            rows_found[key] = doc
    return found


def writes(work: Workspace) -> list[Write]:
    """Everything changed in `work`, for the append that carries the events that changed it."""
    out: list[Write] = []
    for change in work.changes():
        if change.puts:
            rows = [Row(key, value, rank) for key, value, rank in change.puts]
            out.append(Put(change.table, rows))
        if change.removes:
            out.append(Remove(change.table, change.removes))
    return out
