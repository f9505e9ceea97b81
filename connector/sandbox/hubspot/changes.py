"""Who changed what and when: the source of a change, and the journal of one request.

HubSpot keeps every property's history with the source of each value. A record keeps the changes
made to it, newest last; the history of one property is read off them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

Undo = Callable[[], None]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a change came from, as property histories tell."""

    type: str
    id: str | None = None
    label: str | None = None
    user_id: int | None = None


CALCULATED = Source(type="CALCULATED", id="ComputedPropertiesService")
COMPANY_INSIGHTS = Source(type="COMPANIES", id="AutoAssociateCompanies")


def integration(app_id: int) -> Source:
    """A private app or service key."""
    return Source(type="INTEGRATION", id=str(app_id))


def person(user_id: int) -> Source:
    """Somebody in the web interface."""
    return Source(type="CRM_UI", id=f"userId:{user_id}", user_id=user_id)


def merger(user_id: int | None = None) -> Source:
    """A value that came with a merge."""
    return Source(type="MERGE_OBJECTS", user_id=user_id)


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one request did to one record; "" clears a property."""

    at: str
    source: Source
    values: dict[str, str]


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One record; times are ISO 8601 texts, shared by the records of one request."""

    id: int
    properties: dict[str, str]
    created_at: str
    updated_at: str
    archived_at: str | None = None
    changes: list[Change]
    """Oldest first; the first one is the creation."""


class Journal:
    """What one request changed, by whom and when, so that it can be taken back."""

    def __init__(self, now: str, source: Source) -> None:
        self.now = now
        self.source = source
        self._undo: list[Undo] = []
        self.touched: dict[int, Record] = {}
        """Records of the request's object type that were made or changed, by id."""

    def add(self, record: Record, undo: Undo) -> None:
        """Note a record that was changed, and how to take that back."""
        self._undo.append(undo)
        self.touched[record.id] = record

    def undo(self) -> None:
        """Take back every step, the last one first."""
        while self._undo:
            self._undo.pop()()
        self.touched.clear()
