"""Reading records, one by one, page by page and in batches, and archiving them."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import msgspec

from . import commerce
from .changes import Record
from .exchange import MAX_BATCH, Reply, Request, batch_reply, decode, sized
from .inputs import find, non_unique
from .portal import Portal
from .refusals import Problem, Refusal, duplicate_ids, missing_records, not_found
from .rendering import Shown, View, associated

MAX_HISTORY_BATCH = 50


class Id(msgspec.Struct, frozen=True):
    """A record's id, or a value of the batch's `idProperty`."""

    id: str


class ReadBatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `batch/read`."""

    inputs: list[Id]
    properties: list[str] = []
    properties_with_history: list[str] = []
    id_property: str | None = None


class IdBatch(msgspec.Struct, frozen=True):
    """The body of `batch/archive`."""

    inputs: list[Id]


_READ = msgspec.json.Decoder(ReadBatch)
_IDS = msgspec.json.Decoder(IdBatch)


def batch_read(portal: Portal, request: Request) -> Reply:
    """`batch/read`: what is there in `results`, the ids that are not in one error of a 207."""
    wanted = decode(request.body, _READ)
    sized(wanted.inputs)
    if wanted.properties_with_history and len(wanted.inputs) > MAX_HISTORY_BATCH:
        raise Refusal(
            Problem(
                message=(
                    "The maximum number of inputs supported in a batch request for property "
                    f"histories is {MAX_HISTORY_BATCH}. "
                    "Please reduce the number of items and try again"
                )
            )
        )
    store = portal.stores[request.type]
    name = wanted.id_property
    if name and name not in store.unique:
        raise Refusal(non_unique(portal, request.type, name, "read"))
    folded = [one.id.casefold() if name else one.id for one in wanted.inputs]
    if len(set(folded)) < len(folded):
        times = Counter(folded)
        raise Refusal(duplicate_ids([one for one, count in times.items() if count > 1]))

    view = View(portal, request.type, wanted.properties, wanted.properties_with_history)
    archived = request.flag("archived")
    results: list[Shown] = []
    missing: list[str] = []
    seen: set[int] = set()
    for position, one in enumerate(wanted.inputs):
        record: Record | None
        if name:
            record = store.holder(name, one.id)
        elif archived:
            record = portal.binned(request.type, one.id)
        else:
            record = store.resolve(one.id)
        if record is None:
            missing.append(one.id)
        elif request.tells(position) and not request.skips(position) and record.id not in seen:
            seen.add(record.id)
            results.append(view.show(record))
    portal.rng.shuffle(results)
    errors = []
    if missing:
        errors.append(missing_records(portal.kinds[request.type].legacy, missing).item())
    return batch_reply(200, request.now, results, errors, inputs=len(wanted.inputs))


def batch_archive(portal: Portal, request: Request) -> Reply:
    """`batch/archive`: 204 whether or not the ids exist."""
    inputs = decode(request.body, _IDS).inputs
    sized(inputs)
    found = [portal.stores[request.type].resolve(one.id) for one in inputs]
    commerce.need_deletable(portal, request.type, found)
    for position, record in enumerate(found):
        if record is not None and not request.skips(position):
            portal.remove(request.type, record, request.now)
    return Reply(status=204, inputs=len(inputs))


def get(portal: Portal, request: Request) -> Reply:
    """`GET /{type}/{id}`."""
    record_id = request.params["id"]
    if request.flag("archived"):
        record = portal.binned(request.type, record_id)
    else:
        record = find(portal, request, record_id, request.text("idProperty"))
    if record is None:
        raise Refusal(not_found())
    view = View(
        portal,
        request.type,
        request.names("properties"),
        request.names("propertiesWithHistory"),
    )
    shown = view.show(record)
    _add_associations(portal, request, record, shown)
    return Reply(status=200, body=shown)


def page(portal: Portal, request: Request) -> Reply:
    """`GET /{type}`: records in order of id, `limit` at a time."""
    limit = request.whole_number("limit", 10, 1, MAX_BATCH)
    after = request.whole_number("after", 0, 0, 10**18)
    archived = request.flag("archived")
    names, history = request.names("properties"), request.names("propertiesWithHistory")
    view = View(portal, request.type, names, history)
    every = portal.stores[request.type].page(after, archived=archived)
    if archived:
        every = (one for one in every if portal.binned(request.type, str(one.id)) is not None)
    records = list(islice(every, limit + 1))
    results = []
    for record in records[:limit]:
        shown = view.show(record)
        _add_associations(portal, request, record, shown)
        results.append(shown)
    body: dict[str, object] = {"results": results}
    if len(records) > limit:
        last = str(records[limit - 1].id)
        link = f"https://api.hubapi.com/crm/objects/{request.version}/{request.type}?after={last}"
        body["paging"] = {"next": {"after": last, "link": link}}
    return Reply(status=200, body=body, inputs=len(results))


def archive(portal: Portal, request: Request) -> Reply:
    """`DELETE /{type}/{id}`: 204 whether or not it was there."""
    record = portal.stores[request.type].resolve(request.params["id"])
    commerce.need_deletable(portal, request.type, [record])
    if record is not None:
        portal.remove(request.type, record, request.now)
    return Reply(status=204)


def _add_associations(portal: Portal, request: Request, record: Record, shown: Shown) -> None:
    asked = (portal.kinds.find(one) for one in request.names("associations"))
    wanted = [one.name for one in asked if one is not None]
    found = {one: associated(portal, request.type, record, one) for one in wanted}
    found = {one: value for one, value in found.items() if value["results"]}
    if found:
        shown.associations = found
