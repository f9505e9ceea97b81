"""From one change that touches many targets to those targets' places on the work list.

New terms, another day or another mapping may make thousands of records look different. Each such
change waits as one row; a page of the targets it touches is marked dirty at a time, and a target
that is dirty already stays one entry, so that many changes cost it one decision.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector import rows, tracing
from eventstore import EventStore, Meta
from projections import fanouts
from projections.tables import ORDINARY, Dirty, Fanout
from projections.workspace import Workspace, decode

PAGE_ROWS: Final = 400


async def spread(store: EventStore) -> int:
    """Mark the next page of targets that a change touches; 0 when no change waits."""
    for row in await store.scan("fanout", limit=1):
        fanout: Fanout = decode("fanout", row.value)
        table = fanouts.TABLE[fanout.kind]
        page = await store.scan(table, prefix=fanout.prefix, after=fanout.after, limit=PAGE_ROWS)
        touched = [
            ORDINARY + name
            for found in page
            for name in fanouts.targets(
                fanout.kind, found.key, decode(table, found.value), fanout.note
            )
        ]
        work = Workspace()
        await rows.load(store, work, {"dirty": touched})
        for key in touched:
            known = work.get("dirty", Dirty, key)
            if known is None or known.cause < fanout.cause:
                work.put("dirty", key, Dirty(fanout.cause))
        if len(page) < PAGE_ROWS:
            work.remove("fanout", row.key)
        else:
            rest = msgspec.structs.replace(fanout, after=page[-1].key)
            work.put("fanout", row.key, rest)
        meta = Meta(actor="projector", traceparent=tracing.traceparent())
        await store.append([], also=rows.writes(work), meta=meta)
        return max(len(page), 1)
    return 0
