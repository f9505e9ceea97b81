"""A person at a customer as a HubSpot contact.

A customer's own contact is the one its ContactCode names; its key is that contact's key, so the
person stays the same record whether the customer or the contact row is read first. A customer
without a ContactCode has one contact under the customer's key. Where the contact itself says
nothing, the customer's name, e-mail and telephone stand in for its own contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections import keys, names, values
from projections.tables import Account

_GIVEN_UP: Final = {"contact.email": "", "contact.phone": ""}
_PERSONAL: Final = (
    *("contact.first_name", "contact.last_name", "contact.email", "contact.phone"),
    *("contact.title", "contact.company"),
)


def primary_key(customer: str, account: Account | None) -> str | None:
    """The external key of the customer's own contact; None until the customer is known."""
    if account is None or account.row is None:
        return None
    code = account.row.get("ContactCode", "").rstrip(" ")
    return f"{customer}:{keys.escape(code)}" if code else customer


def facts(
    key: str,
    row: Mapping[str, str] | None,
    account: Account | None,
    *,
    is_known: bool,
    is_erased: bool = False,
) -> dict[str, str] | None:
    """Derived facts of contact `key` (ABC:01-ABF:JOE); None while there is nothing to show.

    `row` is None when only the customer names this contact so far. `is_known`: HubSpot was told
    of this contact before. `is_erased`: nothing of the person may be shown, nor in its place.
    """
    customer = keys.customer_of(key)
    customer_row = (account.row if account is not None else None) or {}
    own = primary_key(customer, account) == key
    if row is None and not own:
        # Stood in for the customer once, for nobody now: what it stood in with is given up.
        return dict(_GIVEN_UP) if is_known and customer_row else None
    if is_erased:
        return {
            "key.external": key,
            "key.company": keys.company_code(key),
            "key.record": keys.plain(customer.partition(":")[2]),
            "key.customer": customer,
            **dict.fromkeys(_PERSONAL, ""),
        }
    person = row or {}
    stand_in = customer_row if own else {}
    first, last = names.person(
        person.get("ContactName", "") or customer_row.get("CustomerName", "")
    )
    addresses = values.emails(person.get("EmailAddress", "")) or values.emails(
        stand_in.get("EmailAddress", "")
    )
    out = {
        "key.external": key,
        "key.company": keys.company_code(key),
        "key.record": keys.plain(customer.partition(":")[2]),
        "key.customer": customer,
        "contact.first_name": first,
        "contact.last_name": last,
        "contact.email": addresses[0] if addresses else "",
        "contact.phone": _phone(person.get("TelephoneNo1", ""), person.get("TelephoneExt1", ""))
        or _phone(stand_in.get("TelephoneNo", ""), stand_in.get("TelephoneExt", "")),
        "contact.title": person.get("ContactTitle", ""),
    }
    if customer_row:
        out["contact.company"] = customer_row.get("CustomerName", "")
    return out


def _phone(telephone: str, extension: str) -> str:
    telephone, extension = values.text(telephone), values.text(extension)
    return f"{telephone} x{extension}" if telephone and extension else telephone
