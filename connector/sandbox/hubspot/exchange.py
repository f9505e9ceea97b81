"""One request as the endpoints see it, and their answer: no HTTP library in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from .refusals import Problem, Refusal, bad_json

T = TypeVar("T")

MAX_BATCH = 100


class Request(msgspec.Struct, kw_only=True):
    """What an endpoint is given."""

    route: str
    version: str
    older: bool = False
    """True under the paths before date versions; `version` is then the one most like them."""
    object: str | None
    """Canonical name of the object type in the path."""
    to: str | None = None
    """Canonical name of the other object type in the path."""
    params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: bytes
    now: str
    """The time of the request, ISO 8601."""
    omit: frozenset[int] = frozenset()
    """Positions of inputs to be left out of the answer."""
    omit_all: bool = False
    """Leave every input out of the answer."""
    skip: frozenset[int] = frozenset()
    """Positions of inputs not to be carried out, nor answered."""
    only: frozenset[int] | None = None
    """Positions of the only inputs to be carried out; None: all."""
    touched: set[tuple[str, int]] = msgspec.field(default_factory=set)
    """Records that were written: object type and id."""

    def skips(self, position: int) -> bool:
        """True when the input is not to be carried out."""
        return position in self.skip or (self.only is not None and position not in self.only)

    def tells(self, position: int) -> bool:
        """True when the input is to be found in the answer."""
        return not (self.omit_all or position in self.omit)

    @property
    def type(self) -> str:
        """The object type; only for routes that have one in their path."""
        if self.object is None:
            raise LookupError(f"route {self.route} has no object type")
        return self.object

    def text(self, name: str) -> str | None:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else None

    def flag(self, name: str) -> bool:
        """A boolean query parameter; false when absent."""
        return (self.text(name) or "").lower() == "true"

    def names(self, name: str) -> list[str]:
        """A list parameter: repeated, separated by commas, or both."""
        return [one for value in self.query.get(name, ()) for one in value.split(",") if one]

    def whole_number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """An integer query parameter; raises `Refusal` (400) when out of range."""
        raw = self.text(name)
        if raw is None:
            return default
        if not raw.isascii() or not raw.isdigit() or not lowest <= int(raw[:18]) <= highest:
            raise Refusal(
                Problem(message=f"{name} must be a number from {lowest} to {highest}: {raw[:20]}")
            )
        return int(raw)


class Reply(msgspec.Struct, kw_only=True):
    """What an endpoint answers."""

    status: int
    body: Any = None
    """JSON; None for no body."""
    headers: dict[str, str] = {}
    inputs: int = 1
    """How many inputs the call had, for accounting and latency."""
    injected: bool = False
    """True when a fault made the answer up."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer, as they were on the wire."""

    method: str
    path: str
    """As it was sent: with its percent signs."""
    query: tuple[str, ...]
    """Names of the query's parameters."""
    sent: bytes
    status: int
    """0 when the connection was dropped."""
    content_type: str
    answered: bytes
    injected: bool
    """True when the answer was made up by a fault."""


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a request's body; raises `Refusal` (400) with HubSpot's wording."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as wrong:
        reason = str(wrong)
        if "missing required field" in reason:
            field = reason.split("`")[1]
            reason = f"Some required fields were not set: [{field}]"
        raise Refusal(bad_json(reason)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Refusal(bad_json(str(wrong))) from None


def sized(inputs: Sequence[object], limit: int = MAX_BATCH) -> None:
    """Refuse a batch that is empty or too large, before anything of it is carried out."""
    if len(inputs) > limit:
        raise Refusal(
            Problem(
                message=(
                    f"The maximum number of inputs supported in a batch request is {limit}. "
                    "Please reduce the number of items and try again"
                )
            )
        )
    if not inputs:
        raise Refusal(Problem(message="A batch request needs at least one input: inputs is empty."))


def batch_reply(
    status: int, now: str, results: object, errors: Sequence[object] = (), *, inputs: int
) -> Reply:
    """The envelope of a batch answer: `status` when all is well, else 207 with the errors."""
    body: dict[str, object] = {
        "status": "COMPLETE",
        "results": results,
        "requestedAt": now,
        "startedAt": now,
        "completedAt": now,
    }
    if errors:
        body["numErrors"] = len(errors)
        body["errors"] = errors
        status = 207
    return Reply(status=status, body=body, inputs=inputs)
