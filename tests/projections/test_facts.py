"""Every fact that a mapping may name is one that something says."""

from __future__ import annotations

from projections import contact, customer, invoice, line, vendor
from projections.mapping.facts import DERIVED
from projections.source import ADDED_UP
from projections.tables import Account, Bill, OpenItem, Source

SOURCE = Source(currency="USD", as_of="20260630", latest_period="2026-06", read=ADDED_UP)
TERMS = {"30": {"TermsCodeDesc": "Net 30"}}
INVOICE = {
    "InvoiceNo": "0000001",
    "InvoiceType": "IN",
    "TermsCode": "30",
    "NonTaxableAmt": "5",
    "Balance": "5",
    "IsOpen": "Y",
}


def test_every_fact_offered_is_produced() -> None:
    """A mapping is checked against the list of facts: one that nobody made would write nothing."""
    row = {"CustomerName": "Acme", "TermsCode": "30", "CurrentBalance": "5"}
    account = Account(row=row, sales={"2026-06": "5"})
    item = OpenItem("IN", "20260101", "20260201", "30", "5")
    key = "ABC:01-ACME:0000001-000001-IN"
    said = (
        customer.facts("ABC:01-ACME", account, [item], TERMS, SOURCE)
        | vendor.facts("ABC:00-V1", {"VendorName": "V"})
        | (contact.facts("ABC:01-ACME", None, account, is_known=False) or {})
        | (invoice.facts(key, Bill({"000001": INVOICE}), TERMS, SOURCE) or {})
        | line.facts(f"{key}:000001", {"ExtensionAmt": "5"})
    )
    assert said.keys() == DERIVED.keys()


def test_a_street_is_the_first_address_line() -> None:
    """The fact serves customers and vendors alike, whatever their columns are called."""
    account = Account(row={"AddressLine1": "1 Main Street"})
    company = customer.facts("ABC:01-ACME", account, [], {}, SOURCE)
    supplier = vendor.facts("ABC:00-V1", {"AddressLine1": "2 Side Street"})
    assert company["account.street"] == "1 Main Street"
    assert supplier["account.street"] == "2 Side Street"
