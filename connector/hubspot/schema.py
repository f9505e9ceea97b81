"""Setting a portal up: the group, the key and the properties that a mapping needs.

Safe to repeat: what exists is left alone, what is missing is created, and what cannot be mended is
named with its remedy. Before anything is created the keys are looked at: a portal whose key
property cannot be unique is refused untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connector import paging
from connector.hubspot import currencies, customs
from connector.hubspot.answer import (
    Answer,
    context_values,
    entries,
    error_and_details,
    message_of,
    text_of,
)
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.currencies import Books
from connector.hubspot.errors import HubSpotUnreachable, SchemaRefused, TokenRefused
from connector.hubspot.properties import Problem, compare, definitions
from connector.hubspot.refusal import why_whole
from connector.new_events import done_by, new_event
from eventstore import EventStore
from projections import events
from projections.mapping.rules import Mapping, ObjectMapping

STREAM: Final = "config/schema"
_FOREIGN: Final = (
    "This is no answer of HubSpot's: correct [hubspot] base_url, or see what stands between (a "
    "proxy, a firewall)."
)
_LOOKS: Final = 6  # a new property shows up 250 to 700 ms after its creation
_LOOK_S: Final = 0.5


class SchemaReport(msgspec.Struct, frozen=True):
    """What setup did. `created`: "companies.sage100_terms" each. No problems: ready to write.

    `warnings`: what some records will be refused for, and the others not.
    """

    portal: str
    mapping: str
    created: list[str]
    problems: list[Problem]
    warnings: list[Problem] = []

    @property
    def ready(self) -> bool:
        """Whether records can be written with this mapping."""
        return not self.problems


async def setup(
    store: EventStore,
    hubspot: HubSpot,
    mapping: Mapping,
    digest: str,
    *,
    books: Books = MappingProxyType({}),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SchemaReport:
    """Create what the mapping (by its digest) needs, and log SchemaEnsured when all of it is there.

    `books`: company code to the currency its books are kept in, for a warning.
    Raises SchemaRefused when a key property cannot be unique, TokenRefused, HubSpotUnreachable or
    another Unreachable.
    """
    account = await _account(hubspot)
    portal = text_of(account.get("portalId"))
    by_type: dict[str, list[ObjectMapping]] = {}
    for one in mapping.objects().values():
        by_type.setdefault(one.hubspot_type, []).append(one)
    problems = await _create_types(hubspot, mapping)
    readable, unread = await _readable(hubspot, list(by_type))
    problems += unread
    _refuse_bad_keys(by_type, readable)
    created: list[str] = []
    for object_type, live in readable.items():
        made, trouble = await _create_missing(hubspot, by_type[object_type], live)
        created += [f"{object_type}.{name}" for name in made]
        problems += trouble
        if made:
            live = await _shown(hubspot, object_type, made, sleep)
        for one in by_type[object_type]:
            comparison = compare(one, live)
            problems += comparison.problems
            known = {problem.subject for problem in problems}
            problems += [
                Problem(subject, "it was not created", "Run setup again; see the other problems.")
                for body in comparison.missing
                if (subject := f"{object_type}.{body['name']}") not in known
            ]
    warnings = currencies.refused(mapping, books, account)
    report = SchemaReport(portal, digest, created, problems, warnings)
    if report.ready:
        ensured = events.SchemaEnsured(mapping=digest, portal=portal, created=created)
        await store.append([new_event(STREAM, ensured)], meta=done_by("setup"))
    return report


async def is_ensured(store: EventStore, digest: str, portal: str = "") -> bool:
    """Whether the log says that a portal (this one, if given) is ready for this mapping."""
    for stored in await store.history(STREAM):
        event = events.decode(stored.type, stored.data)
        if (
            isinstance(event, events.SchemaEnsured)
            and event.mapping == digest
            and portal in {"", event.portal}
        ):
            return True
    return False


async def portal_id(hubspot: HubSpot) -> str:
    """The portal's id. Raises TokenRefused, HubSpotUnreachable."""
    return text_of((await _account(hubspot)).get("portalId"))


async def _account(hubspot: HubSpot) -> dict[str, Any]:
    """The account's details. Raises TokenRefused, HubSpotUnreachable."""
    details: dict[str, Any] = checked(await hubspot.account_details(), hubspot).body
    return details


def checked(answer: Answer, hubspot: HubSpot) -> Answer:
    """The answer, unless it is about the token or HubSpot's health: those are raised."""
    if answer.status == 401:
        raise TokenRefused(
            f"HubSpot does not accept the token: {message_of(answer)}", where=hubspot.base_url
        )
    foreign = not isinstance(answer.body, dict)
    if answer.status == 429 or answer.status >= 500 or foreign:
        remedy = _FOREIGN if foreign and answer.status < 500 else ""
        raise HubSpotUnreachable(message_of(answer), where=hubspot.base_url, remedy=remedy)
    return answer


def unreadable(object_type: str, answer: Answer) -> Problem:
    """Why an object's properties cannot be read, and what helps."""
    why = why_whole(answer)
    if customs.is_missing(object_type, answer):
        return Problem(object_type, "the portal has no such custom object", customs.REMEDY)
    scopes = ", ".join(why.properties) or f"crm.schemas.{object_type}.read and .write"
    remedy = (
        f"Grant the token these scopes in HubSpot (Development > Keys): {scopes}."
        if answer.status == 403
        else "Check hubspot_type in the mapping, and that the portal's edition has such objects."
    )
    return Problem(object_type, f"its properties cannot be read: {why.message}", remedy)


async def _create_types(hubspot: HubSpot, mapping: Mapping) -> list[Problem]:
    """Create the custom object types that the portal lacks; what went wrong."""
    problems = []
    for lane, one in mapping.objects().items():
        if not customs.is_custom(one.hubspot_type):
            continue
        answer = checked(await hubspot.read_properties(one.hubspot_type), hubspot)
        if not customs.is_missing(one.hubspot_type, answer):
            continue
        answer = checked(await hubspot.create_object_type(customs.schema_of(lane, one)), hubspot)
        if not answer.ok and answer.status != 409:
            why = f"HubSpot did not create it: {message_of(answer)}"
            problems.append(Problem(one.hubspot_type, why, customs.REMEDY))
    return problems


async def _readable(
    hubspot: HubSpot, object_types: Sequence[str]
) -> tuple[dict[str, dict[str, dict[str, Any]]], list[Problem]]:
    out = {}
    problems = []
    for object_type in object_types:
        answer = checked(await hubspot.read_properties(object_type), hubspot)
        if answer.ok:
            out[object_type] = definitions(answer)
        else:
            problems.append(unreadable(object_type, answer))
    return out, problems


def _refuse_bad_keys(
    by_type: dict[str, list[ObjectMapping]], readable: dict[str, dict[str, dict[str, Any]]]
) -> None:
    for object_type, live in readable.items():
        for one in by_type[object_type]:
            for problem in compare(one, live).problems:
                if problem.key:
                    raise SchemaRefused(
                        problem.detail, where=problem.subject, remedy=problem.remedy
                    )


async def _create_missing(
    hubspot: HubSpot, objects: Sequence[ObjectMapping], live: dict[str, dict[str, Any]]
) -> tuple[list[str], list[Problem]]:
    """Create groups and properties of one HubSpot type; names created, and what went wrong."""
    object_type = objects[0].hubspot_type
    bodies: dict[str, dict[str, Any]] = {}
    for one in objects:
        for body in compare(one, live).missing:
            bodies.setdefault(body["name"], body)
    problems: list[Problem] = []
    labels = {one.group: one.group_label for one in objects}
    for group in dict.fromkeys(body["groupName"] for body in bodies.values()):
        answer = checked(await hubspot.create_group(object_type, group, labels[group]), hubspot)
        if not answer.ok and answer.status != 409:
            problems.append(_not_created(f"{object_type} group {group}", answer))
    if problems:
        return [], problems
    created: list[str] = []
    for part in paging.parts(bodies.values(), BATCH_LIMIT):
        answer = checked(await hubspot.create_properties(object_type, part), hubspot)
        created += [text_of(one.get("name")) for one in entries(answer.body, "results")]
        if not answer.ok and answer.status != 409:
            problems.append(_not_created(object_type, answer))
        for error in entries(answer.body, "errors") if answer.ok else []:
            problems += _refused(object_type, error)
    return [name for name in created if name in bodies], problems


def _refused(object_type: str, error: dict[str, Any]) -> list[Problem]:
    if error.get("category") == "OBJECT_ALREADY_EXISTS":
        return []  # somebody else was faster
    names = [name for one in error_and_details(error) for name in context_values(one, "name")]
    subject = f"{object_type}.{names[0]}" if names else object_type
    message = message_of(Answer(400, error))
    return [Problem(subject, f"HubSpot did not create it: {message}", _CREATE_REMEDY)]


def _not_created(subject: str, answer: Answer) -> Problem:
    why = why_whole(answer)
    remedy = _CREATE_REMEDY
    if answer.status == 403:
        scopes = ", ".join(why.properties) or "crm.schemas.*.write of this object"
        remedy = f"Grant the token this scope in HubSpot (Development > Keys): {scopes}."
    return Problem(subject, f"HubSpot did not create it: {why.message}", remedy)


_CREATE_REMEDY: Final = "Correct the definition in the mapping, then run setup again."


async def _shown(
    hubspot: HubSpot,
    object_type: str,
    created: Sequence[str],
    sleep: Callable[[float], Awaitable[None]],
) -> dict[str, dict[str, Any]]:
    """The definitions, as soon as they show what was created."""
    live: dict[str, dict[str, Any]] = {}
    for look in range(_LOOKS):
        live = definitions(checked(await hubspot.read_properties(object_type), hubspot))
        if live.keys() >= set(created):
            break
        if look + 1 < _LOOKS:
            await sleep(_LOOK_S)
    return live
