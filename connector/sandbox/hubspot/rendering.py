"""Records as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .changes import Record
from .state import State

MOST_VALUES = 20
"""Values of a property that a history gives."""


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
    properties_with_history: dict[str, list[dict[str, Any]]] | None = None
    associations: dict[str, Any] | None = None


class View:
    """Which properties of an object type an answer shows, worked out once per request."""

    def __init__(
        self,
        portal: State,
        object_type: str,
        wanted: Sequence[str] = (),
        with_history: Sequence[str] = (),
    ) -> None:
        fields, kind = portal.fields[object_type], portal.kinds[object_type]
        names = wanted or kind.shown
        base = ("createdate", "hs_object_id", kind.modified)
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

    def _with_history(self, record: Record) -> dict[str, list[dict[str, Any]]] | None:
        """The values each property has had, newest first, with when and by whom."""
        if not self._history:
            return None
        histories = {name: history(record, name) for name in self._history}
        return {name: values for name, values in histories.items() if values}


def history(record: Record, name: str) -> list[dict[str, Any]]:
    """The last values of one property, newest first; "" where it was cleared."""
    found: list[dict[str, Any]] = []
    held: str | None = None
    for change in record.changes:
        value = change.values.get(name)
        if value is None or value == (held or ""):
            continue
        held = value
        source = change.source
        entry: dict[str, Any] = {
            "value": value,
            "timestamp": change.at,
            "sourceType": source.type,
        }
        if source.id is not None:
            entry["sourceId"] = source.id
        if source.label is not None:
            entry["sourceLabel"] = source.label
        if source.user_id is not None:
            entry["updatedByUserId"] = source.user_id
        found.append(entry)
    return found[: -MOST_VALUES - 1 : -1]


def record_url(portal: State, object_type: str) -> str:
    """The web address of a record, without its id."""
    return (
        f"https://app.hubspot.com/contacts/{portal.options.portal_id}/record/"
        f"{portal.kinds[object_type].type_id}/"
    )


def associated(portal: State, from_type: str, record: Record, to_type: str) -> dict[str, Any]:
    """The `associations` entry of a single read: ids and type names, 500 at most."""
    ends = portal.graph.ends(from_type, record.id, to_type)
    kind = f"{portal.kinds[from_type].singular}_to_{portal.kinds[to_type].singular}"
    found: dict[str, Any] = {
        "results": [{"id": str(to_id), "type": kind} for to_id in sorted(ends)[:500]]
    }
    if len(ends) > 500:
        found["paging"] = {"next": {"after": str(sorted(ends)[499])}}
    return found
