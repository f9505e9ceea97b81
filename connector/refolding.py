"""Folding the log from its first event on into tables of its own, as fast as it can be read.

Memory stays flat: pages are loaded, folded and saved one by one, and the next is read meanwhile.
Folding emits nothing: commands of the past are read as the events they are. The tables may stand
beside the live ones, under names of their own, or in another store.
"""

from __future__ import annotations

import asyncio
from typing import Final

from connector import rows
from connector.log_pages import entries_of
from connector.progress import Progress
from eventstore import EventStore, Put, Remove, Write
from projections import projection
from projections.folding import Folding
from projections.tables import ORDINARY, Dirty
from projections.workspace import Workspace

_PAGE_EVENTS: Final = 4_000  # a page's rows are loaded and saved once, however often they change


class Tables:
    """The read models in `store`, each under its name behind `prefix`."""

    def __init__(self, store: EventStore, prefix: str = "") -> None:
        self.store = store
        self.prefix = prefix

    def place(self, table: str) -> tuple[EventStore, str]:
        """Where a table is: its store, and its name there."""
        return self.store, self.prefix + table

    async def load(self, work: Workspace, wanted: dict[str, set[str]]) -> None:
        """Load these rows, table to keys."""
        keys = {self.prefix + table: sorted(names) for table, names in wanted.items() if names}
        found = await self.store.rows(keys)
        work.load(
            wanted,
            {
                table.removeprefix(self.prefix): {key: row.value for key, row in got.items()}
                for table, got in found.items()
            },
        )

    async def save(self, work: Workspace) -> None:
        """Write what has changed."""
        renamed: list[Write] = []
        for write in rows.writes(work):
            if isinstance(write, Put):
                renamed.append(Put(self.prefix + write.table, write.rows))
            elif isinstance(write, Remove):
                renamed.append(Remove(self.prefix + write.table, write.keys))
        await self.store.append([], also=renamed)


async def refold(
    log: EventStore,
    tables: Tables,
    upto: int,
    *,
    after: int = 0,
    marking: bool = False,
    ledger_only: bool = False,
    progress: Progress | None = None,
) -> None:
    """Fold the log behind `after` up to `upto`.

    `marking`: note also what is to be decided on. `ledger_only`: fold no more than what is written
    together with its events.
    """
    position = after
    reading = asyncio.create_task(log.read(position, upto=upto, limit=_PAGE_EVENTS))
    try:
        while page := await reading:
            position = page[-1].position
            reading = asyncio.create_task(log.read(position, upto=upto, limit=_PAGE_EVENTS))
            entries = entries_of(page)
            work = Workspace()
            await tables.load(work, projection.wants(entries, ledger_too=True))
            await tables.load(work, projection.wants_also(entries, work))
            into = Folding(work)
            if ledger_only:
                projection.fold_ledger(entries, into)
            else:
                projection.fold(entries, into, ledger_too=True)
            if marking:
                for name, cause in into.dirty.items():
                    work.put("dirty", ORDINARY + name, Dirty(cause))
            await tables.save(work)
            if progress is not None:
                progress.project(position, upto)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
