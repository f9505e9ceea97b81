"""The association endpoints: batches of up to 2,000 pairs, and single pairs.

A pair that cannot be made is an entry in a 207; the others are made. Ids are numbers in the answer
to `batch/create` and texts everywhere else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import commerce
from .exchange import Reply, Request, batch_reply, decode, sized
from .graph import Types
from .inputs import Spec, To
from .portal import Portal
from .refusals import Problem, Refusal, not_found

MAX_PAIRS = 2000
MAX_READ = 1000
MAX_ARCHIVE = 1000
PAGE = 500


class Pair(msgspec.Struct, frozen=True):
    """One input of `associate/default`."""

    from_: To = msgspec.field(name="from")
    to: To


class TypedPair(msgspec.Struct, frozen=True):
    """One input of `create` and `labels/archive`."""

    from_: To = msgspec.field(name="from")
    to: To
    types: tuple[Spec, ...]


class Ends(msgspec.Struct, frozen=True):
    """One input of `archive`: all types between `from` and each of `to`."""

    from_: To = msgspec.field(name="from")
    to: tuple[To, ...]


class From(msgspec.Struct, frozen=True):
    """One input of `read`."""

    id: str
    after: str | None = None


class Pairs(msgspec.Struct, frozen=True):
    """The body of `associate/default`."""

    inputs: list[Pair]


class TypedPairs(msgspec.Struct, frozen=True):
    """The body of `create` and `labels/archive`."""

    inputs: list[TypedPair]


class AllEnds(msgspec.Struct, frozen=True):
    """The body of `archive`."""

    inputs: list[Ends]


class Froms(msgspec.Struct, frozen=True):
    """The body of `read`."""

    inputs: list[From]


_PAIRS = msgspec.json.Decoder(Pairs)
_TYPED = msgspec.json.Decoder(TypedPairs)
_ENDS = msgspec.json.Decoder(AllEnds)
_FROMS = msgspec.json.Decoder(Froms)
_SPECS = msgspec.json.Decoder(tuple[Spec, ...])


def types_of(portal: Portal, request: Request) -> tuple[str, str]:
    """The two object types of the path; 400 when they cannot be associated."""
    from_type, to_type = request.type, request.to or ""
    if portal.link_types.default(from_type, to_type) is None:
        raise Refusal(Problem(message=f"No association type goes from {from_type} to {to_type}"))
    return from_type, to_type


def associate_default(portal: Portal, request: Request) -> Reply:
    """`batch/associate/default`: the unlabelled type; both directions are answered."""
    from_type, to_type = types_of(portal, request)
    inputs = decode(request.body, _PAIRS).inputs
    sized(inputs, MAX_PAIRS)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for position, one in enumerate(inputs):
        if request.skips(position):
            continue
        ids = _new(portal, from_type, one.from_.id, to_type, one.to.id)
        if isinstance(ids, Problem):
            errors.append(ids.item())
            continue
        portal.graph.associate(from_type, ids[0], to_type, ids[1])
        if request.tells(position):
            results += _both_directions(portal, from_type, one.from_.id, to_type, one.to.id)
    return batch_reply(200, request.now, results, errors, inputs=len(inputs))


def put_default(portal: Portal, request: Request) -> Reply:
    """`PUT …/associations/default/{to}/{toId}`: one pair, as often as one likes."""
    from_type, to_type = types_of(portal, request)
    from_id, to_id = request.params["id"], request.params["to_id"]
    ids = _new(portal, from_type, from_id, to_type, to_id)
    if isinstance(ids, Problem):
        raise Refusal(ids)
    portal.graph.associate(from_type, ids[0], to_type, ids[1])
    both = _both_directions(portal, from_type, from_id, to_type, to_id)
    return batch_reply(200, request.now, both, inputs=1)


def batch_create(portal: Portal, request: Request) -> Reply:
    """`batch/create`: the named types replace those the pair had."""
    from_type, to_type = types_of(portal, request)
    inputs = decode(request.body, _TYPED).inputs
    sized(inputs, MAX_PAIRS)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for position, one in enumerate(inputs):
        if request.skips(position):
            continue
        try:
            ids, types = _typed(portal, from_type, to_type, one.from_.id, one.to.id, one.types)
        except Refusal as refused:
            errors.append(refused.problem.item())
            continue
        portal.graph.associate(from_type, ids[0], to_type, ids[1], types)
        if request.tells(position):
            results.append(_labelled(portal, from_type, ids[0], to_type, ids[1], types))
    status = 201 if request.version < "2026-09" else 200
    return batch_reply(status, request.now, results, errors, inputs=len(inputs))


def put_typed(portal: Portal, request: Request) -> Reply:
    """`PUT …/associations/{to}/{toId}` with a list of types."""
    from_type, to_type = types_of(portal, request)
    specs = decode(request.body, _SPECS)
    from_id, to_id = request.params["id"], request.params["to_id"]
    ids, types = _typed(portal, from_type, to_type, from_id, to_id, specs)
    portal.graph.associate(from_type, ids[0], to_type, ids[1], types)
    return Reply(status=201, body=_labelled(portal, from_type, ids[0], to_type, ids[1], types))


def batch_read(portal: Portal, request: Request) -> Reply:
    """`batch/read`: up to 500 ends per id and page; of an id without any see `unlinked`."""
    from_type, to_type = types_of(portal, request)
    inputs = decode(request.body, _FROMS).inputs
    sized(inputs, MAX_READ)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for position, one in enumerate(inputs):
        if not request.tells(position):
            continue
        record = portal.stores[from_type].live(one.id)
        ends = {} if record is None else portal.graph.ends(from_type, record.id, to_type)
        if not ends:
            if portal.options.unlinked == "error":
                errors.append(_none_found(portal, from_type, one.id, to_type).item())
            continue
        after = int(one.after) if one.after and one.after.isdecimal() else 0
        left = sorted(end for end in ends if end > after)
        found: dict[str, Any] = {
            "from": {"id": one.id},
            "to": [_end(portal, request, to_type, end, ends[end]) for end in left[:PAGE]],
        }
        if len(left) > PAGE:
            found["paging"] = {"next": {"after": str(left[PAGE - 1])}}
        results.append(found)
    return batch_reply(200, request.now, results, errors, inputs=len(inputs))


def listed(portal: Portal, request: Request) -> Reply:
    """`GET …/associations/{to}` of one record, 500 at a time."""
    from_type, to_type = types_of(portal, request)
    record = portal.stores[from_type].live(request.params["id"])
    if record is None:
        raise Refusal(not_found())
    limit = request.whole_number("limit", PAGE, 1, PAGE)
    after = request.whole_number("after", 0, 0, 10**18)
    ends = portal.graph.ends(from_type, record.id, to_type)
    left = sorted(end for end in ends if end > after)
    body: dict[str, Any] = {
        "results": [_end(portal, request, to_type, end, ends[end]) for end in left[:limit]]
    }
    if len(left) > limit:
        body["paging"] = {"next": {"after": str(left[limit - 1])}}
    return Reply(status=200, body=body)


def batch_archive(portal: Portal, request: Request) -> Reply:
    """`batch/archive`: removes every type between the named records."""
    from_type, to_type = types_of(portal, request)
    inputs = decode(request.body, _ENDS).inputs
    sized(inputs, MAX_ARCHIVE)
    for position, one in enumerate(inputs):
        for end in () if request.skips(position) else one.to:
            ids = _ids(portal, from_type, one.from_.id, to_type, end.id)
            if not isinstance(ids, Problem):
                portal.graph.remove(from_type, ids[0], to_type, ids[1])
    return _archived(request, len(inputs))


def batch_labels_archive(portal: Portal, request: Request) -> Reply:
    """`batch/labels/archive`: removes the named types only."""
    from_type, to_type = types_of(portal, request)
    inputs = decode(request.body, _TYPED).inputs
    sized(inputs, MAX_PAIRS)
    for position, one in enumerate(inputs):
        if request.skips(position):
            continue
        ids = _ids(portal, from_type, one.from_.id, to_type, one.to.id)
        if not isinstance(ids, Problem):
            types = [spec.association_type_id for spec in one.types]
            portal.graph.remove(from_type, ids[0], to_type, ids[1], types)
    return _archived(request, len(inputs))


def _archived(request: Request, inputs: int) -> Reply:
    if request.older:
        return Reply(status=204, inputs=inputs)
    return batch_reply(200, request.now, [], inputs=inputs)


def delete(portal: Portal, request: Request) -> Reply:
    """`DELETE …/associations/{to}/{toId}`: every type between two records."""
    from_type, to_type = types_of(portal, request)
    ids = _ids(portal, from_type, request.params["id"], to_type, request.params["to_id"])
    if not isinstance(ids, Problem):
        portal.graph.remove(from_type, ids[0], to_type, ids[1])
    return Reply(status=204)


def _ids(
    portal: Portal, from_type: str, from_id: str, to_type: str, to_id: str
) -> tuple[int, int] | Problem:
    start, end = portal.stores[from_type].live(from_id), portal.stores[to_type].live(to_id)
    wrong = [
        f"{portal.kinds[kind].legacy}={one}"
        for kind, one, record in ((from_type, from_id, start), (to_type, to_id, end))
        if record is None
    ]
    if start is None or end is None:
        return Problem(
            sub_category="crm.associations.INVALID_IDENTIFIER",
            message=f"One or more identifiers are not valid: {', '.join(wrong)}",
            context={"id": [one.partition("=")[2] for one in wrong]},
        )
    return start.id, end.id


def _new(
    portal: Portal, from_type: str, from_id: str, to_type: str, to_id: str
) -> tuple[int, int] | Problem:
    """The ids of two records that may be associated."""
    ids = _ids(portal, from_type, from_id, to_type, to_id)
    if isinstance(ids, Problem):
        return ids
    return commerce.other_parent(portal, from_type, ids[0], to_type, ids[1]) or ids


def _typed(
    portal: Portal,
    from_type: str,
    to_type: str,
    from_id: str,
    to_id: str,
    specs: tuple[Spec, ...],
) -> tuple[tuple[int, int], Types]:
    known = portal.link_types.known(from_type, to_type)
    types = tuple(spec.association_type_id for spec in specs)
    unknown = [one for one in types if one not in known]
    if unknown or not types:
        raise Refusal(
            Problem(
                sub_category="crm.associations.INVALID_ASSOCIATION_TYPE",
                message=(
                    f"Association types {unknown} do not go from object type "
                    f"{portal.kinds[from_type].type_id} to {portal.kinds[to_type].type_id}"
                ),
                context={
                    "INVALID_ASSOCIATION_TYPE_ID": [str(one) for one in unknown],
                    "id": [from_id, to_id],
                },
            )
        )
    ids = _new(portal, from_type, from_id, to_type, to_id)
    if isinstance(ids, Problem):
        raise Refusal(ids)
    return ids, types


def _both_directions(
    portal: Portal, from_type: str, from_id: str, to_type: str, to_id: str
) -> list[dict[str, Any]]:
    return [
        {
            "from": {"id": a_id},
            "to": {"id": b_id},
            "associationSpec": {
                "associationCategory": portal.link_types.category(a_type, b_type),
                "associationTypeId": portal.link_types.default(a_type, b_type),
            },
        }
        for a_type, a_id, b_type, b_id in (
            (from_type, from_id, to_type, to_id),
            (to_type, to_id, from_type, from_id),
        )
    ]


def _labelled(
    portal: Portal, from_type: str, from_id: int, to_type: str, to_id: int, types: Types
) -> dict[str, Any]:
    labels = [portal.link_types.label(one, from_type, to_type) for one in types]
    return {
        "fromObjectTypeId": portal.kinds[from_type].type_id,
        "fromObjectId": from_id,
        "toObjectTypeId": portal.kinds[to_type].type_id,
        "toObjectId": to_id,
        "labels": [one for one in labels if one is not None],
    }


def _end(
    portal: Portal, request: Request, to_type: str, to_id: int, types: Types
) -> dict[str, Any]:
    from_type = request.type
    category = portal.link_types.category(from_type, to_type)
    return {
        "toObjectId": to_id if request.older else str(to_id),
        "associationTypes": [
            {
                "category": category,
                "typeId": one,
                "label": portal.link_types.label(one, from_type, to_type),
            }
            for one in types
        ],
    }


def _none_found(portal: Portal, from_type: str, from_id: str, to_type: str) -> Problem:
    start, end = portal.kinds[from_type].singular, portal.kinds[to_type].singular
    return Problem(
        status=404,
        category="OBJECT_NOT_FOUND",
        sub_category="crm.associations.NO_ASSOCIATIONS_FOUND",
        message=f"No {end} is associated with {start} {from_id}.",
        context={
            "fromObjectId": [from_id],
            "fromObjectType": [start],
            "toObjectType": [end],
        },
    )
