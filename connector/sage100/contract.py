"""The agent contract, v1, as values: its names, its fault codes, and what its answers hold.

Names of entities and columns are the canonical ones (Sage 100's file layouts) everywhere above
the client; where an agent names a column its own way, only the client knows.
"""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import Final, Literal

import msgspec

NAMESPACE: Final = "urn:ml-connector:sage100-agent:v1"
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"

MAX_LIMIT: Final = 500  # rows that one page may hold
MAX_COLUMNS: Final = 2_000  # that one entity may have; Sage 100's own have some 100

Operation = Literal["GetInfo", "ReadPage", "ReadRow"]
ColumnType = Literal["string", "number", "date", "time", "flag"]

# The order of a round: what others refer to comes first.
ENTITIES: Final = (
    "AR_TermsCode",
    "AR_Customer",
    "AR_CustomerContact",
    "AR_CustomerSalesHistory",
    "AR_Invoice",
    "AR_Payment",
    "AP_Vendor",
)

# Lines of invoices: read only where they are wanted.
DETAIL: Final = "AR_InvoiceDetail"

# Which schedule each entity is read on.
SCHEDULE_OF: Final = {
    "AR_TermsCode": "customers",
    "AR_Customer": "customers",
    "AR_CustomerContact": "customers",
    "AR_CustomerSalesHistory": "customers",
    "AR_Invoice": "invoices",
    "AR_Payment": "invoices",
    DETAIL: "invoices",
    "AP_Vendor": "vendors",
}


class Column(msgspec.Struct, frozen=True):
    """One column as GetInfo lists it. `length` 0: none stated."""

    name: str
    type: ColumnType
    length: int = 0


class Entity(msgspec.Struct, frozen=True):
    """One entity as this agent serves it: key columns in key order, and all columns."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


class Company(msgspec.Struct, frozen=True):
    """One company code that this agent serves."""

    code: str
    name: str = ""
    currency: str = ""
    aging_basis: Literal["DueDate", "InvoiceDate"] = "DueDate"
    aging_limits: tuple[int, ...] = ()


class AgentInfo(msgspec.Struct, frozen=True):
    """What an agent says of itself. `server_time` is the server's local time, without offset."""

    agent_version: str
    sage100_version: str
    edition: str
    server_time: datetime
    time_zone: str
    companies: tuple[Company, ...]
    entities: tuple[Entity, ...]

    def company(self, code: str) -> Company | None:
        """The company with this code, None when the agent does not serve it."""
        return next((company for company in self.companies if company.code == code), None)

    def entity(self, name: str) -> Entity | None:
        """The entity with this name, None when the agent does not serve it."""
        return next((entity for entity in self.entities if entity.name == name), None)


class Page(msgspec.Struct, frozen=True):
    """Rows in key order, each with one string per column. `next` None: the agent has no more.

    `complete` is true only when the end of the entity was truly reached. `server_time` is the
    server's local time, without offset.
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    next: str | None
    complete: bool
    scanned: int
    scan_limit_reached: bool
    server_time: datetime

    def cells(self, column: str) -> list[str]:
        """Those of one column, in the order of the rows; blank where the page has no such one."""
        if column not in self.columns:
            return [""] * len(self.rows)
        return list(map(itemgetter(self.columns.index(column)), self.rows))
