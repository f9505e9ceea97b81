"""What people and import jobs do to master files: add, change, remove, one record at a time.

Every change stamps as a maintenance screen does; with `stamp=False` it leaves the stamps as they
are, which is what a Visual Integrator import does, and a new record then has none at all. Values
are the raw strings of the file; too wide a value is refused, as the screen would refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company
from connector.sandbox.agent.values import cents


def add(company: Company, entity: str, fields: Mapping[str, str], *, stamp: bool = True) -> None:
    """Enter a new record; `fields` holds its key. ModelError when the key is taken."""
    key = _key(company, entity, fields)
    if company.find(entity, key) is not None:
        raise ModelError(f"{company.code} already has {entity} {'-'.join(key)}")
    _check_widths(company, entity, fields)
    company.put(entity, {**(company.created(entity) if stamp else {}), **fields})


def change(
    company: Company,
    entity: str,
    key: Sequence[str],
    fields: Mapping[str, str],
    *,
    stamp: bool = True,
) -> None:
    """Change cells of a record. ModelError when it does not exist or a value is too wide."""
    _check_widths(company, entity, fields)
    company.update(entity, key, {**(company.updated(entity) if stamp else {}), **fields})


def remove(company: Company, entity: str, key: Sequence[str]) -> None:
    """Delete one record and nothing else; no trace is left. ModelError when there is none."""
    if not company.table(entity).remove(key):
        raise ModelError(f"{company.code} has no {entity} {'-'.join(key)}")


def set_raw(company: Company, entity: str, key: Sequence[str], column: str, text: str) -> None:
    """Put any text into one cell, no stamp, no check of its form: what a data repair leaves."""
    company.update(entity, key, {column: text})


def change_customer(
    company: Company, key: Sequence[str], fields: Mapping[str, str], *, stamp: bool = True
) -> None:
    """Change a customer, by (ARDivisionNo, CustomerNo)."""
    change(company, "AR_Customer", key, fields, stamp=stamp)


def add_customer(
    company: Company, key: Sequence[str], fields: Mapping[str, str], *, stamp: bool = True
) -> None:
    """Enter a customer under (ARDivisionNo, CustomerNo), with the defaults of the screen."""
    division, number = key
    defaults = {
        "CustomerStatus": "A",
        "TemporaryCustomer": "N",
        "OpenItemCustomer": "Y",
        "CreditHold": "N",
        "TermsCode": "00",
    }
    row = {**defaults, **fields, "ARDivisionNo": division, "CustomerNo": number}
    add(company, "AR_Customer", row, stamp=stamp)


def remove_customer(company: Company, key: Sequence[str]) -> None:
    """Delete a customer and its contacts. ModelError while it has open items, as in Sage 100."""
    division, number = key
    open_items = [
        row
        for row in company.rows("AR_Invoice", division, number)
        if row["IsOpen"] == "Y" and cents(row["Balance"])
    ]
    if open_items:
        raise ModelError(f"customer {division}-{number} has {len(open_items)} open items")
    remove(company, "AR_Customer", key)
    for contact in list(company.rows("AR_CustomerContact", division, number)):
        remove(company, "AR_CustomerContact", (division, number, contact["ContactCode"]))


def add_contact(
    company: Company, key: Sequence[str], fields: Mapping[str, str], *, stamp: bool = True
) -> None:
    """Enter a contact under (ARDivisionNo, CustomerNo, ContactCode)."""
    division, number, code = key
    company.row("AR_Customer", (division, number))
    row = {**fields, "ARDivisionNo": division, "CustomerNo": number, "ContactCode": code}
    add(company, "AR_CustomerContact", row, stamp=stamp)


def describe_terms(
    company: Company, terms_code: str, description: str, *, stamp: bool = True
) -> None:
    """Change the description of a terms code."""
    change(company, "AR_TermsCode", (terms_code,), {"TermsCodeDesc": description}, stamp=stamp)


def add_vendor(
    company: Company, key: Sequence[str], fields: Mapping[str, str], *, stamp: bool = True
) -> None:
    """Enter a vendor under (APDivisionNo, VendorNo)."""
    division, number = key
    row = {"VendorStatus": "A", "TemporaryVendor": "N", "HoldPayment": "N", **fields}
    row |= {"APDivisionNo": division, "VendorNo": number}
    add(company, "AP_Vendor", row, stamp=stamp)


def _key(company: Company, entity: str, fields: Mapping[str, str]) -> tuple[str, ...]:
    names = company.table(entity).entity.key
    missing = [name for name in names if name not in fields]
    if missing:
        raise ModelError(f"a new {entity} needs {', '.join(missing)}")
    return tuple(fields[name] for name in names)


def _check_widths(company: Company, entity: str, fields: Mapping[str, str]) -> None:
    layout = company.table(entity).entity
    for name, text in fields.items():
        if name not in layout.index:
            raise ModelError(f"{entity} has no column {name!r}")
        column = layout.columns[layout.index[name]]
        if column.type != "number" and len(text.rstrip(" ")) > column.length:
            raise ModelError(
                f"{name} of {entity} takes {column.length} characters, not {len(text)}"
            )
