"""The simulated Sage 100: companies, each with its files, as one would find them on the server.

A `Company` holds tables of raw strings and knows how to stamp. What can happen to it lives in
`maintenance` (screens and imports) and `posting` (invoices, receipts, credits). Tests read rows
back as dicts of column name to raw cell, exactly as the agent serves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import msgspec

from connector.sandbox.agent.clock import Clock, shifted
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.layouts import ENTITIES, Entity
from connector.sandbox.agent.options import CompanyOptions
from connector.sandbox.agent.table import Table
from connector.sandbox.agent.values import stamp

OPERATOR = "0000000002"  # UserUpdatedKey of whoever sits at the maintenance screens

Row = dict[str, str]


class Draft(msgspec.Struct, frozen=True):
    """An invoice entered into a batch and not posted yet: no file that is served holds it."""

    customer: tuple[str, str]
    total: str
    invoice_type: str
    invoice_no: str
    invoice_date: str  # YYYYMMDD, "" for the day it is posted
    fields: dict[str, str] = {}


class Company:
    """One company's files, its settings and the server's clock.

    `posting_stamps_customers` says whether journal updates stamp AR_Customer, which is not proven
    either way (reference 3.2); `workstation_skew` is how far the clock of the PC that stamps is
    ahead of the server's (3.1).
    """

    def __init__(
        self, options: CompanyOptions, clock: Clock, layouts: Mapping[str, Entity] = ENTITIES
    ) -> None:
        self.options = options
        self.clock = clock
        self.external_access = options.external_access
        self.tables: dict[str, Table] = {name: Table(e) for name, e in layouts.items()}
        self.next_invoice_no = 100_000
        self.batches: dict[str, list[Draft]] = {}  # unposted, by batch number
        self.posting_stamps_customers = True
        self.workstation_skew = timedelta(0)

    @property
    def code(self) -> str:
        """The 3-character company code."""
        return self.options.code

    @property
    def invoice_digits(self) -> int:
        """How wide a numeric InvoiceNo is padded: 7, or 20 once expanded."""
        entity = self.tables["AR_Invoice"].entity
        return entity.columns[entity.index["InvoiceNo"]].length

    def free_invoice_no(self) -> str:
        """The next number, which is used up by asking for it."""
        number = f"{self.next_invoice_no:0{self.invoice_digits}d}"
        self.next_invoice_no += 1
        return number

    def table(self, entity: str) -> Table:
        """The file of an entity; ModelError for an entity that the contract does not name."""
        try:
            return self.tables[entity]
        except KeyError:
            raise ModelError(f"no entity {entity!r}; there are {', '.join(ENTITIES)}") from None

    def rows(self, entity: str, *under: str) -> Iterator[Row]:
        """Every row as a dict, in key order; `under` narrows to leading key parts."""
        table = self.table(entity)
        names = table.entity.names
        rows = table.under(under) if under else iter(table)
        return (dict(zip(names, cells, strict=True)) for cells in rows)

    def find(self, entity: str, key: Sequence[str]) -> Row | None:
        """One row as a dict, or None."""
        table = self.table(entity)
        cells = table.get(key)
        return None if cells is None else dict(zip(table.entity.names, cells, strict=True))

    def row(self, entity: str, key: Sequence[str]) -> Row:
        """One row as a dict; ModelError when there is none."""
        found = self.find(entity, key)
        if found is None:
            raise ModelError(f"{self.code} has no {entity} {'-'.join(key)}")
        return found

    def history_headers(self, invoice_no: str) -> list[Row]:
        """The AR_Invoice rows of this number that have a history row, of whichever customer."""
        table = self.tables["AR_Invoice"]
        names = table.entity.names
        rows = (dict(zip(names, cells, strict=True)) for cells in table.holding(invoice_no))
        return [row for row in rows if row["InvoiceNo"] == invoice_no and row["ModuleCode"]]

    def open_of(self, customer: tuple[str, str], invoice_no: str, invoice_type: str) -> Row | None:
        """The open item of this number and type: AR_OpenInvoice has at most one (2.3)."""
        for row in self.rows("AR_Invoice", *customer, invoice_no):
            if row["InvoiceType"] == invoice_type and row["IsOpen"] == "Y":
                return row
        return None

    def put(self, entity: str, row: Mapping[str, str]) -> bool:
        """Write a whole row as it is, no stamp; True when it is new."""
        table = self.table(entity)
        return table.put(table.entity.cells(row))

    def update(self, entity: str, key: Sequence[str], changes: Mapping[str, str]) -> None:
        """Write some cells of an existing row, no stamp. The key itself cannot change."""
        table = self.table(entity)
        moved = set(changes) & set(table.entity.key)
        if moved:
            raise ModelError(f"{', '.join(sorted(moved))} is part of the key of {entity}")
        self.put(entity, {**self.row(entity, key), **changes})

    def created(self, entity: str) -> Row:
        """The stamp cells of a row entered now (those the entity has)."""
        date_text, time_text = stamp(self.clock() + self.workstation_skew)
        fields = {
            "DateCreated": date_text,
            "TimeCreated": time_text,
            "UserCreatedKey": OPERATOR,
            "DateUpdated": date_text,
            "TimeUpdated": time_text,
            "UserUpdatedKey": OPERATOR,
        }
        return _held(self.table(entity).entity, fields)

    def updated(self, entity: str) -> Row:
        """The stamp cells of a row changed now (those the entity has)."""
        date_text, time_text = stamp(self.clock() + self.workstation_skew)
        fields = {
            "DateUpdated": date_text,
            "TimeUpdated": time_text,
            "UserUpdatedKey": OPERATOR,
        }
        return _held(self.table(entity).entity, fields)


class Model:
    """The whole server: its companies, by code."""

    def __init__(self, companies: Sequence[Company]) -> None:
        self.companies: dict[str, Company] = {company.code: company for company in companies}

    def company(self, code: str | None = None) -> Company:
        """A company by its code; the first one without."""
        if code is None:
            return next(iter(self.companies.values()))
        try:
            return self.companies[code]
        except KeyError:
            raise ModelError(f"no company {code!r}; there is {', '.join(self.companies)}") from None

    def entities(self) -> list[Entity]:
        """The entities as served; where companies differ, the widest keys, as after expansion."""
        found: dict[str, Entity] = {}
        for company in self.companies.values():
            for name, table in company.tables.items():
                known = found.setdefault(name, table.entity)
                if sum(table.entity.key_widths) > sum(known.key_widths):
                    found[name] = table.entity
        return list(found.values())

    def shift_clocks(self, step: timedelta) -> None:
        """Set the server's clock forward, or back, for every company."""
        for company in self.companies.values():
            company.clock = shifted(company.clock, step)

    def rows(self, entity: str, company: str | None = None) -> list[Row]:
        """Every row of an entity as the agent serves it: column name to raw cell, in key order."""
        return list(self.company(company).rows(entity))

    def row(self, entity: str, key: Sequence[str], company: str | None = None) -> Row | None:
        """One such row, or None."""
        return self.company(company).find(entity, key)

    def count(self, entity: str, company: str | None = None) -> int:
        """How many rows an entity has."""
        return len(self.company(company).table(entity))


def _held(entity: Entity, fields: Row) -> Row:
    return {name: text for name, text in fields.items() if name in entity.index}
