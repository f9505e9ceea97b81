"""Merging two records into one, by hand or through the API.

What comes of it is a new record (or, as a beta has it, the primary one): the primary's values win,
gaps are filled from the other. A unique value of the other is lost where the primary has one of its
own. Both old ids lead to the new record, and no search finds them.
"""

from __future__ import annotations

import msgspec

from .catalog import LIFECYCLE_STAGES
from .changes import Change, Journal, Record, merger
from .exchange import Reply, Request, decode
from .records import EMAIL, EMAILS
from .refusals import Problem, Refusal, not_found
from .rendering import View
from .state import State

MOST = 250
"""Records that may be merged into one."""

MERGED = "hs_merged_object_ids"
DOMAIN = "domain"
DOMAINS = "hs_additional_domains"
STAGE = "lifecyclestage"


class Merge(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `merge`."""

    primary_object_id: str
    object_id_to_merge: str


_MERGE = msgspec.json.Decoder(Merge)


def merge_endpoint(portal: State, request: Request) -> Reply:
    """`POST /{type}/merge`: 200 with the record that came of it."""
    wanted = decode(request.body, _MERGE)
    store = portal.stores[request.type]
    if not portal.kinds[request.type].mergeable:
        raise Refusal(Problem(message=f"Records of {request.type} cannot be merged."))
    primary = store.resolve(wanted.primary_object_id)
    other = store.resolve(wanted.object_id_to_merge)
    if primary is None or other is None:
        raise Refusal(not_found())
    if primary is other:
        raise Refusal(Problem(message="A record cannot be merged with itself."))
    ids = [part for one in (primary, other) for part in _old_ids(one)]
    if len(ids) > MOST:
        raise Refusal(
            Problem(status=414, category=None, message=f"At most {MOST} records can be merged.")
        )
    merged = merge(portal, request.type, primary, other, portal.by_api())
    return Reply(status=200, body=View(portal, request.type).show(merged))


def merge(
    state: State, object_type: str, primary: Record, other: Record, journal: Journal
) -> Record:
    """Merge `other` into `primary`; gives the record that holds both."""
    store = state.stores[object_type]
    values = _together(object_type, primary, other)
    links = [*state.graph.forget(object_type, primary.id)]
    links += [one for one in state.graph.forget(object_type, other.id) if one not in links]
    kept = state.options.merge == "keep_primary"
    new_id = primary.id if kept else store.next_id()
    source = merger(journal.source.user_id)
    old = (primary, other)
    if kept:
        store.merge([other], new_id)
        changes = {name: one for name, one in values.items() if primary.properties.get(name) != one}
        store.update(primary, changes, Journal(journal.now, source))
        merged = primary
    else:
        store.merge(old, new_id)
        merged = store.create(new_id, values, Journal(journal.now, source))
        merged.created_at = min(primary.created_at, other.created_at)
        merged.changes[:0] = _inherited(primary, other, values)
    for to_type, to_id, types in links:
        if not (to_type == object_type and to_id in (primary.id, other.id)):
            state.graph.put_back(object_type, merged.id, (to_type, to_id, types))
    state.indexed(object_type, primary, other, merged)
    return merged


def _together(object_type: str, primary: Record, other: Record) -> dict[str, str]:
    """The values of the merged record."""
    values = other.properties | primary.properties
    values[MERGED] = ";".join([*_old_ids(primary), *_old_ids(other)])
    stages = [one.properties.get(STAGE) for one in (primary, other)]
    ranked = [one for one in stages if one in LIFECYCLE_STAGES]
    if ranked:
        values[STAGE] = max(ranked, key=LIFECYCLE_STAGES.index)
    if object_type == "contacts":
        _keep_both(values, primary, other, EMAIL, EMAILS)
    elif object_type == "companies":
        _keep_both(values, primary, other, DOMAIN, DOMAINS)
    return values


def _keep_both(
    values: dict[str, str], primary: Record, other: Record, name: str, more: str
) -> None:
    """The first address or domain is the primary's; the others become additional ones."""
    every = [
        part
        for one in (primary, other)
        for part in [one.properties.get(name, ""), *one.properties.get(more, "").split(";")]
    ]
    distinct = list(dict.fromkeys(one for one in every if one))
    if distinct:
        values[name] = distinct[0]
    if distinct[1:]:
        values[more] = ";".join(distinct[1:])


def _old_ids(record: Record) -> list[str]:
    """The ids that a record stands for: its own, and those merged into it."""
    return [str(record.id), *filter(None, record.properties.get(MERGED, "").split(";"))]


def _inherited(primary: Record, other: Record, values: dict[str, str]) -> list[Change]:
    """The histories of both, as far as their values were kept."""
    changes = []
    for record in (other, primary):
        for one in record.changes:
            kept = {name: value for name, value in one.values.items() if name in values}
            if kept:
                changes.append(Change(one.at, one.source, kept))
    return sorted(changes, key=lambda one: one.at)
