"""How HubSpot says no: one value for a refusal, and its two JSON shapes.

A `Problem` is either the body of a refused request or one entry of `errors` in a 207 answer. The
texts and categories are those of recorded answers; clients parse some of them, so they are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

Context = dict[str, list[str]]


class Detail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a body's `errors`."""

    message: str
    code: str | None = None
    context: Context | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request or one input of a batch is refused."""

    message: str
    status: int = 400
    category: str | None = "VALIDATION_ERROR"
    sub_category: str | None = None
    context: Context | None = None
    item_context: Context | None = None
    """What an entry of a 207 says more than the body of a whole refusal."""
    errors: tuple[Detail, ...] = ()
    extra: dict[str, Any] | None = None
    """Further members of the body (`errorType`, `policyName`, `links`)."""

    def body(self, correlation_id: str) -> dict[str, Any]:
        """The body of the whole request's refusal."""
        body: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": correlation_id,
        }
        if self.context is not None:
            body["context"] = self.context
        if self.errors:
            body["errors"] = self.errors
        if self.category is not None:
            body["category"] = self.category
        if self.sub_category is not None:
            body["subCategory"] = self.sub_category
        if self.extra is not None:
            body.update(self.extra)
        return body

    def item(self, trace_ids: Sequence[str] = ()) -> dict[str, Any]:
        """The entry of `errors` in a 207; `trace_ids` are the inputs it speaks of."""
        context = (self.context or {}) | (self.item_context or {})
        if trace_ids:
            context["objectWriteTraceId"] = list(trace_ids)
        item: dict[str, Any] = {
            "status": "error",
            "category": self.category or "VALIDATION_ERROR",
            "message": self.message,
            "context": context,
            "errors": self.errors,
            "links": {},
        }
        if self.sub_category is not None:
            item["subCategory"] = self.sub_category
        return item


class Refusal(Exception):
    """HubSpot refuses the request; the problem says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Invalid(msgspec.Struct, frozen=True):
    """One property value that does not pass: name, code, message."""

    name: str
    code: str
    message: str


def invalid_properties(invalid: Sequence[Invalid], portal_id: int) -> Problem:
    """400 for property values; the message carries the same list as JSON text, as the real one."""
    listed = [
        {
            "isValid": False,
            "message": one.message,
            "error": one.code,
            "name": one.name,
            "localizedErrorMessage": one.message,
            "portalId": portal_id,
        }
        for one in invalid
    ]
    return Problem(
        message="Property values were not valid: " + msgspec.json.encode(listed).decode(),
        errors=tuple(
            Detail(message=one.message, code=one.code, context={"propertyName": [one.name]})
            for one in invalid
        ),
    )


def unauthenticated() -> Problem:
    """401: no bearer token, or not ours."""
    return Problem(
        status=401,
        category="INVALID_AUTHENTICATION",
        message=(
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and "
            "you can find more details at "
            "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
        ),
    )


def missing_scopes(scopes: Sequence[str]) -> Problem:
    """403: the token lacks every one of `scopes`."""
    return Problem(
        status=403,
        category="MISSING_SCOPES",
        message=(
            "This app hasn't been granted all required scopes to make this call. Read more about "
            "required scopes here: https://developers.hubspot.com/scopes."
        ),
        errors=(
            Detail(
                message="One or more of the following scopes are required.",
                context={"requiredGranularScopes": list(scopes)},
            ),
        ),
        extra={"links": {"scopes": "https://developers.hubspot.com/scopes"}},
    )


def rate_limited(policy: str, request_id: str | None) -> Problem:
    """429 of the given policy (TEN_SECONDLY_ROLLING, DAILY, SECONDLY).

    Without a request's id it is the short form: a category, no policy.
    """
    message = f"You have reached your {policy.lower()} limit."
    if request_id is None:
        return Problem(status=429, category="RATE_LIMITS", message=message)
    return Problem(
        status=429,
        category=None,
        message=message,
        extra={"errorType": "RATE_LIMIT", "policyName": policy, "requestId": request_id},
    )


def locked(ids: Sequence[str]) -> Problem:
    """423: another request holds one of the records."""
    return Problem(
        status=423,
        category="RESOURCE_LOCKED",
        message=f"The record is locked by another request, try again later: {', '.join(ids)}",
    )


def not_found() -> Problem:
    """404: neither category nor context, as recorded."""
    return Problem(status=404, category=None, message="resource not found")


def missing_records(label: str, ids: Sequence[str]) -> Problem:
    """The 207 entry that names every id that is not there."""
    return Problem(
        status=404,
        category="OBJECT_NOT_FOUND",
        message=(
            f"Could not get some {label} objects, they may be deleted or not exist. "
            "Check that ids are valid."
        ),
        context={"ids": list(ids)},
    )


def duplicate_ids(ids: Sequence[str]) -> Problem:
    """400 for a batch that names one record twice."""
    return Problem(
        message=f"Duplicate IDs found in batch input: [{', '.join(ids)}]. IDs must be unique",
        context={"ids": list(ids)},
    )


def bad_json(reason: str) -> Problem:
    """400 for a body that is not the JSON the endpoint takes."""
    return Problem(message=f"Invalid input JSON on line 1, column 1: {reason}")
