"""What a simulated portal is told when it starts: seed, credentials, plan, strictness, latency.

Promise: everything that varies between two simulated portals is in one frozen value, so the same
options and the same requests give the same answers.
"""

from __future__ import annotations

from typing import Literal

import msgspec

InvoiceStrictness = Literal["documented", "guarded", "strict"]
Tier = Literal["free", "starter", "professional", "enterprise"]

OLDER_VERSIONS = ("v3", "v4")
VERSIONS = (*OLDER_VERSIONS, "2026-03", "2026-09")
"""The versions of the public API that the simulator speaks; HubSpot supports all until 2027."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Requests allowed per window; figures of HubSpot's usage guidelines of 2026."""

    burst: int
    """Ordinary calls in any rolling 10 s, per app."""
    daily: int
    """Ordinary calls per account and portal day."""
    association_burst: int
    """Calls of the association batch endpoints in any rolling 10 s."""
    association_daily: int = 500_000
    search_per_s: int = 5
    one_pool: bool = False
    """Association and search calls count in the day of ordinary calls as well."""


TIERS: dict[Tier, Limits] = {
    "free": Limits(burst=100, daily=250_000, association_burst=100),
    "starter": Limits(burst=100, daily=250_000, association_burst=100),
    "professional": Limits(burst=190, daily=625_000, association_burst=150),
    "enterprise": Limits(burst=190, daily=1_000_000, association_burst=150),
}


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call takes: a base plus so much per input, in seconds.

    The defaults follow recorded server times (contacts are the slow type); `factor` scales all.
    """

    base_s: float = 0.060
    per_record_s: float = 0.003
    contact_base_s: float = 0.200
    contact_per_record_s: float = 0.015
    factor: float = 1.0

    def of(self, object_type: str | None, inputs: int) -> float:
        """Seconds for one call on `object_type` with `inputs` inputs."""
        if object_type == "contacts":
            return self.factor * (self.contact_base_s + self.contact_per_record_s * inputs)
        return self.factor * (self.base_s + self.per_record_s * inputs)


class InvoiceRules(msgspec.Struct, frozen=True, kw_only=True):
    """How strict the portal is about native invoices; sources disagree, so it can be chosen."""

    status: InvoiceStrictness = "documented"
    """Of non-billable invoices: `documented`: any status; `guarded`: any when created, later only
    with line items; `strict`: never anything but a draft without line items."""
    amount: Literal["kept", "late"] = "kept"
    """`late`: the amount billed that a creation sends reads 0 until it is sent again."""
    totals: Literal["all", "first"] = "all"
    """Line items that count: all, or of those attached afterwards the first one only."""
    delete_open: bool = False
    """The account setting that lets open invoices be deleted; drafts always can be."""


class HubSpotOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one simulated portal."""

    seed: int = 0
    """Seeds the order of results and the correlation ids."""
    token: str = "pat-na1-00000000-0000-4000-8000-000000000000"  # noqa: S105
    """The bearer token that is accepted; every other one gets a 401."""
    control_token: str | None = None
    """Bearer token of `/control`; left out: a random one, see `SimulatedHubSpot.control_token`."""
    tier: Tier = "professional"
    limits: Limits | Literal["tier"] | None = "tier"
    """`"tier"`: the tier's numbers; None lifts every limit; or numbers of one's own."""
    versions: tuple[str, ...] = VERSIONS
    scopes: tuple[str, ...] | None = None
    """Scopes granted to the token; None grants all."""
    latency: Latency | None = None
    portal_id: int = 48_812_340
    app_id: int = 7_654_321
    company_currency: str = "USD"
    additional_currencies: tuple[str, ...] = ()
    timezone: str = "America/Chicago"
    """The portal's IANA zone: its midnight resets the daily count."""
    default_lifecycle_stage: str = "lead"
    """Stage given to new contacts and companies; "" gives none."""
    email_conflict: Literal["conflict", "validation", "unnamed"] = "conflict"
    """How a taken e-mail address is refused: 409 with the owner's id, the 400 seen in captures of
    2026, or 409 without an id where no trace id tells the inputs apart."""
    property_lag_s: float = 0.0
    """How long a new property cannot be written yet; in real portals 0.25 to 0.7 s."""
    search_lag_s: tuple[float, float] = (0.0, 0.0)
    """How long a change takes until Search shows it, from and to; in real portals 1 to 30 s."""
    search_replicas: int = 2
    """Copies of the index, each with its own lag; a search asks any, so hits come and go."""
    rate_limit_bodies: Literal["policy", "plain"] = "plain"
    """How a search is told of its limit: with `policyName` SECONDLY, or by the message alone."""
    user_id: int = 61_002_001
    """The person who does what is done by hand."""
    merge: Literal["new_id", "keep_primary"] = "new_id"
    """What id a merged record gets; the second is a beta."""
    merged_in_batch: Literal["omit", "write"] = "omit"
    """A batch update by an id that was merged away: left out without a word, or carried out."""
    auto_companies: bool = False
    """The account setting that makes and associates companies by contacts' e-mail domains."""
    custom_objects: bool = True
    """Whether the account may have custom objects (Enterprise)."""
    pipelines: dict[str, tuple[str, ...]] = {}
    """Deal pipelines besides the default one: id -> ids of its stages."""
    invoices: InvoiceRules = InvoiceRules()
    unlinked: Literal["error", "missing"] = "error"
    """What a batch read of associations says of a record that has none: an entry in a 207, or
    nothing at all; both were seen."""
    lock_in_flight: bool = False
    """Answer 423 to a write that meets a record of another write still under way."""
    keep_bodies: bool = False
    """Keep each request's body in `calls` (for tests; costs memory)."""
    max_body_bytes: int = 10 * 1024 * 1024

    def __repr__(self) -> str:
        """Without the two tokens."""
        return f"HubSpotOptions(portal_id={self.portal_id}, seed={self.seed}, tier={self.tier!r})"

    def effective_limits(self) -> Limits | None:
        """The limits in force; None means none."""
        return TIERS[self.tier] if self.limits == "tier" else self.limits
