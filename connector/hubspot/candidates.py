"""Existing records that have a value of one of ours: which may be the same.

An e-mail address is read by, which does not lag and knows secondary ones; anything else is searched
for, and the index may show what is no longer so. What is found is to be read again by its id.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from connector import paging
from connector.hubspot.answer import Answer, entries
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.records import Record, record_of
from connector.hubspot.refusal import Why, why_whole
from connector.hubspot.searching import Ask, search
from connector.hubspot.sharing import Trait, folded
from projections.mapping.rules import ObjectMapping

_SECONDARY: Final = "hs_additional_emails"


class Place(msgspec.Struct, frozen=True):
    """Where HubSpot has a value, and what kind of value it is (None: a number)."""

    property: str
    trait: Trait | None


class Seen(msgspec.Struct, frozen=True):
    """Value to the records that have it, by id. `more`: values that others may have besides."""

    records: dict[str, dict[str, Record]]
    more: frozenset[str] = frozenset()


def telling(mapping: ObjectMapping, place: Place) -> list[str]:
    """The properties that tell whether a record may be the same, and is free."""
    secondary = [_SECONDARY] if place.trait == "email" else []
    return [mapping.key, place.property, *secondary]


async def seen(
    hubspot: HubSpot, mapping: ObjectMapping, place: Place, values: Sequence[str], read: Ask
) -> Seen | Why | None:
    """The records with these values; why HubSpot refuses to say, or None when `read` gives that."""
    properties = telling(mapping, place)
    kind = mapping.hubspot_type
    if place.trait != "email":
        hits = await search(hubspot, kind, place.property, values, properties, read)
        if hits is None or isinstance(hits, Why):
            return hits
        return Seen(_sorted(hits.results, place, properties), hits.more)
    results: list[dict[str, Any]] = []
    for part in paging.parts(values, BATCH_LIMIT):

        async def call(part: Sequence[str] = part) -> Answer:
            return await hubspot.batch_read(kind, "email", part, properties)

        answer = await read(call)
        if answer is None or not answer.ok:
            return None if answer is None else why_whole(answer)
        results += entries(answer.body, "results")
    return Seen(_sorted(results, place, properties))


def values_of(place: Place, record: Record) -> set[str]:
    """The values of a record at this place, as we compare them."""
    texts = [record.values.get(place.property, "")]
    if place.trait == "email":
        texts += record.values.get(_SECONDARY, "").split(";")
    trait = place.trait
    found = {one.strip().casefold() if trait is None else folded(trait, one) for one in texts}
    return found - {""}


def _sorted(
    results: Sequence[dict[str, Any]], place: Place, properties: Collection[str]
) -> dict[str, dict[str, Record]]:
    """Records by the values that they have."""
    out: dict[str, dict[str, Record]] = {}
    for result in results:
        record = record_of(result, properties)
        if record is not None:
            for value in values_of(place, record):
                out.setdefault(value, {})[record.hubspot_id] = record
    return out
