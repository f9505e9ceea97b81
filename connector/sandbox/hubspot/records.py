"""The records of one object type, with an index per unique property, undoable within a request.

A record is one dictionary of property texts; what can be computed (its id, its two times) is not
stored in it. Unique values are compared without regard to case. Every change is written down in a
`Journal`, so a batch that fails as a whole leaves nothing behind. The ids of records that were
merged away lead to the record they were merged into.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from .changes import Change, Journal, Record


class UniqueTaken(Exception):
    """A unique value already belongs to another record."""

    def __init__(self, name: str, value: str, writing: int, owner: int) -> None:
        super().__init__(f"{name}={value} belongs to {owner}")
        self.name = name
        self.value = value
        self.writing = writing
        self.owner = owner


EMAIL = "email"
EMAILS = "hs_additional_emails"


class Records:
    """The records of one object type."""

    def __init__(self, *, first_id: int, emails_unique: bool) -> None:
        self.by_id: dict[int, Record] = {}
        self._order: list[int] = []
        self.live_count = 0
        """Records that are not archived."""
        self._next_id = first_id
        self._emails = emails_unique
        self.unique: dict[str, dict[str, int]] = {EMAIL: {}} if emails_unique else {}
        """Per unique property: folded value -> record id."""
        self._merged: dict[int, int] = {}
        """Ids merged away -> the id that came of it."""

    def add_unique(self, name: str) -> None:
        """Start indexing a unique property; records that hold it already are taken in."""
        index = self.unique.setdefault(name, {})
        for record in self.by_id.values():
            if record.archived_at is None and name in record.properties:
                index[record.properties[name].casefold()] = record.id

    def drop_unique(self, name: str) -> None:
        """Stop indexing a property that was archived."""
        self.unique.pop(name, None)

    def next_id(self) -> int:
        """A new record id; one that is not used afterwards is never seen again."""
        self._next_id += 1
        return self._next_id - 1

    def live(self, record_id: str) -> Record | None:
        """The record with this id, unless unknown or archived."""
        record = self._any(record_id)
        return None if record is None or record.archived_at is not None else record

    def archived(self, record_id: str) -> Record | None:
        """The archived record with this id."""
        record = self._any(record_id)
        return None if record is None or record.archived_at is None else record

    def merged_away(self, record_id: str) -> bool:
        """True when the id belonged to a record that was merged into another."""
        return self._number(record_id) in self._merged

    def resolve(self, record_id: str) -> Record | None:
        """The live record with this id, or that it was merged into."""
        number = self._number(record_id)
        while number in self._merged:
            number = self._merged[number]
        record = self.by_id.get(number)
        return None if record is None or record.archived_at is not None else record

    @staticmethod
    def _number(record_id: str) -> int:
        plain = record_id.isascii() and record_id.isdigit() and len(record_id) < 19
        return int(record_id) if plain else -1

    def _any(self, record_id: str) -> Record | None:
        return self.by_id.get(self._number(record_id))

    def holder(self, name: str, value: str) -> Record | None:
        """The record that holds `value` in the unique property `name`."""
        found = self.unique[name].get(value.casefold())
        return None if found is None else self.by_id[found]

    def create(self, record_id: int, properties: dict[str, str], journal: Journal) -> Record:
        """Add a record; raises `UniqueTaken` before anything is changed."""
        claims = self._claims(record_id, properties)
        values = _without_cleared(properties)
        record = Record(
            id=record_id,
            properties=values,
            created_at=journal.now,
            updated_at=journal.now,
            changes=[Change(journal.now, journal.source, values)],
        )
        self.by_id[record_id] = record
        self._order.append(record_id)
        self.live_count += 1
        self._index(claims, record_id)

        def undo() -> None:
            self._unindex(claims, record_id)
            del self.by_id[record_id]
            self.live_count -= 1
            self._order.pop()  # steps are taken back last first, so it is the last one

        journal.add(record, undo)
        return record

    def update(self, record: Record, changes: dict[str, str], journal: Journal) -> None:
        """Change a record ("" clears); raises `UniqueTaken` before anything is changed."""
        old, old_updated = record.properties, record.updated_at
        claims = self._claims(record.id, changes)
        given_up = self._given_up(old, changes)
        new = _without_cleared(old | changes)
        self._unindex(given_up, record.id)
        self._index(claims, record.id)
        record.properties, record.updated_at = new, journal.now
        noted = len(record.changes)
        told = {name: value for name, value in changes.items() if old.get(name, "") != value}
        if told:
            record.changes.append(Change(journal.now, journal.source, told))

        def undo() -> None:
            self._unindex(claims, record.id)
            self._index(given_up, record.id)
            record.properties, record.updated_at = old, old_updated
            del record.changes[noted:]

        journal.add(record, undo)

    def archive(self, record: Record, now: str) -> None:
        """Put a record in the recycle bin and free its unique values."""
        self._unindex(self._values(record.properties), record.id)
        record.archived_at = now
        self.live_count -= 1

    def restore(self, record: Record) -> None:
        """Take a record out of the recycle bin; raises `UniqueTaken` before anything is changed."""
        claims = self._claims(record.id, record.properties)
        self._index(claims, record.id)
        record.archived_at = None
        self.live_count += 1

    def merge(self, old: Iterable[Record], into: int) -> None:
        """Let go of records: from now on their ids mean the record `into`."""
        for record in old:
            if record.id == into:
                continue
            self._unindex(self._values(record.properties), record.id)
            self._merged[record.id] = into
            del self.by_id[record.id]
            self._order.remove(record.id)
            self.live_count -= 1

    def page(self, after: int, *, archived: bool) -> Iterator[Record]:
        """Records with an id above `after`, in order of id."""
        for position in range(bisect_right(self._order, after), len(self._order)):
            record = self.by_id[self._order[position]]
            if (record.archived_at is not None) is archived:
                yield record

    def _values(self, properties: dict[str, str]) -> list[tuple[str, str]]:
        found = [(name, properties[name].casefold()) for name in self.unique if name in properties]
        if self._emails and EMAILS in properties:
            found += [
                (EMAIL, one.strip().casefold())
                for one in properties[EMAILS].split(";")
                if one.strip()
            ]
        return found

    def _claims(self, record_id: int, changes: dict[str, str]) -> list[tuple[str, str]]:
        """The unique values `changes` newly asks for; raises when one is another's."""
        new = []
        for name, value in self._values(changes):
            if not value:
                continue
            owner = self.unique[name].get(value)
            if owner is None:
                new.append((name, value))
            elif owner != record_id:
                raise UniqueTaken(name, changes.get(name, value), record_id, owner)
        return new

    def _given_up(self, old: dict[str, str], changes: dict[str, str]) -> list[tuple[str, str]]:
        """The unique values a change lets go of."""
        if self._emails and (EMAIL in changes or EMAILS in changes):
            after = set(self._values(old | changes))
            return [one for one in self._values(old) if one not in after]
        given_up = []
        for name in self.unique:
            if name in changes and name in old:
                before = old[name].casefold()
                if before != changes[name].casefold():
                    given_up.append((name, before))
        return given_up

    def _index(self, values: list[tuple[str, str]], record_id: int) -> None:
        for name, value in values:
            self.unique[name][value] = record_id

    def _unindex(self, values: list[tuple[str, str]], record_id: int) -> None:
        for name, value in values:
            if name in self.unique and self.unique[name].get(value) == record_id:
                del self.unique[name][value]


def _without_cleared(properties: dict[str, str]) -> dict[str, str]:
    """The same properties without the empty ones."""
    if "" not in properties.values():
        return properties
    return {name: value for name, value in properties.items() if value}
