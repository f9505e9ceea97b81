"""Every form a value takes in Sage 100, and what HubSpot shows of it, as literal rows.

Each row is a customer or an invoice entered into the simulated Sage 100; all are read over a real
socket and written to the simulated portal in one run, and after a sweep nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from connector.sandbox.agent import (
    AgentOptions,
    arrangements,
    jobs,
    maintenance,
    posting,
    renumbering,
)
from tests.e2e import holding
from tests.e2e.site import Site, open_site

Shown = dict[str, str]
Enter = Callable[[Site], tuple[str, ...]]
PAYER, BUYER = ("01", "PAYER"), ("01", "BUYER")


class Value(msgspec.Struct, frozen=True):
    """`enter` gives the key in Sage 100; `shown`: properties of the record with our key `key`."""

    name: str
    kind: str
    key: str
    enter: Enter
    shown: Shown


def customer(
    name: str, number: str, shown: Shown, *, division: str = "01", key: str = "", **fields: str
) -> Value:
    """A customer with these raw cells."""

    def enter(site: Site) -> tuple[str, ...]:
        at = (division, number)
        maintenance.add_customer(site.company, at, {"CustomerName": "Somebody"})
        for column, cell in fields.items():
            maintenance.set_raw(site.company, "AR_Customer", at, column, cell)
        return at

    return Value(name, "companies", f"ABC:{division}-{key or number}", enter, shown)


def invoice(name: str, number: str, shown: Shown, *, kind: str = "IN", **cells: str) -> Value:
    """An invoice of 100.00 with these raw cells."""

    def enter(site: Site) -> tuple[str, ...]:
        at = posting.post_invoice(site.company, PAYER, "100", invoice_no=number, history=False)
        if kind != "IN":
            at = renumbering.retype_invoice(site.company, at, kind)
        for column, cell in cells.items():
            maintenance.set_raw(site.company, "AR_Invoice", at, column, cell)
        return at

    return Value(name, "invoices", f"ABC:01-PAYER:{number}-000000-{kind}", enter, shown)


def national(site: Site) -> tuple[str, ...]:
    """The payer owes what the buyer bought."""
    return arrangements.national_invoice(
        site.company, PAYER, BUYER, "420", invoice_no="NATION1", history=False
    )


def unknown(site: Site) -> tuple[str, ...]:
    """A type that third parties made up."""
    old = posting.post_invoice(site.company, PAYER, "7", invoice_no="UNKNOWN", history=False)
    return renumbering.retype_invoice(site.company, old, "ZZ")


ROWS = (
    customer("padded number", "0000007", {"sage100_customer_no": "01-0000007"}),
    customer("letters and a blank", "A B9", {"sage100_customer_no": "01-A B9"}),
    customer("a dash in the number", "A-0007-X", {"sage100_customer_no": "01-A-0007-X"}),
    customer("small letters stay", "aBc", {"sage100_customer_no": "01-aBc"}),
    customer("20 characters", "N" * 20, {"sage100_customer_no": f"01-{'N' * 20}"}),
    customer("division 00", "0000007", {"sage100_customer_no": "00-0000007"}, division="00"),
    customer(
        "the same number again", "0000007", {"name": "Two"}, division="02", CustomerName="Two"
    ),
    customer("alpha-3 Mexico", "MEX", {"country": "Mexico"}, CountryCode="MEX"),
    customer("alpha-3 Austria", "AUT", {"country": "Austria"}, CountryCode="AUT"),
    customer("amount without a zero", "HALF", {"sage100_credit_limit": "0.50"}, CreditLimit=".5"),
    customer("minus behind", "MINUS", {"sage100_credit_limit": "-12.50"}, CreditLimit="12.5-"),
    customer("flag blank", "BLANK", {"sage100_credit_hold": "false"}, CreditHold=""),
    customer("unknown status", "STAT", {"sage100_status": "Q"}, CustomerStatus="Q"),
    customer("unknown terms", "TERMS", {"sage100_terms_code": "77"}, TermsCode="77"),
    customer("Windows-1252 kept", "CP1", {"name": "Café – Š™ é"}, CustomerName="Café – Š™ é"),
    customer("leftover bytes", "CP2", {"name": "Ac me Co"}, CustomerName="Ac\x81me\ufffdCo"),
    customer(
        "several addresses",
        "MAIL",
        {"domain": "two.example"},
        EmailAddress="bad; a@two.example;b@x.y",
    ),
    customer("sentinel date", "AGED", {"sage100_aged_on": ""}, DateLastAging="17530101"),
    customer(
        "cached buckets beside ours",
        "CACHED",
        {
            "sage100_aged_balance": "12.00",
            "sage100_aged_on": "2026-10-31",
            "sage100_balance": "0.00",
        },
        AgingCategory1="12",
        DateLastAging="20261031",
    ),
    invoice("open invoice", "OPEN001", {"sage100_status": "open", "sage100_balance": "100.00"}),
    invoice("garbage date", "DATE001", {"hs_invoice_date": ""}, InvoiceDate="20230230"),
    invoice(
        "due date from the terms",
        "DUE0001",
        {"sage100_due_date": "2026-03-31"},
        InvoiceDate="20260301",
        InvoiceDueDate="",
        TermsCode="01",
    ),
    invoice(
        "due date as stored",
        "DUE0002",
        {"sage100_due_date": "2026-03-05"},
        InvoiceDate="20260301",
        InvoiceDueDate="20260305",
        TermsCode="01",
    ),
    invoice("credit memo", "CREDIT1", {"sage100_status": "credit"}, kind="CM", Balance="100.00-"),
    invoice("prepayment", "PREPAY1", {"sage100_balance": "-40.00"}, kind="PP", Balance="-40"),
    invoice("debit memo", "DEBIT01", {"sage100_invoice_type": "Debit memo"}, kind="DM"),
    invoice("finance charge", "FINANCE", {"sage100_invoice_type": "Finance charge"}, kind="FC"),
    invoice("cancelled number", "VOID001", {"sage100_status": "void"}, kind="XD", Balance="0"),
    invoice("cash sale", "CASH001", {"sage100_status": "paid"}, kind="CA", Balance="0"),
    Value(
        "a type nobody knows",
        "invoices",
        "ABC:01-PAYER:UNKNOWN-000000-ZZ",
        unknown,
        {"sage100_invoice_type": "ZZ", "sage100_balance": "7.00"},
    ),
    Value(
        "national account: the payer owes",
        "invoices",
        "ABC:01-PAYER:NATION1-000000-IN",
        national,
        {
            "sage100_customer_key": "ABC:01-PAYER",
            "sage100_sold_to": "ABC:01-BUYER",
            "sage100_balance": "420.00",
        },
    ),
)


async def test_each_value_is_shown_as_it_is_meant(tmp_path: Path) -> None:
    """Every row's record is there under its key, with each of its properties."""
    options = AgentOptions(seed=95, customers=5, invoices=5, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        for key in (PAYER, BUYER):
            maintenance.add_customer(site.company, key, {"CustomerName": key[1].title()})
        for row in ROWS:
            row.enter(site)
        assert (await app.run_once()).complete
        held = holding.held(site.portal)
        wrong = []
        for row in ROWS:
            properties = held[row.kind].get(row.key, {})
            wrong += [
                f"{row.name}: {name} is {properties.get(name, '')!r}, not {value!r}"
                for name, value in row.shown.items()
                if not same(properties.get(name, ""), value)
            ]
        assert wrong == []
        assert [row.name for row in ROWS if row.key not in held[row.kind]] == []
        written = site.portal.calls.writes
        assert (await app.run_once(sweep=True)).complete
        assert site.portal.calls.writes == written


async def test_aging_moves_with_the_day_and_not_with_sage_100s_buckets(tmp_path: Path) -> None:
    """Our buckets follow the due dates as of today; Sage 100's own only stand beside them."""
    options = AgentOptions(seed=96, customers=4, invoices=4, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        maintenance.add_customer(site.company, PAYER, {"CustomerName": "Payer"})
        today = site.today()
        for days, amount in ((0, "1"), (10, "2"), (40, "4"), (70, "8"), (400, "16")):
            at = posting.post_invoice(site.company, PAYER, amount, history=False)
            due = f"{today - timedelta(days=days):%Y%m%d}"
            maintenance.set_raw(site.company, "AR_Invoice", at, "InvoiceDueDate", due)
        for column in ("CurrentBalance", "AgingCategory1", "AgingCategory2"):
            maintenance.set_raw(site.company, "AR_Customer", PAYER, column, "999")
        assert (await app.run_once()).complete
        shown = holding.held(site.portal)["companies"]["ABC:01-PAYER"]
        names = ("current", "1_30", "31_60", "61_90", "over_90")
        assert [float(shown[f"sage100_aging_{name}"]) for name in names] == [1, 2, 4, 8, 16]
        assert float(shown["sage100_balance"]) == 31
        jobs.refresh_aging(site.company)
        assert (await app.run_once(sweep=True)).complete
        again = holding.held(site.portal)["companies"]["ABC:01-PAYER"]
        assert float(again["sage100_aged_balance"]) == 31
        assert [again[f"sage100_aging_{name}"] for name in names] == [
            shown[f"sage100_aging_{name}"] for name in names
        ]


def same(shown: str, wanted: str) -> bool:
    """Equal as texts, or as numbers when both are."""
    try:
        return float(shown) == float(wanted)
    except ValueError:
        return shown == wanted
