"""One `[[sage100]]` of the configuration, as the rounds need it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from connector.config.settings import Sage100Settings
from connector.errors import Misconfigured
from connector.sage100.contract import DETAIL, ENTITIES, MAX_LIMIT
from connector.sage100.failure import ALARM_AFTER
from connector.sage100.schedule import Schedule, Span, quiet_hours, schedule

GROUPS: Final = ("customers", "invoices", "vendors")


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """An agent and the companies to read through it; checked when built.

    `currency`: company code to ISO code. `customers`, `invoices`, `vendors`, `sweep`: when each is
    read, an interval or a cron line. `mass_change`: share of an entity's keys that may come or go
    in one pass. `alarm_after`: how long Sage 100 may be in use by others before a pass has failed
    for it. `page_limit`: rows per request. `columns`: canonical column name to the agent's own.
    `details`: lines of invoices are read too. Raises Misconfigured.
    """

    name: str
    endpoint: str
    companies: tuple[str, ...]
    timezone: str
    currency: Mapping[str, str]
    overlap: timedelta = timedelta(days=1)
    quiet: tuple[str, ...] = ()
    revenue_periods: int = 12
    customers: str = "1h"
    invoices: str = "15m"
    vendors: str = "1h"
    sweep: str = "0 2 * * *"
    columns: Mapping[str, str] = {}
    page_limit: int = MAX_LIMIT
    mass_change: float = 0.2
    alarm_after: timedelta = ALARM_AFTER
    details: bool = False

    def __post_init__(self) -> None:
        missing = [code for code in self.companies if code not in self.currency]
        if missing:
            raise self._misfit("currency", f"does not say that of {', '.join(missing)}")
        if not 1 <= self.page_limit <= MAX_LIMIT:
            raise self._misfit("page_limit", f"is 1 to {MAX_LIMIT}, not {self.page_limit}")
        if self.overlap < timedelta(0):
            raise self._misfit("overlap", "cannot be negative")
        self.schedules()
        self.quiet_spans()
        self.zone()

    @property
    def entities(self) -> tuple[str, ...]:
        """What is read, in the order of a round; lines come last, for they need their invoices."""
        return (*ENTITIES, DETAIL) if self.details else ENTITIES

    def schedules(self) -> dict[str, Schedule]:
        """When each group of entities is read, and when all of them are swept."""
        return {
            name: schedule(getattr(self, name), where=f"[sage100.schedule] {name}")
            for name in (*GROUPS, "sweep")
        }

    def quiet_spans(self) -> tuple[Span, ...]:
        """When nothing is asked of the agent."""
        return quiet_hours(self.quiet)

    def zone(self) -> ZoneInfo:
        """The site's zone."""
        try:
            return ZoneInfo(self.timezone)
        except (ValueError, OSError, KeyError):
            raise self._misfit("timezone", f"{self.timezone!r} is no IANA zone") from None

    def _misfit(self, key: str, why: str) -> Misconfigured:
        return Misconfigured(f"{key} {why}.", where=f"[[sage100]] {self.name}")


def instance_of(settings: Sage100Settings, *, details: bool = False) -> Instance:
    """One `[[sage100]]` as the rounds need it. `details`: whether lines of invoices are wanted."""
    schedule = settings.schedule
    return Instance(
        name=settings.name,
        endpoint=settings.endpoint,
        companies=settings.companies,
        timezone=settings.timezone,
        currency={code: settings.currency_of(code) for code in settings.companies},
        overlap=settings.overlap,
        quiet=settings.quiet_hours,
        revenue_periods=settings.revenue_periods,
        customers=schedule.customers,
        invoices=schedule.invoices,
        vendors=schedule.vendors,
        sweep=schedule.sweep,
        columns=settings.columns,
        mass_change=settings.mass_change,
        alarm_after=settings.alarm_after,
        details=details,
    )
