"""Creating, changing and upserting records: one by one and in batches of up to 100.

What a bad input does depends on the trace ids. When every input carries its own
`objectWriteTraceId`, the good inputs are written and the bad ones are told apart in a 207.
Otherwise the first bad one fails the batch and nothing of it is written. Inputs that are not
there (update by an unknown id) never fail the batch: they are listed in a 207.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from .changes import Journal, Record
from .exchange import Reply, Request, batch_reply, decode, sized
from .portal import Portal
from .records import EMAIL, UniqueTaken
from .refusals import (
    Invalid,
    Problem,
    Refusal,
    duplicate_ids,
    invalid_properties,
    locked,
    missing_records,
    not_found,
)
from .rendering import Shown, record_url
from .rules import append_choices, completed, conflict, forward_only
from .values import Warned, check_values

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


_BATCH = msgspec.json.Decoder(Batch)
_SINGLE = msgspec.json.Decoder(Input)


class Plan(msgspec.Struct, kw_only=True, gc=False):
    """One checked input, ready to be carried out."""

    position: int
    trace_id: str | None
    target: Record | None
    properties: dict[str, str]
    warned: list[Warned]
    links: list[tuple[str, int, tuple[int, ...]]]


def batch_create(portal: Portal, request: Request) -> Reply:
    """`batch/create`."""
    return _batch(portal, request, "create")


def batch_update(portal: Portal, request: Request) -> Reply:
    """`batch/update`."""
    return _batch(portal, request, "update")


def batch_upsert(portal: Portal, request: Request) -> Reply:
    """`batch/upsert`."""
    return _batch(portal, request, "upsert")


def _batch(portal: Portal, request: Request, kind: Kind) -> Reply:
    inputs = decode(request.body, _BATCH).inputs
    sized(inputs)
    if kind != "create":
        _need_ids(inputs)
        _refuse_duplicates(inputs)
        _refuse_non_unique(portal, request.type, inputs, kind)
    traces = [one.object_write_trace_id for one in inputs]
    traced = None not in traces and len(set(traces)) == len(traces)

    plans: list[Plan] = []
    errors: list[dict[str, Any]] = []
    missing: list[Input] = []
    invalid: list[Invalid] = []
    for position, one in enumerate(inputs):
        target = None if kind == "create" else _target(portal, request.type, one)
        if target is None and kind != "create" and _merged_away(portal, request.type, one):
            if portal.options.merged_in_batch == "omit":
                continue
            target = portal.stores[request.type].resolve(one.id or "")
        if target is None and (kind == "update" or (kind == "upsert" and not one.id_property)):
            missing.append(one)
            continue
        clean, wrong, warned = _check(portal, request, one)
        if wrong:
            if traced:
                problem = invalid_properties(wrong, portal.options.portal_id)
                errors.append(problem.item([one.object_write_trace_id or ""]))
            invalid += wrong
            continue
        try:
            links = _links(portal, request.type, one.associations)
        except Refusal as refused:
            if not traced:
                raise
            errors.append(refused.problem.item([one.object_write_trace_id or ""]))
            continue
        if target is None and kind == "upsert" and one.id_property and one.id:
            clean.setdefault(one.id_property, one.id)
        plans.append(
            Plan(
                position=position,
                trace_id=one.object_write_trace_id,
                target=target,
                properties=clean,
                warned=warned,
                links=links,
            )
        )
    if invalid and not traced:
        raise Refusal(invalid_properties(invalid, portal.options.portal_id))

    _need_unlocked(portal, request, plans)
    results: list[Shown] = []
    journal = portal.by_api()
    for plan in plans:
        if request.skips(plan.position):
            continue
        try:
            shown = _carry_out(portal, request, plan, journal, upsert=kind == "upsert")
        except Refusal as refused:
            if not traced:
                journal.undo()
                raise
            errors.append(refused.problem.item([plan.trace_id or ""]))
        else:
            if request.tells(plan.position):
                results.append(shown)
    _written(portal, request, journal)
    if missing:
        problem = missing_records(
            portal.kinds[request.type].legacy, [one.id or "" for one in missing]
        )
        errors.append(
            problem.item([one.object_write_trace_id or "" for one in missing] if traced else ())
        )
    if kind != "update" or portal.rng.random() < 0.5:
        portal.rng.shuffle(results)
    status = 201 if kind == "create" else 200
    return batch_reply(status, request.now, results, errors, inputs=len(inputs))


def create(portal: Portal, request: Request) -> Reply:
    """`POST /{type}`."""
    one = decode(request.body, _SINGLE)
    shown = _single(portal, request, one, None)
    location = f"/crm/objects/{request.version}/{portal.kinds[request.type].type_id}/{shown.id}"
    return Reply(status=201, body=shown, headers={"Location": location})


def update(portal: Portal, request: Request) -> Reply:
    """`PATCH /{type}/{id}`, with `idProperty` if the id is a unique value."""
    one = decode(request.body, _SINGLE)
    target = find(portal, request, request.params["id"], request.text("idProperty"))
    if target is None:
        raise Refusal(not_found())
    return Reply(status=200, body=_single(portal, request, one, target))


def find(
    portal: Portal, request: Request, record_id: str, id_property: str | None
) -> Record | None:
    """The live record a path names; raises `Refusal` (400) for a non-unique `idProperty`."""
    store = portal.stores[request.type]
    if id_property is None:
        return store.resolve(record_id)
    if id_property not in store.unique:
        raise Refusal(non_unique(portal, request.type, id_property, "read/update"))
    return store.holder(id_property, record_id)


def non_unique(portal: Portal, object_type: str, name: str, verb: str) -> Problem:
    """400 for an `idProperty` that does not identify records."""
    type_id = portal.kinds[object_type].type_id
    return Problem(message=f"Unable to perform {verb} by non-unique {type_id} property {name}")


def _single(portal: Portal, request: Request, one: Input, target: Record | None) -> Shown:
    clean, wrong, warned = _check(portal, request, one)
    if wrong:
        raise Refusal(invalid_properties(wrong, portal.options.portal_id))
    plan = Plan(
        position=0,
        trace_id=one.object_write_trace_id,
        target=target,
        properties=clean,
        warned=warned,
        links=_links(portal, request.type, one.associations) if target is None else [],
    )
    journal = portal.by_api()
    _need_unlocked(portal, request, [plan])
    shown = _carry_out(portal, request, plan, journal, upsert=False)
    _written(portal, request, journal)
    return shown


def _need_unlocked(portal: Portal, request: Request, plans: Sequence[Plan]) -> None:
    keys = [(request.type, plan.target.id) for plan in plans if plan.target is not None]
    met = portal.locks.met(keys)
    if met:
        raise Refusal(locked([str(record_id) for _, record_id in met]))


def _written(portal: Portal, request: Request, journal: Journal) -> None:
    """What follows once a request's changes stand."""
    request.touched.update((request.type, record_id) for record_id in journal.touched)
    portal.indexed(request.type, *journal.touched.values())


def _need_ids(inputs: Sequence[Input]) -> None:
    if not all(one.id for one in inputs):
        raise Refusal(
            Problem(
                message="Invalid input JSON on line 1, column 1: "
                "Some required fields were not set: [id]"
            )
        )


def _refuse_duplicates(inputs: Sequence[Input]) -> None:
    seen = Counter(_identity(one) for one in inputs)
    if len(seen) < len(inputs):
        twice = {_identity(one): one.id or "" for one in inputs if seen[_identity(one)] > 1}
        raise Refusal(duplicate_ids(list(twice.values())))


def _identity(one: Input) -> tuple[str, str]:
    key = one.id or ""
    return (one.id_property, key.casefold()) if one.id_property else ("", key)


def _refuse_non_unique(
    portal: Portal, object_type: str, inputs: Sequence[Input], kind: Kind
) -> None:
    unique = portal.stores[object_type].unique
    for name in {one.id_property for one in inputs}:
        if name and (name not in unique or (name == EMAIL and kind == "update")):
            raise Refusal(non_unique(portal, object_type, name, "update/upsert"))


def _target(portal: Portal, object_type: str, one: Input) -> Record | None:
    store = portal.stores[object_type]
    if one.id_property:
        return store.holder(one.id_property, one.id or "")
    return store.live(one.id or "")


def _merged_away(portal: Portal, object_type: str, one: Input) -> bool:
    return not one.id_property and portal.stores[object_type].merged_away(one.id or "")


def _check(
    portal: Portal, request: Request, one: Input
) -> tuple[dict[str, str], list[Invalid], list[Warned]]:
    clean, wrong, warned = check_values(
        portal.fields[request.type],
        one.properties,
        forgive_dates=request.version >= "2026-09",
    )
    poison = portal.poison_of(request.type, one.id, clean)
    if poison is not None:
        wrong.append(Invalid(poison.property, poison.code, poison.message))
    return clean, wrong, warned


def _links(
    portal: Portal, from_type: str, inline: Sequence[Inline]
) -> list[tuple[str, int, tuple[int, ...]]]:
    """Inline associations, checked: one bad target refuses the record's creation."""
    links = []
    for one in inline:
        ids = tuple(spec.association_type_id for spec in one.types)
        to_type = next(
            (
                kind.name
                for kind in portal.kinds
                if ids and set(ids) <= portal.link_types.known(from_type, kind.name).keys()
            ),
            None,
        )
        if to_type is None:
            raise Refusal(
                Problem(
                    message="One or more associations are invalid",
                    context={"INVALID_ASSOCIATION_TYPE_ID": [str(n) for n in ids]},
                )
            )
        target = portal.stores[to_type].live(one.to.id)
        if target is None:
            label = portal.kinds[to_type].legacy
            raise Refusal(
                Problem(
                    message="One or more associations are invalid",
                    context={"INVALID_OBJECT_IDS": [f"{label}={one.to.id} is not valid"]},
                )
            )
        links.append((to_type, target.id, ids))
    return links


def _carry_out(
    portal: Portal, request: Request, plan: Plan, journal: Journal, *, upsert: bool
) -> Shown:
    """Write one checked input; raises `Refusal` with nothing of it written."""
    object_type, clean, record = request.type, plan.properties, plan.target
    store = portal.stores[object_type]
    try:
        if record is None:
            echo = completed(portal, object_type, clean, request.now)
            record = store.create(store.next_id(), echo, journal)
        else:
            forward_only(record, clean)
            append_choices(portal, object_type, record, clean)
            echo = clean
            store.update(record, clean, journal)
    except UniqueTaken as taken:
        raise Refusal(conflict(portal, object_type, taken, creating=record is None)) from None
    for to_type, to_id, types in plan.links:
        portal.graph.associate(object_type, record.id, to_type, to_id, types)
    return Shown(
        id=str(record.id),
        properties=dict(sorted({**echo, **portal.base_properties(object_type, record)}.items())),
        created_at=record.created_at,
        updated_at=record.updated_at,
        archived=False,
        url=f"{record_url(portal, object_type)}{record.id}",
        new=plan.target is None if upsert else None,
        object_write_trace_id=plan.trace_id,
        warnings=[one.body() for one in plan.warned] or None,
    )
