"""Who gave properties the value they have: read off HubSpot's own histories, 50 records a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from connector import paging
from connector.hubspot.answer import Answer, clean, entries, text_of
from connector.hubspot.api import HISTORY_LIMIT, HubSpot
from connector.hubspot.errors import NoAnswer

CALCULATED: Final = "CALCULATED"


class Author(NamedTuple):
    """Where a value came from: HubSpot's word for the way, who went it, and when (ISO 8601)."""

    way: str
    who: str
    at: str

    def __str__(self) -> str:
        parts = [part for part in (self.who, f"({self.way})" if self.way else "") if part]
        return " ".join(parts) + (f", {self.at}" if self.at else "")


Authors = dict[str, dict[str, Author]]  # key -> property -> who


async def authors(
    hubspot: HubSpot, object_type: str, key_property: str, wanted: Mapping[str, Sequence[str]]
) -> Authors:
    """Who set these properties (by record key); what HubSpot does not tell is left out."""
    found: Authors = {}
    for part in paging.parts(wanted, HISTORY_LIMIT):
        names = sorted({name for key in part for name in wanted[key]})
        try:
            answer = await hubspot.batch_read(
                object_type, key_property, part, [key_property], names
            )
        except NoAnswer:
            continue
        found |= _read(answer, key_property)
    return found


def _read(answer: Answer, key_property: str) -> Authors:
    found: Authors = {}
    for result in entries(answer.body, "results") if answer.ok else []:
        properties = result.get("properties")
        histories = result.get("propertiesWithHistory")
        if isinstance(properties, dict) and isinstance(histories, dict):
            found[text_of(properties.get(key_property))] = {
                name: author
                for name, values in histories.items()
                if (author := _newest(values)) is not None
            }
    return found


def _newest(values: Any) -> Author | None:
    given = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    if not given:
        return None
    one = max(given, key=lambda value: text_of(value.get("timestamp")))
    way = clean(text_of(one.get("sourceType")), 60)
    label = clean(text_of(one.get("sourceLabel")), 80)
    user = clean(text_of(one.get("updatedByUserId")), 30)
    source = clean(text_of(one.get("sourceId")), 80)
    if user:
        who = f"{label or 'user'} {user}"
    else:
        who = label or (f"app {source}" if way == "INTEGRATION" else source)
    return Author(way, who, clean(text_of(one.get("timestamp")), 40))
