"""What every order to the control endpoint has: a name, and the company it is meant for."""

from __future__ import annotations

import msgspec


class ControlOrder(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True
):
    """One order; `company` None is the first company."""

    company: str | None = None
