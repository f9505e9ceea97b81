"""The utilities that change keys in every file at once: renumber, merge, expand the numbers.

Reference 3.2: the Delete and Change Customers utility renumbers and merges in all files and is not
even logged; the invoice-number expansion of 2025 pads every number anew. Nothing is stamped: to a
reader the old rows have vanished and strangers with the same names and amounts have come.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.layouts import revised
from connector.sandbox.agent.model import Company, Row
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey
from connector.sandbox.agent.profiles import EXPANDED, NUMBERED
from connector.sandbox.agent.table import pack
from connector.sandbox.agent.terms import BUCKETS
from connector.sandbox.agent.values import amount as text_of
from connector.sandbox.agent.values import cents

_SUMMED = {
    "AR_Customer": (*BUCKETS, "BalanceForward", "OpenOrderAmt"),
    "AR_CustomerSalesHistory": ("DollarsSold", "CostOfGoodsSold"),
}
_LATEST = ("DateLastActivity", "DateLastPayment")


def renumber_customer(company: Company, old: CustomerKey, new: CustomerKey) -> None:
    """Give a customer another number: all its rows under the new key, no stamp.

    ModelError when there is no such customer, or the new number is taken (that would be a merge).
    """
    company.row("AR_Customer", old)
    if company.find("AR_Customer", new) is not None:
        raise ModelError(f"customer {'-'.join(new)} exists: merge the two instead")
    _move(company, old, new)


def merge_customers(company: Company, source: CustomerKey, target: CustomerKey) -> None:
    """Merge a customer into another: what it owed and bought is added, its own row is gone.

    The target keeps its name, terms and contacts; contacts of the source that it has not move too.
    ModelError, and nothing changed, when both have an open item with the same number and type.
    """
    if source == target:
        raise ModelError("a customer cannot be merged with itself")
    company.row("AR_Customer", source)
    company.row("AR_Customer", target)
    for row in company.rows("AR_Invoice", *source):
        same_key = company.find("AR_Invoice", (*target, *invoice_key(row)[2:]))
        both_open = row["IsOpen"] == "Y" and company.open_of(
            target, row["InvoiceNo"], row["InvoiceType"]
        )
        if same_key is not None or both_open:
            raise ModelError(
                f"{'-'.join(source)} and {'-'.join(target)} both have {row['InvoiceType']} "
                f"{row['InvoiceNo']}: they cannot be merged"
            )
    _move(company, source, target)


def expand_invoice_numbers(company: Company, width: int = EXPANDED) -> None:
    """The conversion of 2025: InvoiceNo gets `width` characters, numeric ones new leading zeros.

    It touches every row of every file that holds the number, and cannot be undone (but by a
    backup). ModelError when the numbers are that wide already.
    """
    if company.invoice_digits >= width or width > EXPANDED:
        raise ModelError(f"invoice numbers have {company.invoice_digits} characters: no expansion")
    for name in NUMBERED:
        table = company.table(name)
        rows = list(company.rows(name))
        table.load([])
        table.reshape(revised(table.entity, widths={"InvoiceNo": width}))
        for row in rows:
            if row["InvoiceNo"].isdigit():
                row["InvoiceNo"] = row["InvoiceNo"].zfill(width)
        table.load([pack(table.entity.cells(row)) for row in rows])
    for drafts in company.batches.values():
        for at, draft in enumerate(drafts):
            if draft.invoice_no.isdigit():
                number = draft.invoice_no.zfill(width)
                drafts[at] = msgspec.structs.replace(draft, invoice_no=number)


def retype_invoice(company: Company, invoice: InvoiceKey, invoice_type: str) -> InvoiceKey:
    """Put an item and its history under another InvoiceType, even one that nobody knows.

    Third parties and repairs do (reference 3.2, 3.5.9). ModelError when the new key is taken.
    """
    row = company.row("AR_Invoice", invoice)
    new = (*invoice[:4], invoice_type)
    if company.find("AR_Invoice", new) is not None:
        raise ModelError(f"{company.code} already has AR_Invoice {'-'.join(new)}")
    if row["IsOpen"] == "Y" and company.open_of(invoice[:2], invoice[2], invoice_type) is not None:
        raise ModelError(f"{invoice_type} {invoice[2]} of {'-'.join(invoice[:2])} is open already")
    lines = list(company.rows("AR_Payment", *invoice[:3], invoice[4]))
    # Once its history is purged, an item is 000000 and its lines are not: all but others' are its.
    others = {
        other["HeaderSeqNo"]
        for other in company.rows("AR_Invoice", *invoice[:3])
        if other["InvoiceType"] == invoice[4] and other["HeaderSeqNo"] != invoice[3]
    }
    company.put("AR_Invoice", {**row, "InvoiceType": invoice_type})
    company.table("AR_Invoice").remove(invoice)
    for line in lines:
        if line["InvoiceHistoryHeaderSeqNo"] not in others:
            _drop(company, "AR_Payment", line)
            company.put("AR_Payment", _free(company, {**line, "InvoiceType": invoice_type}))
    return new


def invoice_key(row: Mapping[str, str]) -> InvoiceKey:
    """The key of a row of AR_Invoice."""
    return (
        row["ARDivisionNo"],
        row["CustomerNo"],
        row["InvoiceNo"],
        row["HeaderSeqNo"],
        row["InvoiceType"],
    )


def item_of(row: Mapping[str, str]) -> tuple[str, str, str, str]:
    """What AR_Invoice and AR_Payment share: division, customer, number and type of an item."""
    return row["ARDivisionNo"], row["CustomerNo"], row["InvoiceNo"], row["InvoiceType"]


def _move(company: Company, old: CustomerKey, new: CustomerKey) -> None:
    for name in ("AR_Customer", "AR_CustomerContact", "AR_CustomerSalesHistory", "AR_Invoice"):
        for row in list(company.rows(name, *old)):
            _drop(company, name, row)
            moved = {**row, "ARDivisionNo": new[0], "CustomerNo": new[1]}
            there = company.find(name, tuple(moved[part] for part in _key_names(company, name)))
            company.put(name, moved if there is None else _joined(name, there, moved))
    for row in list(company.rows("AR_Payment", *old)):
        _drop(company, "AR_Payment", row)
        moved = {**row, "ARDivisionNo": new[0], "CustomerNo": new[1]}
        company.put("AR_Payment", _free(company, moved))
    for drafts in company.batches.values():
        drafts[:] = [
            msgspec.structs.replace(draft, customer=new) if draft.customer == old else draft
            for draft in drafts
        ]
    if "SoldToCustomerNo" not in company.table("AR_Invoice").entity.index:
        return
    for row in list(company.rows("AR_Invoice")):
        if (row["SoldToDivisionNo"], row["SoldToCustomerNo"]) == old:
            sold_to = {"SoldToDivisionNo": new[0], "SoldToCustomerNo": new[1]}
            company.update("AR_Invoice", invoice_key(row), sold_to)


def _joined(name: str, there: Row, moved: Row) -> Row:
    """The row of the customer merged into, with the other's amounts added."""
    joined = dict(there)
    for column in _SUMMED.get(name, ()):
        if column in there:
            joined[column] = text_of(cents(there[column]) + cents(moved[column]))
    for column in _LATEST:
        if column in there:
            joined[column] = max(there[column], moved[column])
    return joined


def _free(company: Company, line: Row) -> Row:
    """The line with the next SequenceNo of its day when its own is taken."""
    names = _key_names(company, "AR_Payment")
    while company.find("AR_Payment", tuple(line[name] for name in names)) is not None:
        line = {**line, "SequenceNo": f"{int(line['SequenceNo']) + 1:06d}"}
    return line


def _drop(company: Company, name: str, row: Row) -> None:
    company.table(name).remove(tuple(row[part] for part in _key_names(company, name)))


def _key_names(company: Company, name: str) -> tuple[str, ...]:
    return company.table(name).entity.key
