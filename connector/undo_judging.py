"""What can be put back of chosen commands: by the log, and by what HubSpot holds and has held.

Judging a record is pure (`projections.undo`); here records are read for it, some hundreds at a
time. What somebody has changed in HubSpot since is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from connector import paging, rows
from connector.earlier import remember
from connector.hubspot.api import HubSpot
from connector.hubspot.schema import STREAM as SCHEMA_STREAM
from connector.log_pages import entries_of
from connector.undo_scopes import Scope, chosen
from eventstore import EventStore
from projections import events, keys, ledger
from projections.events import Change
from projections.mapping.compiled import CompiledMapping
from projections.tables import Target
from projections.undo import Asked, Left, Pins, undoing
from projections.workspace import Workspace

_PAGE: Final = 500


class Judged(msgspec.Struct, frozen=True):
    """What the log alone says. `asked`: target to the properties to ask HubSpot about. `withdrawn`:
    target to property to (HubSpot's value, ours) of what was not sent yet; `uncreated`: those of
    these that HubSpot does not have.
    """

    selection: str
    left: list[Left]
    asked: dict[str, dict[str, Asked]]
    withdrawn: dict[str, dict[str, Change]]
    uncreated: list[str]


class UndoReport(msgspec.Struct, frozen=True):
    """What is put back (target to property to ours and the value from before), what is not, and
    what is withdrawn (as above).
    """

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    requested: bool = False
    withdrawn: dict[str, dict[str, Change]] = {}
    uncreated: list[str] = []


async def judge(
    store: EventStore, scope: Scope, mapping: CompiledMapping, only: Sequence[str] = ()
) -> Judged:
    """What the log says can be put back of these commands; `only`: of these targets."""
    made = await _made(store)
    left: list[Left] = []
    asked: dict[str, dict[str, Asked]] = {}
    withdrawn: dict[str, dict[str, Change]] = {}
    uncreated: list[str] = []
    numbers = await chosen(store, scope)
    meant = numbers.keys() & set(only) if only else numbers.keys()
    for names in paging.parts(sorted(meant), _PAGE):
        page = {name: keys.hubspot_stream(name) for name in names}
        stored = await store.histories(page.values())
        work = Workspace()
        await rows.load(store, work, {"target": page})
        for name, stream in page.items():
            doc = work.get("target", Target, name) or ledger.EMPTY
            section = mapping.objects.get(keys.split_target(name)[0])
            found = undoing(name, entries_of(stored[stream]), numbers[name], doc, section, made)
            if found is not None:
                left += found.left
                if found.asked:
                    asked[name] = found.asked
                if found.withdrawn:
                    withdrawn[name] = found.withdrawn
                    uncreated += [] if doc.hubspot_id else [name]
    return Judged(scope.selection, left, asked, withdrawn, uncreated)


async def _made(store: EventStore) -> set[str]:
    """Properties that setup created: "companies.sage100_terms" each."""
    out: set[str] = set()
    for stored in await store.history(SCHEMA_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.SchemaEnsured):
            out.update(event.created)
    return out


async def still_ours(
    store: EventStore, judged: Judged, hubspot: HubSpot, mapping: CompiledMapping
) -> UndoReport:
    """What HubSpot holds as we wrote it, and what it held before.

    Raises Unreachable, TokenRefused, Refused.
    """
    memory = await remember(store, hubspot, mapping, judged.asked)
    return by_the_log(judged, memory.fields, memory.left)


def by_the_log(
    judged: Judged, fields: Mapping[str, Pins] = MappingProxyType({}), left: Sequence[Left] = ()
) -> UndoReport:
    """What the log says, with what HubSpot said to that."""
    left = sorted([*judged.left, *left], key=lambda one: (one.target, one.property))
    return UndoReport(
        judged.selection,
        dict(fields),
        left,
        withdrawn=judged.withdrawn,
        uncreated=judged.uncreated,
    )
