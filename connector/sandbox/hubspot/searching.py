"""The search index, which lags behind, and what its filters mean.

A change shows after a lag of its own in each copy of the index, and a search asks any copy: what
was just written is not found at first, then found by some searches and not by others. Nothing is
copied while there is no lag.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec

from .changes import Record
from .records import Records

Operator = Literal[
    "BETWEEN",
    "CONTAINS_TOKEN",
    "EQ",
    "GT",
    "GTE",
    "HAS_PROPERTY",
    "IN",
    "LT",
    "LTE",
    "NEQ",
    "NOT_CONTAINS_TOKEN",
    "NOT_HAS_PROPERTY",
    "NOT_IN",
]

Test = Callable[[str | None], bool]
"""Whether a property's value (None: not set) passes."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition on one property."""

    property_name: str
    operator: Operator
    value: str | None = None
    values: tuple[str, ...] | None = None
    high_value: str | None = None


class BadFilterError(ValueError):
    """A filter that lacks what its operator needs."""


class _Copy:
    """One copy of the index: what it shows, and what it is still to take in."""

    def __init__(self, shown: dict[int, Record]) -> None:
        self.shown = shown
        self.due: list[tuple[float, int, int, Record | None]] = []
        self.taken: dict[int, int] = {}
        """Per record the number of the newest change taken in."""

    def advance(self, now: float) -> None:
        while self.due and self.due[0][0] <= now:
            _, number, record_id, record = heapq.heappop(self.due)
            if self.taken.get(record_id, -1) > number:
                continue  # a newer change was quicker
            self.taken[record_id] = number
            if record is None:
                self.shown.pop(record_id, None)
            else:
                self.shown[record_id] = record


class Index:
    """What Search sees of one object type."""

    def __init__(self, store: Records, clock: Callable[[], float], seed: int) -> None:
        self._store = store
        self._clock = clock
        self._rng = random.Random(seed)
        self._copies: list[_Copy] = []
        self._changes = 0

    def note(self, records: Iterable[Record], lag_s: tuple[float, float], copies: int) -> None:
        """Take note of records that were changed, archived or merged away."""
        shortest, longest = lag_s
        if longest <= 0 and not self._copies:
            return
        changed = {record.id: record for record in records}
        if not self._copies:
            before = {one.id: one for one in self._live() if one.id not in changed}
            self._copies = [_Copy(dict(before)) for _ in range(max(1, copies))]
        now = self._clock()
        for record_id, record in changed.items():
            self._changes += 1
            live = self._store.by_id.get(record_id) is record and record.archived_at is None
            seen = msgspec.structs.replace(record) if live else None
            for copy in self._copies:
                due = now + self._rng.uniform(shortest, longest)
                heapq.heappush(copy.due, (due, self._changes, record_id, seen))

    def records(self) -> Iterator[Record]:
        """What one search sees, in order of id."""
        if not self._copies:
            yield from self._live()
            return
        copy = self._rng.choice(self._copies)
        copy.advance(self._clock())
        for record_id in sorted(copy.shown):
            yield copy.shown[record_id]

    def settled(self) -> bool:
        """True when every change shows in every copy."""
        for copy in self._copies:
            copy.advance(self._clock())
        return not any(copy.due for copy in self._copies)

    def _live(self) -> Iterator[Record]:
        return (one for one in self._store.by_id.values() if one.archived_at is None)


def compiled(wanted: Filter, kind: str, *, exact: bool) -> Test:
    """A filter on a property of type `kind`, ready for use; raises `BadFilterError`.

    Text is compared without case, choices (`exact`) with it. `IN` does not fold the values it is
    given: those with capitals match no text.
    """
    operator = wanted.operator
    if operator == "HAS_PROPERTY":
        return lambda held: held is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda held: held is None
    fold: Callable[[str], str] = str if exact else str.lower
    if operator in ("IN", "NOT_IN"):
        if not wanted.values:
            raise BadFilterError(f"operator {operator} requires values")
        among = frozenset(wanted.values)
        if operator == "IN":
            return lambda held: held is not None and fold(held) in among
        return lambda held: held is None or fold(held) not in among
    if wanted.value is None:
        raise BadFilterError(f"operator {operator} requires a value")
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        token = wanted.value.lower()
        yes = operator == "CONTAINS_TOKEN"
        return lambda held: (held is not None and has_token(held, token)) is yes
    if kind not in ("number", "date", "datetime"):
        low = fold(wanted.value)
        if operator == "EQ":
            return lambda held: held is not None and fold(held) == low
        if operator == "NEQ":
            return lambda held: held is None or fold(held) != low
        return _ordered(operator, fold, low, _high(wanted, fold))
    rank = _number if kind == "number" else _moment
    low_rank = rank(wanted.value)
    if operator == "EQ":
        return lambda held: held is not None and rank(held) == low_rank
    if operator == "NEQ":
        return lambda held: held is None or rank(held) != low_rank
    return _ordered(operator, rank, low_rank, _high(wanted, rank))


def has_token(text: str, token: str) -> bool:
    """Whether a word of `text` is `token`; a star in the token stands for anything."""
    words = "".join(one if one.isalnum() else " " for one in text.lower()).split()
    bare = token.strip("*")
    starts, ends = not token.startswith("*"), not token.endswith("*")
    if " " in "".join(one if one.isalnum() else " " for one in bare):
        return bare in text.lower()
    return any(
        (word == bare)
        or (not ends and starts and word.startswith(bare))
        or (not starts and ends and word.endswith(bare))
        or (not starts and not ends and bare in word)
        for word in words
    )


def sort_key(value: str | None, kind: str) -> tuple[bool, float, str]:
    """Where a value stands in order; those that are not set come last."""
    if value is None:
        return True, 0.0, ""
    if kind == "number":
        return False, _number(value), ""
    if kind in ("date", "datetime"):
        return False, _moment(value), ""
    return False, 0.0, value.lower()


def _high(wanted: Filter, rank: Callable[[str], float] | Callable[[str], str]) -> float | str:
    if wanted.operator != "BETWEEN":
        return ""
    if wanted.high_value is None:
        raise BadFilterError("operator BETWEEN requires a highValue")
    return rank(wanted.high_value)


def _ordered(
    operator: str,
    rank: Callable[[str], float] | Callable[[str], str],
    low: float | str,
    high: float | str,
) -> Test:
    tests: dict[str, Callable[[Any], bool]] = {
        "LT": lambda one: one < low,
        "LTE": lambda one: one <= low,
        "GT": lambda one: one > low,
        "GTE": lambda one: one >= low,
        "BETWEEN": lambda one: low <= one <= high,
    }
    test = tests[operator]
    return lambda held: held is not None and test(rank(held))


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise BadFilterError(f"{value[:40]} is not a number") from None


def _moment(value: str) -> float:
    """Milliseconds since 1970, of a day, an ISO 8601 moment or milliseconds."""
    try:
        if len(value) == 10 and value[4] == "-":
            day = datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
            return day.timestamp() * 1000
        return float(value) if "T" not in value else _iso_ms(value)
    except ValueError:
        raise BadFilterError(f"{value[:40]} is not a moment") from None


def _iso_ms(value: str) -> float:
    return datetime.fromisoformat(value).timestamp() * 1000


def all_of(tests: Sequence[tuple[str, Test]], values: Callable[[str], str | None]) -> bool:
    """Whether a record, of which `values` gives the properties, passes every test of a group."""
    return all(test(values(name)) for name, test in tests)
