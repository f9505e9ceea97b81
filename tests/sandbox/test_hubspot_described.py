"""The check against published API descriptions finds what differs, in requests and in answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.sandbox.hubspot import Empty, Exchange
from tests.openapi import VARIABLE, Requests, descriptions, deviations, watched

from .hubspot_api import serving

# A description of our own, in the manner of HubSpot's, of one made-up path.
RECORD = {
    "type": "object",
    "required": ["id", "createdAt"],
    "properties": {
        "id": {"type": "string"},
        "createdAt": {"type": "string", "format": "date-time"},
        "status": {"type": "string", "enum": ["COMPLETE"]},
        "values": {
            "type": "object",
            "additionalProperties": {"type": "string", "nullable": True},
        },
    },
}
ERROR = {
    "type": "object",
    "required": ["message", "category", "correlationId"],
    "properties": {
        "message": {"type": "string"},
        "category": {"type": "string"},
        "correlationId": {"type": "string", "format": "uuid"},
    },
}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    """How a description wraps a schema."""
    return {"content": {"application/json": {"schema": schema}}}


RECORDS = {"type": "array", "items": {"$ref": "#/components/schemas/Record"}}
DOCUMENT = {
    "components": {"schemas": {"Record": RECORD, "Error": ERROR}},
    "paths": {
        "/things/{id}": {
            "post": {
                "parameters": [{"name": "archived", "in": "query"}, {"name": "id", "in": "path"}],
                "requestBody": body({"$ref": "#/components/schemas/Record"}),
                "responses": {"200": body(RECORDS), "204": {}},
            }
        },
        "/account-info/2026-09/details": {"get": {"responses": {"200": body({"type": "string"})}}},
    },
}
GOOD: dict[str, Any] = {"id": "1", "createdAt": "2026-05-31T10:00:00Z"}
UUID = "01a0a0eb-ea7a-7303-a6e2-a774cf30316a"


@pytest.fixture(autouse=True)
def folder(as_described: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with that description, named by the variable."""
    (tmp_path / "2026-09").mkdir()
    (tmp_path / "2026-09" / "objects.json").write_bytes(msgspec.json.encode(DOCUMENT))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return str(tmp_path)


def exchange(answer: Any, status: int = 200, asked: Any = GOOD, **more: Any) -> Exchange:
    """One exchange about the made-up path."""
    facts: dict[str, Any] = {
        "method": "POST",
        "path": "/things/7",
        "query": (),
        "sent": msgspec.json.encode(asked),
        "status": status,
        "content_type": "application/json",
        "answered": b"" if answer is None else msgspec.json.encode(answer),
        "injected": False,
    }
    return Exchange(**(facts | more))


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ([GOOD], 200),
        ([GOOD], 207),
        ([GOOD | {"values": {"name": "A", "city": None}}], 200),
        (None, 204),
        ({"status": "error", "message": "no", "correlationId": UUID}, 404),
        ({"message": "no", "category": "C", "correlationId": UUID}, 400),
    ],
)
def test_described_and_recorded_exchanges_pass(folder: str, answer: Any, status: int) -> None:
    """What is described passes, and so does what recordings have besides."""
    assert deviations(folder, exchange(answer, status), "all") == []


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ([{"id": "1"}], 200, '"createdAt" is a required property'),
        ([GOOD | {"id": 1}], 200, 'answer $[0].id: 1 is not of type "string"'),
        ([GOOD | {"createdAt": "yesterday"}], 200, "date-time"),
        ([GOOD | {"status": "DONE"}], 200, '"DONE" is not one of'),
        ([GOOD | {"surprise": 1}], 200, "'surprise' was unexpected"),
        ([GOOD | {"values": {"name": 1}}], 200, "answer $[0].values.name: 1 is not"),
        (GOOD, 200, 'not of type "array"'),
        ({"message": "no", "correlationId": "x"}, 404, "uuid"),
        ([GOOD], 204, "no body is described for 204"),
        ([GOOD], 202, "status 202 is not described"),
        (None, 200, "is no JSON"),
    ],
)
def test_other_answers_are_found(folder: str, answer: Any, status: int, reason: str) -> None:
    """A difference in an answer names the call, the place and what is wrong there."""
    (found,) = deviations(folder, exchange(answer, status), "all")

    assert found.startswith(f"POST /things/7 {status}: answer")
    assert reason in found


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"sent": msgspec.json.encode(GOOD | {"extra": 1})}, "'extra' was unexpected"),
        ({"sent": b"{"}, "is no JSON"),
        ({"query": ("archived", "limit")}, "query parameter limit is not described"),
    ],
)
def test_wrong_requests_are_found(folder: str, more: dict[str, Any], reason: str) -> None:
    """A difference in a request is found where requests are checked."""
    (found,) = deviations(folder, exchange([GOOD], **more), "all")

    assert reason in found
    assert deviations(folder, exchange([GOOD], **more), "none") == []


@pytest.mark.parametrize(("requests", "count"), [("all", 1), ("done", 0), ("none", 0)])
def test_a_wrong_request_that_was_refused(folder: str, requests: Requests, count: int) -> None:
    """Tests of the simulator may send what is refused; the client never may."""
    refusal = {"message": "no", "category": "C", "correlationId": UUID}

    found = deviations(folder, exchange(refusal, 400, asked={"id": 1, "createdAt": "x"}), requests)

    assert (len(found) > 0) is (count > 0)


def test_what_a_fault_made_up_is_not_checked(folder: str) -> None:
    """An injected answer may be anything; the request before it is still the client's."""
    wrong = exchange({"no": "sense"}, 200, asked={}, injected=True)

    assert all("request" in one for one in deviations(folder, wrong, "all"))
    assert deviations(folder, wrong, "done") == []


def test_a_path_that_is_not_described_is_found_unless_it_is_known(folder: str) -> None:
    """Success on an unknown path is an error; merges and pipelines are described elsewhere."""
    unknown = deviations(folder, exchange({}, path="/elsewhere"), "all")

    assert [one.partition(": ")[2] for one in unknown] == ["nothing is described there"]
    assert (
        deviations(folder, exchange({}, path="/crm/objects/2026-09/companies/merge"), "all") == []
    )
    assert deviations(folder, exchange({}, 404, path="/elsewhere"), "all") == []


def test_a_correction_that_changes_nothing_is_an_error(tmp_path: Path) -> None:
    """When HubSpot mends a description, the correction of it has to go."""
    error = {"type": "object", "properties": {"subCategory": {"type": "string"}}}
    mended = {"components": {"schemas": {"StandardError": error}}, "paths": {}}
    (tmp_path / "later" / "2027-03").mkdir(parents=True)
    file = tmp_path / "later" / "2027-03" / "objects.json"
    file.write_bytes(msgspec.json.encode(mended))

    with pytest.raises(AssertionError, match=r"no longer needed.*subCategory"):
        descriptions(str(tmp_path / "later"))


async def test_every_exchange_of_a_portal_is_watched() -> None:
    """What passes through any simulated portal is checked while watched, and not afterwards."""
    with watched(requests="all") as problems:
        async with serving() as api:
            first = len(problems)
            await api.call("GET", "/account-info/V/details")
            second = len(problems)
            api.portal.inject(Empty())
            await api.call("GET", "/account-info/V/details")
            third = len(problems)
    async with serving() as api:
        await api.call("GET", "/account-info/V/details")

    assert (first, second, third, len(problems)) == (3, 4, 4, 4)
    assert problems[0].endswith("nothing is described there")  # a property is created
    assert 'is not of type "string"' in problems[3]


async def test_without_descriptions_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset, the variable turns the check off."""
    monkeypatch.delenv(VARIABLE)
    with watched(requests="all") as problems:
        async with serving() as api:
            await api.call("GET", "/account-info/V/details")

    assert problems == []
