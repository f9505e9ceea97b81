"""Rebuilding the read models from the log, and proving that they are what the log says.

The log is folded from its first event into shadow tables beside the live ones, so memory stays
flat and a reader sees either the old tables or the new ones. Folding emits nothing: commands of
the past are read as the events they are. `--verify` compares row by row and changes nothing;
otherwise the shadows take the place of the live tables in one transaction.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from connector import rows
from connector.progress import Progress
from connector.projector import CHECKPOINT, Projector, entries_of
from eventstore import Adopt, Clear, EventStore, Meta, Put, Remove, Row, Table, Write
from projections import projection
from projections.folding import Folding
from projections.tables import FORCED, ORDINARY, TABLES, VERSION, WORK_LISTS, Dirty, Number
from projections.workspace import Workspace, decode, encode

_PAGE_EVENTS: Final = 4_000  # a page's rows are loaded and saved once, however often they change
_PAGE_ROWS: Final = 1000
SHADOW: Final = "shadow_"
_MODEL: Final = "version"


def all_tables() -> list[Table]:
    """Every table the service opens its store with: the live ones and their shadows."""
    live = [Table(name, ranked) for name, (_, ranked) in TABLES.items()]
    return live + [Table(SHADOW + name, ranked) for name, (_, ranked) in TABLES.items()]


class Mismatch(msgspec.Struct, frozen=True):
    """The first row that differs: what stands in the live table and what the log gives."""

    table: str
    key: str
    live: str | None
    rebuilt: str | None


class RebuildReport(msgspec.Struct, frozen=True):
    """What a rebuild did. `mismatch` is None when every row of every table is identical."""

    events: int
    rows: int
    verified: bool
    mismatch: Mismatch | None = None


class _Shadowed:
    """A view of the store in which every table is its shadow."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def load(self, work: Workspace, wanted: dict[str, set[str]]) -> None:
        keys = {SHADOW + table: sorted(names) for table, names in wanted.items() if names}
        found = await self._store.rows(keys)
        work.load(
            wanted,
            {
                table.removeprefix(SHADOW): {key: row.value for key, row in got.items()}
                for table, got in found.items()
            },
        )

    async def save(self, work: Workspace) -> None:
        renamed: list[Write] = []
        for write in rows.writes(work):
            if isinstance(write, Put):
                renamed.append(Put(SHADOW + write.table, write.rows))
            elif isinstance(write, Remove):
                renamed.append(Remove(SHADOW + write.table, write.keys))
        await self._store.append([], also=renamed)


def this_version() -> Put:
    """The row that says which version of the read models the tables hold."""
    return Put("model", [Row(_MODEL, encode(Number(VERSION)))])


def outdated() -> Remove:
    """Takes that row away: the log has grown past the tables, and only a rebuild helps."""
    return Remove("model", [_MODEL])


async def follow_the_log(store: EventStore) -> bool:
    """Whether the tables are of this version, by a look that changes nothing."""
    found = (await store.rows({"model": [_MODEL]})).get("model", {})
    return _MODEL in found and decode("model", found[_MODEL].value) == Number(VERSION)


async def can_be_read(store: EventStore) -> bool:
    """Whether the tables say what the log says, to this version; an empty log says nothing."""
    return await follow_the_log(store) or (await store.head()).last == 0


async def is_current(store: EventStore) -> bool:
    """Whether the tables are of this version; those of an empty log are of any."""
    if (await store.head()).last == 0:
        await store.append([], also=[this_version()])
        return True
    return await follow_the_log(store)


async def rebuild(
    store: EventStore, projector: Projector, *, verify: bool, progress: Progress | None = None
) -> RebuildReport:
    """Refold the whole log; compare (`verify`) or replace the read models.

    The projector is brought to the end of the log first, without new decisions; not so when the
    tables are of another version, which it could not read.
    """
    projector.hold = True
    while await is_current(store) and await projector.step():
        pass
    total = (await store.head()).last
    tables = list(TABLES)
    await store.append([], also=[Clear(SHADOW + table) for table in tables])
    await _refold(store, total, marking=not verify, progress=progress)
    if verify:
        count, mismatch = await _compare(store)
        await store.append([], also=[Clear(SHADOW + table) for table in tables])
        return RebuildReport(total, count, verified=True, mismatch=mismatch)
    count = 0
    for table in tables:
        count += await store.count(SHADOW + table)
    checkpoint = await store.checkpoint(CHECKPOINT)
    asked = [Put("dirty", found) for found in [await _asked(store)] if found]
    await store.append(
        [],
        checkpoint=msgspec.structs.replace(checkpoint, position=total),
        also=[*(Adopt(table, SHADOW + table) for table in tables), *asked, this_version()],
        meta=Meta(actor="rebuild"),
    )
    await projector.release_arrived()
    return RebuildReport(total, count, verified=False)


async def _refold(
    store: EventStore, total: int, *, marking: bool, progress: Progress | None
) -> None:
    """Fold the log up to `total` into the shadows; `marking`: and what is to be decided on.

    The next page is read while the present one is folded and saved.
    """
    shadow = _Shadowed(store)
    position = 0
    reading = asyncio.create_task(store.read(0, upto=total, limit=_PAGE_EVENTS))
    try:
        while page := await reading:
            position = page[-1].position
            reading = asyncio.create_task(store.read(position, upto=total, limit=_PAGE_EVENTS))
            entries = entries_of(page)
            work = Workspace()
            await shadow.load(work, projection.wants(entries, ledger_too=True))
            into = Folding(work)
            projection.fold(entries, into, ledger_too=True)
            if marking:
                for name, cause in into.dirty.items():
                    work.put("dirty", ORDINARY + name, Dirty(cause))
            await shadow.save(work)
            if progress is not None:
                progress.project(position, total)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _asked(store: EventStore) -> list[Row]:
    """What somebody has asked to be sent again and is not decided on yet: no fold finds it."""
    found: list[Row] = []
    after = ""
    while page := await store.scan("dirty", prefix=FORCED, after=after, limit=_PAGE_ROWS):
        found += page
        after = page[-1].key
    return found


async def _compare(store: EventStore) -> tuple[int, Mismatch | None]:
    """Rows compared, and the first difference in table and key order."""
    count = 0
    for table in TABLES:
        if table in WORK_LISTS:
            continue
        after = ""
        while True:
            live = await store.scan(table, after=after, limit=_PAGE_ROWS)
            rebuilt = await store.scan(SHADOW + table, after=after, limit=_PAGE_ROWS)
            if live != rebuilt and _facts(table, live) != _facts(table, rebuilt):
                return count, _first_difference(table, live, rebuilt)
            if not live:
                break
            count += len(live)
            after = live[-1].key
    return count, None


def _facts(table: str, page: list[Row]) -> list[Row]:
    """The rows without what is no fold of the log: sweeps in a row that missed a record."""
    if table != "fingerprint":
        return page
    return [
        msgspec.structs.replace(
            row, value=encode(msgspec.structs.replace(decode(table, row.value), misses=0))
        )
        for row in page
    ]


def _first_difference(table: str, live: list[Row], rebuilt: list[Row]) -> Mismatch:
    left = {row.key: row for row in _facts(table, live)}
    right = {row.key: row for row in _facts(table, rebuilt)}
    for key in sorted({*left, *right}, key=lambda text: text.encode()):
        one, other = left.get(key), right.get(key)
        if one != other:
            return Mismatch(table, key, _shown(one), _shown(other))
    return Mismatch(table, "", None, None)


def _shown(row: Row | None) -> str | None:
    if row is None:
        return None
    text = row.value.decode("utf-8", "replace")[:500]
    return text if row.rank is None else f"{text} (rank {row.rank})"
