"""Rebuilding the read models from the log, and saying in what they had been another.

The log is folded from its first event into shadow tables beside the live ones, so a reader sees
either the old tables or the new ones. When both should be the same, they are compared, row by row,
before the shadows take the live tables' place in one transaction: what differed was a fault of the
tables or of the program, and is told. A verification does no more than compare.
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import Final

import msgspec

from connector import documents, paging
from connector.comparing import Compared, Difference, Mismatch, compare
from connector.progress import Progress
from connector.projector import CHECKPOINT, Projector
from connector.refolding import Tables, refold
from eventstore import Adopt, Clear, EventStore, Meta, Put, Remove, Row, Table, Write
from projections.tables import FORCED, TABLES, VERSION, Dirty, Number
from projections.workspace import decode, encode

SHADOW: Final = "shadow_"
_MODEL: Final = "version"
_log: Final = logging.getLogger(__name__)


def all_tables() -> list[Table]:
    """Every table the service opens its store with: the live ones and their shadows."""
    live = [Table(name, ranked) for name, (_, ranked) in TABLES.items()]
    return live + [Table(SHADOW + name, ranked) for name, (_, ranked) in TABLES.items()]


class RebuildReport(msgspec.Struct, frozen=True):
    """What a rebuild did. `compared`: whether the tables should have been what the log gives (not
    so after an update or an import); `differences`: in which of them rows were not; `mismatch`: of
    a verification, the first such row.
    """

    events: int
    rows: int
    verified: bool
    mismatch: Mismatch | None = None
    compared: bool = False
    differences: list[Difference] = []


def verified(events: int, found: Compared) -> RebuildReport:
    """The report of a comparison that changed nothing."""
    first = found.differences[0].first if found.differences else None
    return RebuildReport(
        events,
        found.rows,
        verified=True,
        mismatch=first,
        compared=True,
        differences=found.differences,
    )


def this_version() -> Put:
    """The row that says which version of the read models the tables hold."""
    return Put("model", [Row(_MODEL, encode(Number(VERSION)))])


def outdated() -> Remove:
    """Takes that row away: the log has grown past the tables, and only a rebuild helps."""
    return Remove("model", [_MODEL])


async def follow_the_log(store: EventStore) -> bool:
    """Whether the tables are of this version, by a look that changes nothing."""
    return await documents.one(store, "model", Number, _MODEL) == Number(VERSION)


async def can_be_read(store: EventStore) -> bool:
    """Whether the tables say what the log says, to this version; an empty log says nothing."""
    return await standing(store) is Standing.CURRENT


class Standing(Enum):
    """Whose the tables are: this version's; of an erasure or import, to be made; another one's."""

    CURRENT = "current"
    OUTDATED = "outdated"
    OTHER = "other"


async def standing(store: EventStore) -> Standing:
    """What the tables are to this version, by a look that changes nothing; those of an empty log
    are of any.
    """
    if (await store.head()).last == 0:
        return Standing.CURRENT
    if await documents.one(store, "model", Number, _MODEL) is None:
        return Standing.OUTDATED
    return Standing.CURRENT if await follow_the_log(store) else Standing.OTHER


async def is_current(store: EventStore) -> bool:
    """Whether the tables are of this version; those of an empty log are of any."""
    if (await store.head()).last == 0:
        await store.append([], also=[this_version()])
        return True
    return await follow_the_log(store)


async def rebuild(
    store: EventStore, projector: Projector, *, verify: bool, progress: Progress | None = None
) -> RebuildReport:
    """Refold the whole log; compare (`verify`), or compare and replace the read models.

    The projector is brought to the end of the log first, without new decisions; not so when the
    tables are of another version, which it could not read.
    """
    current = await is_current(store)
    if current:
        await _fold_to_the_end(projector)
    total = (await store.head()).last
    clear = [Clear(SHADOW + table) for table in TABLES]
    await store.append([], also=clear)
    shadows = Tables(store, SHADOW)
    await refold(store, shadows, total, marking=not verify, progress=progress)
    if verify:
        found = await compare(Tables(store), shadows)
        await store.append([], also=clear)
        return verified(total, found)
    found = await compare(Tables(store), shadows) if current else Compared(0, [])
    _tell(found.differences)
    count = 0
    for table in TABLES:
        count += await store.count(SHADOW + table)
    checkpoint = await store.checkpoint(CHECKPOINT)
    asked = await _asked(store)
    await store.append(
        [],
        checkpoint=msgspec.structs.replace(checkpoint, position=total),
        also=[*(Adopt(table, SHADOW + table) for table in TABLES), *asked, this_version()],
        meta=Meta(actor="rebuild"),
    )
    await projector.release_arrived()
    return RebuildReport(
        total, count, verified=False, compared=current, differences=found.differences
    )


async def _fold_to_the_end(projector: Projector) -> None:
    """Without a decision; afterwards it may make them again, if it could before."""
    held, projector.hold = projector.hold, True
    try:
        while await projector.step():
            pass
    finally:
        projector.hold = held


def _tell(differences: list[Difference]) -> None:
    """To the log of the service, without the rows themselves: they hold people's data."""
    for one in differences:
        _log.error(
            "rebuild: %d rows of table %s were not what the log says, the first at key %s; they "
            "are put right",
            one.rows,
            one.table,
            one.first.key,
        )


async def _asked(store: EventStore) -> list[Write]:
    """What somebody has asked to be sent again and is not decided on yet, be it that an attempt is
    still under way: no fold finds it.
    """
    found: list[Write] = []
    for table, prefix in (("dirty", FORCED), ("deferred", "")):
        kept = [row async for row in paging.each(store, table, prefix) if _is_forced(table, row)]
        if kept:
            found.append(Put(table, kept))
    return found


def _is_forced(table: str, row: Row) -> bool:
    mark: Dirty = decode(table, row.value)
    return bool(mark.force)
