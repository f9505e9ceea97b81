"""Between the pure workspace and the store: rows in before a step, writes out after it.

`projections` works on loaded rows and knows no store; `eventstore` keeps rows and knows no
documents. This is the whole of what lies between them, for projector and writer alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eventstore.types import EventStore, Put, Remove, Row, Write
from projections.workspace import Workspace


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
