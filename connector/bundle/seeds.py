"""What must be in HubSpot before a bundle is played: records that were there without our doing.

Those that the log found there (adopted), those whose past was erased: of them the log knows what
HubSpot held then, and not how it came about; and the deals that invoices belong to.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector.bundle.files import Bundle, payload_of
from connector.errors import Misconfigured
from projections import events, keys
from projections.mapping import compiled

DEALS: Final = "deals"


class Seed(msgspec.Struct, frozen=True):
    """A record that has to be there: of which target, and what it holds, our key included."""

    target: str
    object_type: str
    values: dict[str, str]


def seeds(bundle: Bundle) -> list[Seed]:
    """One for each target that needs one. Raises Misconfigured when the bundle has no mapping."""
    mapping = newest_mapping(bundle)
    found: dict[str, tuple[dict[str, str], bool]] = {
        name: (left.held, not left.unkeyed) for name, left in left_of_the_erased(bundle).items()
    }
    for event in bundle.events:
        payload = payload_of(event)
        if isinstance(payload, events.RecordAdopted):
            found.setdefault(event.stream.removeprefix("hubspot/"), (payload.values, True))
    out = []
    for name, (held, is_keyed) in found.items():
        kind, external = keys.split_target(name)
        section = mapping.objects.get(kind)
        if section is not None:
            key = {section.key: external} if is_keyed else {}
            values = {prop: value for prop, value in held.items() if value} | key
            out.append(Seed(name, section.hubspot_type, values))
    return out + [Seed(name, DEALS, {}) for name in _deals(bundle)]


def _deals(bundle: Bundle) -> list[str]:
    """The deals that any invoice was found to belong to."""
    found: dict[str, None] = {}
    for event in bundle.events:
        payload = payload_of(event)
        if isinstance(payload, events.DealMatched) and payload.deal:
            found[keys.target(DEALS, payload.deal)] = None
    return list(found)


def left_of_the_erased(bundle: Bundle) -> dict[str, events.TargetErased]:
    """What the newest erasure has left of each target that was in HubSpot then."""
    out: dict[str, events.TargetErased] = {}
    for event in bundle.events:
        payload = payload_of(event)
        if isinstance(payload, events.TargetErased) and payload.hubspot_id:
            out[event.stream.removeprefix("hubspot/")] = payload
    return out


def newest_mapping(bundle: Bundle) -> compiled.CompiledMapping:
    """The mapping that is played with. Raises Misconfigured."""
    for event in reversed(bundle.events):
        payload = payload_of(event)
        if isinstance(payload, events.MappingActivated):
            return compiled.restore(payload.mapping)
    raise Misconfigured(
        "the bundle holds no mapping: nothing was ever written of this record",
        where=bundle.key,
        remedy="Make the bundle again after the first 'ml-connector run'.",
    )
