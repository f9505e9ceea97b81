"""The portal's state and what endpoints do with it: definitions, records, limits, faults, time.

Everything runs on one event loop and no change is spread over an await, so each request is atomic.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from . import commerce
from .admin import Required
from .calls import Calls
from .catalog import definitions
from .changes import Journal, Record, integration, person
from .definitions import Definitions
from .faults import Faults
from .graph import Associations, Link
from .kinds import Kind, Kinds
from .limiter import Limiter
from .link_types import LinkTypes
from .locks import Locks
from .options import HubSpotOptions
from .records import Records
from .searching import Index
from .values import Field, compile_field, iso

if TYPE_CHECKING:
    from .customs import Schema

FIRST_ID = 50_001
"""First record id of every type: ids of two types coincide on purpose."""

BIN_S = 90 * 24 * 3600.0
"""How long a deleted record can be restored."""


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """Why writes to one record are refused."""

    message: str
    code: str = "INVALID_OPTION"
    property: str = "name"


class State:
    """Everything that is in a portal.

    `clock` is monotonic seconds (limits), `now` is seconds since 1970 (times in records), `sleep`
    is how calls take their time.
    """

    def __init__(
        self,
        options: HubSpotOptions | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.options = options or HubSpotOptions()
        self.rng = random.Random(self.options.seed)
        self.now = now
        self.sleep = sleep
        self.calls = Calls()
        self.faults = Faults(random.Random(self.options.seed))
        self.clock = clock
        self.kinds = Kinds()
        self.link_types = LinkTypes()
        self.graph = Associations(self.link_types)
        self.graph.changed = self._linked
        self.limiter = Limiter(
            self.options.effective_limits(),
            clock=clock,
            now=now,
            timezone=self.options.timezone,
        )
        self.locks = Locks(clock)
        self.poisoned: dict[str, dict[str, Poison]] = {}
        self.admin_rules: dict[str, tuple[Required, ...]] = {}
        """What an administrator requires of records, by object type."""
        self.customs: dict[str, Schema] = {}
        """Custom object types by name."""
        self.customs_made = 0
        self._usable_from: dict[tuple[str, str], float] = {}
        self.bin: dict[tuple[str, int], list[Link]] = {}
        """What archived records were associated with."""
        self.schemas: dict[str, Definitions] = {}
        self.stores: dict[str, Records] = {}
        self.fields: dict[str, dict[str, Field]] = {}
        self.indexes: dict[str, Index] = {}
        for kind in self.kinds:
            self.open(kind, definitions(kind.name, self.options))

    def open(self, kind: Kind, schema: Definitions) -> None:
        """Take an object type into use."""
        name = kind.name
        self.schemas[name] = schema
        self.stores[name] = Records(first_id=FIRST_ID, emails_unique=name == "contacts")
        self.fields[name] = {one.name: compile_field(one) for one in schema.properties.values()}
        self.indexes[name] = Index(self.stores[name], self.clock, self.options.seed)
        for one, field in self.fields[name].items():
            if field.unique:
                self.stores[name].add_unique(one)

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
        if name not in self.fields[object_type] and self.options.property_lag_s:
            self._usable_from[object_type, name] = self.clock() + self.options.property_lag_s
        self.fields[object_type][name] = compile_field(definition)
        if definition.has_unique_value and name not in self.stores[object_type].unique:
            self.stores[object_type].add_unique(name)

    def usable(self, object_type: str) -> dict[str, Field]:
        """The properties that can be written now: one that was just made cannot be yet."""
        fields = self.fields[object_type]
        if not self._usable_from:
            return fields
        now = self.clock()
        self._usable_from = {key: at for key, at in self._usable_from.items() if at > now}
        return {
            name: field
            for name, field in fields.items()
            if (object_type, name) not in self._usable_from
        }

    def base_properties(self, object_type: str, record: Record) -> dict[str, str]:
        """The three properties every answer carries."""
        return {
            "createdate": record.created_at,
            "hs_object_id": str(record.id),
            self.kinds[object_type].modified: record.updated_at,
        }

    def _linked(self, from_type: str, from_id: int, to_type: str, to_id: int) -> None:
        """An association came or went: totals of invoices follow their line items."""
        if from_type == "invoices" and to_type == "line_items":
            commerce.work_out(self, from_id)
        elif from_type == "line_items" and to_type == "invoices":
            commerce.work_out(self, to_id)

    def by_api(self) -> Journal:
        """The journal of a request made with the token."""
        return Journal(self.timestamp(), integration(self.options.app_id))

    def by_hand(self, user_id: int | None = None) -> Journal:
        """The journal of what a person does."""
        return Journal(self.timestamp(), person(user_id or self.options.user_id))

    def indexed(self, object_type: str, *records: Record) -> None:
        """Let Search take note of records that were changed, archived or merged away."""
        self.indexes[object_type].note(
            records, self.options.search_lag_s, self.options.search_replicas
        )

    def remove(self, object_type: str, record: Record, now: str) -> None:
        """Archive a record and take its associations away."""
        self.stores[object_type].archive(record, now)
        self.bin[object_type, record.id] = self.graph.forget(object_type, record.id)
        self.indexed(object_type, record)

    def binned(self, object_type: str, record_id: str) -> Record | None:
        """The archived record with this id, unless the recycle bin was emptied of it."""
        record = self.stores[object_type].archived(record_id)
        emptied = iso(datetime.fromtimestamp(self.now() - BIN_S, UTC))
        if record is None or record.archived_at is None or record.archived_at < emptied:
            return None
        return record

    def restore(self, object_type: str, record: Record) -> None:
        """Take a record out of the recycle bin, with its associations; may raise `UniqueTaken`."""
        self.stores[object_type].restore(record)
        for to_type, to_id, types in self.bin.pop((object_type, record.id), []):
            if self.stores[to_type].live(str(to_id)) is not None:
                self.graph.put_back(object_type, record.id, (to_type, to_id, types))
        self.indexed(object_type, record)

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
