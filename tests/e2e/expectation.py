"""What HubSpot must hold, worked out from the raw rows of Sage 100 in the plainest way.

Written from the file layouts, Sage 100's rules on terms and aging, and what the built-in mapping
promises. It looks at all rows at once and imports nothing of the product, so that an agreement of
the two is no coincidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from tests.e2e import cells

Row = dict[str, str]
Rows = Mapping[str, list[Row]]  # entity -> its rows
Value = str | Decimal  # "" is no value

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
CREDITS = {"CM", "PP", "PY"}
BUCKETS = ("current", "1_30", "31_60", "61_90", "over_90")


class Setting(msgspec.Struct, frozen=True):
    """One company as its agent and the configuration describe it, on one day."""

    company: str
    as_of: date
    currency: str = "USD"
    basis: str = "DueDate"
    limits: tuple[int, ...] = (30, 60, 90, 120)
    periods: int = 12


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
        people[_customer_of(row, setting)].append(row)
    invoices: dict[str, list[Row]] = defaultdict(list)
    buyers: set[str] = set()
    for row in rows["AR_Invoice"]:
        invoices[_customer_of(row, setting)].append(row)
        if row["InvoiceType"] in {"IN", "CA"}:
            buyers.add(_sold_to(row, setting))
    payments = _payments(rows["AR_Payment"], setting)
    sales = _sales(rows["AR_CustomerSalesHistory"], setting)
    own: dict[str, str] = {}
    for row in rows["AR_Customer"]:
        key = _customer_of(row, setting)
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
            invoice = _invoice_key(row, setting)
            out.invoices[invoice] = _invoice(key, row, setting, terms, payments[invoice])
            out.links.add((f"invoices/{invoice}", f"companies/{key}"))
            out.links.add((f"invoices/{invoice}", f"contacts/{own[key]}"))
            buyer = _sold_to(row, setting)
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


def open_balance(rows: Rows) -> Decimal:
    """Everything that is open in Sage 100, credits deducted."""
    return sum((_balance(row) for row in rows["AR_Invoice"]), Decimal(0))


# ------------------------------------------------------------------ keys


def _customer_of(row: Row, setting: Setting) -> str:
    return f"{setting.company}:{row['ARDivisionNo']}-{row['CustomerNo']}"


def _sold_to(row: Row, setting: Setting) -> str:
    """Who bought; "" where that is who pays, which a blank says as well."""
    buyer = f"{setting.company}:{row.get('SoldToDivisionNo', '')}-{row.get('SoldToCustomerNo', '')}"
    same = not row.get("SoldToCustomerNo") or buyer == _customer_of(row, setting)
    return "" if same else buyer


def _invoice_key(row: Row, setting: Setting, sequence: str = "HeaderSeqNo") -> str:
    number = f"{row['InvoiceNo']}-{row[sequence]}-{row['InvoiceType']}"
    return f"{_customer_of(row, setting)}:{number}"


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
    paid_on, paid = _last_payment(invoices, payments, setting, row)
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
        **_as_sage_aged(row),
        **_aging(invoices, setting, terms),
        "sage100_last_payment_date": cells.shown_day(paid_on),
        "sage100_last_payment_amount": paid,
        "sage100_average_days_to_pay": _days_to_pay(invoices, payments, setting),
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
    total, balance = _total(row), _balance(row)
    due = cells.due_date(row, terms)
    late: Value = ""
    if balance > 0 and due is not None:
        late = Decimal(max(0, (setting.as_of - due).days))
    dates = [when for one in paid if (when := _received(one))]
    always: dict[str, Value] = {
        "sage100_invoice_key": _invoice_key(row, setting),
        "hs_currency": setting.currency,
        "hs_invoice_status": _native_status(row, total, balance),
        "hs_number": row["InvoiceNo"],
        "hs_invoice_date": cells.shown_midnight(cells.day(row["InvoiceDate"])),
        "hs_due_date": cells.shown_midnight(due),
        "hs_purchase_order_number": row["CustomerPONo"],
        "hs_amount_billed": total,
        "sage100_customer_key": customer,
        "sage100_sold_to": _sold_to(row, setting),
        "sage100_invoice_no": row["InvoiceNo"],
        "sage100_invoice_type": TYPES.get(row["InvoiceType"], row["InvoiceType"]),
        "sage100_status": _status(row, total, balance),
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


# ------------------------------------------------------------------ receivables


def _total(row: Row) -> Decimal:
    parts = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
    total = sum((cells.money(row[part]) for part in parts), Decimal(0))
    return -abs(total) if row["InvoiceType"] in CREDITS else total


def _balance(row: Row) -> Decimal:
    return cells.money(row["Balance"]) if row["IsOpen"] == "Y" else Decimal(0)


def _native_status(row: Row, total: Decimal, balance: Decimal) -> str:
    """HubSpot's own: what it has no word for stays the draft that it was created as."""
    if row["InvoiceType"] == "XD":
        return "voided"
    if row["InvoiceType"] in CREDITS or total < 0:
        return "draft"
    return "open" if balance > 0 else "paid"


def _status(row: Row, total: Decimal, balance: Decimal) -> str:
    """A deposit is money received; retainage is not yet due, so holding it back pays nothing."""
    if row["InvoiceType"] == "XD":
        return "void"
    if balance < 0:
        return "credit"
    if not balance:
        return "paid"
    return "partial" if balance < total - cells.money(row["RetentionAmt"]) else "open"


def _aging(invoices: list[Row], setting: Setting, terms: Mapping[str, Row]) -> dict[str, Value]:
    """By due date what is not late is current; by invoice date the first limit is current."""
    by_due = setting.basis == "DueDate"
    limits = (0, *setting.limits[:3]) if by_due else setting.limits[:4]
    sums = [Decimal(0)] * 5
    oldest: list[date] = []
    still_open = [row for row in invoices if _balance(row)]
    for row in still_open:
        due = cells.due_date(row, terms)
        since = due if by_due else cells.day(row["InvoiceDate"])
        age = (setting.as_of - since).days if since else 0
        sums[sum(age > limit for limit in limits)] += _balance(row)
        if due and _balance(row) > 0:
            oldest.append(due)
    return {
        "sage100_balance": sum(sums, Decimal(0)),
        **{f"sage100_aging_{name}": one for name, one in zip(BUCKETS, sums, strict=True)},
        "sage100_oldest_due_date": cells.shown_day(min(oldest, default=None)),
        "sage100_aging_as_of": cells.shown_day(setting.as_of) if still_open else "",
    }


def _as_sage_aged(row: Row) -> dict[str, Value]:
    """What Sage 100's aging report last wrote on the customer, and when."""
    buckets = ("CurrentBalance", *(f"AgingCategory{number}" for number in range(1, 5)))
    return {
        "sage100_aged_balance": sum((cells.money(row[name]) for name in buckets), Decimal(0)),
        "sage100_aged_on": cells.shown_day(cells.day(row["DateLastAging"])),
    }


def _payments(rows: list[Row], setting: Setting) -> dict[str, list[Row]]:
    """Receipts by the invoice they were applied to, number and HeaderSeqNo, as they say it."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["TransactionType"] == "P":
            found[_invoice_key(row, setting, "InvoiceHistoryHeaderSeqNo")].append(row)
    return found


def _received(receipt: Row) -> date | None:
    """The day of a receipt; of one without, the day it was posted."""
    return cells.day(receipt["PaymentDate"]) or cells.day(receipt["TransactionDate"])


def _last_payment(
    invoices: list[Row], payments: Mapping[str, list[Row]], setting: Setting, customer: Row
) -> tuple[date | None, Value]:
    """The newest receipt, the largest of its day; without any what Sage 100 remembers."""
    found = [
        (when, abs(cells.money(one["TransactionAmt"])))
        for row in invoices
        for one in payments.get(_invoice_key(row, setting), ())
        if (when := _received(one))
    ]
    if found:
        return max(found)
    remembered = cells.money(customer["LastPaymentAmt"])
    return cells.day(customer["DateLastPayment"]), remembered or ""


def _days_to_pay(invoices: list[Row], payments: Mapping[str, list[Row]], setting: Setting) -> Value:
    """The mean over paid debits, from the invoice to the receipt that was the last."""
    days = []
    for row in invoices:
        dates = [
            when for one in payments.get(_invoice_key(row, setting), ()) if (when := _received(one))
        ]
        invoiced = cells.day(row["InvoiceDate"])
        if row["InvoiceType"] in {"IN", "DM", "FC"} and not _balance(row) and dates and invoiced:
            days.append((max(dates) - invoiced).days)
    return cells.rounded(Decimal(sum(days)) / len(days)) if days else ""


def _sales(rows: list[Row], setting: Setting) -> dict[str, Decimal]:
    """DollarsSold of the company's last fiscal periods, by customer with any history."""
    periods = sorted({(row["FiscalYear"], row["FiscalPeriod"]) for row in rows})
    if not periods:
        return {}
    year, period = map(int, periods[-1])
    kept = {
        divmod(year * 12 + period - 1 - back, 12)  # twelve periods a year
        for back in range(setting.periods)
    }
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        counts = (int(row["FiscalYear"]), int(row["FiscalPeriod"]) - 1) in kept
        found[_customer_of(row, setting)] += (
            cells.money(row["DollarsSold"]) if counts else Decimal(0)
        )
    return found
