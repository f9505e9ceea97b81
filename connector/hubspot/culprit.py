"""Who is to blame when HubSpot refuses a whole batch.

One bad record costs a hundred good ones their write unless it is found. When the answer names it,
by trace id, by id, by a unique value or by a property only it carries, it is taken out and the
rest goes again; else the batch is parted in two, and the parts are tried (see `narrowing`). The
second part is the larger one, by the golden section, because a culprit there costs fewer calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from connector.hubspot.answer import context_values, error_and_details, text_of
from connector.hubspot.refusal import codes, taken

T = TypeVar("T")

_SHORT: Final = 0.382  # the shorter part of a golden section
_DUPLICATES: Final = re.compile(r"Duplicate IDs found in batch input: \[(.{0,20000})\]")
# Whoever carries such a property is refused, whatever its value.
_OF_THE_NAME: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})


# How a record is written: created under our key, updated by it, or updated by HubSpot's id because
# it does not carry our key yet.
How = Literal["create", "update", "take"]


class Input(msgspec.Struct, frozen=True):
    """One record of a batch: its external key, what is sent, and what finds it in the answer."""

    key: str
    properties: dict[str, str]
    trace: str
    hubspot_id: str = ""
    how: How = "create"


class Split(msgspec.Struct, frozen=True):
    """`guilty` are refused for certain; each group of `again` is a request of its own.

    `sought`: `again` is two groups, and if all of the first are taken a culprit is in the second.
    """

    guilty: tuple[Input, ...]
    again: tuple[tuple[Input, ...], ...]
    sought: bool = False


def split(inputs: Sequence[Input], error: dict[str, Any]) -> Split:
    """Divide a refused batch of at least two; every input is in exactly one place."""
    repeated = _DUPLICATES.search(text_of(error.get("message")))
    if repeated is not None:
        # The ids it names belong to a pair each: never to one who is to blame.
        twins = _twins(inputs, error, repeated.group(1))
        return _apart(inputs, (), [[one] for one in twins]) if twins else _sought(inputs)
    guilty = named(inputs, error) or _taken_alone(inputs, error) or _carriers(inputs, error)
    if guilty:
        return _apart(inputs, guilty, [])
    suspects = _suspects(inputs, error)
    if suspects and 2 * len(suspects) <= len(inputs):
        apart = _apart(inputs, (), [suspects])
        return msgspec.structs.replace(apart, sought=True)
    return _sought(inputs)


def parted(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Two parts of at least two items, the first one to be sent first."""
    first = _first(len(items))
    return items[:first], items[first:]


def condemned(error: dict[str, Any]) -> frozenset[str]:
    """Properties that nobody can write, whatever the value."""
    return frozenset(name for code, group in codes(error) if code in _OF_THE_NAME for name in group)


def named(inputs: Sequence[Input], error: dict[str, Any]) -> list[Input]:
    """Those whose trace id or id the error names."""
    traces: set[str] = set()
    ids: set[str] = set()
    for one in error_and_details(error):
        traces.update(context_values(one, "objectWriteTraceId"))
        ids.update(context_values(one, "ids", "id"))
        if text_of(one.get("id")):
            ids.add(text_of(one.get("id")))
    found = [one for one in inputs if one.trace in traces]
    return found or [one for one in inputs if one.key in ids or one.hubspot_id in ids - {""}]


def holders(inputs: Sequence[Input], error: dict[str, Any]) -> list[Input]:
    """Those that send the unique value which the error says is another record's."""
    owned = taken(error)
    if owned is None:
        return []
    value = owned.value.casefold()
    return [one for one in inputs if one.properties.get(owned.property, "").casefold() == value]


def _taken_alone(inputs: Sequence[Input], error: dict[str, Any]) -> list[Input]:
    found = holders(inputs, error)
    return found if len(found) == 1 else []


def _carriers(inputs: Sequence[Input], error: dict[str, Any]) -> list[Input]:
    names = condemned(error)
    return [one for one in inputs if not names.isdisjoint(one.properties)]


def _suspects(inputs: Sequence[Input], error: dict[str, Any]) -> list[Input]:
    """Whoever may be meant: not certain enough to refuse, good enough to set apart."""
    sharing = holders(inputs, error)
    if sharing:
        return sharing
    names = {name for _, group in codes(error) for name in group}
    carriers = [one for one in inputs if not names.isdisjoint(one.properties)]
    said = " ".join(text_of(one.get("message")) for one in error_and_details(error))
    quoted = [
        one
        for one in carriers
        if any(value and value in said for name, value in one.properties.items() if name in names)
    ]
    return quoted or carriers


def _twins(inputs: Sequence[Input], error: dict[str, Any], listed: str) -> list[Input]:
    """Inputs that HubSpot takes for the same record as an earlier one (keys differ in case)."""
    repeated = {one.strip().casefold() for one in listed.split(",")}
    repeated.update(one.casefold() for one in context_values(error, "ids"))
    seen: set[str] = set()
    twins = []
    for one in inputs:
        key = one.key.casefold()
        if key in repeated and key in seen:
            twins.append(one)
        seen.add(key)
    return twins


def _sought(inputs: Sequence[Input]) -> Split:
    first, second = parted(inputs)
    return Split((), (tuple(first), tuple(second)), sought=True)


def _first(count: int) -> int:
    """How many of so many go first; any number from least to most gives the same bound.

    Fibonacci numbers: what can be searched with two calls less, and with one call less.
    """
    most, within = 1, 2
    while most + within < count:
        most, within = within, most + within
    least = max(1, count - within)
    return min(max(round(count * _SHORT), least), max(most, least))


def _apart(
    inputs: Sequence[Input], guilty: Sequence[Input], apart: Sequence[Sequence[Input]]
) -> Split:
    out = {one.trace for one in guilty} | {one.trace for group in apart for one in group}
    rest = tuple(one for one in inputs if one.trace not in out)
    groups = [tuple(group) for group in (*apart, rest) if group]
    return Split(tuple(guilty), tuple(groups))
