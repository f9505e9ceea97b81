"""Whether HubSpot holds what we sent, seen through its own habits.

A difference that is only habit must not look like a lost write; a real one must never pass as
habit. What is one value to HubSpot is for `projections.likeness` to say; what may be looked over on
top of that when values are read back stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections import likeness
from projections.likeness import Kind
from projections.mapping.rules import ObjectMapping

# HubSpot lowers the case of these whatever was sent.
_CASELESS: Final = frozenset({"email", "domain", "website"})


def types_of(mapping: ObjectMapping) -> dict[str, Kind]:
    """Property to what it takes, as its rule says."""
    return {rule.property: likeness.kind_of(rule) for rule in mapping.rules}


def holds(
    wanted: Mapping[str, str], values: Mapping[str, str | None], types: Mapping[str, str]
) -> bool:
    """Whether `values`, as HubSpot gave them, are what `wanted` would have set; "" is no value."""
    return all(
        same(name, value, values.get(name) or "", types.get(name, ""))
        for name, value in wanted.items()
    )


def same(name: str, wanted: str, got: str, kind: str = "") -> bool:
    """Whether two texts are one value of this property."""
    wanted, got = wanted.strip(), got.strip()
    if not wanted or not got:
        return wanted == got
    if kind in {"", "string", "email"} and name in _CASELESS:
        return wanted.casefold().rstrip("/") == got.casefold().rstrip("/")
    return likeness.same(wanted, got, kind)
