"""Raw rows of one company of Sage 100 and the keys they have with us, apart from the product."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import msgspec

Row = dict[str, str]
Rows = Mapping[str, list[Row]]  # entity -> its rows
Value = str | Decimal  # "" is no value


class Setting(msgspec.Struct, frozen=True):
    """One company as its agent and the configuration describe it, on one day."""

    company: str
    as_of: date
    currency: str = "USD"
    basis: str = "DueDate"
    limits: tuple[int, ...] = (30, 60, 90, 120)
    periods: int = 12


def customer_of(row: Row, setting: Setting) -> str:
    """Our key of the customer whose row it is, who pays."""
    return f"{setting.company}:{row['ARDivisionNo']}-{row['CustomerNo']}"


def sold_to(row: Row, setting: Setting) -> str:
    """Who bought; "" where that is who pays, which a blank says as well."""
    buyer = f"{setting.company}:{row.get('SoldToDivisionNo', '')}-{row.get('SoldToCustomerNo', '')}"
    same = not row.get("SoldToCustomerNo") or buyer == customer_of(row, setting)
    return "" if same else buyer


def invoice_key(row: Row, setting: Setting, sequence: str = "HeaderSeqNo") -> str:
    """Our key of the invoice; `sequence`: the column that has its HeaderSeqNo."""
    number = f"{row['InvoiceNo']}-{row[sequence]}-{row['InvoiceType']}"
    return f"{customer_of(row, setting)}:{number}"
