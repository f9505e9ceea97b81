"""Existing HubSpot records, as batch/read by key shows them, and what a command becomes then.

Before a record is created it is looked for by its external key: one that is there already becomes
ours instead of getting a twin. After an attempt of unknown outcome the same look tells whether it
was carried out. And a property we may only fill is sent only where HubSpot's value is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from connector.hubspot.answer import Answer, entries, text_of
from connector.hubspot.holds import holds
from projections.mapping.rules import ObjectMapping
from projections.tables import Target

BY_KEY: Final = "external key"


class Record(msgspec.Struct, frozen=True):
    """One HubSpot record: its id, and the values that are not empty."""

    hubspot_id: str
    values: dict[str, str]


class Adopt(msgspec.Struct, frozen=True):
    """It exists and we did not know: it is ours from now on, and is decided on again."""

    record: Record


class Found(msgspec.Struct, frozen=True):
    """HubSpot holds all of it already; `kept`: properties left as HubSpot has them."""

    hubspot_id: str
    kept: dict[str, str]


class Send(msgspec.Struct, frozen=True):
    """These properties are to be written; `kept` as above."""

    properties: dict[str, str]
    kept: dict[str, str]


def wanted_properties(mapping: ObjectMapping) -> list[str]:
    """What to ask for: the key and every mapped property."""
    return list(dict.fromkeys([mapping.key, *(rule.property for rule in mapping.rules)]))


def records(answer: Answer, mapping: ObjectMapping) -> dict[str, Record]:
    """External key to record, from an answer of batch/read by the mapping's key property.

    Only exactly this key: one that differs in case is another Sage 100 record's.
    """
    wanted = frozenset(wanted_properties(mapping))
    out: dict[str, Record] = {}
    for result in entries(answer.body, "results"):
        hubspot_id = text_of(result.get("id"))
        properties = result.get("properties")
        if not hubspot_id.isascii() or not hubspot_id.isdigit() or not isinstance(properties, dict):
            continue
        values = {
            name: text_of(value)
            for name, value in properties.items()
            if name in wanted and text_of(value)
        }
        key = values.get(mapping.key, "")
        if key and result.get("archived") is not True:
            out.setdefault(key, Record(hubspot_id[:30], values))
    return out


def must_look(doc: Target) -> bool:
    """Whether the record must be read before its open command is sent."""
    return doc.hubspot_id == "" or doc.unknown or bool(doc.fill)


def resolve(doc: Target, record: Record | None, types: Mapping[str, str]) -> Adopt | Found | Send:
    """What becomes of the open command, given the record that HubSpot holds by this key."""
    if record is None:
        return Send(dict(doc.changes), {})
    if doc.unknown and holds(doc.changes, record.values, types):
        return Found(record.hubspot_id, {})
    if doc.hubspot_id == "":
        return Adopt(record)
    kept = {name: record.values[name] for name in doc.fill if name in record.values}
    rest = {name: value for name, value in doc.changes.items() if name not in kept}
    if not rest or (doc.unknown and holds(rest, record.values, types)):
        return Found(record.hubspot_id, kept)
    return Send(rest, kept)
