"""From one change that touches many targets to the targets, a page of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from projections import contact, invoice, keys
from projections.tables import Account, Bill, Doc

# kind of fan-out -> the table whose rows it walks over
TABLE: Final[dict[str, str]] = {
    "open_items": "open_item",
    "accounts": "account",
    "bills": "bill",
    "links": "bill",
    "contacts": "contact",
    "vendors": "vendor",
    "details": "detail",
    "bought": "bought",
}


def targets(kind: str, key: str, doc: Doc, note: str = "") -> list[str]:
    """The targets that one row of the walked table stands for; `note`: that of the fan-out."""
    match kind:
        case "open_items":
            return [f"invoices/{key}", f"companies/{keys.customer_of(key)}"]
        case "accounts":
            if not isinstance(doc, Account) or doc.row is None:
                return []
            return [f"companies/{key}", f"contacts/{contact.primary_key(key, doc)}"]
        case "bills":
            if not isinstance(doc, Bill):
                return []
            return _invoices(key, doc)
        case "links":
            if not isinstance(doc, Bill):
                return []
            return [keys.association(name, note) for name in _invoices(key, doc)]
        case "bought":
            return [f"invoices/{key.partition('>')[2]}"]
        case "contacts":
            return [f"contacts/{key}"]
        case "vendors":
            return [f"vendors/{key}"]
        case _:
            return []


def invoices_of(detail: str, row: dict[str, str]) -> str:
    """What the aliases begin with that may name the invoice of this line (ABC:0100215-000001-…)."""
    number = row.get("InvoiceNo", "").rstrip(" ").lower()
    return f"{number}>invoices/{keys.company_code(detail)}:"


def line(detail: str, named: Iterable[str]) -> list[str]:
    """The target of this line, given the invoice targets of its number; none while there is none.

    An invoice without a history row may share number and sequence with the one that has lines;
    one of a type that has lines comes first.
    """
    header = f"{detail.rpartition('-')[0]}-"
    found = [key for key in map(_key, named) if keys.details_of(key) == header]
    found.sort(key=lambda key: (key.rpartition("-")[2] in invoice.WITHOUT_LINES, key))
    return [keys.target("line_items", keys.line_of(detail, key)) for key in found[:1]]


def _key(name: str) -> str:
    return keys.split_target(name)[1]


def _invoices(key: str, bill: Bill) -> list[str]:
    return [f"invoices/{keys.invoice_of(key, sequence)}" for sequence in bill.rows]
