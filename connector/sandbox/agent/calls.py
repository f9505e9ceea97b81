"""What the agent has been asked: the ledger that tests read to see how a client behaves.

Counts are by what was asked, refused and answered; `log` keeps the latest calls in order, so that
"one request at a time" or "the second pass asked only for yesterday" can be checked, not assumed.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec

KEPT = 10_000


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One authenticated request; `answer` is `ok`, a fault code, `Client` or a scripted fault."""

    operation: str
    answer: str
    company: str | None = None
    entity: str | None = None
    changed_since: str | None = None
    continued: bool = False  # it carried a cursor
    limit: int | None = None
    rows: int = 0


class Calls:
    """Counters over the life of one agent."""

    def __init__(self) -> None:
        self.requests = 0  # every HTTP request to the service, refused ones too
        self.operations: Counter[str] = Counter()  # authenticated and understood
        self.entities: Counter[str] = Counter()  # ReadPage and ReadRow, by entity
        self.refused: Counter[str] = Counter()  # by door: windows, api_key, certificate
        # Log-ons by scheme: first legs (NTLM, Negotiate), let in, counted against the account, and
        # later legs that came on a connection that has no first one.
        self.handshakes: Counter[str] = Counter()
        self.logons: Counter[str] = Counter()
        self.wrong_logons: Counter[str] = Counter()
        self.stray_legs: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.rows = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.log: deque[Call] = deque(maxlen=KEPT)

    def record(self, call: Call) -> None:
        """Take one answered call into the books."""
        self.operations[call.operation] += 1
        if call.entity is not None:
            self.entities[call.entity] += 1
        self.answers[call.answer] += 1
        self.rows += call.rows
        self.log.append(call)

    def summary(self) -> dict[str, Any]:
        """The counters as plain data."""
        return {
            "requests": self.requests,
            "operations": dict(self.operations),
            "entities": dict(self.entities),
            "refused": dict(self.refused),
            "handshakes": dict(self.handshakes),
            "logons": dict(self.logons),
            "wrong_logons": dict(self.wrong_logons),
            "stray_legs": dict(self.stray_legs),
            "answers": dict(self.answers),
            "rows": self.rows,
            "most_in_flight": self.most_in_flight,
        }
