"""Which values may be kept of records that were erased: those known to show nothing personal.

Who was erased is asked of the list, where it may be ahead of the log, or else of the log itself, as
everything that comes from HubSpot does: what Sage 100 is not let in with does not come in there
either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connector import erasure_list, mappings
from connector.erasure_list import Listed
from eventstore import EventStore
from projections import keys, personal
from projections.mapping.compiled import CompiledMapping
from projections.source import fingerprint_key

Harmless = Callable[[str, str], bool]
"""Whether a target's value of a property may be kept."""


async def harmless_values(store: EventStore, listed: Iterable[Listed]) -> Harmless:
    """All of what is not on the list; of the rest what the mapping in force makes of harmless data.

    Raises Misconfigured when this version cannot read the mapping in force.
    """
    return harmless_of(erasure_list.showing(listed), await mappings.active(store))


async def harmless_by_the_log(store: EventStore, targets: Iterable[str]) -> Harmless:
    """The same of these targets, by what the log says was erased.

    Raises Misconfigured, but only when one of them was.
    """
    erased = await erased_by_the_log(store, targets)
    return harmless_of(erased.__contains__, await mappings.active(store) if erased else None)


async def erased_by_the_log(store: EventStore, targets: Iterable[str]) -> set[str]:
    """Those of these targets that show a record whose personal data was erased."""
    asked = {name: _erased_keys(name) for name in targets}
    wanted = list(dict.fromkeys(key for keys_ in asked.values() for key in keys_))
    found = (await store.rows({"erased": wanted})).get("erased", {}) if wanted else {}
    return {name for name, keys_ in asked.items() if not found.keys().isdisjoint(keys_)}


def _erased_keys(target: str) -> list[str]:
    """Where the fold of erasures has what this target shows: its record, and its customer."""
    kind, external = keys.split_target(target)
    code, _, record = external.partition(":")
    customer = record.partition(":")[0]
    return [
        fingerprint_key(code, entity, key)
        for entity in erasure_list.shown_in(kind)
        for key in dict.fromkeys((record, customer))
    ]


def harmless_of(shows: Callable[[str], bool], mapping: CompiledMapping | None) -> Harmless:
    """What `shows` somebody erased is judged by the mapping; all else may be kept."""

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
