"""What was asked of the portal: every call, and counts that stay cheap however many there are."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

import msgspec

KEPT = 20_000
"""Calls kept one by one; the counts go on beyond that."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request and how it ended."""

    method: str
    route: str
    """Its name, such as `objects.batch.upsert`."""
    object: str | None
    """The object type it was about (of an association: the first one)."""
    version: str
    path: str
    status: int
    """0 when the connection was dropped."""
    write: bool
    inputs: int
    """Inputs of a batch; 1 for a single record."""
    correlation_id: str
    body: bytes | None = None
    """The request's body, when `HubSpotOptions.keep_bodies` is set."""

    def json(self) -> Any:
        """The request's body, decoded."""
        return msgspec.json.decode(self.body or b"null")


class Calls:
    """All calls so far; iterates over those kept."""

    def __init__(self) -> None:
        self._kept: deque[Call] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[str, str, int]] = Counter()
        """How many by (method, route, status)."""
        self.writes = 0
        self.reads = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(self._kept)

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, call: Call) -> None:
        """Take note of a call."""
        self._kept.append(call)
        self.counts[call.method, call.route, call.status] += 1
        if call.write:
            self.writes += 1
        else:
            self.reads += 1

    def count(
        self,
        *,
        method: str | None = None,
        route: str | None = None,
        status: int | None = None,
    ) -> int:
        """How many calls match all that is given; `route` also stands for the routes below it."""
        return sum(
            times
            for (a_method, a_route, a_status), times in self.counts.items()
            if method in (None, a_method)
            and status in (None, a_status)
            and (route is None or a_route == route or a_route.startswith(route + "."))
        )

    def clear(self) -> None:
        """Start counting anew."""
        self._kept.clear()
        self.counts.clear()
        self.writes = self.reads = 0
