"""`POST …/search`: filters, order and pages over an index that lags, within the real limits.

Archived records are not found, nor ids that were merged away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from .changes import Record
from .exchange import Reply, Request, decode
from .portal import Portal
from .refusals import Detail, Problem, Refusal
from .rendering import View
from .searching import BadFilterError, Filter, Test, all_of, compiled, has_token, sort_key

DEFAULT_LIMIT = 10
MAX_LIMIT = 200
MAX_RESULTS = 10_000
MAX_GROUPS = 5
MAX_FILTERS = 6
MAX_ALL_FILTERS = 18
MAX_BODY = 3_000
"""Characters of a request's body."""

SEARCHED = ("name", "domain", "email", "firstname", "lastname", "company", "phone", "dealname")
"""Properties that `query` looks through, where a type has them."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Filters that must all hold."""

    filters: tuple[Filter, ...]


class Sort(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the results are in order of."""

    property_name: str
    direction: Literal["ASCENDING", "DESCENDING"] = "ASCENDING"


class Search(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of a search; one of the groups must hold."""

    filter_groups: tuple[Group, ...] = ()
    sorts: tuple[Sort | str, ...] = ()
    query: str | None = None
    properties: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    after: str | int = 0


_SEARCH = msgspec.json.Decoder(Search)


def search(portal: Portal, request: Request) -> Reply:
    """`search`: `{total, results, paging}`."""
    if len(request.body.decode(errors="replace")) > MAX_BODY:
        raise Refusal(Problem(message=f"The request is too long: at most {MAX_BODY} characters."))
    wanted = decode(request.body, _SEARCH)
    start = _start(wanted)
    groups = _groups(portal, request.type, wanted)
    values = _values(portal, request.type)
    query = (wanted.query or "").lower().split()
    found = [
        record
        for record in portal.indexes[request.type].records()
        if not groups or any(all_of(group, values(record)) for group in groups)
        if all(_mentions(record, word) for word in query)
    ]
    _sort(portal, request.type, wanted.sorts, found, values)
    view = View(portal, request.type, wanted.properties)
    results = [view.show(record) for record in found[start : start + wanted.limit]]
    body: dict[str, Any] = {"total": len(found), "results": results}
    if start + wanted.limit < len(found):
        body["paging"] = {"next": {"after": str(start + wanted.limit)}}
    return Reply(status=200, body=body, inputs=len(results))


def _start(wanted: Search) -> int:
    after = str(wanted.after or 0)
    if not after.isascii() or not after.isdigit() or len(after) > 9:
        raise Refusal(_invalid(f"after is not a number: {after[:20]}"))
    if not 1 <= wanted.limit <= MAX_LIMIT:
        raise Refusal(_invalid(f"limit must be between 1 and {MAX_LIMIT}: {wanted.limit}"))
    if int(after) + wanted.limit > MAX_RESULTS:
        raise Refusal(
            _invalid(f"A search gives at most {MAX_RESULTS} results: page no further than that.")
        )
    return int(after)


def _groups(portal: Portal, object_type: str, wanted: Search) -> list[list[tuple[str, Test]]]:
    groups = wanted.filter_groups
    if len(groups) > MAX_GROUPS:
        raise Refusal(_invalid(f"At most {MAX_GROUPS} filterGroups are allowed: {len(groups)}"))
    if any(len(group.filters) > MAX_FILTERS for group in groups):
        raise Refusal(_invalid(f"At most {MAX_FILTERS} filters are allowed per filterGroup"))
    if sum(len(group.filters) for group in groups) > MAX_ALL_FILTERS:
        raise Refusal(_invalid(f"At most {MAX_ALL_FILTERS} filters are allowed in all"))
    if len(wanted.sorts) > 1:
        raise Refusal(_invalid("At most one sort is allowed"))
    compiled_groups = []
    for group in groups:
        tests = []
        for one in group.filters:
            definition = portal.schemas[object_type].properties.get(one.property_name)
            if definition is None:
                raise Refusal(_invalid(f'Property "{one.property_name}" does not exist'))
            exact = definition.type in ("enumeration", "bool")
            try:
                tests.append((one.property_name, compiled(one, definition.type, exact=exact)))
            except BadFilterError as wrong:
                raise Refusal(_invalid(str(wrong))) from None
        compiled_groups.append(tests)
    return compiled_groups


def _values(portal: Portal, object_type: str) -> Callable[[Record], Callable[[str], str | None]]:
    """How to look up a record's properties, the computed ones among them."""
    modified = portal.kinds[object_type].modified

    def of(record: Record) -> Callable[[str], str | None]:
        def value(name: str) -> str | None:
            if name == "hs_object_id":
                return str(record.id)
            if name == "createdate":
                return record.created_at
            return record.updated_at if name == modified else record.properties.get(name)

        return value

    return of


def _sort(
    portal: Portal,
    object_type: str,
    sorts: Sequence[Sort | str],
    found: list[Record],
    values: Callable[[Record], Callable[[str], str | None]],
) -> None:
    for one in sorts:
        if isinstance(one, str):
            name, down = one.removeprefix("-"), one.startswith("-")
        else:
            name, down = one.property_name, one.direction == "DESCENDING"
        definition = portal.schemas[object_type].properties.get(name)
        if definition is None:
            raise Refusal(_invalid(f'Property "{name}" does not exist'))
        kind = definition.type
        found.sort(key=lambda record: sort_key(values(record)(name), kind), reverse=down)


def _mentions(record: Record, word: str) -> bool:
    return any(
        has_token(record.properties[name], f"*{word}*")
        for name in SEARCHED
        if name in record.properties
    )


def _invalid(reason: str) -> Problem:
    return Problem(
        message=f"There was a problem with the request: {reason}",
        errors=(Detail(message=reason, code="INVALID_SEARCH"),),
    )
