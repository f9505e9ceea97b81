"""Who is to blame when HubSpot refuses a whole batch.

One bad record costs a hundred good ones their write unless it is found. When the answer names it,
by trace id, by id, by a unique value or by a property only it carries, it is taken out and the
rest goes again; else the batch is halved, which finds one bad record among n in at most
2·⌈log2 n⌉ further calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connector.hubspot.answer import context_values, error_and_details, text_of
from connector.hubspot.refusal import codes, taken

_DUPLICATES: Final = re.compile(r"Duplicate IDs found in batch input: \[(.{0,20000})\]")
# Whoever carries such a property is refused, whatever its value.
_OF_THE_NAME: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})


class Input(msgspec.Struct, frozen=True):
    """One record of a batch: its external key, what is sent, and what finds it in the answer."""

    key: str
    properties: dict[str, str]
    trace: str
    hubspot_id: str = ""


class Split(msgspec.Struct, frozen=True):
    """`guilty` are refused for certain; each group of `again` is a request of its own."""

    guilty: tuple[Input, ...]
    again: tuple[tuple[Input, ...], ...]


def split(inputs: Sequence[Input], error: dict[str, Any]) -> Split:
    """Divide a refused batch of at least two; every input is in exactly one place."""
    repeated = _DUPLICATES.search(text_of(error.get("message")))
    if repeated is not None:
        # The ids it names belong to a pair each: never to one who is to blame.
        twins = _twins(inputs, error, repeated.group(1))
        return _parted(inputs, (), [[one] for one in twins]) if twins else _halved(inputs)
    guilty = named(inputs, error) or _taken_alone(inputs, error) or _carriers(inputs, error)
    if guilty:
        return _parted(inputs, guilty, [])
    suspects = _suspects(inputs, error)
    if suspects and len(suspects) < len(inputs):
        return _parted(inputs, (), [suspects])
    return _halved(inputs)


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
    names = {name for code, group in codes(error) if code in _OF_THE_NAME for name in group}
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


def _halved(inputs: Sequence[Input]) -> Split:
    middle = (len(inputs) + 1) // 2
    return Split((), (tuple(inputs[:middle]), tuple(inputs[middle:])))


def _parted(
    inputs: Sequence[Input], guilty: Sequence[Input], apart: Sequence[Sequence[Input]]
) -> Split:
    out = {one.trace for one in guilty} | {one.trace for group in apart for one in group}
    rest = tuple(one for one in inputs if one.trace not in out)
    groups = [tuple(group) for group in (*apart, rest) if group]
    return Split(tuple(guilty), tuple(groups))
