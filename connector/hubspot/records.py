"""Existing HubSpot records, as reading shows them, and what a command becomes then.

Before a record is created it is looked for by its external key: one that is there already becomes
ours instead of getting a twin. After an attempt of unknown outcome the same look tells whether it
was carried out. A property we may only fill is sent only where HubSpot's value is empty, and one
that an undo puts back only where HubSpot still holds what the undo saw. A record that we knew and
that our key finds no more was deleted, or merged into another, or has lost its key: its HubSpot id
tells which, and a record that lives on gets no twin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.answer import Answer, entries, text_of
from connector.hubspot.culprit import How
from connector.hubspot.holds import holds, same
from connector.hubspot.refusal import Why
from projections.mapping.rules import ObjectMapping
from projections.tables import Target

BY_KEY: Final = "external key"
BY_ID: Final = "HubSpot id"
BY_MERGE: Final = "merge in HubSpot"
MERGED_IDS: Final = "hs_merged_object_ids"


class Record(msgspec.Struct, frozen=True):
    """One HubSpot record: its id, and the values that are not empty."""

    hubspot_id: str
    values: dict[str, str]


class Adopt(msgspec.Struct, frozen=True):
    """It exists and we did not know: it is ours from now on, and is decided on again.

    `unkeyed`: it does not carry our key yet.
    """

    record: Record
    rule: str = BY_KEY
    unkeyed: bool = False


class Lose(msgspec.Struct, frozen=True):
    """It is gone: it is to be created anew, in full, as is decided then."""

    why: str


class Park(msgspec.Struct, frozen=True):
    """A person has to decide."""

    why: Why


class Found(msgspec.Struct, frozen=True):
    """There is nothing to send. `kept`: properties left as HubSpot has them, since we may only fill
    them; `overtaken`: those in which it does not hold any more what the command expects.
    """

    hubspot_id: str
    kept: dict[str, str]
    overtaken: dict[str, str] = {}


class Send(msgspec.Struct, frozen=True):
    """These properties are to be written; `kept` and `overtaken` as above."""

    properties: dict[str, str]
    kept: dict[str, str]
    how: How
    hubspot_id: str = ""
    overtaken: dict[str, str] = {}


Decision = Adopt | Found | Send | Lose | Park


def wanted_properties(mapping: ObjectMapping, docs: Iterable[Target] = ()) -> list[str]:
    """What to ask for: the key, every mapped property, and what commands expect of others."""
    mapped = (rule.property for rule in mapping.rules)
    expected = sorted({name for doc in docs for name in doc.expected})
    return list(dict.fromkeys([mapping.key, *mapped, *expected]))


def records(answer: Answer, key_property: str, wanted: Collection[str]) -> dict[str, Record]:
    """External key to record, with the wanted properties, from an answer of batch/read by the key.

    Only exactly this key: one that differs in case is another Sage 100 record's.
    """
    out: dict[str, Record] = {}
    for result in entries(answer.body, "results"):
        found = record_of(result, wanted)
        if found is not None and found.values.get(key_property):
            out.setdefault(found.values[key_property], found)
    return out


def records_by_id(answer: Answer, wanted: Collection[str]) -> dict[str, Record]:
    """HubSpot id to record, also under the ids of records that were merged into it."""
    out: dict[str, Record] = {}
    for result in entries(answer.body, "results"):
        found = record_of(result, wanted)
        if found is not None:
            properties = result.get("properties")
            merged = text_of(properties.get(MERGED_IDS)) if isinstance(properties, dict) else ""
            for old in merged.split(";"):
                out.setdefault(old.strip(), found)
            out[found.hubspot_id] = found
    return out


def record_of(result: dict[str, Any], wanted: Collection[str]) -> Record | None:
    """One live record of an answer, with those of the wanted properties that are not empty."""
    hubspot_id = text_of(result.get("id"))
    properties = result.get("properties")
    if not hubspot_id.isascii() or not hubspot_id.isdigit() or not isinstance(properties, dict):
        return None
    if result.get("archived") is True:
        return None
    values = {
        name: text_of(value)
        for name, value in properties.items()
        if name in wanted and text_of(value)
    }
    return Record(hubspot_id[:30], values)


def must_look(doc: Target) -> bool:
    """Whether the record must be read before its open command is sent."""
    return doc.hubspot_id == "" or doc.unknown or doc.unkeyed or bool(doc.fill or doc.expected)


def resolve(
    doc: Target,
    record: Record | None,
    known: Record | None,
    mapping: ObjectMapping,
    types: Mapping[str, str],
) -> Decision:
    """What becomes of the open command.

    `record`: what HubSpot holds by this key. `known`: where that is nothing, what it holds by the
    id that the ledger knows. Only asked of what `must_look`.
    """
    if record is None:
        if doc.hubspot_id == "":
            return Send(dict(doc.changes), {}, "create")
        return _without_its_key(doc, known, mapping, types)
    if doc.unknown and holds(doc.changes, record.values, types):
        return Found(record.hubspot_id, {})
    if doc.hubspot_id == "":
        return Adopt(record)
    kept, overtaken, rest = _left(doc, record, types)
    if not rest or (doc.unknown and holds(rest, record.values, types)):
        return Found(record.hubspot_id, kept, overtaken)
    return Send(rest, kept, "update", record.hubspot_id, overtaken)


def _without_its_key(
    doc: Target, known: Record | None, mapping: ObjectMapping, types: Mapping[str, str]
) -> Decision:
    """Our key finds nothing any more, though there was a record."""
    if known is None:
        return Lose("it is neither under our key nor under its id: deleted in HubSpot")
    other = known.values.get(mapping.key, "")
    if other:
        message = (
            f"HubSpot record {known.hubspot_id}, which was this one, stands for {other} by now: "
            "the two were merged there, or the key was changed."
        )
        advice = advices.advice(advices.MERGED, properties=[other], owner=known.hubspot_id)
        return Park(Why(advices.MERGED, message, advice))
    if not doc.unkeyed or known.hubspot_id != doc.hubspot_id:
        rule = BY_ID if known.hubspot_id == doc.hubspot_id else BY_MERGE
        return Adopt(known, rule, unkeyed=True)
    kept, overtaken, rest = _left(doc, known, types)
    return Send(rest, kept, "take", known.hubspot_id, overtaken)


def _left(
    doc: Target, record: Record, types: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """What HubSpot has and we may only fill; where it holds neither what the command expects nor
    what it would write; and what is left to write.
    """
    kept = {name: record.values[name] for name in doc.fill if name in record.values}
    overtaken = {}
    for name, expected in doc.expected.items():
        found = record.values.get(name, "")
        fine = (expected, doc.changes.get(name, ""))
        if not any(same(name, one, found, types.get(name, "")) for one in fine):
            overtaken[name] = found
    left_out = kept.keys() | overtaken.keys()
    rest = {name: value for name, value in doc.changes.items() if name not in left_out}
    return kept, overtaken, rest
