"""Unposted batches: invoices that exist in data entry and that no file served holds.

Reference 2.9: SO_InvoiceHeader and AR_InvoiceHeader rows vanish at posting and reappear in the open
file and the history; before that they may be edited, renumbered or deleted. A reader must see
nothing of them until they are posted, and then must not wonder where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from connector.sandbox.agent import posting
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company, Draft
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey, Money
from connector.sandbox.agent.values import amount as text_of
from connector.sandbox.agent.values import cents, day, parse_day


def enter_invoice(
    company: Company,
    batch: str,
    customer: CustomerKey,
    total: Money,
    *,
    invoice_type: str = "IN",
    invoice_no: str | None = None,
    invoice_date: date | None = None,
    fields: Mapping[str, str] | None = None,
) -> str:
    """Enter an invoice into a batch and return its number, which is used up by that."""
    company.row("AR_Customer", customer)
    number = invoice_no or company.free_invoice_no()
    draft = Draft(
        customer=customer,
        total=text_of(cents(total)),
        invoice_type=invoice_type,
        invoice_no=number,
        invoice_date=day(invoice_date) if invoice_date else "",
        fields=dict(fields or {}),
    )
    company.batches.setdefault(batch, []).append(draft)
    return number


def edit_invoice(company: Company, batch: str, invoice_no: str, total: Money) -> None:
    """Change the amount of an invoice that is not posted yet."""
    drafts, at = _find(company, batch, invoice_no)
    drafts[at] = msgspec.structs.replace(drafts[at], total=text_of(cents(total)))


def delete_invoice(company: Company, batch: str, invoice_no: str) -> None:
    """Delete an invoice from its batch: its number is never seen."""
    drafts, at = _find(company, batch, invoice_no)
    del drafts[at]
    if not drafts:
        del company.batches[batch]


def post_batch(
    company: Company, batch: str, *, renumber: bool = False, stamp: bool = True
) -> list[InvoiceKey]:
    """Post a batch: its invoices appear in the files, all at once; the batch is gone.

    `renumber` gives them new numbers at that moment. ModelError when there is no such batch, or
    when one of them cannot be posted: that one and those behind it stay in the batch.
    """
    if batch not in company.batches:
        raise ModelError(f"{company.code} has no batch {batch!r}")
    drafts = company.batches[batch]
    posted: list[InvoiceKey] = []
    while drafts:
        draft = drafts[0]
        posted.append(
            posting.post_invoice(
                company,
                draft.customer,
                draft.total,
                invoice_type=draft.invoice_type,
                invoice_no=None if renumber else draft.invoice_no,
                invoice_date=parse_day(draft.invoice_date),
                fields=draft.fields,
                stamp=stamp,
            )
        )
        del drafts[0]
    del company.batches[batch]
    return posted


def _find(company: Company, batch: str, invoice_no: str) -> tuple[list[Draft], int]:
    drafts = company.batches.get(batch, [])
    for at, draft in enumerate(drafts):
        if draft.invoice_no == invoice_no:
            return drafts, at
    raise ModelError(f"batch {batch!r} of {company.code} has no invoice {invoice_no}")
