"""Reading one of HubSpot's errors: why, in its own words, what to do, and whether it passes.

HubSpot says the same thing in several shapes: a code in `errors[]`, the same list as JSON text
inside `message`, a category, or only prose. What is matched here are recorded answers; anything
else keeps HubSpot's message and its category.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.answer import (
    Answer,
    clean,
    context_values,
    entries,
    error_and_details,
    message_of,
    text_of,
)
from projections.ledger import BEST_EFFORT

_PROSE_LIMIT: Final = 20_000  # characters of a message that are searched
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,63}")
_CODE_IN_PROSE: Final = re.compile(r'"error"\s*:\s*"([A-Z][A-Z0-9_]{2,63})"')
_NAME_IN_PROSE: Final = re.compile(r'"name"\s*:\s*"([a-z0-9_]{1,100})"')
_EXISTING: Final = re.compile(r"Existing ID: ?(\d{1,20})")
_OWNED: Final = re.compile(
    r"propertyName=([A-Za-z0-9_]{1,100}), value=(.{0,1000}?)\} on \d{1,20}\. "
    r"(\d{1,20}) already has that value"
)
_INVOICE_STATUS: Final = re.compile(r"(?i)\binvoices? (cannot|can ?not|can't) (go from|be) ")
_TRANSIENT: Final = frozenset(
    {"RATE_LIMITS", "RATE_LIMIT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT", "LOCKED"}
)
_SAYS_LITTLE: Final = frozenset({"VALIDATION_ERROR", "BAD_REQUEST"})


class Taken(msgspec.Struct, frozen=True):
    """A unique value that another record holds."""

    property: str
    value: str
    owner: str


class Blame(msgspec.Struct, frozen=True):
    """A property that HubSpot objects to, its code for that, and its words."""

    property: str
    code: str
    message: str


class Why(msgspec.Struct, frozen=True):
    """Why HubSpot refused. `transient`: the same may succeed later. `properties`: those named.
    `owner`: HubSpot id of the record that holds what we want. `blames`: the properties without
    which it would have been taken, as far as it says.
    """

    reason: str
    message: str
    advice: str
    status: int = 0
    transient: bool = False
    properties: tuple[str, ...] = ()
    owner: str = ""
    blames: tuple[Blame, ...] = ()


def taken(error: dict[str, Any]) -> Taken | None:
    """The unique value that is another record's, when that is what the error says."""
    for one in error_and_details(error):
        found = _OWNED.search(_prose(one))
        if found is not None:
            return Taken(*found.groups())
    return None


def codes(error: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Every (code, property names) the error gives, the most telling first."""
    out: list[tuple[str, tuple[str, ...]]] = []
    for one in error_and_details(error):
        code = text_of(one.get("code")) or text_of(one.get("subCategory")).rpartition(".")[2]
        if _CODE.fullmatch(code):
            out.append((code, _properties(one)))
    if not out:
        prose = _prose(error)
        names = tuple(_NAME_IN_PROSE.findall(prose))
        # In the embedded list code and name stand side by side; elsewhere names belong to none.
        found = _CODE_IN_PROSE.findall(prose)
        paired = len(found) == len(names)
        out = [
            (code, (names[index],) if paired else names) for index, code in enumerate(found[:50])
        ]
    return out


def why(error: dict[str, Any], status: int) -> Why:
    """What one error object says; `status` is that of its answer."""
    message = clean(text_of(error.get("message"))) or f"HTTP status {status} with no message"
    named = [name for _, names in codes(error) for name in names] or list(_properties(error))
    owner = ""
    reason = _reason(error, message)
    owned = taken(error)
    if owned is not None:
        named, owner = [owned.property], owned.owner
    elif reason == "CONFLICT":
        existing = context_values(error, "existingId")
        found = _EXISTING.search(_prose(error))
        owner = existing[0] if existing else found.group(1) if found else ""
        owner = clean(owner, 40)
    elif reason == advices.MISSING_SCOPE:
        named = [
            scope
            for one in error_and_details(error)
            for scope in context_values(one, "requiredGranularScopes", "requiredScopes")
        ]
    return Why(
        reason=reason,
        message=message,
        advice=advices.advice(reason, properties=[clean(name, 100) for name in named], owner=owner),
        status=status,
        transient=reason in _TRANSIENT,
        properties=tuple(dict.fromkeys(named)),
        owner=owner,
        blames=_blames(error, reason, message, owned),
    )


def _blames(
    error: dict[str, Any], reason: str, message: str, owned: Taken | None
) -> tuple[Blame, ...]:
    if owned is not None:
        return (Blame(owned.property, reason, message),)
    if reason == "CONFLICT":
        return (Blame("email", reason, message),)  # of contacts only, and it names no property
    if reason in BEST_EFFORT:
        return (Blame("hs_invoice_status", reason, message),)
    said = {
        name: clean(text_of(one.get("message")))
        for one in entries(error, "errors")
        for name in _properties(one)
    }
    return tuple(
        Blame(name, code, said.get(name) or message)
        for code, names in codes(error)
        if not code.startswith("MISSING_")
        for name in names
    )


def why_whole(answer: Answer) -> Why:
    """Why a whole request was refused."""
    if isinstance(answer.body, dict):
        return why({**answer.body, "message": message_of(answer)}, answer.status)
    reason = advices.TOO_LARGE if answer.status in {413, 414} else advices.REJECTED
    return Why(reason, message_of(answer), advices.advice(reason), answer.status)


def _reason(error: dict[str, Any], message: str) -> str:
    if taken(error) is not None:
        return "CONFLICTING_UNIQUE_VALUE"
    if _EXISTING.search(message):
        return "CONFLICT"
    if "INVOICE_TO_LINE_ITEM" in message or "INVOICE_TO_CONTACT" in message:
        return "INVOICE_TO_LINE_ITEM"
    if _INVOICE_STATUS.search(message):
        return "INVOICE_STATUS"
    if "required properties were not set" in message:
        return "MISSING_REQUIRED_PROPERTY"
    category = text_of(error.get("category"))
    if category == "MISSING_SCOPES":
        return advices.MISSING_SCOPE
    for code, _ in codes(error):
        if code not in _SAYS_LITTLE:
            return code
    return category if _CODE.fullmatch(category) else advices.REJECTED


def _prose(error: dict[str, Any]) -> str:
    return text_of(error.get("message"))[:_PROSE_LIMIT]


def _properties(error: dict[str, Any]) -> tuple[str, ...]:
    return tuple(context_values(error, "propertyName", "propertyNames", "name", "properties"))
