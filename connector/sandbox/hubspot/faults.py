"""Misbehaviour on request: which call goes wrong, how often, and in which way.

An `Injection` watches for matching calls and applies one action to each until it is used up. The
actions are values, so another process can send them as JSON through `/control`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Literal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="kind"):
    """Answer with this status; a text body goes out as HTML, anything else as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}
    applied: bool = False
    """Carry the call out before answering so."""
    only: tuple[int, ...] | None = None
    """Of a batch that is applied: the only inputs (by position) carried out; None: all."""


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop", tag_field="kind"):
    """Close the connection without an answer, before or after carrying the call out."""

    applied: bool = False
    only: tuple[int, ...] | None = None
    """Of a batch that is applied: the only inputs (by position) carried out; None: all."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag="hold", tag_field="kind"):
    """Wait until released, before or after carrying the call out; then answer as usual."""

    applied: bool = False


class Empty(msgspec.Struct, frozen=True, kw_only=True, tag="empty", tag_field="kind"):
    """Carry the call out and answer its status without a body."""


class Omit(msgspec.Struct, frozen=True, kw_only=True, tag="omit", tag_field="kind"):
    """Leave these inputs (by position) out of a batch's answer, without an error for them."""

    inputs: tuple[int, ...] | Literal["all"]
    applied: bool = True
    """False: they are not carried out either."""


Action = Answer | Drop | Hold | Empty | Omit


def error(
    status: int, message: str, *, category: str | None = None, applied: bool = False
) -> Answer:
    """An answer with HubSpot's JSON error body; the correlation id is filled in when it is sent."""
    body = {"status": "error", "message": message}
    if category is not None:
        body["category"] = category
    return Answer(status=status, body=body, applied=applied)


def html(
    status: int, title: str = "", *, applied: bool = False, only: tuple[int, ...] | None = None
) -> Answer:
    """An answer with an HTML page, as proxies in front of HubSpot give (502, 504, 520 to 530)."""
    page = f"<!DOCTYPE html><html><head><title>{title or status}</title></head><body></body></html>"
    return Answer(status=status, body=page, applied=applied, only=only)


def timed_out(*, applied: bool = False, only: tuple[int, ...] | None = None) -> Answer:
    """A 524: no answer within 100 s, and nobody knows whether the call was carried out."""
    return html(524, "524: A timeout occurred", applied=applied, only=only)


def unauthenticated(*, expired: bool = False) -> Answer:
    """A 401: the token is not, or no longer, good."""
    category = "EXPIRED_AUTHENTICATION" if expired else "INVALID_AUTHENTICATION"
    return error(401, "Authentication credentials not found.", category=category)


def forbidden(*scopes: str) -> Answer:
    """A 403: the token lacks every one of these scopes; without any: its creator lost rights."""
    if not scopes:
        message = "The user who made this token has lost the permissions it needs."
        return error(403, message, category="USER_DOES_NOT_HAVE_PERMISSIONS")
    answer = error(
        403,
        "This app hasn't been granted all required scopes to make this call.",
        category="MISSING_SCOPES",
    )
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": list(scopes)},
    }
    return msgspec.structs.replace(answer, body=answer.body | {"errors": [detail]})


def locked(*, applied: bool = False) -> Answer:
    """A 423: another request holds a record; locks last two seconds."""
    return error(
        423,
        "The record is locked by another request, try again later",
        category="RESOURCE_LOCKED",
        applied=applied,
    )


def migrating(retry_after_s: int = 30) -> Answer:
    """A 477: the account is being moved between data centres, for up to 24 hours."""
    body = {"status": "error", "message": "This account is being migrated between data centers."}
    return Answer(status=477, body=body, headers={"Retry-After": str(retry_after_s)})


def rate_limited(
    policy: str = "TEN_SECONDLY_ROLLING",
    *,
    form: Literal["policy", "type", "category", "message"] = "policy",
    retry_after: str | None = None,
) -> Answer:
    """A 429 of the given policy, in one of the bodies that were seen.

    `policy` names it, `type` and `category` tell only that it is a limit, `message` has the text
    alone. `retry_after` is not documented for 429, but was seen: in seconds or milliseconds.
    """
    body = {"status": "error", "message": f"You have reached your {policy.lower()} limit."}
    if form in ("policy", "type"):
        body["errorType"] = "RATE_LIMIT"
    if form == "policy":
        body["policyName"] = policy
    if form == "category":
        body["category"] = "RATE_LIMITS"
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(status=429, body=body, headers=headers)


class Injection:
    """One fault in force: what it does, which calls it meets, how often it has done so."""

    def __init__(
        self,
        number: int,
        action: Action,
        *,
        method: str | None = None,
        route: str | None = None,
        object: str | None = None,  # noqa: A002
        times: int | None = 1,
        skip: int = 0,
        chance: Callable[[], bool] | None = None,
        containing: str | None = None,
    ) -> None:
        self.number = number
        self.action = action
        self.hits = 0
        self.reached = asyncio.Event()
        """Set once the first matching call has come."""
        self._released = asyncio.Event()
        self._method = method
        self._route = route
        self._object = object
        self._left = times
        self._skip = skip
        self._chance = chance
        self._containing = None if containing is None else containing.encode()

    def matches(self, method: str, route: str, object_type: str | None, body: bytes) -> bool:
        """True when the call is to be met; counts it."""
        if (
            self._left == 0
            or self._method not in (None, method)
            or self._object not in (None, object_type)
            or (self._route is not None and not _within(route, self._route))
            or (self._containing is not None and self._containing not in body)
        ):
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        if self._chance is not None and not self._chance():
            return False
        if self._left is not None:
            self._left -= 1
        self.hits += 1
        self.reached.set()
        return True

    def release(self) -> None:
        """Let every held call go on, now and later."""
        self._released.set()

    def cancel(self) -> None:
        """Meet no further calls; what is held goes on."""
        self._left = 0
        self.release()

    async def released(self) -> None:
        """Wait until released."""
        await self._released.wait()


def _within(route: str, wanted: str) -> bool:
    """True for the route itself and for those below it: `objects.batch` covers its five."""
    return route == wanted or route.startswith(wanted + ".")


class Faults:
    """The injections in force, in the order in which they were made."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._injections: dict[int, Injection] = {}
        self._made = 0

    def add(
        self,
        action: Action,
        *,
        method: str | None,
        route: str | None,
        object_type: str | None,
        times: int | None,
        skip: int,
        chance: float,
        containing: str | None,
    ) -> Injection:
        """Put an injection in force."""
        self._made += 1
        number = self._made
        injection = Injection(
            number,
            action,
            method=method,
            route=route,
            object=object_type,
            times=times,
            skip=skip,
            chance=None if chance >= 1 else lambda: self._rng.random() < chance,
            containing=containing,
        )
        self._injections[number] = injection
        return injection

    def get(self, number: int) -> Injection | None:
        """The injection with this number."""
        return self._injections.get(number)

    def meet(
        self, method: str, route: str, object_type: str | None, body: bytes
    ) -> Injection | None:
        """The first injection that matches a call, or None."""
        for injection in self._injections.values():
            if injection.matches(method, route, object_type, body):
                return injection
        return None

    def clear(self) -> None:
        """End every injection."""
        for injection in self._injections.values():
            injection.cancel()
        self._injections.clear()
