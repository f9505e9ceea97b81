"""Transforms: from a raw Sage 100 cell to the string HubSpot stores.

Each takes the cell and returns the property's value: a string sets it, "" clears it, None leaves
it alone (a value that HubSpot would refuse is better left out than sent). Formats are HubSpot's:
everything a string, decimal point, dates YYYY-MM-DD, datetimes ISO 8601 with Z, booleans
true/false (reference: hubspot section 4).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from projections import countries, values

Transform = Callable[[str], str | None]

# HubSpot refuses longer text; Sage 100's memo fields may be longer.
TEXT_LIMIT: Final = 65_000


def _text(cell: str) -> str | None:
    # Of clean text `CompiledObject.shape` takes care itself.
    return values.text(cell)[:TEXT_LIMIT]


def _upper(cell: str) -> str | None:
    return values.text(cell).upper()


def _lower(cell: str) -> str | None:
    return values.text(cell).lower()


def _key(cell: str) -> str | None:
    """A key: padding and case are part of it, only trailing blanks are not."""
    return cell.rstrip(" ")


def _email(cell: str) -> str | None:
    found = values.emails(cell)
    return found[0].lower() if found else ""


def _number(cell: str) -> str | None:
    value = values.number(cell)
    if value is None:
        return "" if not cell.strip() else None
    return f"{value.normalize():f}" if value else "0"


def _integer(cell: str) -> str | None:
    value = values.number(cell)
    if value is None:
        return "" if not cell.strip() else None
    return str(int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def _money(cell: str) -> str | None:
    value = values.number(cell)
    if value is None:
        return "" if not cell.strip() else None
    return values.money(value)


def _date(cell: str) -> str | None:
    value = values.day(cell)
    return "" if value is None else value.isoformat()


def _datetime(cell: str) -> str | None:
    """Midnight UTC of the day: a Sage 100 date is a calendar day, in no zone."""
    value = values.day(cell)
    return "" if value is None else f"{value.isoformat()}T00:00:00Z"


def _flag(cell: str) -> str | None:
    return "true" if values.flag(cell) else "false"


def _country(cell: str) -> str | None:
    return countries.name_of(cell) if cell.strip() else ""


def _website(cell: str) -> str | None:
    cleaned = values.text(cell)
    return cleaned if " " not in cleaned else ""


def _remembered(transform: Transform) -> Transform:
    """The same transform, quicker for cells that many records share (days, countries, flags)."""
    return functools.lru_cache(maxsize=4096)(transform)


TRANSFORMS: Final[dict[str, Transform]] = {
    "text": _text,
    "upper": _upper,
    "lower": _lower,
    "key": _key,
    "email": _email,
    "number": _remembered(_number),
    "integer": _remembered(_integer),
    "money": _remembered(_money),
    "date": _remembered(_date),
    "datetime": _remembered(_datetime),
    "flag": _flag,
    "country": _remembered(_country),
    "website": _website,
}

NUMERIC: Final = frozenset({"number", "integer", "money"})
