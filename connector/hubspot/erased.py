"""What HubSpot holds of records that were erased, at the door: it does not come into the log.

People may type an erased person in again there, and some fields are left there by design. So of
what reading shows of such a record only what is known to be harmless is written down; of the rest
no more than the name of the property, so that what is ours of it can be put right.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector import mappings
from connector.harmless import Harmless, erased_by_the_log, harmless_of
from eventstore import EventStore
from projections import events, keys, personal
from projections.mapping.compiled import CompiledMapping


async def unsaid(store: EventStore, told: Sequence[tuple[str, events.Event]]) -> list[events.Event]:
    """The events, target by target, without values of the erased.

    Raises Misconfigured when one was and this version cannot read the mapping in force.
    """
    names = [name for name, event in told if _is_telling(event)]
    erased = await erased_by_the_log(store, names)
    mapping = await mappings.active(store) if erased else None
    harmless = harmless_of(erased.__contains__, mapping)
    return [
        _unsaid(name, event, harmless, _ours(name, mapping)) if name in erased else event
        for name, event in told
    ]


def _is_telling(event: events.Event) -> bool:
    match event:
        case events.RecordAdopted() | events.DriftFound():
            return True
        case events.CommandSucceeded():
            return bool(event.kept or event.overtaken)
        case _:
            return False


def _ours(name: str, mapping: CompiledMapping | None) -> frozenset[str]:
    """The properties of a target that are always written as Sage 100 has them."""
    section = mapping.objects.get(keys.split_target(name)[0]) if mapping is not None else None
    rules = section.rules if section is not None else ()
    return frozenset(rule.property for rule in rules if rule.owner == "sage")


def _unsaid(
    name: str, event: events.Event, harmless: Harmless, ours: frozenset[str]
) -> events.Event:
    match event:
        case events.RecordAdopted(values=values):
            kept = {prop: value for prop, value in values.items() if harmless(name, prop)}
            if len(kept) < len(values):
                hidden = sorted(ours & values.keys() - kept.keys())
                return msgspec.structs.replace(event, values=kept, unsaid=hidden)
        case events.DriftFound(values=pairs):
            found = {prop: pair for prop, pair in pairs.items() if harmless(name, prop)}
            if len(found) < len(pairs):
                by = {prop: who for prop, who in event.by.items() if prop in found}
                hidden = sorted(ours & pairs.keys() - found.keys())
                return msgspec.structs.replace(event, values=found, by=by, unsaid=hidden)
        case events.CommandSucceeded():
            return msgspec.structs.replace(
                event,
                kept=_masked(name, event.kept, harmless),
                overtaken=_masked(name, event.overtaken, harmless),
            )
        case _:
            pass
    return event


def _masked(name: str, values: dict[str, str], harmless: Harmless) -> dict[str, str]:
    """That HubSpot holds something is told, and not what."""
    return {
        prop: value if harmless(name, prop) or not value else personal.ERASED
        for prop, value in values.items()
    }
