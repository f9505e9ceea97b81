"""Old payloads read as new ones: stored bytes are never rewritten, they are lifted on read.

An upcaster is keyed by (type, schema) and turns that schema's JSON object into the next one's.
A type's current schema is what the program says, else one above its highest upcaster. A new
optional field needs none. What is newer than that is refused: to read it as if it were current
would be to read it wrongly. A type of which neither is said is read as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .errors import BadUpcaster, UnknownSchema
from .types import Meta, StoredEvent

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Upcasters = Mapping[tuple[str, int], Upcaster]
Schemas = Mapping[str, int]
"""Type to its current schema."""

_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_meta = msgspec.json.Decoder(Meta).decode
_NO_META = Meta()


class Codec:
    """The schemas and upcasters of one store, checked once.

    Raises BadUpcaster when they do not lead from one schema to the next, up to the current one.
    """

    def __init__(self, upcasters: Upcasters | None = None, schemas: Schemas | None = None) -> None:
        self._upcasters = dict(upcasters or {})
        self._current = dict(schemas or {})
        first = dict.fromkeys(self._current, 1)
        for type_, schema in sorted(self._upcasters):
            if schemas is None or type_ not in schemas:
                self._current[type_] = schema + 1
                first.setdefault(type_, schema)
        for type_, current in self._current.items():
            steps = [schema for one, schema in sorted(self._upcasters) if one == type_]
            wanted = list(range(first[type_], current))
            if steps != wanted or first[type_] < 1:
                raise BadUpcaster(
                    f"{type_}: to read it in schema {current}, upcasters from schemas "
                    f"{wanted or 'none'} are needed, and there are those from {steps or 'none'}"
                )

    def lift(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """The same events in current schemas; erased ones as they are.

        Raises UnknownSchema for an event newer than this program, BadUpcaster when one fails.
        """
        if not self._current:
            return events
        current = self._current.get
        return [
            event
            if event.data is None or event.schema == current(event.type, event.schema)
            else self._lift(event, event.data)
            for event in events
        ]

    def _lift(self, event: StoredEvent, data: bytes) -> StoredEvent:
        current = self._current[event.type]
        if event.schema > current:
            raise UnknownSchema(
                f"position {event.position}: {event.type} has schema {event.schema}, this program "
                f"knows it up to {current}: upgrade the program"
            )
        schema = event.schema
        try:
            document = _decode_object(data)
            for schema in range(event.schema, current):
                document = self._upcasters[event.type, schema](document)
            lifted = _encode(document)
        except Exception as error:  # whatever is wrong in an upcaster, which is the program's
            raise BadUpcaster(
                f"position {event.position}: {event.type} could not be lifted from schema "
                f"{schema} to {schema + 1} ({type(error).__name__})"
            ) from error
        return StoredEvent(
            event.position,
            event.stream,
            event.version,
            event.type,
            current,
            event.cause,
            lifted,
        )


def encode_meta(meta: Meta) -> bytes:
    """The bytes of `meta` as stored. Raises msgspec.ValidationError for a field of a wrong type."""
    if meta == _NO_META:
        return b"{}"
    encoded = _encode(meta)
    _decode_meta(encoded)
    return encoded


def decode_meta(stored: bytes) -> Meta:
    """The `Meta` of stored bytes; fields a newer program added are passed over."""
    return _NO_META if stored == b"{}" else _decode_meta(stored)
