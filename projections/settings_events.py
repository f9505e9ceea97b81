"""Events of config/… and audit/…: the settings in force, and what operators and the service did.

They are part of `projections.events`, where everybody gets them, and of its promise: names and
fields are stored for ever.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Root of all payloads; the class name is the event's type in the log."""


class MappingActivated(Event, frozen=True):
    """From here on this mapping is in force. `mapping` is its content, `digest` its SHA-256."""

    digest: str
    mapping: dict[str, Any]


class SourceDescribed(Event, frozen=True):
    """What one company of an agent is like, as its GetInfo and our configuration say."""

    instance: str
    company: str
    currency: str
    timezone: str
    aging_basis: Literal["DueDate", "InvoiceDate"] = "DueDate"
    aging_limits: list[int] = []
    revenue_periods: int = 12
    columns: dict[str, list[str]] = {}


class SchemaEnsured(Event, frozen=True):
    """The portal has the property groups and properties that this mapping needs."""

    mapping: str
    portal: str
    created: list[str] = []


class AgingDateAdvanced(Event, frozen=True):
    """The site's calendar day is now `date` (YYYY-MM-DD) for this company."""

    company: str
    date: str


class ReplayRequested(Event, frozen=True):
    """An operator wants these targets sent again in full. `selection` says how they were chosen."""

    targets: list[str]
    selection: str
    by: str = ""


class UndoRequested(Event, frozen=True):
    """An operator wants what was written put back. `selection` says what is undone.

    `targets`: records whose values go back; which ones stands in their own streams, so that they
    are erased with them. `lifted`: records whose pinned fields follow Sage 100 again.
    """

    selection: str
    targets: list[str] = []
    lifted: list[str] = []
    by: str = ""


class PlanApplied(Event, frozen=True):
    """A person wants a plan carried out: `digest` names it, `position` is that of its log.

    `mapping`: digest of the mapping it was made with, which a MappingActivated beside this event
    puts in force when it was not. `records`: how many it writes.
    """

    digest: str
    position: int
    mapping: str
    records: int = 0
    by: str = ""


class MassChangeReleased(Event, frozen=True):
    """A person lets the decisions of a company go on; `held` is the newest MassChangeHeld seen."""

    company: str
    held: int
    by: str = ""


class LogonReleased(Event, frozen=True):
    """A person lets an instance ask its agent again, whose log-on was `refused` at that time.

    `refused`: ISO 8601 UTC; `code`: of the refusal.
    """

    instance: str
    refused: str
    code: str = ""
    by: str = ""


class CallsCounted(Event, frozen=True):
    """HTTP calls since the last count, for the books.

    `hubspot_daily_limit`, `hubspot_daily_left`: the account's calls of a day, over all its apps, as
    HubSpot told; `hubspot_resets_at`: when they come back, "YYYY-MM-DDTHH:MM:SSZ".
    """

    hubspot_calls: int = 0
    hubspot_writes: int = 0
    hubspot_reads: int = 0
    hubspot_429: int = 0
    agent_calls: int = 0
    hubspot_daily_limit: int | None = None
    hubspot_daily_left: int | None = None
    hubspot_resets_at: str = ""


class TrustRefused(Event, frozen=True):
    """TLS with an agent was refused, for its certificate or its TLS: `problem`, as it was shown.

    `host` is the name asked for, `names` are those in the certificate, `fingerprint` is
    "sha256:HEX" of it. Times are "YYYY-MM-DDTHH:MM:SSZ"; `clock` is when, by our own clock.
    """

    instance: str
    endpoint: str
    wsdl: str
    host: str
    problem: str
    message: str
    remedy: str
    clock: str
    subject: str = ""
    names: list[str] = []
    issuer: str = ""
    not_before: str = ""
    not_after: str = ""
    fingerprint: str = ""


class Erased(Event, frozen=True):
    """Personal data in these streams was blanked; written by the store itself."""

    streams: list[str]
    reason: str
