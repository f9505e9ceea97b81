"""Which values may be kept of records that were erased: those known to show nothing personal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connector import erasure_list, mappings
from connector.erasure_list import Listed
from eventstore import EventStore
from projections import keys, personal

Harmless = Callable[[str, str], bool]
"""Whether a target's value of a property may be kept."""


async def harmless_values(store: EventStore, listed: Iterable[Listed]) -> Harmless:
    """All of what is not on the list; of the rest what the mapping in force makes of harmless data.

    Raises Misconfigured when this version cannot read the mapping in force.
    """
    shows = erasure_list.showing(listed)
    mapping = await mappings.active(store)

    def is_harmless(target: str, prop: str) -> bool:
        if not shows(target):
            return True
        kind = keys.split_target(target)[0]
        section = mapping.objects.get(kind) if mapping is not None else None
        if section is None:
            return False
        known = section.by_property.keys() - personal.personal_properties(kind, section)
        return prop in known

    return is_harmless
