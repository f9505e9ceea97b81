"""What HubSpot must hold, worked out from the raw rows of Sage 100 in the plainest way.

Written from the file layouts, Sage 100's rules on terms and aging, and what the built-in mapping
promises. It looks at all rows at once and imports nothing of the product, so that an agreement of
the two is no coincidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from tests.e2e import cells
from tests.e2e.company_rows import Row, Rows, Setting, Value, customer_of, invoice_key, sold_to
from tests.e2e.receivables import (
    aging,
    as_sage_aged,
    balance_of,
    days_to_pay,
    last_payment,
    native_status,
    payments_of,
    received,
    sales_of,
    status,
    total_of,
)

TYPES = {
    "IN": "Invoice",
    "CM": "Credit memo",
    "DM": "Debit memo",
    "FC": "Finance charge",
    "PP": "Prepayment",
    "PY": "Payment",
    "CA": "Cash sale",
    "XD": "Deleted",
}
NO_DOCUMENT = {"BF", "BC"}  # balance forward: owed, but no document


class Expected(msgspec.Struct, frozen=True):
    """One record: what always holds, what only fills a gap, what only a new record gets."""

    always: dict[str, Value]
    fill: dict[str, str] = {}
    create: dict[str, str] = {}


class Expectation(msgspec.Struct, frozen=True):
    """Records by our own key, per kind, and links as pairs of "kind/key"."""

    companies: dict[str, Expected] = {}
    vendors: dict[str, Expected] = {}
    contacts: dict[str, Expected] = {}
    invoices: dict[str, Expected] = {}
    links: set[tuple[str, str]] = set()

    def kinds(self) -> dict[str, dict[str, Expected]]:
        """The records, by kind."""
        return {
            "companies": self.companies,
            "vendors": self.vendors,
            "contacts": self.contacts,
            "invoices": self.invoices,
        }


def expect(rows: Rows, setting: Setting) -> Expectation:
    """What one company of Sage 100 must look like in HubSpot."""
    out = Expectation(links=set(), companies={}, vendors={}, contacts={}, invoices={})
    terms = {row["TermsCode"]: row for row in rows["AR_TermsCode"]}
    people: dict[str, list[Row]] = defaultdict(list)
    for row in rows["AR_CustomerContact"]:
        people[customer_of(row, setting)].append(row)
    invoices: dict[str, list[Row]] = defaultdict(list)
    buyers: set[str] = set()
    for row in rows["AR_Invoice"]:
        invoices[customer_of(row, setting)].append(row)
        if row["InvoiceType"] in {"IN", "CA"}:
            buyers.add(sold_to(row, setting))
    payments = payments_of(rows["AR_Payment"], setting)
    sales = sales_of(rows["AR_CustomerSalesHistory"], setting)
    own: dict[str, str] = {}
    for row in rows["AR_Customer"]:
        key = customer_of(row, setting)
        code = row["ContactCode"]
        own[key] = f"{key}:{code}" if code else key
        known = sales.get(key)
        out.companies[key] = _company(
            key, row, setting, terms, invoices[key], payments, "" if known is None else known
        )
        if key in buyers:  # whoever pays
            out.companies[key].always.update(lifecyclestage="customer", sage100_stage="customer")
        named = {f"{key}:{one['ContactCode']}": one for one in people[key]}
        for contact_key in {*named, own[key]}:
            stand_in = row if contact_key == own[key] else None
            person = named.get(contact_key)
            out.contacts[contact_key] = _contact(key, person, row, stand_in)
            out.links.add((f"contacts/{contact_key}", f"companies/{key}"))
    for key in out.companies:  # what has no customer yet waits for it
        for row in invoices[key]:
            if row["InvoiceType"] in NO_DOCUMENT:
                continue
            invoice = invoice_key(row, setting)
            out.invoices[invoice] = _invoice(key, row, setting, terms, payments[invoice])
            out.links.add((f"invoices/{invoice}", f"companies/{key}"))
            out.links.add((f"invoices/{invoice}", f"contacts/{own[key]}"))
            buyer = sold_to(row, setting)
            if buyer in out.companies:
                out.links.add((f"invoices/{invoice}", f"companies/{buyer}"))
    for row in rows["AP_Vendor"]:
        number = f"{row['APDivisionNo']}-{row['VendorNo']}"
        out.vendors[f"{setting.company}:{number}"] = _vendor(number, row, setting)
    return out


def merged(parts: Iterable[Expectation]) -> Expectation:
    """Several companies in one portal."""
    out = Expectation(links=set(), companies={}, vendors={}, contacts={}, invoices={})
    for part in parts:
        for kind, records in out.kinds().items():
            records.update(part.kinds()[kind])
        out.links.update(part.links)
    return out


# ------------------------------------------------------------------ records


def _company(
    key: str,
    row: Row,
    setting: Setting,
    terms: Mapping[str, Row],
    invoices: list[Row],
    payments: Mapping[str, list[Row]],
    revenue: Value,
) -> Expected:
    stage = "customer" if {one["InvoiceType"] for one in invoices} & {"IN", "CA"} else "prospect"
    domain = cells.domain(row["URLAddress"], row["EmailAddress"])
    paid_on, paid = last_payment(invoices, payments, setting, row)
    always: dict[str, Value] = {
        "sage100_customer_key": key,
        "name": cells.shown(row["CustomerName"]),
        "phone": row["TelephoneNo"],
        **_address(row),
        "annualrevenue": revenue,
        "lifecyclestage": "customer" if stage == "customer" else "lead",
        "sage100_stage": stage,
        "sage100_company_code": setting.company,
        "sage100_customer_no": f"{row['ARDivisionNo']}-{row['CustomerNo']}",
        "sage100_terms_code": row["TermsCode"],
        "sage100_terms": terms[row["TermsCode"]]["TermsCodeDesc"] if row["TermsCode"] else "",
        "sage100_credit_limit": cells.money(row["CreditLimit"]),
        "sage100_credit_hold": cells.yes(row["CreditHold"]),
        "sage100_status": row["CustomerStatus"],
        "sage100_salesperson": row["SalespersonNo"],
        "sage100_email": row["EmailAddress"],
        "sage100_currency": setting.currency,
        **as_sage_aged(row),
        **aging(invoices, setting, terms),
        "sage100_last_payment_date": cells.shown_day(paid_on),
        "sage100_last_payment_amount": paid,
        "sage100_average_days_to_pay": days_to_pay(invoices, payments, setting),
    }
    site = row["URLAddress"]
    # HubSpot takes the domain of a new company for its site when it is given none.
    create = {"type": "PROSPECT", "website": site or domain}
    return Expected(always, {"domain": domain, "website": site}, create)


def _contact(customer: str, person: Row | None, row: Row, stand_in: Row | None) -> Expected:
    """`stand_in`: the customer's row, when this is the customer's own contact."""
    said = person or {
        "ContactCode": "",
        "ContactName": "",
        "EmailAddress": "",
        "TelephoneNo1": "",
        "TelephoneExt1": "",
        "ContactTitle": "",
    }
    first, last = cells.person(cells.shown(said["ContactName"]) or cells.shown(row["CustomerName"]))
    mails = cells.mails(said["EmailAddress"])
    phone = cells.telephone(said["TelephoneNo1"], said["TelephoneExt1"])
    if stand_in is not None:
        mails = mails or cells.mails(stand_in["EmailAddress"])
        phone = phone or cells.telephone(stand_in["TelephoneNo"], stand_in["TelephoneExt"])
    code = person["ContactCode"] if person else row["ContactCode"]
    always: dict[str, Value] = {
        "sage100_contact_key": f"{customer}:{code}" if code else customer,
        "firstname": first,
        "lastname": last,
        "email": mails[0] if mails else "",
        "phone": phone,
        "company": cells.shown(row["CustomerName"]),
        "sage100_customer_no": f"{row['ARDivisionNo']}-{row['CustomerNo']}",
        "sage100_contact_code": said["ContactCode"],
    }
    return Expected(always, {"jobtitle": said["ContactTitle"]})


def _invoice(
    customer: str, row: Row, setting: Setting, terms: Mapping[str, Row], paid: list[Row]
) -> Expected:
    total, balance = total_of(row), balance_of(row)
    due = cells.due_date(row, terms)
    late: Value = ""
    if balance > 0 and due is not None:
        late = Decimal(max(0, (setting.as_of - due).days))
    dates = [when for one in paid if (when := received(one))]
    always: dict[str, Value] = {
        "sage100_invoice_key": invoice_key(row, setting),
        "hs_currency": setting.currency,
        "hs_invoice_status": native_status(row, total, balance),
        "hs_number": row["InvoiceNo"],
        "hs_invoice_date": cells.shown_midnight(cells.day(row["InvoiceDate"])),
        "hs_due_date": cells.shown_midnight(due),
        "hs_purchase_order_number": row["CustomerPONo"],
        "hs_amount_billed": total,
        "sage100_customer_key": customer,
        "sage100_sold_to": sold_to(row, setting),
        "sage100_invoice_no": row["InvoiceNo"],
        "sage100_invoice_type": TYPES.get(row["InvoiceType"], row["InvoiceType"]),
        "sage100_status": status(row, total, balance),
        "sage100_total": total,
        "sage100_balance": balance,
        "sage100_due_date": cells.shown_day(due),
        "sage100_days_overdue": late,
        "sage100_terms": terms[row["TermsCode"]]["TermsCodeDesc"] if row["TermsCode"] else "",
        "sage100_sales_order_no": row["SalesOrderNo"],
        "sage100_last_payment_date": cells.shown_day(max(dates, default=None)),
    }
    return Expected(always, {}, {"hs_invoice_billable": "false"})


def _vendor(number: str, row: Row, setting: Setting) -> Expected:
    always: dict[str, Value] = {
        "sage100_vendor_key": f"{setting.company}:{number}",
        "name": row["VendorName"],
        "phone": row["TelephoneNo"],
        **_address(row),
        "type": "VENDOR",
        "sage100_vendor_no": number,
        "sage100_vendor_company_code": setting.company,
        "sage100_vendor_terms_code": row["TermsCode"],
        "sage100_vendor_status": row["VendorStatus"],
        "sage100_vendor_hold_payment": cells.yes(row["HoldPayment"]),
        "sage100_vendor_last_purchase_date": cells.shown_day(cells.day(row["LastPurchaseDate"])),
        "sage100_vendor_last_payment_date": cells.shown_day(cells.day(row["LastPaymentDate"])),
    }
    return Expected(always, {"domain": cells.domain(row["URLAddress"], row["EmailAddress"])})


def _address(row: Row) -> dict[str, Value]:
    return {
        "address": row["AddressLine1"],
        "address2": row["AddressLine2"],
        "city": row["City"],
        "state": row["State"],
        "zip": row["ZipCode"],
        "country": cells.COUNTRIES[row["CountryCode"]],
    }
