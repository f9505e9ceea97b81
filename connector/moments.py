"""A moment of the log as text; the log keeps microseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(time_us: int) -> str:
    """Microseconds UTC as ISO 8601 with Z, to the millisecond."""
    moment = datetime.fromtimestamp(time_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
