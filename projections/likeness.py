"""Whether two texts of one property are one value to HubSpot.

HubSpot gives numbers and times back in its own way, and addresses in lower case: what differs in
that alone is no change. But to a property of text every character counts, so what a property takes
decides what may be looked over, never what its value happens to look like: `4500.10` and `4500.1`
are one amount and two order numbers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from projections.mapping.rules import Rule

Kind = Literal["", "string", "email", "number", "date", "datetime", "enumeration", "bool"]
"""What a property takes: HubSpot's types, addresses apart; "" when nobody knows."""

_BY_TRANSFORM: Final[dict[str, Kind]] = {
    "number": "number",
    "integer": "number",
    "money": "number",
    "date": "date",
    "datetime": "datetime",
    "flag": "bool",
}
# No leading zero: 01234 is a postal code, not the number 1234.
_PLAIN_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,9})?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]{5,15}(Z|[+-]\d{2}:?\d{2})")
_EPOCH_MS: Final = re.compile(r"\d{12,14}")


def kind_of(rule: Rule) -> Kind:
    """What a rule's property takes: as we define it, else as the rule shapes its values."""
    if rule.define is not None:
        return rule.define.type
    if rule.values:
        return "string"
    if rule.property == "email":
        return "email"
    return _BY_TRANSFORM.get(rule.transform, "string")


def same(one: str, other: str, kind: str) -> bool:
    """Whether the two are one value to a property of this kind; "" is no value."""
    if one == other:
        return True
    if not one or not other:
        return False
    match kind:
        case "number":
            return _number(one) == _number(other) is not None
        case "date" | "datetime":
            return _instant(one) == _instant(other) is not None
        case "email" | "bool":
            return one.casefold() == other.casefold()
        case "enumeration":
            return set(one.split(";")) == set(other.split(";"))
        case "":
            if _PLAIN_NUMBER.fullmatch(one) and _PLAIN_NUMBER.fullmatch(other):
                return _number(one) == _number(other)
            return _instant(one) == _instant(other) is not None
        case _:
            return False


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
