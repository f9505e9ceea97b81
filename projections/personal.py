"""What of a record is personal, and what is left of it once it is erased.

Kept are keys, stamps and what accounting works by: terms, credit, balances, dates, status. All
else goes, a site's own columns too: what is not known to be harmless is taken to be personal. The
name gives way to the record's number, so that HubSpot has no nameless companies. Invoices,
payments and sales are accounting records: they are kept as they are, without them no receivable
ties out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from projections import keys
from projections.columns import ENTITY_OF
from projections.mapping.compiled import CompiledObject

ERASED: Final = "its personal data was erased"

_STAMPS: Final = ("DateCreated", "TimeCreated", "DateUpdated", "TimeUpdated")
_CUSTOMER: Final = (
    *("ARDivisionNo", "CustomerNo", "ContactCode", "TermsCode", "CustomerType", "PriceLevel"),
    *("SalespersonDivisionNo", "SalespersonNo", "CustomerStatus", "InactiveReasonCode"),
    *("TemporaryCustomer", "OpenItemCustomer", "StatementCycle", "TaxSchedule"),
    *("CreditHold", "CreditLimit", "CustomerDiscountRate", "ServiceChargeRate"),
    *("DateEstablished", "DateLastActivity", "DateLastPayment", "DateLastStatement"),
    *("DateLastFinanceChrg", "DateLastAging", "LastPaymentAmt", "HighestStmntBalance"),
    *("NumberOfInvToUseInCalc", "AvgDaysPaymentInvoice", "AvgDaysOverDue", "UnpaidServiceChrg"),
    *("BalanceForward", "CurrentBalance", "OpenOrderAmt"),
    *(f"AgingCategory{number}" for number in range(1, 5)),
    *("RetentionCurrent", *(f"RetentionAging{number}" for number in range(1, 5))),
)
_VENDOR: Final = (
    *("APDivisionNo", "VendorNo", "TermsCode", "TemporaryVendor", "VendorStatus"),
    *("InactiveReasonCode", "HoldPayment", "LastPurchaseDate", "LastPaymentDate", "LastCheckAmt"),
    *("AverageDaysToPay", "AverageDaysOverDue"),
)

# Entities that can be erased, and the columns that are left.
KEPT: Final[dict[str, frozenset[str]]] = {
    "AR_Customer": frozenset((*_CUSTOMER, *_STAMPS)),
    "AR_CustomerContact": frozenset(("ARDivisionNo", "CustomerNo", "ContactCode", *_STAMPS)),
    "AP_Vendor": frozenset((*_VENDOR, *_STAMPS)),
}
NAMES: Final = {"AR_Customer": "CustomerName", "AP_Vendor": "VendorName"}


def kept(entity: str, key: str, row: Mapping[str, str]) -> dict[str, str]:
    """What is left of a raw row; `key` is its record key (01-ABF)."""
    columns = KEPT[entity]
    left = {name: value for name, value in row.items() if name in columns}
    if row and entity in NAMES:
        left[NAMES[entity]] = keys.plain(key)
    return left


def personal_properties(kind: str, mapping: CompiledObject) -> frozenset[str]:
    """The properties of companies, contacts or vendors that show what is personal."""
    columns = KEPT[ENTITY_OF[kind]]
    return frozenset(
        name
        for name, rule in mapping.by_property.items()
        if (_is_personal(rule.source) if rule.derived else rule.source not in columns)
    )


def _is_personal(fact: str) -> bool:
    return fact.startswith("contact.") or fact in {"account.domain", "account.street"}
