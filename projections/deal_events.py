"""The event that says which deal an invoice belongs to.

It is part of `projections.events`, where everybody gets it, and of its promise.
"""

from __future__ import annotations

import msgspec

from projections.settings_events import Event


class DealMatched(Event, frozen=True):
    """What a look for the deal with an invoice's number has found, where that is news.

    `deal`: its HubSpot id, "" when there is none, or several: these are `candidates`. `value`: the
    number looked for. `former`: the deal that the invoice belonged to until now.
    """

    deal: str
    value: str = ""
    candidates: list[str] = msgspec.field(default_factory=list)
    former: str = ""
