"""Where records are in HubSpot: the type and the key property under which they were written.

By these two HubSpot finds a record again, and nothing else. A mapping with another key or another
type would compare as if nothing had changed, and then find none of the records any more. So once
an object has been written its address stands: such a mapping is refused, in a plan and at start.
"""

from __future__ import annotations

from typing import NamedTuple

from connector import documents
from connector.errors import Misconfigured
from eventstore import EventStore
from projections import events
from projections.mapping import compiled
from projections.tables import ObjectBook

MAPPING_STREAM = "config/mapping"


class Address(NamedTuple):
    """HubSpot's type of one of our objects, and the property that holds its key."""

    hubspot_type: str
    key: str


class AddressMoved(Misconfigured):
    """Records that are in HubSpot already would not be found any more."""

    category = "address_moved"


async def refuse_moved(store: EventStore, mapping: compiled.CompiledMapping) -> None:
    """Raise AddressMoved when this mapping has another address for what has been written."""
    kept = await _written(store, await _addresses(store))
    for name, section in mapping.source.objects().items():
        before = kept.get(name)
        if before is None:
            continue
        for what, old, new in (
            ("hubspot_type", before.hubspot_type, section.hubspot_type),
            ("key", before.key, section.key),
        ):
            if old != new:
                raise AddressMoved(
                    f'[{name}] {what} is "{new}", but the {name} in HubSpot were written with '
                    f'"{old}": by that alone they are found, and none of them would be any more',
                    where=f"mapping {mapping.digest[:12]}",
                    remedy=f'Put {what} = "{old}" back. Who wants another one begins with a new '
                    "store (another file as store.url): it writes every record anew and leaves "
                    "the former ones as they are.",
                )


async def _addresses(store: EventStore) -> dict[str, Address]:
    """Of each object, by the newest mapping that had it."""
    found: dict[str, Address] = {}
    for stored in await store.history(MAPPING_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.MappingActivated):
            for name, section in event.mapping.items():
                if isinstance(section, dict):
                    found[name] = Address(section["hubspot_type"], section["key"])
    return found


async def _written(store: EventStore, found: dict[str, Address]) -> dict[str, Address]:
    """Those of objects of which HubSpot holds any; one that it never took may be corrected."""
    books = await documents.some(store, "object_book", ObjectBook, found)
    out = {}
    for name, address in found.items():
        book = books.get(name) or ObjectBook()
        if book.succeeded or book.adopted:
            out[name] = address
    return out
