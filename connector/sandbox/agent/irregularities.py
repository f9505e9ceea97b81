"""Data as it is found after twenty years: the `messy` profile, scattered over a seeded company.

What a reader has to live with (reference 4, 5.1 and 9.3): dates that are none, trailing minus,
bytes that Windows-1252 leaves undefined or that were taken for Latin-1, characters lost before,
codes that nobody knows, balance-forward lines, payments on account, stamps that are blank, all
alike or in the future. Each kind occurs at least once where the company is large enough; the books
stay right to the cent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from connector.sandbox.agent import arrangements, posting
from connector.sandbox.agent.model import Company, Row
from connector.sandbox.agent.posting import CustomerKey
from connector.sandbox.agent.renumbering import invoice_key, retype_invoice
from connector.sandbox.agent.stamps import restamp
from connector.sandbox.agent.values import cents, masked

# Blank in the file, empty in SQL Server, a day that no calendar has, a year of nobody's.
BAD_DATES = ("00000000", "17530101", "20230230", "18991230", "99991231")
LEFTOVERS = ("\x81", "\x8d\x9d", "\ufffd", "\x01", "\x90", "\x92", "\x96")
UNKNOWN_INVOICE_TYPES = ("ZZ", "R1")
UNKNOWN_TRANSACTION_TYPES = ("Z", "9", "")


def scatter(company: Company, rng: Random) -> None:
    """Make a seeded company messy; the same seed makes the same mess."""
    for make in (_special_accounts, _unknown_codes, _bad_dates, _odd_text, _stamps):
        make(company, rng)


def _special_accounts(company: Company, rng: Random) -> None:
    for row in _some(company, rng, "AR_Customer", 40, lambda row: row["TemporaryCustomer"] != "Y"):
        customer = _customer(row)
        arrangements.keep_balance_forward(company, customer, stamp=False)
        arrangements.carry_forward(company, customer)
        posting.post_invoice(company, customer, "12.5", invoice_type="BC", stamp=False)
    for row in _some(company, rng, "AR_Customer", 40):
        posting.post_invoice(
            company, _customer(row), -rng.randrange(1, 900), invoice_type="PY", stamp=False
        )


def _unknown_codes(company: Company, rng: Random) -> None:
    plain = _some(company, rng, "AR_Invoice", 150, lambda row: row["InvoiceType"] == "IN")
    for at, row in enumerate(plain):
        kind = UNKNOWN_INVOICE_TYPES[at % len(UNKNOWN_INVOICE_TYPES)]
        retype_invoice(company, invoice_key(row), kind)
    written_off = _some(company, rng, "AR_Payment", 100, lambda row: row["TransactionType"] == "A")
    for at, row in enumerate(written_off):
        kind = UNKNOWN_TRANSACTION_TYPES[at % len(UNKNOWN_TRANSACTION_TYPES)]
        _set(company, "AR_Payment", row, "TransactionType", kind)


def _bad_dates(company: Company, rng: Random) -> None:
    spots = (
        ("AR_Customer", "DateEstablished"),
        ("AR_Customer", "DateLastPayment"),
        ("AR_Customer", "DateUpdated"),
        ("AR_Invoice", "InvoiceDueDate"),
        ("AR_Invoice", "InvoiceDate"),
        ("AR_Payment", "PaymentDate"),
        ("AP_Vendor", "LastPaymentDate"),
    )
    for entity, column in spots:
        for at, row in enumerate(_some(company, rng, entity, 60, least=len(BAD_DATES))):
            _set(company, entity, row, column, BAD_DATES[at % len(BAD_DATES)])


def _odd_text(company: Company, rng: Random) -> None:
    for at, row in enumerate(_some(company, rng, "AR_Customer", 50, least=len(LEFTOVERS))):
        name = row["CustomerName"][:40]
        half = len(name) // 2
        odd = name[:half] + LEFTOVERS[at % len(LEFTOVERS)] + name[half:]
        _set(company, "AR_Customer", row, "CustomerName", odd)
    for row in _some(company, rng, "AR_Invoice", 30, lambda row: row["Balance"].startswith("-")):
        _set(company, "AR_Invoice", row, "Balance", masked(cents(row["Balance"])))
    for row in _some(company, rng, "AR_CustomerContact", 50):
        _set(company, "AR_CustomerContact", row, "ContactName", row["ContactName"][:40] + " – Š")


def _stamps(company: Company, rng: Random) -> None:
    now = company.clock().replace(hour=2, minute=0, second=0, microsecond=0)
    moments = (
        (3, now - timedelta(days=200)),  # the night of the conversion
        (20, None),
        (100, now + timedelta(days=400)),  # a PC whose battery was replaced
        (100, now - timedelta(days=366 * 20)),
    )
    for every, moment in moments:
        rows = _some(company, rng, "AR_Customer", every)
        restamp(company, "AR_Customer", moment, [_customer(row) for row in rows])


def _some(
    company: Company,
    rng: Random,
    entity: str,
    every: int,
    fits: Callable[[Row], bool] = lambda row: True,
    *,
    least: int = 2,
) -> list[Row]:
    """One row in so many of those that fit, but `least` where there are as many."""
    rows = [row for row in company.rows(entity) if fits(row)]
    return rng.sample(rows, min(len(rows), max(least, len(rows) // every)))


def _set(company: Company, entity: str, row: Row, column: str, text: str) -> None:
    key = [row[name] for name in company.table(entity).entity.key]
    company.update(entity, key, {column: text})


def _customer(row: Row) -> CustomerKey:
    return row["ARDivisionNo"], row["CustomerNo"]
