"""Which of the values that HubSpot would not take it would take by now.

The log is told neither when a person clears an address in a contact that is not ours, nor when an
option is added to a property. So the records in the way are read, and the portal's definitions: a
hundred owners a call, and a call for each type of object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from connector.hubspot.answer import Answer
from connector.hubspot.api import HubSpot
from connector.hubspot.definitions import Definitions, objection
from connector.hubspot.errors import NoAnswer
from connector.hubspot.records import Record
from connector.hubspot.rereading import reread
from projections import keys
from projections.mapping.rules import ObjectMapping
from projections.tables import Target

_SECONDARY = "hs_additional_emails"


class Claim(NamedTuple):
    """A target that wants values which the HubSpot record `owner` has."""

    name: str
    owner: str
    values: dict[str, str]


def claims(name: str, doc: Target) -> list[Claim]:
    """What a target wants of other records: of each what was left out for its sake."""
    wanted: dict[str, dict[str, str]] = defaultdict(dict)
    for field, one in doc.withheld.items():
        if one.owner:
            wanted[one.owner][field] = one.value
    if doc.state == "parked" and doc.owner:
        wanted[doc.owner] |= doc.changes
    return [Claim(name, owner, values) for owner, values in wanted.items()]


async def let_go(
    hubspot: HubSpot, objects: Mapping[str, ObjectMapping], wanted: Iterable[Claim]
) -> list[str]:
    """Targets whose claim the record in the way no longer contests; none when HubSpot is silent.

    A kind of record that the mapping does not know any more is passed over.
    """
    by_type: dict[str, list[Claim]] = defaultdict(list)
    for claim in wanted:
        mapping = objects.get(keys.split_target(claim.name)[0])
        if mapping is not None:
            by_type[mapping.hubspot_type].append(claim)
    free: list[str] = []
    for object_type, group in by_type.items():
        properties = sorted({name for claim in group for name in claim.values} | {_SECONDARY})
        owners = [claim.owner for claim in group]
        found = await reread(hubspot, object_type, owners, properties, _asked)
        if found is None:
            return free
        free += [
            claim.name
            for claim in group
            if claim.owner not in found.unsaid
            and not _contested(claim, found.found.get(claim.owner))
        ]
    return list(dict.fromkeys(free))


async def _asked(call: Callable[[], Awaitable[Answer]]) -> Answer | None:
    try:
        answer = await call()
    except NoAnswer:
        return None
    return answer if answer.ok else None


def _contested(claim: Claim, owner: Record | None) -> bool:
    if owner is None:
        return False
    for name, value in claim.values.items():
        held = [owner.values.get(name, "")]
        if name == "email":
            held += owner.values.get(_SECONDARY, "").split(";")
        if value and value.strip().casefold() in {one.strip().casefold() for one in held}:
            return True
    return False


async def allowed(
    definitions: Definitions, mapping: ObjectMapping, docs: Mapping[str, Target]
) -> list[str]:
    """Targets of one kind with a value left out that the portal's definitions allow by now."""
    asked = {
        name: [
            (field, one.value)
            for field, one in doc.withheld.items()
            if one.unsent or one.reason == "PROPERTY_DOESNT_EXIST"
        ]
        for name, doc in docs.items()
    }
    if not any(asked.values()):
        return []
    live = await definitions.of(mapping.hubspot_type, at_most_s=0)
    if live is None:
        return []
    return [
        name
        for name, left_out in asked.items()
        if any(objection(field, value, live) is None for field, value in left_out)
    ]
