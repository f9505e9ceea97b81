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
    "contacts": "contact",
    "vendors": "vendor",
}


def targets(kind: str, key: str, doc: Doc) -> list[str]:
    """The targets that one row of the walked table stands for."""
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
            customer = keys.customer_of(key)
            number, _, invoice_type = key.rpartition(":")[2].rpartition("-")
            return [f"invoices/{customer}:{number}-{seq}-{invoice_type}" for seq in doc.rows]
        case "contacts":
            return [f"contacts/{key}"]
        case "vendors":
            return [f"vendors/{key}"]
        case _:
            return []
