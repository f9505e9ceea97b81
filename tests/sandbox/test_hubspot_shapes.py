"""The check of answers against published descriptions finds what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from .hubspot_shapes import VARIABLE, check_shape

RECORD = {
    "type": "object",
    "required": ["id", "createdAt"],
    "properties": {
        "id": {"type": "string"},
        "createdAt": {"type": "string", "format": "date-time"},
        "status": {"type": "string", "enum": ["COMPLETE"]},
        "properties": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
DOCUMENT = {
    "components": {
        "schemas": {
            "Record": RECORD,
            "Error": {
                "type": "object",
                "required": ["message", "category", "correlationId"],
                "properties": {
                    "message": {"type": "string"},
                    "category": {"type": "string"},
                    "correlationId": {"type": "string", "format": "uuid"},
                },
            },
        }
    },
    "paths": {
        "/things/{id}": {
            "get": {
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Record"},
                                }
                            }
                        }
                    },
                    "204": {},
                }
            }
        }
    },
}
GOOD: dict[str, Any] = {"id": "1", "createdAt": "2026-05-31T10:00:00Z"}
UUID = "01a0a0eb-ea7a-7303-a6e2-a774cf30316a"


@pytest.fixture(autouse=True)
def _described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "2026-09"
    folder.mkdir()
    (folder / "objects.json").write_bytes(msgspec.json.encode(DOCUMENT))
    monkeypatch.setenv(VARIABLE, str(tmp_path))


def check(body: Any, status: int = 200, path: str = "/things/7") -> bool:
    return check_shape("GET", path, status, "application/json", msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([GOOD], 200),
        ([GOOD | {"properties": {"name": "A", "city": None}}], 200),
        ({"status": "error", "message": "no", "correlationId": UUID}, 404),
        ({"message": "no", "category": "C", "correlationId": UUID}, 400),
    ],
)
def test_described_and_recorded_answers_pass(body: Any, status: int) -> None:
    """What is described passes, and so does what recordings have besides."""
    assert check(body, status)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ([{"id": "1"}], 200, "createdAt is missing"),
        ([GOOD | {"id": 1}], 200, "1 is no string"),
        ([GOOD | {"createdAt": "yesterday"}], 200, "no moment"),
        ([GOOD | {"status": "DONE"}], 200, "none of"),
        ([GOOD | {"surprise": 1}], 200, "no such member"),
        ([GOOD | {"properties": {"name": 1}}], 200, "1 is no string"),
        (GOOD, 200, "is no array"),
        ({"message": "no", "correlationId": "x"}, 404, "no UUID"),
        ([GOOD], 204, "no body is described"),
        ([GOOD], 202, "not described"),
    ],
)
def test_other_answers_fail_and_say_where(body: Any, status: int, reason: str) -> None:
    """A difference names the place and what is wrong there."""
    with pytest.raises(AssertionError, match=reason):
        check(body, status)


def test_without_descriptions_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset, the variable turns the check off; paths that are not described are let through."""
    with pytest.raises(AssertionError):
        check({})
    elsewhere = check({}, path="/elsewhere")
    monkeypatch.delenv(VARIABLE)

    assert not elsewhere
    assert not check({})
