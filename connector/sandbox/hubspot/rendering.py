"""Records as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .catalog import DEFAULT_PROPERTIES, MODIFIED, SINGULAR, TYPE_IDS
from .portal import Portal
from .records import Record


class Shown(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A record in an answer; what is None is left out."""

    id: str
    properties: dict[str, str | None]
    created_at: str
    updated_at: str
    archived: bool
    archived_at: str | None = None
    url: str | None = None
    new: bool | None = None
    object_write_trace_id: str | None = None
    warnings: list[dict[str, Any]] | None = None
    properties_with_history: dict[str, list[dict[str, str]]] | None = None
    associations: dict[str, Any] | None = None


class View:
    """Which properties of an object type an answer shows, worked out once per request."""

    def __init__(
        self,
        portal: Portal,
        object_type: str,
        wanted: Sequence[str] = (),
        with_history: Sequence[str] = (),
    ) -> None:
        fields = portal.fields[object_type]
        names = wanted or DEFAULT_PROPERTIES[object_type]
        base = ("createdate", "hs_object_id", MODIFIED[object_type])
        self._names = sorted({one for one in names if one in fields} | set(base))
        self._history = [one for one in with_history if one in fields]
        self._portal = portal
        self._type = object_type
        self._url = record_url(portal, object_type)

    def show(self, record: Record) -> Shown:
        """One record; a requested property that is not set is null."""
        stored = record.properties
        properties: dict[str, str | None] = {name: stored.get(name) for name in self._names}
        properties |= self._portal.base_properties(self._type, record)
        return Shown(
            id=str(record.id),
            properties=properties,
            created_at=record.created_at,
            updated_at=record.updated_at,
            archived=record.archived_at is not None,
            archived_at=record.archived_at,
            url=f"{self._url}{record.id}",
            properties_with_history=self._with_history(record),
        )

    def _with_history(self, record: Record) -> dict[str, list[dict[str, str]]] | None:
        """Only the newest value of each property: older ones are not kept."""
        if not self._history:
            return None
        values = record.properties | self._portal.base_properties(self._type, record)
        return {
            name: [
                {
                    "value": values[name],
                    "timestamp": record.updated_at,
                    "sourceType": "INTEGRATION",
                }
            ]
            for name in self._history
            if name in values
        }


def record_url(portal: Portal, object_type: str) -> str:
    """The web address of a record, without its id."""
    return (
        f"https://app.hubspot.com/contacts/{portal.options.portal_id}/record/"
        f"{TYPE_IDS[object_type]}/"
    )


def associated(portal: Portal, from_type: str, record: Record, to_type: str) -> dict[str, Any]:
    """The `associations` entry of a single read: ids and type names, 500 at most."""
    ends = portal.graph.ends(from_type, record.id, to_type)
    kind = f"{SINGULAR[from_type]}_to_{SINGULAR[to_type]}"
    found: dict[str, Any] = {
        "results": [{"id": str(to_id), "type": kind} for to_id in sorted(ends)[:500]]
    }
    if len(ends) > 500:
        found["paging"] = {"next": {"after": str(sorted(ends)[499])}}
    return found
