"""A line of a posted invoice (AR_InvoiceDetail) as a line item of its HubSpot invoice.

HubSpot works out what a line item comes to from price and quantity, and knows neither line
discounts nor rounding; Sage 100 holds what was charged. So price and quantity are sent as they are
where they make that amount, and as one piece at that amount where they do not: the amount is right
either way, and what Sage 100 says of quantity and price stands in properties of our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from projections import invoice, keys, values
from projections.tables import Target

NOT_MAPPED: Final = "the mapping in force keeps no line items"
# Why an invoice is looked at again once HubSpot links a line item to it.
ARRIVED: Final = "a line item of it is in HubSpot now"
# What HubSpot then says no more.
_WANTED: Final = "INVOICE_TO_LINE_ITEM"


def skip_reason(key: str, row: Mapping[str, str]) -> str:
    """Why this line (ABC:01-ABF:0100215-000001-IN:000002) becomes no line item, "" when it does."""
    kind = key.rpartition(":")[0].rpartition("-")[2]
    if kind in invoice.WITHOUT_LINES:
        named = invoice.TYPES.get(kind, kind).lower()
        return f"lines of this type of invoice ({named}) are no line items"
    if values.is_garbage(row.get("ExtensionAmt", "")):
        return f"its amount, {row['ExtensionAmt']!r}, is no number"
    if not values.amount(row.get("ExtensionAmt", "")):
        return "a line without an amount: a comment, or a part of a kit"
    return ""


def facts(key: str, row: Mapping[str, str]) -> dict[str, str]:
    """Derived facts of a line."""
    charged = values.amount(row.get("ExtensionAmt", ""))
    quantity, price = _sold(row, charged)
    name = next((text for column in _NAMES if (text := row.get(column, "").strip())), "Line")
    return {
        "key.external": key,
        "key.company": keys.company_code(key),
        "key.customer": keys.customer_of(key),
        "key.invoice": key.rpartition(":")[0],
        "key.record": keys.plain(keys.detail_of(key).partition(":")[2]),
        "line.name": name,
        "line.quantity": f"{quantity:f}",
        "line.price": f"{price:f}",
        "line.amount": f"{charged:f}",
    }


_NAMES: Final = ("ItemCodeDesc", "CommentText", "ItemCode")


def _sold(row: Mapping[str, str], charged: Decimal) -> tuple[Decimal, Decimal]:
    """Quantity and price per piece that come to what was charged; the sign is the quantity's."""
    quantity = abs(values.amount(row.get("QuantityShipped", "")))
    price = abs(values.amount(row.get("UnitPrice", "")))
    if quantity * price != abs(charged):
        quantity, price = Decimal(1), abs(charged)
    return (-quantity if charged < 0 else quantity), price


def lifted(doc: Target) -> Target:
    """The invoice's ledger without what HubSpot left out for want of a line item."""
    left = {name: one for name, one in doc.withheld.items() if one.reason != _WANTED}
    if len(left) == len(doc.withheld):
        return doc
    return msgspec.structs.replace(doc, withheld=left)
