"""Where the mapping in force carries the amounts that are tied out."""

from __future__ import annotations

from typing import Final

import msgspec

from connector import documents
from eventstore import EventStore
from projections import receivables
from projections.mapping import compiled
from projections.receivables import DOCUMENTS, MEASURES
from projections.tables import ActiveMapping

_CARRIERS: Final = {
    "companies": MEASURES,
    "invoices": {DOCUMENTS: receivables.DOCUMENT_FACT},
}


class Mapped(msgspec.Struct, frozen=True):
    """Where one kind of record carries its amounts: the property of each measure, "" for none."""

    kind: str
    hubspot_type: str
    key: str
    measures: tuple[str, ...]
    properties: tuple[str, ...]


async def mapped(store: EventStore) -> list[Mapped]:
    """The kinds that carry amounts, and by which properties."""
    active = await documents.one(store, "mapping", ActiveMapping, "active")
    objects: dict[str, compiled.CompiledObject] = {}
    if active is not None:
        objects = compiled.restore(msgspec.json.decode(active.mapping)).objects
    found = []
    for kind, facts in _CARRIERS.items():
        one = objects.get(kind)
        written = [rule for rule in one.rules if _is_written(rule)] if one else []
        by_fact = {rule.source: rule.property for rule in reversed(written)}
        found.append(
            Mapped(
                kind=kind,
                hubspot_type=one.hubspot_type if one else kind,
                key=one.key if one else "",
                measures=tuple(facts),
                properties=tuple(by_fact.get(fact, "") for fact in facts.values()),
            )
        )
    return found


def _is_written(rule: compiled.CompiledRule) -> bool:
    """Whether the rule writes its amount on every change, as an amount."""
    return rule.owner == "sage" and rule.numeric and rule.rank is None
