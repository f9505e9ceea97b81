"""Times as an operator types them: `2026-11-22`, `2026-11-22T08:15`, with or without an offset."""

from __future__ import annotations

from datetime import UTC, datetime, time

import typer


def time_us(text: str, *, end_of_day: bool = False) -> int:
    """Microseconds UTC of an ISO 8601 date or time; without an offset it is meant as UTC.

    A bare date means its first moment, or its last with `end_of_day`. Raises typer.BadParameter.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-11-22 or 2026-11-22T08:15:00Z"
        ) from None
    if end_of_day and len(text) <= len("2026-11-22"):
        moment = datetime.combine(moment, time.max)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1_000_000)
