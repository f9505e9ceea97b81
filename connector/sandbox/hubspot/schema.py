"""The endpoints for property definitions and groups, and those about the account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .exchange import Reply, Request, batch_reply, decode, sized
from .portal import Portal
from .property import Group, GroupUpdate, Property, PropertyCreate, PropertyUpdate
from .refusals import Refusal
from .values import iso


class CreateBatch(msgspec.Struct, frozen=True):
    """The body of a property `batch/create`."""

    inputs: list[PropertyCreate]


class Name(msgspec.Struct, frozen=True):
    """A property's name."""

    name: str


class NameBatch(msgspec.Struct, frozen=True):
    """The body of a property `batch/read` and `batch/archive`."""

    inputs: list[Name]
    archived: bool = False


_CREATE = msgspec.json.Decoder(PropertyCreate)
_CREATE_BATCH = msgspec.json.Decoder(CreateBatch)
_UPDATE = msgspec.json.Decoder(PropertyUpdate)
_NAMES = msgspec.json.Decoder(NameBatch)
_GROUP = msgspec.json.Decoder(Group)
_GROUP_UPDATE = msgspec.json.Decoder(GroupUpdate)


DISPLAY = (
    "number_display_hint",
    "text_display_hint",
    "show_currency_symbol",
    "currency_property_name",
)
"""What the description of 2026-09 no longer has: taken without a word, kept, not shown."""


def _shown(definition: Property, request: Request) -> Property:
    """The definition as this version shows it."""
    if request.version < "2026-09":
        return definition
    return msgspec.structs.replace(definition, **dict.fromkeys(DISPLAY))


def properties(portal: Portal, request: Request) -> Reply:
    """`GET /{type}`: every definition."""
    schema = portal.schemas[request.type]
    found = schema.archived if request.flag("archived") else schema.properties
    return Reply(status=200, body={"results": [_shown(one, request) for one in found.values()]})


def get(portal: Portal, request: Request) -> Reply:
    """`GET /{type}/{name}`."""
    return Reply(
        status=200, body=_shown(portal.schemas[request.type].get(request.params["name"]), request)
    )


def create(portal: Portal, request: Request) -> Reply:
    """`POST /{type}`."""
    wanted = decode(request.body, _CREATE)
    made = portal.schemas[request.type].create(wanted, request.now)
    portal.property_changed(request.type, made.name)
    return Reply(status=201, body=_shown(made, request))


def batch_create(portal: Portal, request: Request) -> Reply:
    """`batch/create`: one error per definition that is refused, the others are made."""
    inputs = decode(request.body, _CREATE_BATCH).inputs
    sized(inputs)
    results, errors = [], []
    for one in inputs:
        try:
            made = portal.schemas[request.type].create(one, request.now)
        except Refusal as refused:
            errors.append(refused.problem.item())
        else:
            portal.property_changed(request.type, made.name)
            results.append(_shown(made, request))
    status = 201 if request.version < "2026-09" else 200
    return batch_reply(status, request.now, results, errors, inputs=len(inputs))


def batch_read(portal: Portal, request: Request) -> Reply:
    """`batch/read` by name; names that are not there are errors of a 207."""
    wanted = decode(request.body, _NAMES)
    sized(wanted.inputs)
    schema = portal.schemas[request.type]
    results, errors = [], []
    for one in wanted.inputs:
        try:
            found = schema.archived.get(one.name) if wanted.archived else None
            results.append(_shown(found or schema.get(one.name), request))
        except Refusal as refused:
            errors.append(refused.problem.item())
    return batch_reply(200, request.now, results, errors, inputs=len(wanted.inputs))


def batch_archive(portal: Portal, request: Request) -> Reply:
    """`batch/archive`: 204; names that are not there do not matter."""
    inputs = decode(request.body, _NAMES).inputs
    sized(inputs)
    schema = portal.schemas[request.type]
    for one in inputs:
        if one.name in schema.properties:
            schema.archive(one.name, request.now)
            portal.property_changed(request.type, one.name)
    return Reply(status=204, inputs=len(inputs))


def update(portal: Portal, request: Request) -> Reply:
    """`PATCH /{type}/{name}`; `hasUniqueValue` is taken and ignored."""
    change = decode(request.body, _UPDATE)
    changed = portal.schemas[request.type].update(request.params["name"], change, request.now)
    portal.property_changed(request.type, changed.name)
    return Reply(status=200, body=_shown(changed, request))


def archive(portal: Portal, request: Request) -> Reply:
    """`DELETE /{type}/{name}`."""
    portal.schemas[request.type].archive(request.params["name"], request.now)
    portal.property_changed(request.type, request.params["name"])
    return Reply(status=204)


def groups(portal: Portal, request: Request) -> Reply:
    """`GET /{type}/groups`."""
    return Reply(status=200, body={"results": list(portal.schemas[request.type].groups.values())})


def get_group(portal: Portal, request: Request) -> Reply:
    """`GET /{type}/groups/{name}`."""
    return Reply(status=200, body=portal.schemas[request.type].group(request.params["name"]))


def create_group(portal: Portal, request: Request) -> Reply:
    """`POST /{type}/groups`."""
    group = decode(request.body, _GROUP)
    return Reply(status=201, body=portal.schemas[request.type].create_group(group))


def update_group(portal: Portal, request: Request) -> Reply:
    """`PATCH /{type}/groups/{name}`."""
    schema = portal.schemas[request.type]
    change: dict[str, Any] = {
        name: value
        for name, value in msgspec.structs.asdict(decode(request.body, _GROUP_UPDATE)).items()
        if value is not msgspec.UNSET
    }
    group = msgspec.structs.replace(schema.group(request.params["name"]), **change)
    schema.groups[group.name] = group
    return Reply(status=200, body=group)


def delete_group(portal: Portal, request: Request) -> Reply:
    """`DELETE /{type}/groups/{name}`; refused while properties are in it."""
    portal.schemas[request.type].delete_group(request.params["name"])
    return Reply(status=204)


def account(portal: Portal, _request: Request) -> Reply:
    """`/account-info/V/details`."""
    offset = portal.limiter.local_now().utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    options = portal.options
    return Reply(
        status=200,
        body={
            "portalId": options.portal_id,
            "accountType": "STANDARD",
            "timeZone": options.timezone,
            "companyCurrency": options.company_currency,
            "additionalCurrencies": list(options.additional_currencies),
            "utcOffset": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        },
    )


def usage(portal: Portal, _request: Request) -> Reply:
    """`/account-info/V/api-usage/daily/private-apps`."""
    limits = portal.limiter.limits
    resets_at = portal.limiter.resets_at().astimezone(UTC)
    collected_at = datetime.fromtimestamp(portal.now(), UTC)
    return Reply(
        status=200,
        body={
            "results": [
                {
                    "name": "private-apps-api-calls-daily",
                    "currentUsage": portal.limiter.used_today["general"],
                    "usageLimit": limits.daily if limits is not None else 1_000_000,
                    "collectedAt": iso(collected_at),
                    "resetsAt": iso(resets_at),
                    "fetchStatus": "SUCCESS",
                }
            ]
        },
    )
