"""Misbehaviour on request: which call goes wrong, how often, and in which way.

An `Injection` watches for matching calls and applies one action to each until it is used up. The
actions are values, so another process can send them as JSON through `/control`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="kind"):
    """Answer with this status; a text body goes out as HTML, anything else as JSON."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}
    applied: bool = False
    """Carry the call out before answering so."""


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag="drop", tag_field="kind"):
    """Close the connection without an answer, before or after carrying the call out."""

    applied: bool = False


class Hold(msgspec.Struct, frozen=True, kw_only=True, tag="hold", tag_field="kind"):
    """Wait until released, before or after carrying the call out; then answer as usual."""

    applied: bool = False


class Empty(msgspec.Struct, frozen=True, kw_only=True, tag="empty", tag_field="kind"):
    """Carry the call out and answer its status without a body."""


class Omit(msgspec.Struct, frozen=True, kw_only=True, tag="omit", tag_field="kind"):
    """Leave these inputs (by position) out of a batch's answer, without an error for them."""

    inputs: tuple[int, ...]
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


def html(status: int, title: str = "", *, applied: bool = False) -> Answer:
    """An answer with an HTML page, as proxies in front of HubSpot give."""
    page = f"<!DOCTYPE html><html><head><title>{title or status}</title></head><body></body></html>"
    return Answer(status=status, body=page, applied=applied)


def rate_limited(policy: str = "TEN_SECONDLY_ROLLING") -> Answer:
    """A 429 of the given policy."""
    return Answer(
        status=429,
        body={
            "status": "error",
            "message": f"You have reached your {policy.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "policyName": policy,
        },
    )


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

    def matches(self, method: str, route: str, object_type: str | None) -> bool:
        """True when the call is to be met; counts it."""
        if (
            self._left == 0
            or self._method not in (None, method)
            or self._object not in (None, object_type)
            or (self._route is not None and not _within(route, self._route))
        ):
            return False
        if self._skip > 0:
            self._skip -= 1
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

    def __init__(self) -> None:
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
        )
        self._injections[number] = injection
        return injection

    def get(self, number: int) -> Injection | None:
        """The injection with this number."""
        return self._injections.get(number)

    def meet(self, method: str, route: str, object_type: str | None) -> Injection | None:
        """The first injection that matches a call, or None."""
        for injection in self._injections.values():
            if injection.matches(method, route, object_type):
                return injection
        return None

    def clear(self) -> None:
        """End every injection."""
        for injection in self._injections.values():
            injection.cancel()
        self._injections.clear()
