"""What `check` reports: one line per thing looked at, with the remedy when it is not well."""

from __future__ import annotations

import msgspec


class CheckLine(msgspec.Struct, frozen=True):
    """`subject`: what was looked at. `detail`: what was found there. `remedy`: "" when ok."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
