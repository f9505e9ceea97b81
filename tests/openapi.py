"""Checks what passes between client and simulated HubSpot against HubSpot's own API descriptions.

The descriptions are HubSpot's and no part of this repository. `HUBSPOT_OPENAPI_DIR` may name a
folder with `{version}/{objects,associations,properties,account-info}.json`; then every exchange
with every simulated portal in the tests is checked, request and answer; without it none is. What is
described wrongly is corrected first: see `CORRECTIONS`, `UNDESCRIBED` and `MULTI_STATUS`.

Descriptions are OpenAPI 3.0. Two things are stricter here than there: a member that is not
described is an error, and so is a query parameter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import jsonschema_rs
import msgspec

from connector.sandbox.hubspot import Exchange, SimulatedHubSpot

VARIABLE: Final = "HUBSPOT_OPENAPI_DIR"
FILES: Final = ("objects", "associations", "properties", "account-info")

TEXT: Final = {"type": "string"}
TEXT_OR_NULL: Final = {"type": ["string", "null"]}
NUMBER: Final = {"type": "integer"}
VALUES: Final = {"type": "object", "additionalProperties": TEXT_OR_NULL}
WARNINGS: Final = {"type": "array", "items": {"type": "object"}}


class Correction(NamedTuple):
    """One member of one schema that is described otherwise than it was recorded or documented."""

    schema: str
    member: str
    why: str
    shape: dict[str, Any] | None = None
    """What it is like; None: as described."""
    required: bool = False


CORRECTIONS: Final = (
    Correction("Error", "status", 'every error body says "status": "error"', TEXT),
    Correction("Error", "errorType", "a 429 has it in place of a category", TEXT),
    Correction("Error", "policyName", "a 429 names the limit", TEXT),
    Correction("Error", "requestId", "a 429 has it", TEXT),
    Correction("Error", "category", "404 and 429 bodies come without it"),
    Correction("StandardError", "subCategory", "described as an object, recorded as a text", TEXT),
    Correction("LabelsBetweenObjectPair", "fromObjectId", "recorded as a number", NUMBER, True),
    Correction("LabelsBetweenObjectPair", "toObjectId", "recorded as a number", NUMBER, True),
    Correction("AssociationSpecWithLabel", "label", "null for the unlabelled type", TEXT_OR_NULL),
    Correction(
        "SimplePublicObject", "properties", "null where not set, told in 2026-09 only", VALUES, True
    ),
    Correction("SimplePublicObjectWithAssociations", "properties", "the same", VALUES, True),
    Correction("SimplePublicObject", "warnings", "told in the release notes only", WARNINGS),
    Correction("SimplePublicUpsertObject", "warnings", "the same", WARNINGS),
    Correction("SimplePublicObjectWithAssociations", "warnings", "the same", WARNINGS),
    Correction(
        "PublicObjectSearchRequest",
        "sorts",
        "the guide has objects with propertyName and direction",
        {"type": "array", "items": {"type": ["string", "object"]}},
    ),
    Correction("PublicObjectSearchRequest", "after", "the guide leaves it out"),
    Correction("PublicObjectSearchRequest", "filterGroups", "the guide leaves it out"),
    Correction("PublicObjectSearchRequest", "limit", "the guide leaves it out"),
    Correction("PublicObjectSearchRequest", "properties", "the guide leaves it out"),
    Correction("BatchReadInputSimplePublicObjectId", "properties", "the guide leaves it out"),
    Correction(
        "BatchReadInputSimplePublicObjectId", "propertiesWithHistory", "the guide leaves it out"
    ),
    Correction("SimplePublicObjectInputForCreate", "associations", "the guide leaves it out"),
    Correction("SimplePublicObjectBatchInputForCreate", "associations", "the guide leaves it out"),
)
"""Where the descriptions are wrong. One that is no longer needed is an error of its own."""

UNDESCRIBED: Final = re.compile(
    r"/crm/objects/[^/]+/[^/]+/merge"
    r"|/crm/objects/[^/]+/[^/]+/[^/]+/associations/[^/]+"  # a GET, left out of 2026-09
    r"|/crm/pipelines/.*|/crm-object-schemas/.*|/crm/v[34]/.*|/account-info/v3/.*"
)
"""Paths that are documented elsewhere, or were in an older version."""

MULTI_STATUS: Final = 207
"""Left out of the newest description, kept in its documentation: shaped like the success."""


class Description:
    """One OpenAPI document, asked what a request and an answer should look like."""

    def __init__(self, document: dict[str, Any], used: set[tuple[str, str]]) -> None:
        self._schemas = {
            name: _corrected(name, schema, used)
            for name, schema in document["components"]["schemas"].items()
        }
        self._paths = [
            (re.compile(re.sub(r"\{[^/}]+\}", "[^/]+", path)), path.count("{"), operations)
            for path, operations in document["paths"].items()
        ]
        self._paths.sort(key=lambda one: one[1])
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """What is described under this method and path."""
        for pattern, _, operations in self._paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                found: dict[str, Any] = operations[method.lower()]
                return found
        return None

    def request(self, operation: dict[str, Any], exchange: Exchange) -> Iterator[str]:
        """What in a request is not as described."""
        known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        for name in exchange.query:
            if name not in known:
                yield f"request: query parameter {name} is not described"
        content = operation.get("requestBody", {}).get("content")
        if content:
            yield from self._differences("request", _schema(content), exchange.sent)
        elif exchange.sent:
            yield "request: no body is described"

    def answer(self, operation: dict[str, Any], exchange: Exchange) -> Iterator[str]:
        """What in an answer is not as described."""
        status, responses = exchange.status, operation["responses"]
        if exchange.content_type == "text/html" and status >= 400:
            return
        if status >= 400:
            error = {"$ref": "#/components/schemas/Error"}
            yield from self._differences("answer", error, exchange.answered)
            return
        found = responses.get(str(status))
        if found is None and status == MULTI_STATUS:
            found = next(one for code, one in responses.items() if code.startswith("20"))
        if found is None:
            yield f"answer: status {status} is not described, only {sorted(responses)}"
        elif found.get("content"):
            yield from self._differences("answer", _schema(found["content"]), exchange.answered)
        elif exchange.answered:
            yield f"answer: no body is described for {status}"

    def _differences(self, what: str, schema: dict[str, Any], body: bytes) -> Iterator[str]:
        try:
            value = msgspec.json.decode(body)
        except msgspec.DecodeError:
            yield f"{what}: {body[:60]!r} is no JSON"
            return
        for error in self._validator(schema).iter_errors(value):
            steps = (
                f"[{one}]" if isinstance(one, int) else f".{one}" for one in error.instance_path
            )
            yield f"{what} ${''.join(steps)}: {_short(error.message)}"

    def _validator(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        key = msgspec.json.encode(schema).decode()
        if key not in self._validators:
            whole = _strict(schema) | {"components": {"schemas": self._schemas}}
            self._validators[key] = jsonschema_rs.Draft202012Validator(
                whole, validate_formats=True, ignore_unknown_formats=True
            )
        return self._validators[key]


def _short(message: str) -> str:
    """A message that repeats a whole body, without its middle."""
    return message if len(message) <= 240 else f"{message[:80]} … {message[-150:]}"


def _schema(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(content.values()))["schema"]
    return found


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of OpenAPI 3.0 as one of JSON Schema, in which what is not described is wrong."""
    made = dict(schema)
    if made.pop("nullable", False):
        made["type"] = [made["type"], "null"]
    if "items" in made:
        made["items"] = _strict(made["items"])
    if "properties" in made:
        made["properties"] = {name: _strict(one) for name, one in made["properties"].items()}
        made.setdefault("additionalProperties", False)
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = _strict(made["additionalProperties"])
    return made


def _corrected(name: str, schema: dict[str, Any], used: set[tuple[str, str]]) -> dict[str, Any]:
    """A schema with its corrections; those that changed something go into `used`."""
    made = _strict(schema)
    for one in CORRECTIONS:
        if one.schema != name:
            continue
        before = dict(made)
        if one.shape is not None:
            made["properties"] = made.get("properties", {}) | {one.member: one.shape}
        needed = set(made.get("required", ())) - {one.member}
        made["required"] = sorted(needed | {one.member} if one.required else needed)
        if (before.get("properties"), sorted(before.get("required", ()))) != (
            made.get("properties"),
            made["required"],
        ):
            used.add((name, one.member))
    return made


@cache
def descriptions(folder: str) -> tuple[Description, ...]:
    """All descriptions below a folder; AssertionError when a correction changed nothing in them."""
    used: set[tuple[str, str]] = set()
    documents = [
        msgspec.json.decode(file.read_bytes())
        for version in sorted(Path(folder).iterdir())
        for file in (version / f"{name}.json" for name in FILES)
        if file.exists()
    ]
    found = tuple(Description(one, used) for one in documents)
    known = {name for one in documents for name in one["components"]["schemas"]}
    idle = [
        one for one in CORRECTIONS if one.schema in known and (one.schema, one.member) not in used
    ]
    assert not idle, f"no longer needed: {[(one.schema, one.member) for one in idle]}"
    return found


Requests = Literal["all", "done", "none"]
"""Which requests are checked: all, those that were carried out (tests of the simulator send wrong
ones on purpose), or none."""


def deviations(folder: str, exchange: Exchange, requests: Requests) -> list[str]:
    """What in an exchange is not as described."""
    here = f"{exchange.method} {exchange.path} {exchange.status}"
    for one in descriptions(folder):
        operation = one.operation(exchange.method, exchange.path)
        if operation is None:
            continue
        found: list[str] = []
        done = exchange.status < 400 and not exchange.injected
        if requests == "all" or (requests == "done" and done):
            found += one.request(operation, exchange)
        if not exchange.injected:
            found += one.answer(operation, exchange)
        return [f"{here}: {problem}" for problem in found]
    if exchange.status >= 400 or exchange.injected or UNDESCRIBED.fullmatch(exchange.path):
        return []
    return [f"{here}: nothing is described there"]


@contextmanager
def watched(*, requests: Requests) -> Iterator[list[str]]:
    """Collect what is not as described in the exchanges of every portal, while entered."""
    folder = os.environ.get(VARIABLE)
    problems: list[str] = []
    if not folder:
        yield problems
        return

    def observe(exchange: Exchange) -> None:
        problems.extend(deviations(folder, exchange, requests))

    SimulatedHubSpot.observers.append(observe)
    try:
        yield problems
    finally:
        SimulatedHubSpot.observers.remove(observe)
