"""What journal updates do: post invoices, credits and receipts, and keep every file in step.

One posting touches several files, as in Sage 100: the open item, the transaction history, the
customer's balances and dates, the sales history and the invoice lines. The books stay right to the
cent: an item's balance is the sum of its transactions, a customer's cached buckets are the sum of
its open items. `stamp=False` posts without stamping anything, which some sites' jobs do.

Signs are a ledger's: an invoice adds, a receipt (`P`), a credit (`C`) or a write-off (`A`) is
negative, and a credit memo's own item is negative until it is applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.model import Company, Row
from connector.sandbox.agent.terms import (
    BUCKETS,
    bucket,
    discount_date,
    due_date,
    fiscal_period,
)
from connector.sandbox.agent.values import amount as text_of
from connector.sandbox.agent.values import cents, day, number, parse_day

Money = str | int | Decimal
CustomerKey = tuple[str, str]
InvoiceKey = tuple[str, str, str, str, str]
PaymentKey = tuple[str, str, str, str, str, str]

# InvoiceType → the TransactionType of the row that posts it.
POSTING_TYPES = {
    "IN": "I",
    "CM": "C",
    "DM": "D",
    "FC": "F",
    "PP": "X",
    "PY": "P",
    "BF": "I",
    "BC": "F",
}
CREDITS = frozenset({"CM", "PP", "PY"})
OPEN_ONLY = frozenset({"PP", "PY", "BF", "BC"})  # never in the invoice history (reference 5.1)

_PARTS = ("NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
_WITHHELD = ("DepositAmt", "RetentionAmt")


def post_invoice(
    company: Company,
    customer: CustomerKey,
    total: Money,
    *,
    invoice_type: str = "IN",
    invoice_no: str | None = None,
    invoice_date: date | None = None,
    fields: Mapping[str, str] | None = None,
    history: bool = True,
    stamp: bool = True,
) -> InvoiceKey:
    """Post one document of `total` and return its key.

    A CM, PP or PY must be negative, the others positive, a BF may be either. The number defaults to
    the next free one; a number used before gets the next HeaderSeqNo, once nothing of that number
    and type is open: the open file holds each once. `history=False` makes an open item without a
    history row (HeaderSeqNo 000000). `fields` sets any other cell; what the amounts among them
    (NonTaxableAmt, FreightAmt, SalesTaxAmt) leave of the total is taxable, and DepositAmt and
    RetentionAmt lower the balance.
    """
    cents_total = cents(total)
    given = {name: cents((fields or {}).get(name, "0")) for name in _PARTS + _WITHHELD}
    posted = cents_total - sum(given[name] for name in _WITHHELD)
    taxable = cents_total - sum(given[name] for name in _PARTS)
    if invoice_type not in POSTING_TYPES:
        raise ModelError(f"{invoice_type!r} cannot be posted; use {', '.join(POSTING_TYPES)}")
    signed = invoice_type == "BF" or (cents_total < 0) == (invoice_type in CREDITS)
    if cents_total == 0 or not signed:
        raise ModelError(f"{total} has the wrong sign for a document of type {invoice_type}")
    buyer = company.row("AR_Customer", customer)
    on = invoice_date or company.clock().date()
    terms = company.find("AR_TermsCode", (buyer["TermsCode"],))
    recorded = history and invoice_type not in OPEN_ONLY
    number_text, sequence = _numbered(company, invoice_no, recorded=recorded)
    key = (*customer, number_text, sequence, invoice_type)
    if company.find("AR_Invoice", key) is not None:
        raise ModelError(f"{company.code} already has AR_Invoice {'-'.join(key)}")
    if company.open_of(customer, number_text, invoice_type) is not None:
        raise ModelError(
            f"{invoice_type} {number_text} of {'-'.join(customer)} is open: post another number, "
            "or this one once period end has taken it"
        )
    discount = discount_date(on, terms) if terms else None
    rate = number(terms["DiscountRate"]) if terms and discount else Decimal(0)
    row: Row = {
        "InvoiceDate": day(on),
        "InvoiceDueDate": day(due_date(on, terms) if terms and cents_total > 0 else on),
        "InvoiceDiscountDate": day(discount) if discount else "",
        "PostingDate": day(company.clock().date()),
        "TermsCode": buyer["TermsCode"],
        "SalespersonDivisionNo": buyer["SalespersonDivisionNo"],
        "SalespersonNo": buyer["SalespersonNo"],
        "ModuleCode": "AR" if recorded else "",
        **(fields or {}),
        **dict(zip(ENTITIES["AR_Invoice"].key, key, strict=True)),
        "TaxableAmt": text_of(taxable),
        "DiscountAmt": text_of(int(cents_total * rate / 100)),
        "Balance": text_of(posted),
        "IsOpen": "Y",
    }
    company.put("AR_Invoice", {**row, **(company.created("AR_Invoice") if stamp else {})})
    _record(company, key, POSTING_TYPES[invoice_type], posted, on, "", stamp=stamp)
    _age(company, customer, _bucket_of(company, row), posted, {}, stamp=stamp)
    if invoice_type in {"IN", "CM", "DM"}:
        _sell(company, customer, on, taxable + given["NonTaxableAmt"])
    if recorded:
        _describe(company, key, taxable + given["NonTaxableAmt"])
    return key


def receive_payment(
    company: Company,
    invoice: InvoiceKey,
    paid: Money,
    *,
    on: date | None = None,
    check_no: str = "",
    stamp: bool = True,
) -> PaymentKey:
    """Apply a receipt of `paid` (positive) to an open item; its balance may become negative."""
    received = cents(paid)
    if received <= 0:
        raise ModelError(f"a receipt of {paid}: give a positive amount")
    when = on or company.clock().date()
    last = {"DateLastPayment": day(when), "LastPaymentAmt": text_of(received)}
    return apply(company, invoice, "P", -received, when, check_no, last, stamp=stamp)


def adjust(
    company: Company,
    invoice: InvoiceKey,
    change: Money,
    *,
    on: date | None = None,
    stamp: bool = True,
) -> PaymentKey:
    """Write an adjustment (type A) of any sign onto an open item: a write-off is negative."""
    when = on or company.clock().date()
    return apply(company, invoice, "A", cents(change), when, "", {}, stamp=stamp)


def credit_memo(
    company: Company,
    customer: CustomerKey,
    credit: Money,
    *,
    apply_to: InvoiceKey | None = None,
    invoice_no: str | None = None,
    stamp: bool = True,
) -> InvoiceKey:
    """Post a credit memo of `credit` (positive), and apply it to an open item when one is named.

    Applying moves the credit from the memo's own item onto the other: a `C` row there, an `A` row
    of the opposite sign here.
    """
    cents_credit = cents(credit)
    if apply_to is not None:
        open_item(company, apply_to)
    key = post_invoice(
        company,
        customer,
        text_of(-cents_credit),
        invoice_type="CM",
        invoice_no=invoice_no,
        stamp=stamp,
    )
    if apply_to is not None:
        today = company.clock().date()
        apply(company, apply_to, "C", -cents_credit, today, "", {}, stamp=stamp)
        apply(company, key, "A", cents_credit, today, "", {}, stamp=stamp)
    return key


def apply(
    company: Company,
    invoice: InvoiceKey,
    transaction_type: str,
    change: int,
    on: date,
    check_no: str,
    customer_fields: Row,
    *,
    stamp: bool,
) -> PaymentKey:
    """Apply one transaction of so many cents to an open item, its customer and the history."""
    row = open_item(company, invoice)
    balance = cents(row["Balance"]) + change
    touched = company.updated("AR_Invoice") if stamp else {}
    company.update("AR_Invoice", invoice, {"Balance": text_of(balance), **touched})
    customer = invoice[:2]
    _age(company, customer, _bucket_of(company, row), change, customer_fields, stamp=stamp)
    return _record(company, invoice, transaction_type, change, on, check_no, stamp=stamp)


def open_item(company: Company, invoice: InvoiceKey) -> Row:
    """The row of an item that is still open; ModelError when nothing can be applied to it."""
    row = company.row("AR_Invoice", invoice)
    if row["IsOpen"] != "Y":
        raise ModelError(f"AR_Invoice {'-'.join(invoice)} is not open: nothing can be applied")
    return row


def _record(
    company: Company,
    invoice: InvoiceKey,
    transaction_type: str,
    change: int,
    on: date,
    check_no: str,
    *,
    stamp: bool,
) -> PaymentKey:
    division, number_of_customer, number_text, sequence, invoice_type = invoice
    under = (division, number_of_customer, number_text, invoice_type, day(on))
    taken = [int(row["SequenceNo"]) for row in company.rows("AR_Payment", *under)]
    key = (*under, f"{max(taken, default=0) + 1:06d}")
    company.put(
        "AR_Payment",
        {
            **dict(zip(ENTITIES["AR_Payment"].key, key, strict=True)),
            "InvoiceHistoryHeaderSeqNo": sequence,
            "CheckNo": check_no,
            "PaymentReference": check_no,
            "TransactionType": transaction_type,
            "PaymentDate": day(on) if transaction_type == "P" else "",
            "PaymentType": "CHECK" if check_no else "",
            "TransactionAmt": text_of(change),
            **(company.updated("AR_Payment") if stamp else {}),
        },
    )
    return key


def _age(
    company: Company,
    customer: CustomerKey,
    at: int,
    change: int,
    fields: Row,
    *,
    stamp: bool,
) -> None:
    row = company.row("AR_Customer", customer)
    stamped = stamp and company.posting_stamps_customers
    company.update(
        "AR_Customer",
        customer,
        {
            BUCKETS[at]: text_of(cents(row[BUCKETS[at]]) + change),
            "DateLastActivity": day(company.clock().date()),
            **fields,
            **(company.updated("AR_Customer") if stamped else {}),
        },
    )


def _bucket_of(company: Company, invoice: Mapping[str, str]) -> int:
    invoiced = parse_day(invoice["InvoiceDate"]) or company.clock().date()
    due = parse_day(invoice["InvoiceDueDate"]) or invoiced
    last_aged = parse_day(
        company.row("AR_Customer", (invoice["ARDivisionNo"], invoice["CustomerNo"]))[
            "DateLastAging"
        ]
    )
    as_of = last_aged or company.clock().date()
    return bucket(company.options, invoiced=invoiced, due=due, as_of=as_of)


def _sell(company: Company, customer: CustomerKey, on: date, sold: int) -> None:
    year, period = fiscal_period(on, company.options)
    key = (*customer, f"{year:04d}", f"{period:02d}")
    row = company.find("AR_CustomerSalesHistory", key) or dict(
        zip(ENTITIES["AR_CustomerSalesHistory"].key, key, strict=True)
    )
    row["DollarsSold"] = text_of(cents(row.get("DollarsSold", "0")) + sold)
    company.put("AR_CustomerSalesHistory", row)


def _describe(company: Company, invoice: InvoiceKey, total: int) -> None:
    company.put(
        "AR_InvoiceDetail",
        {
            "InvoiceNo": invoice[2],
            "HeaderSeqNo": invoice[3],
            "DetailSeqNo": "000001",
            "ItemCode": "/MISC",
            "ItemType": "5",
            "ItemCodeDesc": "As agreed",
            "QuantityShipped": "1" if total > 0 else "-1",
            "UnitPrice": text_of(abs(total)),
            "ExtensionAmt": text_of(total),
        },
    )


def _numbered(company: Company, invoice_no: str | None, *, recorded: bool) -> tuple[str, str]:
    """InvoiceNo and HeaderSeqNo: the next number, or the next sequence of a number given.

    Sequences begin at 000001: 000000 says that there is no history row.
    """
    if invoice_no is None:
        invoice_no = company.free_invoice_no()
    if not recorded:
        return invoice_no, "000000"
    used = [int(row["HeaderSeqNo"]) for row in company.history_headers(invoice_no)]
    return invoice_no, f"{max(used, default=0) + 1:06d}"
