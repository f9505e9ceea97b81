"""What a write is given: inputs, and what is refused before any of them is looked at closely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from .changes import Record
from .exchange import Request
from .records import EMAIL
from .refusals import Problem, Refusal, bad_json, duplicate_ids
from .state import State

Kind = Literal["create", "update", "upsert"]
Scalar = str | int | float | bool


class To(msgspec.Struct, frozen=True):
    """The other end of an inline association."""

    id: str


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """An association type."""

    association_category: str
    association_type_id: int


class Inline(msgspec.Struct, frozen=True):
    """An association to make together with the record."""

    to: To
    types: tuple[Spec, ...]


class Input(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One input of any write; which members count depends on the endpoint."""

    properties: dict[str, Scalar]
    id: str | None = None
    id_property: str | None = None
    object_write_trace_id: str | None = None
    associations: tuple[Inline, ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """The body of a batch write."""

    inputs: list[Input]


def find(portal: State, request: Request, record_id: str, id_property: str | None) -> Record | None:
    """The live record a path names; raises `Refusal` (400) for a non-unique `idProperty`."""
    store = portal.stores[request.type]
    if id_property is None:
        return store.resolve(record_id)
    if id_property not in store.unique:
        raise Refusal(non_unique(portal, request.type, id_property, "read/update"))
    return store.holder(id_property, record_id)


def non_unique(portal: State, object_type: str, name: str, verb: str) -> Problem:
    """400 for an `idProperty` that does not identify records."""
    type_id = portal.kinds[object_type].type_id
    return Problem(message=f"Unable to perform {verb} by non-unique {type_id} property {name}")


def need_ids(inputs: Sequence[Input]) -> None:
    """Refuse a batch in which an input does not say which record it is about."""
    if not all(one.id for one in inputs):
        raise Refusal(bad_json("Some required fields were not set: [id]"))


def refuse_duplicates(inputs: Sequence[Input]) -> None:
    """Refuse a batch that names one record twice."""
    seen = Counter(_identity(one) for one in inputs)
    if len(seen) < len(inputs):
        twice = {_identity(one): one.id or "" for one in inputs if seen[_identity(one)] > 1}
        raise Refusal(duplicate_ids(list(twice.values())))


def _identity(one: Input) -> tuple[str, str]:
    key = one.id or ""
    return (one.id_property, key.casefold()) if one.id_property else ("", key)


def refuse_non_unique(portal: State, object_type: str, inputs: Sequence[Input], kind: Kind) -> None:
    """Refuse an `idProperty` that identifies nothing; `email` does not in an update."""
    unique = portal.stores[object_type].unique
    for name in {one.id_property for one in inputs}:
        if name and (name not in unique or (name == EMAIL and kind == "update")):
            raise Refusal(non_unique(portal, object_type, name, "update/upsert"))
