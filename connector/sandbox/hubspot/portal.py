"""A simulated portal without its sockets, and what tests and people may do to it.

`server.SimulatedHubSpot` puts the API of it on a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from . import effects
from .admin import Required
from .changes import Record
from .exchange import Exchange
from .faults import Action, Injection
from .limiter import Window
from .locks import LOCK_S
from .merging import merge
from .property import Property
from .records import UniqueTaken
from .state import Poison, State
from .values import check_values


class Portal(State):
    """A portal: its state, and hands to work on it by the side of the API."""

    observers: ClassVar[list[Callable[[Exchange], None]]] = []
    """Called with every exchange of every portal of this process."""

    # What tests and people use.

    def records(self, object_type: str) -> dict[str, dict[str, str]]:
        """All live records by id, each with its set properties."""
        name = self.kinds.name(object_type)
        return {
            str(record.id): record.properties | self.base_properties(name, record)
            for record in self.stores[name].by_id.values()
            if record.archived_at is None
        }

    def record(self, object_type: str, record_id: str) -> dict[str, str] | None:
        """The properties of one live record."""
        name = self.kinds.name(object_type)
        record = self.stores[name].live(record_id)
        return None if record is None else record.properties | self.base_properties(name, record)

    def find(self, object_type: str, property_name: str, value: str) -> list[dict[str, str]]:
        """Live records whose property has exactly this value; by index where it is unique."""
        name = self.kinds.name(object_type)
        store = self.stores[name]
        if property_name in store.unique:
            holder = store.holder(property_name, value)
            found = [] if holder is None else [holder]
        else:
            found = [
                record
                for record in store.by_id.values()
                if record.archived_at is None and record.properties.get(property_name) == value
            ]
        return [record.properties | self.base_properties(name, record) for record in found]

    def one(self, object_type: str, property_name: str, value: str) -> dict[str, str]:
        """The only live record with this value; raises LookupError on none or several."""
        found = self.find(object_type, property_name, value)
        if len(found) != 1:
            raise LookupError(
                f"{len(found)} {object_type} have {property_name}={value!r}, not exactly one"
            )
        return found[0]

    def count(self, object_type: str) -> int:
        """How many live records there are."""
        return self.stores[self.kinds.name(object_type)].live_count

    def associations(self, from_type: str, to_type: str) -> set[tuple[str, str]]:
        """All associated pairs of record ids."""
        return {
            (str(a), str(b))
            for a, b in self.graph.pairs(self.kinds.name(from_type), self.kinds.name(to_type))
        }

    def association_types(
        self, from_type: str, from_id: str, to_type: str, to_id: str
    ) -> tuple[int, ...]:
        """The type ids between two records; empty when they are not associated."""
        ends = self.graph.ends(self.kinds.name(from_type), int(from_id), self.kinds.name(to_type))
        return ends.get(int(to_id), ())

    def properties(self, object_type: str) -> dict[str, Property]:
        """The live property definitions by name."""
        return dict(self.schemas[self.kinds.name(object_type)].properties)

    def add(
        self, object_type: str, properties: dict[str, str], *, user_id: int | None = None
    ) -> str:
        """Create a record as a person would in the web interface; gives its id.

        Raises ValueError for what is no value of a property, or another's unique one.
        """
        name = self.kinds.name(object_type)
        store = self.stores[name]
        source = {"hs_object_source": "CRM_UI", "hs_object_source_label": "CRM_UI"}
        clean = self._checked(name, properties)
        journal = self.by_hand(user_id)
        try:
            record = store.create(store.next_id(), source | clean, journal)
        except UniqueTaken as taken:
            raise ValueError(str(taken)) from None
        effects.follow(self, name, journal)
        return str(record.id)

    def edit(
        self,
        object_type: str,
        record_id: str,
        properties: dict[str, str],
        *,
        user_id: int | None = None,
    ) -> None:
        """Change a record as a person would: "" clears, a lifecycle stage may move back."""
        name, record = self._live(object_type, record_id)
        clean = self._checked(name, properties)
        journal = self.by_hand(user_id)
        try:
            self.stores[name].update(record, clean, journal)
        except UniqueTaken as taken:
            raise ValueError(str(taken)) from None
        effects.follow(self, name, journal)

    def archive(self, object_type: str, record_id: str) -> None:
        """Delete a record as a person would: it goes to the recycle bin."""
        name, record = self._live(object_type, record_id)
        self.remove(name, record, self.timestamp())

    def recycle(self, object_type: str, record_id: str) -> None:
        """Restore a deleted record as a person would, with its associations.

        Raises ValueError when another record has taken one of its unique values since.
        """
        name = self.kinds.name(object_type)
        record = self.binned(name, record_id)
        if record is None:
            raise LookupError(f"there is no deleted record {record_id} among {name}")
        try:
            self.restore(name, record)
        except UniqueTaken as taken:
            raise ValueError(str(taken)) from None

    def merge(
        self, object_type: str, primary_id: str, other_id: str, *, user_id: int | None = None
    ) -> str:
        """Merge two records as a person would; gives the id of what came of it."""
        name, primary = self._live(object_type, primary_id)
        _, other = self._live(object_type, other_id)
        return str(merge(self, name, primary, other, self.by_hand(user_id)).id)

    def dissociate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Take away every association of two records, as a person would."""
        names = self.kinds.name(from_type), self.kinds.name(to_type)
        self.graph.remove(names[0], int(from_id), names[1], int(to_id))

    def associate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Associate two records by the default type, as a person would."""
        self.graph.associate(
            self.kinds.name(from_type), int(from_id), self.kinds.name(to_type), int(to_id)
        )

    def poison(
        self,
        object_type: str,
        key: str,
        message: str,
        *,
        code: str = "INVALID_OPTION",
        property: str = "name",  # noqa: A002
    ) -> None:
        """Refuse every API write whose id or any of whose values is `key`, until cured."""
        rule = Poison(message=message, code=code, property=property)
        self.poisoned.setdefault(self.kinds.name(object_type), {})[key.casefold()] = rule

    def cure(self, object_type: str, key: str) -> None:
        """Take back `poison`."""
        self.poisoned.get(self.kinds.name(object_type), {}).pop(key.casefold(), None)

    def use(self, object_type: str, property_name: str) -> None:
        """Let a list or workflow refer to a property, so that it cannot be deleted."""
        self.schemas[self.kinds.name(object_type)].in_use.add(property_name)

    def spend(self, window: Window, calls: int) -> None:
        """Let other apps of the account make calls; they share the day and the searches."""
        self.limiter.spend(window, calls)

    def grant(self, scopes: Sequence[str] | None) -> None:
        """Give the token these scopes from now on; None: all."""
        granted = None if scopes is None else tuple(scopes)
        self.options = msgspec.structs.replace(self.options, scopes=granted)

    def require(
        self, object_type: str, property_name: str, *, when: tuple[str, str] | None = None
    ) -> None:
        """Require a property of new records, or of those in which another has a value."""
        name = self.kinds.name(object_type)
        rule = Required(property=property_name, when=when)
        self.admin_rules[name] = (*self.admin_rules.get(name, ()), rule)

    def lock(self, object_type: str, record_id: str, seconds: float = LOCK_S) -> None:
        """Answer 423 to writes of a record for some seconds."""
        name, record = self._live(object_type, record_id)
        self.locks.lock((name, record.id), seconds)

    def inject(
        self,
        action: Action,
        *,
        method: str | None = None,
        route: str | None = None,
        object: str | None = None,  # noqa: A002
        times: int | None = 1,
        skip: int = 0,
        chance: float = 1.0,
        containing: str | None = None,
    ) -> Injection:
        """Let the next `times` matching calls (None: all), after `skip` of them, go wrong.

        With a `chance` below 1 each matching call goes wrong with that probability only.
        `containing`: only calls whose body has this text in it, as a firewall looks for.
        """
        return self.faults.add(
            action,
            method=method,
            route=route,
            object_type=None if object is None else self.kinds.name(object),
            times=times,
            skip=skip,
            chance=chance,
            containing=containing,
        )

    def stats(self) -> dict[str, Any]:
        """Counts of calls and records, as JSON."""
        return {
            "calls": len(self.calls),
            "writes": self.calls.writes,
            "reads": self.calls.reads,
            "routes": [
                {"method": method, "route": route, "status": status, "count": count}
                for (method, route, status), count in sorted(self.calls.counts.items())
            ],
            "records": {kind.name: self.count(kind.name) for kind in self.kinds},
            "used_today": dict(self.limiter.used_today),
        }

    def snapshot(self) -> bytes:
        """Everything that is in the portal, as JSON; equal contents give equal bytes."""
        return msgspec.json.encode(
            {
                "objects": {kind.name: self.records(kind.name) for kind in self.kinds},
                "associations": [list(one) for one in self.graph.typed_pairs()],
                "properties": {
                    name: [one for one in schema.properties.values() if not one.hubspot_defined]
                    for name, schema in self.schemas.items()
                },
            },
            order="sorted",
        )

    def _live(self, object_type: str, record_id: str) -> tuple[str, Record]:
        name = self.kinds.name(object_type)
        record = self.stores[name].resolve(record_id)
        if record is None:
            raise LookupError(f"there is no record {record_id} among {name}")
        return name, record

    def _checked(self, object_type: str, properties: dict[str, str]) -> dict[str, str]:
        clean, wrong, _ = check_values(self.fields[object_type], properties, forgive_dates=True)
        if wrong:
            raise ValueError("; ".join(one.message for one in wrong))
        return clean
