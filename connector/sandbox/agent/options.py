"""What the simulated agent is asked to be: sizes, companies, credentials, limits.

Frozen values, checked when built, so that a wrong one is named at once and not met as odd data.
Secrets left out are made up at start; none of them shows in a repr.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connector.sandbox.agent.capacity import Capacity
from connector.sandbox.agent.conduct import Misreading, known_columns
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.profiles import PROFILES, VERSIONS, Profile
from connector.sandbox.agent.tls import TlsProfile

MOST_INVOICES = 800_000
SECRET_FIELDS = frozenset({"password", "api_key", "control_token"})


class Discreet(msgspec.Struct, frozen=True):
    """A struct whose repr says that a secret is set, never what it is."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(n, "***" if v is not None and n in SECRET_FIELDS else v) for n, v in fields]


class CompanyOptions(msgspec.Struct, frozen=True):
    """One Sage 100 company: 3-character code, home currency, how its receivables are aged."""

    code: str = "ABC"
    name: str = "ABC Distribution"
    currency: str = "USD"
    aging_basis: Literal["DueDate", "InvoiceDate"] = "DueDate"
    aging_limits: tuple[int, int, int, int] = (30, 60, 90, 120)
    external_access: bool = True
    fiscal_year_starts: int = 1  # the calendar month in which period 01 begins

    def __post_init__(self) -> None:
        if not re.fullmatch("[A-Z0-9]{3}", self.code):
            raise ValueError(f"company code {self.code!r}: three capitals or digits, as ABC")
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise ValueError(f"currency {self.currency!r}: an ISO 4217 code, as USD")
        if list(self.aging_limits) != sorted(set(self.aging_limits)) or self.aging_limits[0] < 0:
            raise ValueError(f"aging limits {self.aging_limits}: days in ascending order")
        if not 1 <= self.fiscal_year_starts <= 12:
            raise ValueError(f"fiscal year starts in month {self.fiscal_year_starts}: 1 to 12")


class LogonOptions(msgspec.Struct, frozen=True):
    """How IIS before the agent treats Windows log-ons.

    `schemes` are offered in this order. `lock_after` wrong passwords lock the account. A log-on
    `lasts` so many requests (None: as long as its connection). With `extended_protection` NTLM and
    Negotiate have to be bound to the TLS certificate. The connection ends after the first
    `ends_after_challenge` challenges, and instead of the first `ends_at_proof` answers to a proof.
    """

    schemes: tuple[Literal["Negotiate", "NTLM", "Basic"], ...] = ("Basic",)
    lock_after: int | None = None
    lasts: int | None = None
    extended_protection: bool = False
    ends_after_challenge: int = 0
    ends_at_proof: int = 0

    def __post_init__(self) -> None:
        if not self.schemes or len(set(self.schemes)) != len(self.schemes):
            raise ValueError(f"schemes {self.schemes}: at least one, and none twice")
        for name in ("lock_after", "lasts"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} must be at least 1")


class AgentOptions(Discreet, frozen=True):
    """Everything about one simulated agent; sizes are per company.

    `today` is the date on the server's calendar (None: the real one). `invoices` counts every row
    of AR_Invoice, `details` says whether AR_InvoiceDetail is filled. `scan_limit` is the most rows
    the agent looks at for one page. `profile` is the kind of Sage 100 (`profiles`), `capacity` what
    the server can take (`capacity`). `tls` None: plain HTTP, else what the TLS listener shows.
    A client certificate, where one is required, takes the place of the API key. `folder` keeps
    certificates, keys and secrets ("": they are gone with the agent). `without` are columns that
    the agent does not serve, `misread` is what it takes Windows-1252 for (`conduct`).
    """

    seed: int = 1
    customers: int = 200
    invoices: int = 1_000
    vendors: int = 40
    details: bool = True
    today: date | None = None
    time_zone: str = "America/Chicago"
    companies: tuple[CompanyOptions, ...] = (CompanyOptions(),)
    username: str = "svc_mlconnector"
    password: str | None = None
    api_key: str | None = None
    control_token: str | None = None
    realm: str = "sage100"
    path: str = "/Sage100Agent/AgentService.svc"
    agent_version: str = "1.0.0"
    profile: Profile = "current"
    sage100_version: str = ""
    edition: Literal["Standard", "Advanced", "Premium"] = "Premium"
    scan_limit: int = 25_000
    gzip: bool = True
    max_request_bytes: int = 65_536
    tls: TlsProfile | None = None
    client_certificates: Literal["ignored", "required"] = "ignored"
    logon: LogonOptions = LogonOptions()
    capacity: Capacity = Capacity()
    folder: str = ""
    without: tuple[str, ...] = ()
    misread: Misreading | None = None

    @property
    def version(self) -> str:
        """Sage 100's version: the profile's, unless another one was asked for."""
        return self.sage100_version or VERSIONS[self.profile].sage100

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"profile {self.profile!r} is none of {', '.join(PROFILES)}")
        for name in ("customers", "invoices", "vendors"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more")
        if self.invoices > MOST_INVOICES:
            raise ValueError(f"invoices: at most {MOST_INVOICES}, the numbers have 7 characters")
        if self.invoices and not self.customers:
            raise ValueError("invoices need customers: ask for at least one customer")
        if self.scan_limit < 1 or self.max_request_bytes < 1:
            raise ValueError("scan_limit and max_request_bytes must be at least 1")
        codes = [company.code for company in self.companies]
        if not codes or len(codes) != len(set(codes)):
            raise ValueError(f"companies {codes}: at least one, and no code twice")
        if not re.fullmatch("(/[A-Za-z0-9._-]+)+", self.path) or self.path == "/control":
            raise ValueError(f"path {self.path!r}: an absolute URL path, and not /control")
        if not self.username or ":" in self.username:
            raise ValueError("username: not empty, and without a colon (Basic cannot carry one)")
        if self.client_certificates == "required" and self.tls is None:
            raise ValueError("client certificates travel in TLS: choose a tls profile too")
        if self.logon.extended_protection and self.tls is None:
            raise ValueError("extended protection is bound to TLS: choose a tls profile too")
        try:
            known_columns(self.without)
        except ModelError as error:
            raise ValueError(f"without: {error}") from None
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is no IANA zone") from error
