"""From one change that touches many targets to those targets' places on the work list.

New terms, another day or another mapping may make thousands of records look different. Each such
change waits as one row; a page of the targets it touches is marked dirty at a time, and a target
that is dirty already stays one entry, so that many changes cost it one decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connector import rows
from connector.new_events import done_by
from eventstore import EventStore, Row
from projections import fanouts
from projections.tables import ORDINARY, Dirty, Fanout
from projections.workspace import Workspace, decode

PAGE_ROWS: Final = 400
_INVOICES: Final = 100  # whose lines are looked at in one step
_DETAILS: Final = "details/"


async def spread(store: EventStore) -> int:
    """Mark the next page of targets that a change touches; 0 when no change waits."""
    for row in await store.scan("fanout", limit=1):
        fanout: Fanout = decode("fanout", row.value)
        if fanout.kind == "details" and fanout.prefix.endswith("-"):
            return await _spread_lines(store)
        table = fanouts.TABLE[fanout.kind]
        page = await store.scan(table, prefix=fanout.prefix, after=fanout.after, limit=PAGE_ROWS)
        if fanout.kind == "details":
            touched = list(await _lines(store, page))
        else:
            touched = [
                name
                for found in page
                for name in fanouts.targets(
                    fanout.kind, found.key, decode(table, found.value), fanout.note
                )
            ]
        work = Workspace()
        await _mark(store, work, dict.fromkeys(touched, fanout.cause), fanout.why)
        if len(page) < PAGE_ROWS:
            work.remove("fanout", row.key)
        else:
            rest = msgspec.structs.replace(fanout, after=page[-1].key)
            work.put("fanout", row.key, rest)
        await _save(store, work)
        return max(len(page), 1)
    return 0


async def _spread_lines(store: EventStore) -> int:
    """Mark the lines of the next invoices, many at a time: each invoice has a few only."""
    waiting = await store.scan("fanout", prefix=_DETAILS, limit=_INVOICES)
    asked: dict[str, int] = {}
    work = Workspace()
    for row in waiting:
        fanout: Fanout = decode("fanout", row.value)
        if fanout.prefix.endswith("-"):
            asked[fanout.prefix] = fanout.cause
            work.remove("fanout", row.key)
    found = await store.scan_many("detail", asked)
    of = {row.key: prefix for prefix, details in found.items() for row in details}
    targets = await _lines(store, [row for details in found.values() for row in details])
    await _mark(store, work, {name: asked[of[key]] for name, key in targets.items()})
    await _save(store, work)
    return len(asked)


async def _lines(store: EventStore, details: Sequence[Row]) -> dict[str, str]:
    """Targets of these rows, each with its row's key; a row whose invoice is unknown has none."""
    prefixes = {
        row.key: fanouts.invoices_of(row.key, decode("detail", row.value).row) for row in details
    }
    named = await store.scan_many("alias", set(prefixes.values()))
    return {
        name: key
        for key, prefix in prefixes.items()
        for name in fanouts.line(key, [decode("alias", one.value).text for one in named[prefix]])
    }


async def _mark(store: EventStore, work: Workspace, causes: dict[str, int], why: str = "") -> None:
    """Put targets on the work list. One that waits already keeps its reason: what touched it by
    itself is nearer to it than what touched very many.
    """
    touched = {ORDINARY + name: cause for name, cause in causes.items()}
    await rows.load(store, work, {"dirty": touched})
    for key, cause in touched.items():
        if work.get("dirty", Dirty, key) is None:
            work.put("dirty", key, Dirty(cause, why=why))


async def _save(store: EventStore, work: Workspace) -> None:
    meta = done_by("projector")
    await store.append([], also=rows.writes(work), meta=meta)
