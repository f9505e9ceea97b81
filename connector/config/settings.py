"""The configuration file as values: one struct per table, one field per key.

The structs are the documentation of the file and the only list of its keys: the reader walks
them, so a key that is not here is refused, and a type or default here is what holds. `Annotated`
leaves carry what the file must say and how it is read (`connector.config.leaves`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec

from connector.config import leaves
from connector.secret import Secret


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[store]`: where the log is kept. `url` is absolute, whatever the file said."""

    url: Annotated[str, leaves.STORE_URL]

    @property
    def file(self) -> Path | None:
        """The store's file, None when the store is none."""
        _, is_file, path = self.url.partition("sqlite:///")
        return Path(unquote(path)) if is_file else None


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[sage100.auth]`: the Windows account, and the agent's key or a client certificate."""

    scheme: Literal["negotiate", "ntlm", "basic"]
    username: Annotated[str, leaves.TEXT]
    password: Annotated[Secret, leaves.SECRET]
    api_key: Annotated[Secret | None, leaves.KEY] = None
    client_certificate: Annotated[Path | None, leaves.FILE] = None
    client_key: Annotated[Secret | None, leaves.PRIVATE_KEY] = None


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[sage100.tls]`: whom to trust. Neither: the certificates this machine trusts."""

    ca_bundle: Annotated[Path | None, leaves.FILE] = None
    pin: Annotated[str | None, leaves.PIN] = None


class ScheduleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[sage100.schedule]`: an interval ("15m", "1h") or cron ("5 * * * mon-fri") for each."""

    customers: Annotated[str, leaves.SCHEDULE] = "1h"
    invoices: Annotated[str, leaves.SCHEDULE] = "15m"
    vendors: Annotated[str, leaves.SCHEDULE] = "1h"
    sweep: Annotated[str, leaves.SCHEDULE] = "0 2 * * *"


class Sage100Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[sage100]]`: an agent, and the companies to read through it.

    `currency`: one ISO code, or company code to ISO code (see `currency_of`). `overlap`: how far
    a cursor pass reaches back. `mass_change`: the share of an entity's records that may come or
    go in one pass; more waits for a person. `alarm_after`: how long Sage 100 may be in use by
    others (period end, a backup) before that is an error. `columns`: Sage 100's name of a column
    to the agent's own.
    """

    name: Annotated[str, leaves.INSTANCE]
    endpoint: Annotated[str, leaves.ADDRESS]
    companies: Annotated[tuple[str, ...], leaves.COMPANIES]
    timezone: Annotated[str, leaves.ZONE]
    currency: Annotated[str | dict[str, str], leaves.CURRENCY]
    auth: AuthSettings
    tls: TlsSettings = TlsSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    overlap: Annotated[timedelta, leaves.DURATION] = timedelta(days=1)
    quiet_hours: Annotated[tuple[str, ...], leaves.QUIET_HOURS] = ()
    revenue_periods: Annotated[int, leaves.PERIODS] = 12
    mass_change: Annotated[float, leaves.SHARE] = 0.2
    alarm_after: Annotated[timedelta, leaves.DURATION] = timedelta(hours=4)
    columns: Annotated[dict[str, str], leaves.NAMES] = {}

    def currency_of(self, company: str) -> str:
        """The ISO code of one of this instance's companies."""
        return self.currency if isinstance(self.currency, str) else self.currency[company]


class MatchingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[hubspot.matching]`: an existing record without our key that a new one may be, by rule.

    `propose`: a person decides; `adopt`: the only candidate is taken over. In this order.
    """

    customer_number: Literal["off", "propose", "adopt"] = "off"
    customer_number_property: Annotated[str, leaves.PROPERTY] = ""
    email: Literal["off", "propose", "adopt"] = "off"
    domain: Literal["off", "propose", "adopt"] = "off"
    name: Literal["off", "propose", "adopt"] = "off"


class DealSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[hubspot.deals]`: the deal's property that holds an invoice's number; "": no links to deals.

    `matches`: which number of the invoice that is.
    """

    property: Annotated[str, leaves.PROPERTY] = ""
    matches: Literal["sales_order", "customer_po"] = "sales_order"


class HubSpotSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[hubspot]`: the portal. `mapping` None: the built-in default.

    `reserve`: share of the account's daily calls that is left to its other apps. `invoices`: as
    HubSpot's own invoices, or as a custom object (with the built-in mapping). `line_items`: whether
    lines of invoices are read and kept with them.
    """

    token: Annotated[Secret, leaves.KEY]
    base_url: Annotated[str, leaves.ADDRESS] = "https://api.hubapi.com"
    api_version: Literal["2026-03", "2026-09"] = "2026-03"
    tier: Literal["free", "starter", "professional", "enterprise"] = "free"
    mapping: Annotated[Path | None, leaves.FILE] = None
    reserve: Annotated[float, leaves.RESERVE] = 0.1
    invoices: Literal["native", "custom"] = "native"
    line_items: Annotated[bool, leaves.SWITCH] = False
    matching: MatchingSettings = MatchingSettings()
    deals: DealSettings = DealSettings()


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[console]`: where the operator's page listens, HOST:PORT."""

    listen: Annotated[str, leaves.LISTEN] = "127.0.0.1:8440"


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[telemetry]`: where traces go (None: nowhere), and whether /metrics is served."""

    otlp_endpoint: Annotated[str | None, leaves.COLLECTOR] = None
    metrics: Annotated[bool, leaves.SWITCH] = True


class AnchorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`[anchors]`: where the log's head and digest are published, and when. Neither: nowhere.

    `file`: lines are appended. `command`: the program and its arguments; it gets each line on its
    standard input, and `timeout` to end.
    """

    schedule: Annotated[str, leaves.SCHEDULE] = "1h"
    file: Annotated[Path | None, leaves.NEW_FILE] = None
    command: Annotated[tuple[str, ...], leaves.COMMAND] = ()
    timeout: Annotated[timedelta, leaves.DURATION] = timedelta(seconds=30)

    @property
    def wanted(self) -> bool:
        """Whether anchors go anywhere."""
        return self.file is not None or bool(self.command)


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of the file, from the top."""

    store: StoreSettings
    sage100: tuple[Sage100Settings, ...]
    hubspot: HubSpotSettings
    console: ConsoleSettings = ConsoleSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    anchors: AnchorSettings = AnchorSettings()


class Config(Tables, frozen=True, kw_only=True):
    """A whole configuration, checked; secrets resolved, paths absolute.

    `path`: the file it came from. `notices`: what is allowed but an operator should hear of.
    """

    path: Path
    notices: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The file itself, and those beside the store that it names and lives on."""
        named = (self.path, self.hubspot.mapping, self.anchors.file)
        return tuple(file for file in named if file is not None)
