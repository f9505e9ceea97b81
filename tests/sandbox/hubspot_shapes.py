"""Checks answers of the simulated HubSpot against published OpenAPI descriptions, if there are any.

The descriptions are not part of this repository. `HUBSPOT_OPENAPI_DIR` may name a folder with
`{version}/{objects,associations,properties,account-info}.json`; then every answer the tests get is
compared. Where recorded answers differ from the description, the recording wins: see `OBSERVED`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

VARIABLE = "HUBSPOT_OPENAPI_DIR"
FILES = ("objects", "associations", "properties", "account-info")

OBSERVED: dict[tuple[str, str], tuple[type, ...] | None] = {
    # The envelope of an error says "status": "error".
    ("Error", "status"): (str,),
    # A 429 says which limit; a 403 where to read on.
    ("Error", "errorType"): (str,),
    ("Error", "policyName"): (str,),
    ("Error", "requestId"): (str,),
    # 404 and 429 bodies come without a category.
    ("Error", "category"): (str, type(None)),
    # Described as an object, recorded as a text.
    ("StandardError", "subCategory"): (str,),
    # Described as texts, recorded as numbers.
    ("LabelsBetweenObjectPair", "fromObjectId"): (int,),
    ("LabelsBetweenObjectPair", "toObjectId"): (int,),
    # Null for the unlabelled type.
    ("AssociationSpecWithLabel", "label"): (str, type(None)),
    # Left out of the newest description, told in its release notes.
    ("SimplePublicObject", "warnings"): (list,),
    ("SimplePublicUpsertObject", "warnings"): (list,),
    ("SimplePublicObjectWithAssociations", "warnings"): (list,),
}
"""What was recorded of members that the descriptions have otherwise, or not at all."""

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Description:
    """One OpenAPI document, asked what an answer should look like."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]
        self._paths = [
            (re.compile(re.sub(r"\{[^/}]+\}", "[^/]+", path) + r"\Z"), path, operations)
            for path, operations in document["paths"].items()
        ]
        self._paths.sort(key=lambda one: one[1].count("{"))

    def deviations(self, method: str, path: str, status: int, body: Any) -> list[str] | None:
        """What in `body` is not as described; None when the path is not described here."""
        for pattern, _, operations in self._paths:
            if pattern.match(path) and method.lower() in operations:
                schema = self._schema(operations[method.lower()]["responses"], status)
                if schema is None:
                    return [] if body is None else [f"$: no body is described for {status}"]
                return list(self._differences(schema, body, "$", ""))
        return None

    def _schema(self, responses: dict[str, Any], status: int) -> dict[str, Any] | None:
        if status >= 400:
            return {"$ref": "#/components/schemas/Error"}
        found = responses.get(str(status))
        if found is None and status == 207:
            found = next(one for code, one in responses.items() if code.startswith("20"))
        if found is None:
            raise AssertionError(f"status {status} is not described, only {sorted(responses)}")
        content = found.get("content")
        if not content:
            return None
        schema: dict[str, Any] = next(iter(content.values()))["schema"]
        return schema

    def _differences(
        self, schema: dict[str, Any], value: Any, where: str, owner: str
    ) -> Iterator[str]:
        if "$ref" in schema:
            owner = schema["$ref"].rpartition("/")[2]
            schema = self._schemas[owner]
        kinds = _KINDS.get(schema.get("type", ""))
        if kinds and (not isinstance(value, kinds) or (bool not in kinds and value is True)):
            yield f"{where}: {value!r:.60} is no {schema['type']}"
        elif isinstance(value, dict):
            yield from self._members(schema, value, where, owner)
        elif isinstance(value, list):
            for position, one in enumerate(value):
                yield from self._differences(schema["items"], one, f"{where}[{position}]", owner)
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        elif schema.get("format") == "date-time" and not _MOMENT.match(value):
            yield f"{where}: {value!r} is no moment"
        elif schema.get("format") == "uuid" and not _UUID.match(value):
            yield f"{where}: {value!r} is no UUID"

    def _members(
        self, schema: dict[str, Any], value: dict[str, Any], where: str, owner: str
    ) -> Iterator[str]:
        described = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name in schema.get("required", ()):
            if name not in value and type(None) not in (OBSERVED.get((owner, name)) or ()):
                yield f"{where}: {name} is missing"
        for name, one in value.items():
            observed = OBSERVED.get((owner, name))
            here = f"{where}.{name}"
            if observed is not None:
                if not isinstance(one, observed):
                    yield f"{here}: {one!r:.60} is not what was recorded"
            elif name in described:
                yield from self._differences(described[name], one, here, owner)
            elif isinstance(others, dict):
                if one is not None:  # a property that is not set is null
                    yield from self._differences(others, one, here, owner)
            elif described:
                yield f"{here}: {owner} has no such member"


@cache
def descriptions(folder: str) -> tuple[Description, ...]:
    """All descriptions below a folder."""
    return tuple(
        Description(msgspec.json.decode(file.read_bytes()))
        for version in sorted(Path(folder).iterdir())
        for file in (version / f"{name}.json" for name in FILES)
        if file.exists()
    )


def check_shape(method: str, path: str, status: int, content_type: str, body: bytes) -> bool:
    """Fail when the answer is not as described; False when there is no description of it."""
    folder = os.environ.get(VARIABLE)
    if not folder or (body and not content_type.startswith("application/json")):
        return False
    decoded = msgspec.json.decode(body) if body else None
    for one in descriptions(folder):
        found = one.deviations(method, path, status, decoded)
        if found is not None:
            assert found == [], f"{method} {path} {status}: {found[:5]}"
            return True
    return False
