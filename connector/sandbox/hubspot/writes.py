"""Creating, changing and upserting records: one by one and in batches of up to 100.

What a bad input does depends on the trace ids. When every input carries its own
`objectWriteTraceId`, the good inputs are written and the bad ones are told apart in a 207.
Otherwise the first bad one fails the batch and nothing of it is written. Inputs that are not
there (update by an unknown id) never fail the batch: they are listed in a 207.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from . import commerce, effects
from .changes import Journal, Record
from .exchange import Reply, Request, batch_reply, decode, sized
from .inputs import (
    Batch,
    Input,
    Kind,
    find,
    need_ids,
    refuse_duplicates,
    refuse_non_unique,
)
from .planning import Plan, checked, inline_links, merged_away, target_of
from .portal import Portal
from .records import UniqueTaken
from .refusals import (
    Invalid,
    Refusal,
    invalid_properties,
    locked,
    missing_records,
    not_found,
)
from .rendering import Shown, record_url
from .rules import append_choices, completed, conflict, forward_only

_BATCH = msgspec.json.Decoder(Batch)
_SINGLE = msgspec.json.Decoder(Input)


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
        need_ids(inputs)
        refuse_duplicates(inputs)
        refuse_non_unique(portal, request.type, inputs, kind)
    traces = [one.object_write_trace_id for one in inputs]
    traced = None not in traces and len(set(traces)) == len(traces)

    plans: list[Plan] = []
    errors: list[dict[str, Any]] = []
    missing: list[Input] = []
    invalid: list[Invalid] = []
    for position, one in enumerate(inputs):
        target = None if kind == "create" else target_of(portal, request.type, one)
        if target is None and kind != "create" and merged_away(portal, request.type, one):
            if portal.options.merged_in_batch == "omit":
                continue
            target = portal.stores[request.type].resolve(one.id or "")
        if target is None and (kind == "update" or (kind == "upsert" and not one.id_property)):
            missing.append(one)
            continue
        clean, wrong, warned = checked(portal, request, one, target)
        if wrong:
            if traced:
                problem = invalid_properties(wrong, portal.options.portal_id)
                errors.append(problem.item([one.object_write_trace_id or ""]))
            invalid += wrong
            continue
        try:
            links = inline_links(portal, request.type, one.associations)
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
                traced=traced,
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


def _single(portal: Portal, request: Request, one: Input, target: Record | None) -> Shown:
    clean, wrong, warned = checked(portal, request, one, target)
    if wrong:
        raise Refusal(invalid_properties(wrong, portal.options.portal_id))
    plan = Plan(
        position=0,
        trace_id=one.object_write_trace_id,
        target=target,
        properties=clean,
        warned=warned,
        links=inline_links(portal, request.type, one.associations) if target is None else [],
    )
    journal = portal.by_api()
    _need_unlocked(portal, request, [plan])
    shown = _carry_out(portal, request, plan, journal, upsert=False)
    _written(portal, request, journal)
    return shown


def _forget_links(portal: Portal, object_type: str, record_id: int) -> None:
    portal.graph.forget(object_type, record_id)


def _need_unlocked(portal: Portal, request: Request, plans: Sequence[Plan]) -> None:
    keys = [(request.type, plan.target.id) for plan in plans if plan.target is not None]
    met = portal.locks.met(keys)
    if met:
        raise Refusal(locked([str(record_id) for _, record_id in met]))


def _written(portal: Portal, request: Request, journal: Journal) -> None:
    """What follows once a request's changes stand."""
    request.touched.update((request.type, record_id) for record_id in journal.touched)
    effects.follow(portal, request.type, journal)


def _carry_out(
    portal: Portal, request: Request, plan: Plan, journal: Journal, *, upsert: bool
) -> Shown:
    """Write one checked input; raises `Refusal` with nothing of it written."""
    object_type, clean, record = request.type, plan.properties, plan.target
    store = portal.stores[object_type]
    try:
        if record is None:
            echo = completed(portal, object_type, clean, request.now)
            if object_type in commerce.TYPES:
                commerce.settle_new(portal, object_type, echo, plan.links)
            record = store.create(store.next_id(), echo, journal)
        else:
            forward_only(record, clean)
            append_choices(portal, object_type, record, clean)
            if object_type in commerce.TYPES:
                commerce.settle_change(portal, object_type, record, clean)
            echo = clean
            store.update(record, clean, journal)
    except UniqueTaken as taken:
        raise Refusal(conflict(portal, object_type, taken, traced=plan.traced)) from None
    for to_type, to_id, types in plan.links:
        portal.graph.associate(object_type, record.id, to_type, to_id, types)
    if plan.links:
        journal.add(record, partial(_forget_links, portal, object_type, record.id))
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
