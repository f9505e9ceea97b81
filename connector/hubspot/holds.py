"""Whether HubSpot holds what we sent, seen through its own habits.

HubSpot gives numbers back as it likes, e-mail addresses in lower case, midnights as dates. A
difference that is only habit must not look like a lost write; a real one must never pass as habit,
so the type of a property decides what counts as the same, and without one only plain numbers,
dates and times do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from projections.mapping.rules import ObjectMapping

# HubSpot lowers the case of these whatever was sent.
_CASELESS: Final = frozenset({"email", "domain", "website"})
# No leading zero: 01234 is a postal code, not the number 1234.
_PLAIN_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,9})?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]{5,15}(Z|[+-]\d{2}:?\d{2})")
_EPOCH_MS: Final = re.compile(r"\d{12,14}")


def types_of(mapping: ObjectMapping) -> dict[str, str]:
    """Property to type, for those whose definition is ours."""
    return {rule.property: rule.define.type for rule in mapping.rules if rule.define is not None}


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
    if wanted == got:
        return True
    if not wanted or not got:
        return False
    if kind in {"", "string"} and name in _CASELESS:
        return wanted.casefold().rstrip("/") == got.casefold().rstrip("/")
    if kind == "number" or (kind == "" and _both(_PLAIN_NUMBER, wanted, got)):
        return _number(wanted) == _number(got) is not None
    if kind in {"", "date", "datetime"}:
        return _instant(wanted) == _instant(got) is not None
    if kind == "enumeration":
        return set(wanted.split(";")) == set(got.split(";"))
    if kind == "bool":
        return wanted.casefold() == got.casefold()
    return False


def _both(shape: re.Pattern[str], *texts: str) -> bool:
    return all(shape.fullmatch(text) is not None for text in texts)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text) if len(text) <= 40 else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _instant(text: str) -> datetime | None:
    """The moment meant by a date (midnight UTC), an ISO time with zone, or epoch milliseconds."""
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        if _EPOCH_MS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
