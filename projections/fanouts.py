"""From one change that touches many targets to the targets, a page of rows at a time."""

from __future__ import annotations

from typing import Final

from projections import contact, keys
from projections.tables import Account, Bill, Doc

# kind of fan-out -> the table whose rows it walks over
TABLE: Final[dict[str, str]] = {
    "open_items": "open_item",
    "accounts": "account",
    "bills": "bill",
    "links": "bill",
    "contacts": "contact",
    "vendors": "vendor",
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
        case "contacts":
            return [f"contacts/{key}"]
        case "vendors":
            return [f"vendors/{key}"]
        case _:
            return []


def _invoices(key: str, bill: Bill) -> list[str]:
    customer = keys.customer_of(key)
    number, _, invoice_type = key.rpartition(":")[2].rpartition("-")
    return [f"invoices/{customer}:{number}-{seq}-{invoice_type}" for seq in bill.rows]
