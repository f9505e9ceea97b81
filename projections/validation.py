"""Values that HubSpot is sure to refuse, told before a call is spent on them.

Only what a mapping itself defines is judged: a property of ours has the type and options that
`setup` gave it. Of HubSpot's own properties nothing is known here, except that no text is longer
than 65,536 characters.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from projections import values
from projections.mapping.rules import Definition

LONGEST: Final = 65_536
_EPOCH_MS: Final = re.compile(r"-?\d{1,15}")


def refusal(define: Definition | None, value: str) -> str:
    """Why HubSpot will refuse this value, "" when nothing speaks against it; "" always clears."""
    if len(value) > LONGEST:
        return f"longer than {LONGEST:,} characters"
    if define is None or not value:
        return ""
    match define.type:
        case "number":
            return "" if values.number(value) is not None else "no number"
        case "bool":
            return "" if value in {"true", "false"} else "neither true nor false"
        case "date":
            return "" if _is_date(value) else "no date"
        case "datetime":
            return "" if _is_instant(value) else "no time"
        case "enumeration":
            options = {option.value for option in define.options}
            strange = [one for one in value.split(";") if one not in options]
            return f"{strange[0]!r} is none of the options" if strange else ""
        case _:
            return ""


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return _EPOCH_MS.fullmatch(value) is not None
    return True


def _is_instant(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return _EPOCH_MS.fullmatch(value) is not None
    return True
