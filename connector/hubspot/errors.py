"""What can go wrong between us and HubSpot, by what is known afterwards and what helps.

    Unreachable (connector.errors)
    ├── NoAnswer                 no complete HTTP answer came
    │   ├── NeverSent            surely not carried out: the request did not leave
    │   │   └── DailyLimitReached    the account's calls of the day are used up
    │   └── OutcomeUnknown       it may have been carried out: read by key, then decide
    └── HubSpotUnreachable       several calls in a row failed: the run ends, nothing is lost
    Refused (connector.errors)
    └── TokenRefused             401: the token is not accepted
    Misconfigured (connector.errors)
    └── SchemaRefused            the portal's properties do not fit and cannot be made to fit

An HTTP answer of any status is no error here but an `Answer`: settling says what it means.
"""

from __future__ import annotations

from typing import Final

from connector.errors import Misconfigured, Refused, Unreachable
from connector.hubspot.window import Gate

_CALLS: Final[dict[Gate, str]] = {
    "general": "API calls",
    "associations": "association calls",
    "search": "searches",
}


class NoAnswer(Unreachable):
    """No complete answer came from HubSpot."""

    category = "no_answer"
    default_remedy = (
        "See that this machine reaches HubSpot: DNS, firewall or proxy, [hubspot] base_url. If it "
        "passes, nothing: it is tried again."
    )


class NeverSent(NoAnswer):
    """The request did not reach HubSpot."""

    category = "not_connected"


class DailyLimitReached(NeverSent):
    """The calls of this day are used up, or what is left of them is kept for others."""

    category = "daily_limit"

    def __init__(
        self, resets_in_s: float, *, backfill: bool = False, gate: Gate = "general"
    ) -> None:
        """`backfill`: there are some left, for what has right of way."""
        self.resets_in_s = resets_in_s
        self.backfill = backfill
        self.gate: Gate = gate
        calls = f"HubSpot account's {_CALLS[gate]} of this day"
        what = f"The {calls} are used up."
        if backfill:
            what = f"The rest of the {calls} is kept for invoices and other apps."
        super().__init__(what, remedy=until_reset(resets_in_s))


class OutcomeUnknown(NoAnswer):
    """HubSpot may have carried the request out, but its answer did not arrive."""

    category = "outcome_unknown"


def until_reset(resets_in_s: float) -> str:
    """What to do about a limit of the day that ends in so many seconds."""
    minutes = resets_in_s / 60
    when = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    return (
        f"Nothing: HubSpot gives new calls in about {when}, and writing then goes on, in the "
        "service by itself. When it happens often, buy the API limit increase or run fewer "
        "integrations."
    )


class HubSpotUnreachable(Unreachable):
    """HubSpot failed to answer several times in a row; everything unwritten stays pending."""

    default_remedy = (
        "See that this machine reaches HubSpot (DNS, firewall or proxy, [hubspot] base_url), and "
        "status.hubspot.com; then run again: it goes on where it stopped."
    )


class TokenRefused(Refused):
    """HubSpot does not accept the token (401); everything unwritten stays pending."""

    category = "unauthorised"
    default_remedy = (
        "Issue a new token (HubSpot: Development > Keys > Service keys), put it where [hubspot] "
        "token points, and start again."
    )


class SchemaRefused(Misconfigured):
    """The portal's properties do not fit the mapping."""

    category = "schema"
