"""Which columns of Sage 100 each derived fact is made of: what a mapping needs of an agent, and
where a value came from.

A column that an agent does not serve is no error anywhere: the row has no such cell, and a sum is
made of nothing. So what is read has to be known before the first row is: `check` compares it with
what is served and names what HubSpot would show wrongly. The table is tested against the code
both ways: no fact changes with a column that is not listed, and each that is listed changes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec

from projections.aging import CACHED
from projections.keys import KEY_COLUMNS
from projections.mapping import rules

# Our objects, and the entity whose columns their rules name.
ENTITY_OF: Final[dict[str, str]] = {
    "companies": "AR_Customer",
    "vendors": "AP_Vendor",
    "contacts": "AR_CustomerContact",
    "invoices": "AR_Invoice",
    "line_items": "AR_InvoiceDetail",
}
KIND_OF: Final = {entity: kind for kind, entity in ENTITY_OF.items()}

_OPEN: Final = ("AR_Invoice.Balance", "AR_Invoice.IsOpen")
_TERMS_DAYS: Final = (
    "AR_TermsCode.DaysBeforeDue",
    "AR_TermsCode.MinimumDaysAllowedInv",
    "AR_TermsCode.DueDateADayOfTheMonth",
)
_DUE: Final = (
    *("AR_Invoice.InvoiceDueDate", "AR_Invoice.InvoiceDate", "AR_Invoice.TermsCode"),
    *_TERMS_DAYS,
)
_TOTAL: Final = (
    *("AR_Invoice.TaxableAmt", "AR_Invoice.NonTaxableAmt"),
    *("AR_Invoice.FreightAmt", "AR_Invoice.SalesTaxAmt"),
)
_BUCKET: Final = (*_OPEN, *_DUE)
_PAID_ON: Final = ("AR_Payment.TransactionType", "AR_Payment.PaymentDate")
_LAST_PAYMENT: Final = (*_PAID_ON, "AR_Payment.TransactionAmt", "AR_Customer.DateLastPayment")
_POSTED_TO: Final = "AR_Payment.InvoiceHistoryHeaderSeqNo"
_SALE: Final = (
    *("AR_InvoiceDetail.QuantityShipped", "AR_InvoiceDetail.UnitPrice"),
    "AR_InvoiceDetail.ExtensionAmt",
)
_PERSON: Final = ("AR_CustomerContact.ContactName", "AR_Customer.CustomerName")
_NOTHING: Final[tuple[str, ...]] = ()  # keys, settings and constants

_SOLD_TO: Final = ("AR_Invoice.SoldToDivisionNo", "AR_Invoice.SoldToCustomerNo")

# Object to fact to columns, "entity.column"; key columns are left out, they are always there.
FACTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "companies": {
        **dict.fromkeys(("key.external", "key.company", "key.record"), _NOTHING),
        **dict.fromkeys(("source.currency", "constant.prospect"), _NOTHING),
        "account.stage": _SOLD_TO,  # whose number an invoice carries is told by its key
        "terms.description": ("AR_Customer.TermsCode", "AR_TermsCode.TermsCodeDesc"),
        "account.domain": ("AR_Customer.URLAddress", "AR_Customer.EmailAddress"),
        "account.street": ("AR_Customer.AddressLine1",),
        "account.revenue": ("AR_CustomerSalesHistory.DollarsSold",),
        "account.last_payment_date": _LAST_PAYMENT,
        "account.last_payment_amount": (*_LAST_PAYMENT, "AR_Customer.LastPaymentAmt"),
        "account.average_days_to_pay": (*_OPEN, "AR_Invoice.InvoiceDate", *_PAID_ON, _POSTED_TO),
        "aging.balance": _OPEN,
        "aging.as_of": _OPEN,
        **dict.fromkeys(("aging.current", "aging.oldest_due"), _BUCKET),
        **dict.fromkeys((f"aging.bucket_{number}" for number in range(1, 5)), _BUCKET),
        "sage.aged_balance": tuple(f"AR_Customer.{column}" for column in CACHED),
        "sage.aged_on": ("AR_Customer.CurrentBalance", "AR_Customer.DateLastAging"),
    },
    "vendors": {
        **dict.fromkeys(("key.external", "key.company", "key.record"), _NOTHING),
        "account.domain": ("AP_Vendor.URLAddress", "AP_Vendor.EmailAddress"),
        "account.street": ("AP_Vendor.AddressLine1",),
        "constant.vendor": _NOTHING,
    },
    "contacts": {
        **dict.fromkeys(("key.external", "key.company", "key.record"), _NOTHING),
        "key.customer": _NOTHING,
        **dict.fromkeys(("contact.first_name", "contact.last_name"), _PERSON),
        "contact.email": (
            *("AR_CustomerContact.EmailAddress", "AR_Customer.EmailAddress"),
            "AR_Customer.ContactCode",
        ),
        "contact.phone": (
            *("AR_CustomerContact.TelephoneNo1", "AR_CustomerContact.TelephoneExt1"),
            *("AR_Customer.TelephoneNo", "AR_Customer.TelephoneExt", "AR_Customer.ContactCode"),
        ),
        "contact.title": ("AR_CustomerContact.ContactTitle",),
        "contact.company": ("AR_Customer.CustomerName",),
    },
    "invoices": {
        **dict.fromkeys(("key.external", "key.company", "key.record"), _NOTHING),
        **dict.fromkeys(("key.customer", "source.currency", "invoice.type"), _NOTHING),
        **dict.fromkeys(("constant.true", "constant.false"), _NOTHING),
        "terms.description": ("AR_Invoice.TermsCode", "AR_TermsCode.TermsCodeDesc"),
        "key.sold_to": _SOLD_TO,
        "invoice.total": _TOTAL,
        "invoice.balance": _OPEN,
        "invoice.status": (*_OPEN, *_TOTAL, "AR_Invoice.RetentionAmt"),
        "invoice.native_status": (*_OPEN, *_TOTAL),
        "invoice.due_date": _DUE,
        "invoice.days_overdue": (*_OPEN, *_DUE),
        "invoice.last_payment_date": (*_PAID_ON, _POSTED_TO),
    },
    "line_items": {
        **dict.fromkeys(("key.external", "key.company", "key.record"), _NOTHING),
        **dict.fromkeys(("key.customer", "key.invoice"), _NOTHING),
        "line.name": (
            *("AR_InvoiceDetail.ItemCodeDesc", "AR_InvoiceDetail.CommentText"),
            # A line without an amount is no line item at all.
            *("AR_InvoiceDetail.ItemCode", "AR_InvoiceDetail.ExtensionAmt"),
        ),
        **dict.fromkeys(("line.quantity", "line.price"), _SALE),
        "line.amount": ("AR_InvoiceDetail.ExtensionAmt",),
    },
}


# Columns of keys that make a fact what it is: what made it is not told without them.
_KEYS_OF: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("invoice.type", "invoice.total"), ("AR_Invoice.InvoiceType",)),
    **dict.fromkeys(("invoice.status", "invoice.native_status"), ("AR_Invoice.InvoiceType",)),
    "account.stage": ("AR_Invoice.InvoiceType",),
    "account.average_days_to_pay": ("AR_Invoice.InvoiceType", "AR_Payment.TransactionDate"),
    "account.last_payment_date": ("AR_Payment.TransactionDate",),
    "account.last_payment_amount": ("AR_Payment.TransactionDate",),
    "invoice.last_payment_date": ("AR_Payment.TransactionDate",),
}


def made_of(kind: str, fact: str) -> tuple[str, ...]:
    """The columns that a fact of this object is made of, "entity.column", keys' too; () for what is
    no fact of it.
    """
    return (*FACTS[kind].get(fact, ()), *_KEYS_OF.get(fact, ()))


# Nothing is wrong without these: who pays is in the key, and an older Sage 100 knows no other.
SPARED: Final = frozenset(_SOLD_TO)


class Use(msgspec.Struct, frozen=True):
    """What a column is read for: `shown` in HubSpot ("invoices.sage100_total").

    `fact`: what is shown is worked out, so without the column it would be wrong or empty. "": it
    is that column itself, and without it is left as it is.
    """

    shown: str
    fact: str = ""


Uses = Mapping[str, Mapping[str, tuple[Use, ...]]]
"""Entity to column to what it is read for."""


def uses(mapping: rules.Mapping) -> dict[str, dict[str, tuple[Use, ...]]]:
    """Everything that this mapping reads beside keys, in the order of its rules."""
    found: dict[str, dict[str, tuple[Use, ...]]] = defaultdict(dict)
    for kind, section in mapping.objects().items():
        for rule in section.rules:
            derived = "." in rule.source
            own = f"{ENTITY_OF[kind]}.{rule.source}"
            use = Use(f"{kind}.{rule.property}", rule.source if derived else "")
            for source in FACTS[kind].get(rule.source, ()) if derived else (own,):
                entity, _, column = source.partition(".")
                if column not in KEY_COLUMNS[entity] and source not in SPARED:
                    found[entity][column] = (*found[entity].get(column, ()), use)
    return dict(found)
