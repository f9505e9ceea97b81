"""Custom object types: made, listed and deleted by their schemas, as Enterprise accounts may.

A type is known by its name, its fully qualified name (`p{portal}_{name}`) and its id (`2-N`). It
can be associated with the types its schema names, by ids of the portal's own.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .catalog import definitions
from .exchange import Reply, Request, decode
from .kinds import Kind
from .property import Option, PropertyCreate
from .refusals import Problem, Refusal, not_found
from .state import State

MOST = 10
"""Definitions an account may have by default."""

FIRST_TYPE = 120_000_001
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}\Z")


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What people see."""

    singular: str | None = None
    plural: str | None = None


class OwnProperty(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A property that is made with the type."""

    name: str
    label: str
    type: str
    field_type: str
    group_name: str | None = None
    description: str = ""
    options: tuple[Option, ...] = ()
    display_order: int = -1
    has_unique_value: bool = False
    hidden: bool = False
    form_field: bool = False


class SchemaCreate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body that makes a type."""

    name: str
    labels: Labels
    required_properties: tuple[str, ...]
    properties: tuple[OwnProperty, ...]
    associated_objects: tuple[str, ...]
    primary_display_property: str | None = None
    secondary_display_properties: tuple[str, ...] = ()
    searchable_properties: tuple[str, ...] = ()
    description: str | None = None


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """A type that was made, and what was asked for."""

    number: int
    wanted: SchemaCreate
    kind: Kind
    associations: tuple[dict[str, Any], ...]
    created_at: str


_CREATE = msgspec.json.Decoder(SchemaCreate)


def create(portal: State, request: Request) -> Reply:
    """`POST /schemas`: 201; 409 for a name that is taken."""
    _need_custom_objects(portal)
    wanted = decode(request.body, _CREATE)
    _check(portal, wanted)
    number = FIRST_TYPE + portal.customs_made
    kind = Kind(
        name=wanted.name,
        type_id=f"2-{number}",
        legacy=f"2-{number}",
        singular=wanted.name,
        shown=tuple(filter(None, (wanted.primary_display_property,))),
        needs=wanted.required_properties,
        mergeable=True,
        custom=True,
    )
    schema = definitions(kind.name, portal.options)
    (group,) = schema.groups
    for one in wanted.properties:
        fields = msgspec.structs.asdict(one) | {"group_name": one.group_name or group}
        schema.create(PropertyCreate(**fields), request.now)
    portal.customs_made += 1
    portal.kinds.add(kind, f"p{portal.options.portal_id}_{kind.name}", f"p_{kind.name}")
    portal.open(kind, schema)
    ends = (portal.kinds.find(one) for one in wanted.associated_objects)
    associations = [one for end in ends if end for one in _associate(portal, kind, end)]
    made = Schema(
        number=number,
        wanted=wanted,
        kind=kind,
        associations=tuple(associations),
        created_at=request.now,
    )
    portal.customs[kind.name] = made
    return Reply(status=201, body=_shown(portal, made))


def listed(portal: State, _request: Request) -> Reply:
    """`GET /schemas`."""
    results = [_shown(portal, one) for one in portal.customs.values()]
    return Reply(status=200, body={"results": results})


def get(portal: State, request: Request) -> Reply:
    """`GET /schemas/{type}`; native types have no schema here."""
    return Reply(status=200, body=_shown(portal, _one(portal, request)))


def delete(portal: State, request: Request) -> Reply:
    """`DELETE /schemas/{type}`: 204, as long as it has no records."""
    one = _one(portal, request)
    if portal.stores[one.kind.name].live_count:
        raise Refusal(Problem(message=f"{one.kind.name} still has records: delete them first."))
    del portal.customs[one.kind.name]
    portal.kinds.remove(one.kind)
    portal.link_types.forget(one.kind.name)
    return Reply(status=204)


def _need_custom_objects(portal: State) -> None:
    if not portal.options.custom_objects:
        raise Refusal(
            Problem(
                status=403,
                category="MISSING_SCOPES",
                message="This account's subscription does not include custom objects.",
            )
        )


def _check(portal: State, wanted: SchemaCreate) -> None:
    """Refuse what cannot become a type; raises `Refusal`."""
    if not _NAME.match(wanted.name):
        raise Refusal(Problem(message=f"Object name '{wanted.name}' is not valid."))
    if portal.kinds.find(wanted.name) is not None:
        raise Refusal(
            Problem(
                status=409,
                category="OBJECT_ALREADY_EXISTS",
                message=f"An object type named '{wanted.name}' already exists.",
                context={"name": [wanted.name]},
            )
        )
    if len(portal.customs) >= MOST:
        raise Refusal(Problem(message=f"The limit of {MOST} custom object types is reached."))
    own = {one.name for one in wanted.properties}
    named = [
        *wanted.required_properties,
        *wanted.secondary_display_properties,
        *wanted.searchable_properties,
        *filter(None, [wanted.primary_display_property]),
    ]
    unknown = [one for one in named if one not in own]
    if unknown or not wanted.required_properties:
        raise Refusal(
            Problem(
                message=f"Properties that the schema names are not among its own: {unknown}",
                context={"properties": unknown},
            )
        )
    strange = [one for one in wanted.associated_objects if portal.kinds.find(one) is None]
    if strange:
        raise Refusal(Problem(message=f"Unable to infer object type from: {strange[0]}"))


def _associate(portal: State, kind: Kind, end: Kind) -> list[dict[str, Any]]:
    there, back = portal.link_types.define(kind.name, end.name)
    return [
        {
            "id": str(type_id),
            "fromObjectTypeId": a.type_id,
            "toObjectTypeId": b.type_id,
            "name": f"{a.singular}_to_{b.singular}",
            "cardinality": "ONE_TO_MANY",
            "inverseCardinality": "ONE_TO_MANY",
        }
        for a, b, type_id in ((kind, end, there), (end, kind, back))
    ]


def _one(portal: State, request: Request) -> Schema:
    found = portal.customs.get(request.type)
    if found is None:
        raise Refusal(not_found())
    return found


def _shown(portal: State, one: Schema) -> dict[str, Any]:
    wanted = one.wanted
    return {
        "id": str(one.number),
        "objectTypeId": one.kind.type_id,
        "fullyQualifiedName": f"p{portal.options.portal_id}_{one.kind.name}",
        "name": one.kind.name,
        "description": wanted.description,
        "labels": wanted.labels,
        "primaryDisplayProperty": wanted.primary_display_property,
        "secondaryDisplayProperties": wanted.secondary_display_properties,
        "searchableProperties": wanted.searchable_properties,
        "requiredProperties": wanted.required_properties,
        "properties": list(portal.schemas[one.kind.name].properties.values()),
        "associations": one.associations,
        "archived": False,
        "createdAt": one.created_at,
        "updatedAt": one.created_at,
    }
