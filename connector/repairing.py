"""Asking for what a look found to be put right: to each record its own, in the log.

The projector decides by the rules of ownership and the writer sends it like any other change. What
HubSpot does not have any more is sent again, and the writer finds out whether it was deleted,
merged or lost its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connector import paging, replaying, rows
from connector.hubspot.erased import unsaid
from connector.new_events import in_the_name_of, new_event
from connector.reconcile import ReconcileReport
from eventstore import EventStore, Meta, WrongVersion
from projections import keys, ledger
from projections.events import DriftFound, Event, ReconcileRequested
from projections.tables import Target
from projections.workspace import Workspace

STREAM: Final = "audit/reconcile"
_PAGE: Final = 500
_TRIES: Final = 20


class RepairWanted(msgspec.Struct, frozen=True):
    """What is to be put right: target to property to (what we wrote, what HubSpot holds).

    `who`: target to property to who did that. `missing`: targets to be sent again.
    """

    fields: dict[str, dict[str, tuple[str, str]]]
    who: dict[str, dict[str, str]]
    missing: list[str]
    by: str = ""


def request_of(report: ReconcileReport, by: str) -> RepairWanted:
    """What is to be asked for after a look."""
    fields: dict[str, dict[str, tuple[str, str]]] = {}
    who: dict[str, dict[str, str]] = {}
    for one in report.to_repair:
        fields.setdefault(one.target, {})[one.property] = (one.ours, one.theirs)
        if one.by:
            who.setdefault(one.target, {})[one.property] = one.by
    return RepairWanted(fields, who, report.missing, by)


async def request(store: EventStore, asked: RepairWanted) -> None:
    """Append what was found, to each record its own; what has moved since the look is left out."""
    meta = in_the_name_of(asked.by)
    requested = ReconcileRequested(len(asked.fields), len(asked.missing), asked.by)
    commit = await store.append([new_event(STREAM, requested)], meta=meta)
    for part in paging.parts(asked.fields, _PAGE):
        await _tell(store, part, asked, commit.first, meta.traceparent)
    await replaying.request_replay(
        store, "reconcile: not in HubSpot", asked.missing, dry_run=False, by=asked.by
    )


async def _tell(
    store: EventStore,
    names: Sequence[str],
    asked: RepairWanted,
    cause: int,
    traceparent: str | None,
) -> None:
    for _ in range(_TRIES):
        work = Workspace()
        await rows.load(store, work, {"target": names})
        found: list[tuple[str, Event]] = []
        for name in names:
            doc = work.get("target", Target, name)
            if doc is None or doc.state != "idle":
                continue
            values = {
                prop: pair
                for prop, pair in asked.fields[name].items()
                if doc.held.get(prop) == pair[0]
            }
            if not values:
                continue
            found.append((name, DriftFound(values, asked.who.get(name, {}))))
        said = await unsaid(store, found)
        new = []
        expect = {}
        for (name, _), event in zip(found, said, strict=True):
            doc = work.get("target", Target, name) or ledger.EMPTY
            stream = keys.hubspot_stream(name)
            expect[stream] = doc.version
            ledger.track(work, name, event, doc.version + 1)
            new.append(new_event(stream, event, cause))
        try:
            await store.append(
                new, expect=expect, also=rows.writes(work), meta=Meta("reconcile", traceparent)
            )
        except WrongVersion:
            continue
        return
    raise RuntimeError("drift lost every race for its records: a second writer must be at work")
