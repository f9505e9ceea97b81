"""What can be put back of chosen commands: by the log, and by what HubSpot still holds of ours.

Judging a record is pure (`projections.undo`); here records are read for it, some hundreds at a
time. What somebody has changed in HubSpot since is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import rows
from connector.earlier import remember
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.holdings import read_holdings
from connector.hubspot.holds import same, types_of
from connector.hubspot.schema import STREAM as SCHEMA_STREAM
from connector.projector import entries_of
from connector.undo_scopes import Scope, chosen
from eventstore import EventStore
from projections import events, keys, ledger
from projections.mapping.compiled import CompiledMapping
from projections.tables import Target
from projections.undo import Left, Pins, Undoing, undoing
from projections.workspace import Workspace

_PAGE: Final = 500


class Judged(msgspec.Struct, frozen=True):
    """What the log alone says. `asked`: records of which HubSpot may know what it held before."""

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    asked: dict[str, Undoing]


class UndoReport(msgspec.Struct, frozen=True):
    """What is put back (target to property to ours and the value from before), and what is not."""

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    requested: bool = False


async def judge(
    store: EventStore, scope: Scope, mapping: CompiledMapping, only: Sequence[str] = ()
) -> Judged:
    """What the log says can be put back of these commands; `only`: of these targets."""
    made = await _made(store)
    fields: dict[str, Pins] = {}
    left: list[Left] = []
    asked: dict[str, Undoing] = {}
    numbers = await chosen(store, scope)
    names = sorted(name for name in numbers if not only or name in only)
    for start in range(0, len(names), _PAGE):
        page = {name: keys.hubspot_stream(name) for name in names[start : start + _PAGE]}
        stored = await store.histories(page.values())
        work = Workspace()
        await rows.load(store, work, {"target": page})
        for name, stream in page.items():
            doc = work.get("target", Target, name) or ledger.EMPTY
            section = mapping.objects.get(keys.split_target(name)[0])
            found = undoing(name, entries_of(stored[stream]), numbers[name], doc, section, made)
            if found is not None:
                left += found.left
                if found.fields:
                    fields[name] = found.fields
                if found.asked:
                    asked[name] = found
    return Judged(scope.selection, fields, left, asked)


async def _made(store: EventStore) -> set[str]:
    """Properties that setup created: "companies.sage100_terms" each."""
    out: set[str] = set()
    for stored in await store.history(SCHEMA_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.SchemaEnsured):
            out.update(event.created)
    return out


async def still_ours(
    store: EventStore, report: Judged, hubspot: HubSpot, mapping: CompiledMapping
) -> UndoReport:
    """What HubSpot holds as we wrote it, and what it held before where the log does not know.

    Raises Unreachable, TokenRefused, Refused.
    """
    memory = await remember(store, hubspot, mapping, report.asked)
    fields = memory.fields
    left = report.left + memory.left
    by_kind: dict[str, list[str]] = {}
    for name in report.fields:
        by_kind.setdefault(keys.split_target(name)[0], []).append(name)
    for kind, names in by_kind.items():
        section = mapping.source.objects()[kind]
        types = types_of(section)
        for start in range(0, len(names), BATCH_LIMIT):
            part = names[start : start + BATCH_LIMIT]
            wanted = {prop for name in part for prop in report.fields[name]}
            external = [keys.split_target(name)[1] for name in part]
            held = await read_holdings(
                hubspot, section.hubspot_type, section.key, external, sorted(wanted)
            )
            for name in part:
                values = held.get(keys.split_target(name)[1])
                if values is None:
                    left.append(Left(name, "", "HubSpot has no record with this key any more"))
                    continue
                kept, changed = _compare(name, report.fields[name], values, types)
                left += changed
                if kept:
                    fields[name] = fields.get(name, {}) | kept
    left.sort(key=lambda one: (one.target, one.property))
    return UndoReport(report.selection, dict(sorted(fields.items())), left)


def _compare(
    name: str, pins: Pins, values: Mapping[str, str], types: Mapping[str, str]
) -> tuple[Pins, list[Left]]:
    kept: Pins = {}
    left = []
    for prop, (ours, back) in pins.items():
        value = values.get(prop, "")
        if same(prop, ours, value, types.get(prop, "")):
            kept[prop] = (ours, back)
        else:
            shown = value if len(value) <= 60 else f"{value[:60]}…"
            left.append(Left(name, prop, f"HubSpot does not hold ours any more but {shown!r}"))
    return kept, left
