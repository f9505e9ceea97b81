"""The portal's state, and what tests and people may do to it besides calling the API.

No sockets here: `server.SimulatedHubSpot` puts the API of this state on one. Everything runs on
one event loop and no change is spread over an await, so each request is atomic.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from .calls import Calls
from .catalog import MODIFIED, NAMES, SINGULAR, TYPE_IDS, definitions
from .faults import Action, Faults, Injection
from .graph import Associations
from .limiter import Limiter
from .options import HubSpotOptions
from .property import Property
from .records import Journal, Record, Records
from .values import Field, check_values, compile_field, iso

FIRST_ID = 50_001
"""First record id of every type: ids of two types coincide on purpose."""


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """Why writes to one record are refused."""

    message: str
    code: str = "INVALID_OPTION"
    property: str = "name"


class Portal:
    """A simulated portal without its sockets.

    `clock` is monotonic seconds (limits), `now` is seconds since 1970 (times in records).
    """

    def __init__(
        self,
        options: HubSpotOptions | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.options = options or HubSpotOptions()
        self.rng = random.Random(self.options.seed)
        self.now = now
        self.calls = Calls()
        self.faults = Faults()
        self.graph = Associations()
        self.limiter = Limiter(
            self.options.effective_limits(),
            clock=clock,
            now=now,
            timezone=self.options.timezone,
        )
        self.poisoned: dict[str, dict[str, Poison]] = {}
        currencies = (self.options.company_currency, *self.options.additional_currencies)
        self.schemas = {name: definitions(name, currencies) for name in TYPE_IDS}
        self.stores = {
            name: Records(first_id=FIRST_ID, emails_unique=name == "contacts") for name in TYPE_IDS
        }
        self.fields: dict[str, dict[str, Field]] = {
            name: {one.name: compile_field(one) for one in schema.properties.values()}
            for name, schema in self.schemas.items()
        }

    # What endpoints use.

    def timestamp(self) -> str:
        """The time now, ISO 8601 with milliseconds."""
        return iso(datetime.fromtimestamp(self.now(), UTC))

    def correlation_id(self) -> str:
        """A fresh UUID of version 7."""
        bits = self.rng.getrandbits(74)
        stamp = f"{int(self.now() * 1000) & 0xFFFFFFFFFFFF:012x}"
        low = f"{bits & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000:016x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{bits >> 62:03x}-{low[:4]}-{low[4:]}"

    def property_changed(self, object_type: str, name: str) -> None:
        """Recompile a property after its definition was created, changed or archived."""
        definition = self.schemas[object_type].properties.get(name)
        if definition is None:
            self.fields[object_type].pop(name, None)
            self.stores[object_type].drop_unique(name)
            return
        self.fields[object_type][name] = compile_field(definition)
        if definition.has_unique_value and name not in self.stores[object_type].unique:
            self.stores[object_type].add_unique(name)

    def base_properties(self, object_type: str, record: Record) -> dict[str, str]:
        """The three properties every answer carries."""
        return {
            "createdate": record.created_at,
            "hs_object_id": str(record.id),
            MODIFIED[object_type]: record.updated_at,
        }

    def remove(self, object_type: str, record: Record, now: str) -> None:
        """Archive a record and take its associations away."""
        self.stores[object_type].archive(record, now)
        self.graph.forget(object_type, record.id)

    def poison_of(
        self, object_type: str, record_id: str | None, properties: dict[str, str]
    ) -> Poison | None:
        """The rule that refuses a write of this input, if one does."""
        rules = self.poisoned.get(object_type)
        if not rules:
            return None
        for value in (record_id or "", *properties.values()):
            rule = rules.get(value.casefold())
            if rule is not None:
                return rule
        return None

    # What tests and people use.

    def records(self, object_type: str) -> dict[str, dict[str, str]]:
        """All live records by id, each with its set properties."""
        name = NAMES[object_type]
        return {
            str(record.id): record.properties | self.base_properties(name, record)
            for record in self.stores[name].by_id.values()
            if record.archived_at is None
        }

    def record(self, object_type: str, record_id: str) -> dict[str, str] | None:
        """The properties of one live record."""
        name = NAMES[object_type]
        record = self.stores[name].live(record_id)
        return None if record is None else record.properties | self.base_properties(name, record)

    def find(self, object_type: str, property_name: str, value: str) -> list[dict[str, str]]:
        """Live records whose property has exactly this value; by index where it is unique."""
        name = NAMES[object_type]
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
        return self.stores[NAMES[object_type]].live_count

    def associations(self, from_type: str, to_type: str) -> set[tuple[str, str]]:
        """All associated pairs of record ids."""
        return {(str(a), str(b)) for a, b in self.graph.pairs(NAMES[from_type], NAMES[to_type])}

    def association_types(
        self, from_type: str, from_id: str, to_type: str, to_id: str
    ) -> tuple[int, ...]:
        """The type ids between two records; empty when they are not associated."""
        ends = self.graph.ends(NAMES[from_type], int(from_id), NAMES[to_type])
        return ends.get(int(to_id), ())

    def properties(self, object_type: str) -> dict[str, Property]:
        """The live property definitions by name."""
        return dict(self.schemas[NAMES[object_type]].properties)

    def add(self, object_type: str, properties: dict[str, str]) -> str:
        """Create a record as a person would in the web interface; gives its id."""
        name = NAMES[object_type]
        store = self.stores[name]
        source = {"hs_object_source": "CRM_UI", "hs_object_source_label": "CRM_UI"}
        clean = self._checked(name, properties)
        record = store.create(store.next_id(), source | clean, self.timestamp(), Journal())
        return str(record.id)

    def edit(self, object_type: str, record_id: str, properties: dict[str, str]) -> None:
        """Change a record as a person would: "" clears, a lifecycle stage may move back."""
        name = NAMES[object_type]
        record = self.stores[name].live(record_id)
        if record is None:
            raise LookupError(f"there is no record {record_id} among {name}")
        clean = self._checked(name, properties)
        self.stores[name].update(record, clean, self.timestamp(), Journal())

    def archive(self, object_type: str, record_id: str) -> None:
        """Delete a record as a person would: it goes to the recycle bin."""
        name = NAMES[object_type]
        record = self.stores[name].live(record_id)
        if record is None:
            raise LookupError(f"there is no record {record_id} among {name}")
        self.remove(name, record, self.timestamp())

    def associate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> None:
        """Associate two records by the default type, as a person would."""
        self.graph.associate(NAMES[from_type], int(from_id), NAMES[to_type], int(to_id))

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
        self.poisoned.setdefault(NAMES[object_type], {})[key.casefold()] = rule

    def cure(self, object_type: str, key: str) -> None:
        """Take back `poison`."""
        self.poisoned.get(NAMES[object_type], {}).pop(key.casefold(), None)

    def inject(
        self,
        action: Action,
        *,
        method: str | None = None,
        route: str | None = None,
        object: str | None = None,  # noqa: A002
        times: int | None = 1,
        skip: int = 0,
    ) -> Injection:
        """Let the next `times` matching calls (None: all), after `skip` of them, go wrong."""
        return self.faults.add(
            action,
            method=method,
            route=route,
            object_type=None if object is None else NAMES[object],
            times=times,
            skip=skip,
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
            "records": {name: self.count(name) for name in TYPE_IDS},
            "used_today": dict(self.limiter.used_today),
        }

    def snapshot(self) -> bytes:
        """Everything that is in the portal, as JSON; equal contents give equal bytes."""
        return msgspec.json.encode(
            {
                "objects": {name: self.records(name) for name in sorted(SINGULAR)},
                "associations": [list(one) for one in self.graph.typed_pairs()],
                "properties": {
                    name: [one for one in schema.properties.values() if not one.hubspot_defined]
                    for name, schema in self.schemas.items()
                },
            },
            order="sorted",
        )

    def _checked(self, object_type: str, properties: dict[str, str]) -> dict[str, str]:
        clean, wrong, _ = check_values(self.fields[object_type], properties, forgive_dates=True)
        if wrong:
            raise ValueError("; ".join(one.message for one in wrong))
        return clean
