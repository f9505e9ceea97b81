"""`/control`: what tests do to the portal through methods, for other processes, over HTTP.

JSON in and out, loopback only, with a bearer token of its own. Calls here are in no count and
under no limit.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from .faults import Action
from .limiter import Window
from .locks import LOCK_S
from .portal import Portal
from .routes import must_be_known


class Inject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/inject`; answers the injection's number."""

    action: Action
    method: str | None = None
    route: str | None = None
    object: str | None = None
    times: int | None = 1
    skip: int = 0
    chance: float = 1.0
    containing: str | None = None


class Number(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/release`: lets an injection's held calls go on."""

    number: int


class PoisonRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/poison`."""

    object: str
    key: str
    message: str
    code: str = "INVALID_OPTION"
    property: str = "name"


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/cure`."""

    object: str
    key: str


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/edit` (with an id), `POST /control/add` (without); as a person would."""

    object: str
    properties: dict[str, str]
    id: str | None = None
    user_id: int | None = None
    """Who does it; left out: the portal's usual user."""


class Two(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/merge`; answers the id of what came of it."""

    object: str
    primary: str
    other: str
    user_id: int | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/associate` and `POST /control/dissociate`."""

    object: str
    id: str
    to: str
    to_id: str


class Which(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/archive`, `POST /control/recycle`."""

    object: str
    id: str


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/lock`."""

    object: str
    id: str
    seconds: float = LOCK_S


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/grant`; null: all scopes."""

    scopes: tuple[str, ...] | None


class Spend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/spend`: calls of other apps of the account."""

    calls: int
    window: Window = "general"


class Use(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/use`."""

    object: str
    property: str


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /control/require`."""

    object: str
    property: str
    when: tuple[str, str] | None = None


def inject(portal: Portal, asked: Inject) -> dict[str, Any]:
    """Put a fault in force."""
    made = portal.inject(
        asked.action,
        method=asked.method,
        route=asked.route,
        object=asked.object,
        times=asked.times,
        skip=asked.skip,
        chance=asked.chance,
        containing=asked.containing,
    )
    return {"number": made.number}


def release(portal: Portal, asked: Number) -> dict[str, Any]:
    """Let held calls go on."""
    injection = portal.faults.get(asked.number)
    if injection is None:
        raise LookupError(f"there is no injection {asked.number}")
    injection.release()
    return {"hits": injection.hits}


def clear(portal: Portal, _asked: None) -> dict[str, Any]:
    """End every injection."""
    portal.faults.clear()
    return {}


def poison(portal: Portal, asked: PoisonRule) -> dict[str, Any]:
    """Refuse writes of one key."""
    portal.poison(asked.object, asked.key, asked.message, code=asked.code, property=asked.property)
    return {}


def cure(portal: Portal, asked: Key) -> dict[str, Any]:
    """Take such a rule back."""
    portal.cure(asked.object, asked.key)
    return {}


def edit(portal: Portal, asked: Edit) -> dict[str, Any]:
    """Change or add a record."""
    if asked.id is None:
        return {"id": portal.add(asked.object, asked.properties, user_id=asked.user_id)}
    portal.edit(asked.object, asked.id, asked.properties, user_id=asked.user_id)
    return {"id": asked.id}


def archive(portal: Portal, asked: Which) -> dict[str, Any]:
    """Delete a record."""
    portal.archive(asked.object, asked.id)
    return {}


def lock(portal: Portal, asked: Lock) -> dict[str, Any]:
    """Lock a record."""
    portal.lock(asked.object, asked.id, asked.seconds)
    return {}


def grant(portal: Portal, asked: Grant) -> dict[str, Any]:
    """Give the token other scopes."""
    must_be_known(asked.scopes or ())
    portal.grant(asked.scopes)
    return {}


def spend(portal: Portal, asked: Spend) -> dict[str, Any]:
    """Make calls as other apps."""
    portal.spend(asked.window, asked.calls)
    return {"used_today": dict(portal.limiter.used_today)}


def use(portal: Portal, asked: Use) -> dict[str, Any]:
    """Let something refer to a property."""
    portal.use(asked.object, asked.property)
    return {}


def require(portal: Portal, asked: Need) -> dict[str, Any]:
    """Require a property of records."""
    portal.require(asked.object, asked.property, when=asked.when)
    return {}


def recycle(portal: Portal, asked: Which) -> dict[str, Any]:
    """Restore a deleted record."""
    portal.recycle(asked.object, asked.id)
    return {}


def merge(portal: Portal, asked: Two) -> dict[str, Any]:
    """Merge two records."""
    merged = portal.merge(asked.object, asked.primary, asked.other, user_id=asked.user_id)
    return {"id": merged}


def associate(portal: Portal, asked: Pair) -> dict[str, Any]:
    """Associate two records."""
    portal.associate(asked.object, asked.id, asked.to, asked.to_id)
    return {}


def dissociate(portal: Portal, asked: Pair) -> dict[str, Any]:
    """Take the associations of two records away."""
    portal.dissociate(asked.object, asked.id, asked.to, asked.to_id)
    return {}


_ORDERS: dict[str, tuple[Any, Callable[[Portal, Any], dict[str, Any]]]] = {
    "inject": (Inject, inject),
    "release": (Number, release),
    "clear": (None, clear),
    "poison": (PoisonRule, poison),
    "cure": (Key, cure),
    "edit": (Edit, edit),
    "add": (Edit, edit),
    "archive": (Which, archive),
    "lock": (Lock, lock),
    "grant": (Grant, grant),
    "spend": (Spend, spend),
    "use": (Use, use),
    "require": (Need, require),
    "recycle": (Which, recycle),
    "merge": (Two, merge),
    "associate": (Pair, associate),
    "dissociate": (Pair, dissociate),
}


def handler(portal: Portal, token: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The HTTP handler of `/control/{order}`."""

    async def handle(http: web.Request) -> web.StreamResponse:
        given = http.headers.get("Authorization", "").removeprefix("Bearer ")
        if not ipaddress.ip_address(http.remote or "0.0.0.0").is_loopback:  # noqa: S104
            return _answer(403, {"message": "the control endpoint answers on loopback only"})
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode()):
            return _answer(401, {"message": "the control endpoint needs its own bearer token"})
        name = http.match_info["order"]
        if http.method == "GET" and name == "stats":
            return _answer(200, portal.stats())
        if http.method == "GET" and name == "snapshot":
            return web.Response(body=portal.snapshot(), content_type="application/json")
        if http.method != "POST" or name not in _ORDERS:
            return _answer(404, {"message": f"there is no {http.method} /control/{name}"})
        shape, order = _ORDERS[name]
        body = await http.read()
        try:
            asked = msgspec.json.decode(body or b"null", type=shape)
            return _answer(200, order(portal, asked))
        except (msgspec.DecodeError, LookupError, ValueError) as wrong:
            return _answer(400, {"message": str(wrong)})

    return handle


def _answer(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )
