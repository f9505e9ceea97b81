"""What every call goes through: credentials, limits, scopes, faults, the endpoint, the books.

The order is the real one: who are you, how often do you ask, may you ask that. What is refused
before the endpoint has changed nothing. Nothing is awaited while an endpoint runs.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from .calls import Call
from .exchange import Exchange, Reply, Request
from .faults import Answer, Drop, Empty, Hold, Omit
from .kinds import Kind
from .options import OLDER_VERSIONS
from .portal import Portal
from .refusals import (
    Problem,
    Refusal,
    missing_scopes,
    not_found,
    rate_limited,
    unauthenticated,
)
from .routes import Route

MAX_URL = 8192
JSON = "application/json;charset=utf-8"
LIKE_OLDER = "2026-03"
"""The date version whose rules are those of the versions before."""
_BODIES = frozenset({"POST", "PATCH", "PUT"})


class _Dropped(Exception):
    """The connection is to be closed without an answer."""


def handler(portal: Portal, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The HTTP handler of one route."""

    async def handle(http: web.Request) -> web.StreamResponse:
        correlation_id = portal.correlation_id()
        body = b""
        request: Request | None = None
        reply: Reply
        try:
            body = await _body(http, portal.options.max_body_bytes)
            _admit(portal, route, http, correlation_id)
            request = _request(portal, route, http, body)
            reply = await _answer(portal, route, request, http.method)
        except Refusal as refused:
            reply = Reply(status=refused.problem.status, body=refused.problem.body(correlation_id))
        except _Dropped:
            reply = Reply(status=0, injected=True)
        portal.calls.add(
            Call(
                method=http.method,
                route=route.name,
                object=None if request is None else request.object,
                version=http.match_info.get("version", ""),
                path=http.path,
                status=reply.status,
                write=route.write,
                inputs=reply.inputs,
                correlation_id=correlation_id,
                body=body if portal.options.keep_bodies else None,
            )
        )
        response = _response(portal, route, reply, correlation_id)
        for observe in portal.observers:
            observe(_exchange(http, body, reply, response))
        if reply.status == 0 and http.transport is not None:
            http.transport.abort()
        return response

    return handle


async def _body(http: web.Request, limit: int) -> bytes:
    if len(http.raw_path) > MAX_URL:
        raise Refusal(Problem(status=414, category=None, message="URI Too Long"))
    try:
        return await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(
            Problem(
                status=413,
                category=None,
                message=f"The request is too large: at most {limit} bytes are taken.",
            )
        ) from None


def _admit(portal: Portal, route: Route, http: web.Request, correlation_id: str) -> None:
    """Credentials, then limits; raises `Refusal`."""
    scheme, _, token = http.headers.get("Authorization", "").partition(" ")
    known = hmac.compare_digest(
        token.strip().encode(errors="surrogateescape"), portal.options.token.encode()
    )
    if scheme.lower() != "bearer" or not known:
        raise Refusal(unauthenticated())
    policy = portal.limiter.take(route.window)
    if policy is not None:
        plain = policy == "SECONDLY" and portal.options.rate_limit_bodies == "plain"
        raise Refusal(rate_limited(policy, None if plain else correlation_id))


def _request(portal: Portal, route: Route, http: web.Request, body: bytes) -> Request:
    """What the endpoint is given; raises `Refusal` for a wrong version, type, scope or format."""
    params = http.match_info
    version = params.get("version", "")
    if version not in portal.options.versions:
        raise Refusal(not_found())
    older = version in OLDER_VERSIONS
    kinds: list[Kind] = []
    for one in (params[key] for key in ("type", "to") if key in params):
        kind = portal.kinds.find(one)
        if kind is None:
            raise Refusal(
                Problem(category=None, message=f"Unable to infer object type from: {one}")
            )
        kinds.append(kind)
    granted = portal.options.scopes
    if granted is not None:
        for any_of in route.scopes([one.scope for one in kinds]):
            if not set(any_of) & set(granted):
                raise Refusal(missing_scopes(any_of))
    if body and http.method in _BODIES and http.content_type != "application/json":
        raise Refusal(
            Problem(
                status=415,
                category=None,
                message=f"Content type {http.content_type} is not supported: send application/json",
            )
        )
    query: dict[str, list[str]] = {}
    for name, value in http.query.items():
        query.setdefault(name, []).append(value)
    return Request(
        route=route.name,
        version=LIKE_OLDER if older else version,
        older=older,
        object=kinds[0].name if kinds else None,
        to=kinds[1].name if len(kinds) > 1 else None,
        params=params,
        query=query,
        body=body,
        now=portal.timestamp(),
    )


def _execute(portal: Portal, route: Route, request: Request) -> Reply:
    """Carry the call out, with the time of this moment."""
    request.now = portal.timestamp()
    return route.endpoint(portal, request)


def _leave_out(request: Request, omit: Omit) -> None:
    """Let a batch say nothing of some inputs, or of all, carried out or not."""
    if omit.inputs == "all":
        request.omit_all = True
        request.only = None if omit.applied else frozenset()
    else:
        request.omit = frozenset(omit.inputs)
        request.skip = frozenset() if omit.applied else request.omit


async def _answer(portal: Portal, route: Route, request: Request, method: str) -> Reply:
    """Carry the call out, or let it go wrong as injected."""
    injection = portal.faults.meet(method, route.name, request.object, request.body)
    action = None if injection is None else injection.action
    if isinstance(action, Omit):
        _leave_out(request, action)
    if isinstance(action, Answer | Drop) and action.only is not None:
        request.only = frozenset(action.only)
    if isinstance(action, Hold) and injection is not None and not action.applied:
        await injection.released()

    reply: Reply | None = None
    if not isinstance(action, Answer | Drop) or action.applied:
        reply = _execute(portal, route, request)
    inputs = 1 if reply is None else reply.inputs
    with portal.locks.under_way(request.touched if portal.options.lock_in_flight else ()):
        latency = portal.options.latency
        if latency is not None and reply is not None:
            await portal.sleep(latency.of(request.object, reply.inputs))
            _completed(reply, portal.timestamp())
        if isinstance(action, Hold) and injection is not None and action.applied:
            await injection.released()
    if isinstance(action, Drop):
        raise _Dropped
    if isinstance(action, Answer):
        return Reply(
            status=action.status,
            body=action.body,
            headers=action.headers,
            inputs=inputs,
            injected=True,
        )
    if reply is None:
        raise RuntimeError(f"route {route.name} was not carried out")
    if isinstance(action, Empty):
        return Reply(status=reply.status, inputs=inputs, injected=True)
    return reply


def _completed(reply: Reply, now: str) -> None:
    """Let a batch's answer say when its work was done."""
    if isinstance(reply.body, dict) and "completedAt" in reply.body:
        reply.body["completedAt"] = now


def _exchange(http: web.Request, body: bytes, reply: Reply, response: web.Response) -> Exchange:
    return Exchange(
        method=http.method,
        path=http.rel_url.raw_path,
        query=tuple(http.query),
        sent=body,
        status=reply.status,
        content_type=response.content_type,
        answered=response.body if isinstance(response.body, bytes) else b"",
        injected=reply.injected,
    )


def _response(portal: Portal, route: Route, reply: Reply, correlation_id: str) -> web.Response:
    if reply.status == 0:
        return web.Response()
    headers = {
        "x-hubspot-correlation-id": correlation_id,
        **portal.limiter.headers(route.window),
        **reply.headers,
    }
    body = reply.body
    if reply.status == 414 and isinstance(body, dict):
        body = "<html><head><title>414 Request-URI Too Large</title></head><body></body></html>"
    if body is None:
        return web.Response(status=reply.status, headers=headers)
    if isinstance(body, str):
        return web.Response(
            status=reply.status, headers=headers, text=body, content_type="text/html"
        )
    if isinstance(body, dict) and body.get("status") == "error":
        body = body | {"correlationId": correlation_id}
    headers["Content-Type"] = JSON
    return web.Response(status=reply.status, headers=headers, body=msgspec.json.encode(body))
