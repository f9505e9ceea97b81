"""What the log is told of a company besides its rows: how it is set up, and which day it is there.

Both are events because projections know no settings and no clock. Each is appended only when it
differs from the last one in its stream (for days, see `site_day`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from connector.new_events import new_event
from connector.sage100.contract import Company
from connector.sage100.errors import AgentMisfit, Call
from connector.sage100.instance import Instance
from eventstore.types import EventStore, NewEvent
from projections.events import (
    AgingDateAdvanced,
    Event,
    SourceDescribed,
    decode,
)

_LONGEST_DAYS: Final = 9_999


def source_stream(company: str) -> str:
    """Where a company's SourceDescribed go."""
    return f"config/source/{company}"


def aging_stream(company: str) -> str:
    """Where a company's AgingDateAdvanced go."""
    return f"config/aging/{company}"


class Latest:
    """The last event of streams that grow slowly; each is read on from where it was left."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._known: dict[str, tuple[int, Event | None]] = {}

    async def of(self, stream: str) -> Event | None:
        """The last event that this version of the program can read."""
        version, event = self._known.get(stream, (0, None))
        for stored in await self._store.history(stream, after=version):
            version = stored.version
            event = decode(stored.type, stored.data) or event
        self._known[stream] = (version, event)
        return event


def check_aging(company: Company, call: Call) -> None:
    """Raises AgentMisfit when receivables cannot be aged as this company is said to age them.

    Aging by due date takes three limits, for what is not due yet is a bucket of its own; by invoice
    date it takes four.
    """
    needed = 4 if company.aging_basis == "InvoiceDate" else 3
    limits = company.aging_limits[:needed]
    if len(limits) == needed and all(
        0 <= before < limit <= _LONGEST_DAYS
        for before, limit in zip((0, *limits), limits, strict=False)
    ):
        return
    told = " ".join(str(limit)[:20] for limit in company.aging_limits[:10]) or "none"
    raise AgentMisfit(
        f"Company {company.code} ages by {company.aging_basis}, which takes {needed} limits, each "
        f"greater than the one before; the agent tells: {told}.",
        call,
        remedy="In Sage 100, Accounts Receivable Options, set the days of the aging categories in "
        "ascending order; if they are, correct what the agent tells in GetInfo.",
    )


def described(
    instance: Instance, company: Company, columns: Mapping[str, tuple[str, ...]]
) -> SourceDescribed:
    """The company as agent and configuration say. `columns`: what is read of each entity,
    nothing for one that this agent does not serve.
    """
    return SourceDescribed(
        instance=instance.name,
        company=company.code,
        currency=instance.currency[company.code],
        timezone=instance.timezone,
        aging_basis=company.aging_basis,
        aging_limits=list(company.aging_limits),
        revenue_periods=instance.revenue_periods,
        columns={entity: list(names) for entity, names in columns.items()},
    )


async def source_news(latest: Latest, now_described: SourceDescribed) -> list[NewEvent]:
    """The description, when it is not the last one in its stream."""
    stream = source_stream(now_described.company)
    if await latest.of(stream) == now_described:
        return []
    return [_event(stream, now_described)]


def aging_event(company: str, day: date) -> NewEvent:
    """That it is this day for the company."""
    return _event(aging_stream(company), AgingDateAdvanced(company, day.isoformat()))


def _event(stream: str, event: Event) -> NewEvent:
    return new_event(stream, event)
