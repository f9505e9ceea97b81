"""Which columns of an entity are asked for: all the agent has, but what must not leave Sage 100.

Card, bank and tax numbers, encrypted values and passwords are never asked for, and are dropped
when an agent sends them unasked. A site's own `UDF_…` columns are kept unless their name itself
says card, bank account, password or the like.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from connector.sage100.contract import Entity
from connector.sage100.errors import AgentMisfit, Call
from projections.keys import KEY_COLUMNS

# Entities whose rows carry no stamps in Sage 100 itself; all others must have both columns.
UNSTAMPED: Final = frozenset({"AR_CustomerSalesHistory", "AR_InvoiceDetail"})
STAMP: Final = ("DateUpdated", "TimeUpdated")

_DENIED: Final = re.compile(
    # whole families, by how their names begin (reference: file layouts of AR and AP) …
    r"(?:Cardholder|CardType|ExpirationDate|Last4|Bank|EncryptedVals)"
    # … and what is never wanted, wherever it stands in a name
    r"|.*(?:CreditCard|CardNo|CardNumber|CVV|BankAccount|BankAcct|Routing|IBAN|Passw|Pwd"
    r"|SocialSecurity|SSN$|TaxpayerID|FederalID|FederalTaxID)",
    re.IGNORECASE,
)


class Selection(msgspec.Struct, frozen=True):
    """What is asked of one entity: canonical columns, and the key columns in key order."""

    entity: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


def denied(column: str) -> bool:
    """Whether this column must not leave Sage 100."""
    return _DENIED.match(column) is not None


def select(entity: Entity, call: Call) -> Selection:
    """What to ask of an entity as this agent serves it.

    Raises AgentMisfit when its key is not the one we build names from, or stamps are missing.
    """
    served = [column.name for column in entity.columns]
    key = KEY_COLUMNS.get(entity.name, entity.key)
    needed = [*key, *(() if entity.name in UNSTAMPED else STAMP)]
    missing = [column for column in needed if column not in served]
    if missing:
        raise AgentMisfit(
            f"{entity.name} has no column {', '.join(missing)}. It has: {', '.join(served)}.",
            call,
            remedy="Map the agent's own name in [sage100.columns], or update the agent.",
        )
    if set(entity.key) != set(key):
        raise AgentMisfit(
            f"The agent's key of {entity.name} is {' '.join(entity.key)}, not {' '.join(key)}.",
            call,
            remedy="Update the agent: records could not be told apart by this key.",
        )
    return Selection(entity.name, key, tuple(name for name in served if not denied(name)))
