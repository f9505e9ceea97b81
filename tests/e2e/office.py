"""People at work in Sage 100: what is typed in at screens, imported, and posted by journals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from connector.sandbox.agent import Company, maintenance, posting
from tests.e2e.company_rows import Row


def customers(company: Company) -> Iterator[tuple[str, str]]:
    """Keys of customers, in an order that goes all over the file."""
    keys = [(row["ARDivisionNo"], row["CustomerNo"]) for row in company.rows("AR_Customer")]
    return iter(sorted(dict.fromkeys(keys), key=lambda key: key[1][::-1]))


def change_masters(company: Company) -> None:
    """What is typed in at the maintenance screens."""
    someone = customers(company)
    change = maintenance.change_customer
    change(company, next(someone), {"CustomerName": "Renamed & Sons", "AddressLine2": "Unit 7"})
    change(company, next(someone), {"TelephoneNo": "", "EmailAddress": "", "ZipCode": "01234"})
    change(company, next(someone), {"CreditLimit": "0", "CreditHold": "Y", "CustomerStatus": "I"})
    change(company, next(someone), {"TermsCode": "05", "SalespersonNo": ""})
    change(company, next(someone), {"URLAddress": "www.another.example", "CountryCode": "MEX"})
    change(company, next(someone), {"EmailAddress": "wrong; Right@Changed.Example;x@y.example"})
    maintenance.describe_terms(company, "01", "Net 30, revised")
    maintenance.change(company, "AR_TermsCode", ("04",), {"DaysBeforeDue": "20"})

    maintenance.add_customer(company, ("01", "NEWCOMER"), {"CustomerName": "Newcomer Ltd."})
    maintenance.add_contact(company, ("01", "NEWCOMER", "ANN"), {"ContactName": "Day, Ann"})
    told = {
        "CustomerName": "Told by Phone",
        "ContactCode": "BOB",
        "EmailAddress": "ap@told.example",
        "TelephoneNo": "312 555 0100",
        "TelephoneExt": "12",
    }
    maintenance.add_customer(company, ("02", "TOLD"), told)
    maintenance.add_contact(company, ("02", "TOLD", "BOB"), {"ContactName": "Bob"})
    maintenance.add_contact(company, ("02", "TOLD", "CLAIRE"), {"EmailAddress": "C@Told.Example"})
    someone_known = people(company)
    contact = next(someone_known)
    maintenance.change(
        company,
        "AR_CustomerContact",
        contact,
        {"ContactName": "O'Hara, Scarlett", "TelephoneNo1": "", "ContactTitle": "CEO"},
    )
    maintenance.change(
        company, "AR_CustomerContact", next(someone_known), {"EmailAddress": "New@One.Example"}
    )

    maintenance.add_vendor(company, ("02", "STEEL"), {"VendorName": "Steel", "HoldPayment": "Y"})
    vendor = next(company.rows("AP_Vendor"))
    maintenance.change(
        company,
        "AP_Vendor",
        (vendor["APDivisionNo"], vendor["VendorNo"]),
        {"VendorStatus": "I", "LastPurchaseDate": "20260102", "AddressLine1": "", "TermsCode": ""},
    )


def people(company: Company) -> Iterator[tuple[str, str, str]]:
    """Keys of contacts, in an order that goes all over the file."""
    keys = [
        (row["ARDivisionNo"], row["CustomerNo"], row["ContactCode"])
        for row in company.rows("AR_CustomerContact")
    ]
    return iter(sorted(keys, key=lambda key: (key[2], key[1][::-1])))


def post(company: Company, today: date) -> None:
    """What journal updates do: invoices, receipts, credits and write-offs of every kind."""
    prospect = next(
        key
        for key in customers(company)
        if not {row["InvoiceType"] for row in company.rows("AR_Invoice", *key)} & {"IN", "CA"}
    )
    posting.post_invoice(company, prospect, "99.95")
    buyer, other = ("01", "ABF"), ("02", "ABF")
    old = posting.post_invoice(company, buyer, "500", invoice_date=today - timedelta(days=70))
    posting.receive_payment(company, old, "500", on=today - timedelta(days=3))
    part = posting.post_invoice(company, buyer, "1000.5", fields={"SalesTaxAmt": "70.50"})
    posting.receive_payment(company, part, "0.50", check_no="17")
    posting.receive_payment(company, part, "1", check_no="18")
    posting.post_invoice(company, other, "80", fields={"RetentionAmt": "8"})
    posting.post_invoice(company, other, "80", fields={"DepositAmt": "8"})
    posting.post_invoice(company, other, "64.20", history=False, fields={"InvoiceDueDate": ""})
    posting.post_invoice(company, other, "-25", invoice_type="PP")
    posting.post_invoice(company, other, "3.33", invoice_type="FC")
    posting.post_invoice(company, other, "12", invoice_type="DM", invoice_no=part[2])
    posting.credit_memo(company, buyer, "100", apply_to=part)
    posting.credit_memo(company, other, "7.77")
    overpaid = posting.post_invoice(company, other, "10")
    posting.receive_payment(company, overpaid, "12")
    for row in seeded(company, "IN")[:5]:
        posting.receive_payment(company, _key(row), row["Balance"].rstrip("-"))
    for row in seeded(company, "IN")[-5:]:
        posting.adjust(company, _key(row), "-0.01")


def seeded(company: Company, kind: str) -> list[Row]:
    """Rows of the seeded model that are open and owed."""
    return [
        row
        for row in company.rows("AR_Invoice")
        if row["InvoiceType"] == kind and row["IsOpen"] == "Y" and row["Balance"].strip("0.")
        if "-" not in row["Balance"]
    ]


def _key(row: Row) -> tuple[str, str, str, str, str]:
    return (
        row["ARDivisionNo"],
        row["CustomerNo"],
        row["InvoiceNo"],
        row["HeaderSeqNo"],
        row["InvoiceType"],
    )
