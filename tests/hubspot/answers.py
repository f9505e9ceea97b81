"""Answers as HubSpot gives them, in the shapes of recorded ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connector.hubspot.answer import Answer
from connector.hubspot.culprit import Input
from connector.hubspot.settle import Settlement

KEY = "sage100_customer_key"


def accounted(given: Sequence[Input], settled: Settlement) -> bool:
    """Whether every input is in one outcome or one next request, and nothing else is."""
    named = [outcome.key for outcome in settled.outcomes]
    named += [key for group in settled.again for key in group]
    return sorted(named) == sorted(one.key for one in given)


def inputs(count: int, **properties: str) -> list[Input]:
    """So many inputs, keyed ABC:01-C0, ABC:01-C1 …"""
    return [
        Input(
            key=f"ABC:01-C{number}",
            properties={"name": f"Company {number}", KEY: f"ABC:01-C{number}", **properties},
            trace=f"t{number}",
        )
        for number in range(count)
    ]


def result(one: Input, hubspot_id: str, *, new: bool = True, trace: bool = True) -> dict[str, Any]:
    """One record of a batch/upsert's results."""
    shown = {
        "id": hubspot_id,
        "properties": {KEY: one.key, "hs_object_id": hubspot_id},
        "createdAt": "2026-11-20T10:00:00.000Z",
        "archived": False,
        "new": new,
    }
    return shown | {"objectWriteTraceId": one.trace} if trace else shown


def batch(results: list[Any], errors: list[Any] | None = None, status: int = 200) -> Answer:
    """A batch's 2xx."""
    body: dict[str, Any] = {"status": "COMPLETE", "results": results}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
        status = 207
    return Answer(status, body)


def item_error(
    message: str,
    *,
    traces: list[str] | None = None,
    category: str = "VALIDATION_ERROR",
    code: str = "",
    properties: list[str] | None = None,
    **context: list[str],
) -> dict[str, Any]:
    """One entry of a 207's errors."""
    error: dict[str, Any] = {
        "status": "error",
        "category": category,
        "message": message,
        "context": dict(context),
    }
    if traces is not None:
        error["context"]["objectWriteTraceId"] = traces
    if code:
        detail = {"message": message, "code": code, "context": {"propertyName": properties or []}}
        error["errors"] = [detail]
    return error


def refusal(message: str, status: int = 400, **fields: Any) -> Answer:
    """A whole request's refusal."""
    body = {"status": "error", "message": message, "category": "VALIDATION_ERROR", **fields}
    return Answer(status, body, correlation_id="c-1")


def invalid(name: str, code: str, message: str) -> Answer:
    """400 for a property value, with the same list as JSON text in its message."""
    listed = [{"isValid": False, "message": message, "error": code, "name": name}]
    return refusal(
        "Property values were not valid: " + msgspec.json.encode(listed).decode(),
        errors=[{"message": message, "code": code, "context": {"propertyName": [name]}}],
    )


def taken(name: str, value: str, owner: str = "512") -> Answer:
    """400 for a unique value that another record has."""
    return refusal(
        "Cannot set PropertyValueCoordinates{portalId=1, objectTypeId=ObjectTypeId{"
        f"legacyObjectType=COMPANY}}, propertyName={name}, value={value}}} on 777. "
        f"{owner} already has that value."
    )
