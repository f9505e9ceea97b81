"""The seeded Sage 100: reproducible, consistent to the cent, and as varied as real ones."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.sandbox.agent import (
    AgentOptions,
    CompanyOptions,
    ManualClock,
    Model,
    ModelError,
    build_model,
)
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.terms import BUCKETS, fiscal_period
from tests.sandbox.agent_wire import NOW, SMALL, small_model

Row = dict[str, str]


@pytest.fixture(scope="module")
def model() -> Model:
    return small_model(customers=400, invoices=2000, vendors=30)


def money(text: str) -> Decimal:
    """Sage 100's number text, read a second time and independently."""
    text = text.replace(",", "")
    return -Decimal(text[:-1]) if text.endswith("-") else Decimal(text or "0")


def customer_of(row: Row) -> tuple[str, str]:
    return row["ARDivisionNo"], row["CustomerNo"]


def total(row: Row) -> Decimal:
    names = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
    return sum((money(row[name]) for name in names), Decimal(0))


def test_one_seed_makes_one_model() -> None:
    """The same seed, sizes and moment give the same rows; another seed gives others."""
    one, same, other = small_model(7), small_model(7), small_model(8)
    for entity in ENTITIES:
        assert one.rows(entity) == same.rows(entity)
    assert one.rows("AR_Customer") != other.rows("AR_Customer")


def test_the_time_of_day_shows_in_todays_stamps_only() -> None:
    """Built later on the same day, a model differs in nothing but the times stamped today."""
    one = small_model()
    later = build_model(SMALL, ManualClock(NOW + timedelta(hours=7, minutes=41)))
    for entity in ENTITIES:
        for a, b in zip(one.rows(entity), later.rows(entity), strict=True):
            differing = {name for name in a if a[name] != b[name]}
            assert differing <= {"TimeCreated", "TimeUpdated"}
            assert all(a[name.replace("Time", "Date")] == "20261122" for name in differing)


@pytest.mark.parametrize(("customers", "invoices"), [(0, 0), (1, 0), (1, 1), (2, 60), (500, 3)])
def test_sizes_are_met_exactly(customers: int, invoices: int) -> None:
    """A model has as many customers and invoices as asked for, however few."""
    small = small_model(customers=customers, invoices=invoices, vendors=0)
    assert small.count("AR_Customer") == customers
    assert small.count("AR_Invoice") == invoices
    assert small.count("AP_Vendor") == 0


def test_every_kind_of_key_is_there(model: Model) -> None:
    """Customer numbers: padded numerics, letters, punctuation, 20 characters, in two divisions."""
    numbers = [row["CustomerNo"] for row in model.rows("AR_Customer")]
    assert any(n.isdigit() and n.startswith("00") for n in numbers)
    assert any(n.isalpha() for n in numbers)
    assert any("-" in n for n in numbers)
    assert any("'" in n for n in numbers)
    assert any("&" in n and " " in n for n in numbers)
    assert any(len(n) == 20 for n in numbers)
    divisions = defaultdict(set)
    for row in model.rows("AR_Customer"):
        divisions[row["CustomerNo"]].add(row["ARDivisionNo"])
    assert sum(found == {"01", "02"} for found in divisions.values()) > 5


def test_every_kind_of_document_is_there() -> None:
    """Even a small model holds each invoice type, open, partly paid and paid where it can be."""
    small = small_model(invoices=60)
    found = defaultdict(list)
    for row in small.rows("AR_Invoice"):
        found[row["InvoiceType"]].append(row)
    assert set(found) == {"IN", "CM", "DM", "FC", "PP", "CA", "XD"}
    for kind in ("IN", "DM", "FC"):
        assert any(money(row["Balance"]) == total(row) for row in found[kind])
        assert any(money(row["Balance"]) == 0 for row in found[kind])
    assert any(0 < money(row["Balance"]) < total(row) for row in found["IN"])
    for kind in ("CM", "PP"):
        assert all(total(row) < 0 for row in found[kind])
        assert any(money(row["Balance"]) < 0 for row in found[kind])
    for kind in ("CA", "XD"):
        assert {(row["Balance"], row["IsOpen"]) for row in found[kind]} == {("0", "N")}


def test_numbers_are_reused_as_in_life(model: Model) -> None:
    """Some numbers serve twice (000002), some an IN and a CM, some open items lack history."""
    numbers = defaultdict(list)
    for row in model.rows("AR_Invoice"):
        numbers[row["InvoiceNo"]].append(row)
    twice = [rows for rows in numbers.values() if len(rows) == 2]
    kinds = {tuple(sorted(row["InvoiceType"] for row in rows)) for rows in twice}
    assert kinds == {("CM", "IN"), ("IN", "IN")}
    for rows in twice:
        assert sorted(row["HeaderSeqNo"] for row in rows) == ["000001", "000002"]
    unrecorded = [row for row in model.rows("AR_Invoice") if row["ModuleCode"] == ""]
    assert {row["HeaderSeqNo"] for row in unrecorded} == {"000000"}
    assert {row["InvoiceType"] for row in unrecorded} == {"IN", "PP"}
    with_history = [
        (row["InvoiceNo"], row["HeaderSeqNo"])
        for row in model.rows("AR_Invoice")
        if row["ModuleCode"]
    ]
    assert len(set(with_history)) == len(with_history)


def test_some_documents_lack_a_due_date(model: Model) -> None:
    """A few open items leave InvoiceDueDate blank, so that the terms must be used."""
    undated = [row for row in model.rows("AR_Invoice") if not row["InvoiceDueDate"]]
    codes = {row["TermsCode"] for row in model.rows("AR_TermsCode")}
    assert 0 < len(undated) < 100
    assert all(row["IsOpen"] == "Y" and row["TermsCode"] in codes for row in undated)


def test_balance_is_original_less_applied(model: Model) -> None:
    """Every item's balance is what was posted plus its signed transactions, to the cent."""
    applied: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    posted: dict[tuple[str, ...], Decimal] = {}
    for row in model.rows("AR_Payment"):
        key = (
            *customer_of(row),
            row["InvoiceNo"],
            row["InvoiceHistoryHeaderSeqNo"],
            row["InvoiceType"],
        )
        if row["TransactionType"] == "P":
            assert money(row["TransactionAmt"]) < 0
        if key not in posted:
            posted[key] = money(row["TransactionAmt"])
        applied[key] += money(row["TransactionAmt"])
    for row in model.rows("AR_Invoice"):
        key = (*customer_of(row), row["InvoiceNo"], row["HeaderSeqNo"], row["InvoiceType"])
        if row["InvoiceType"] in {"CA", "XD"}:
            assert key not in posted
            continue
        expected = total(row) - money(row["DepositAmt"]) - money(row["RetentionAmt"])
        assert posted.pop(key) == expected
        assert money(row["Balance"]) == applied[key]
        if row["IsOpen"] == "N":
            assert applied[key] == 0
    assert not posted


def test_transactions_are_of_several_types(model: Model) -> None:
    """The payment file also holds postings, credits and write-offs, which are no payments."""
    types = {row["TransactionType"] for row in model.rows("AR_Payment")}
    assert types == {"I", "C", "D", "F", "X", "P", "A"}


def test_buckets_are_the_open_items(model: Model) -> None:
    """A customer's cached buckets add up to the balances of its items."""
    owed: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in model.rows("AR_Invoice"):
        owed[customer_of(row)] += money(row["Balance"])
    for row in model.rows("AR_Customer"):
        cached = sum((money(row[name]) for name in BUCKETS), Decimal(0))
        assert cached == owed.pop(customer_of(row), Decimal(0))
    assert not owed


def test_lines_add_up(model: Model) -> None:
    """The lines of a recorded invoice add up to its taxable and non-taxable amounts."""
    lines: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in model.rows("AR_InvoiceDetail"):
        lines[row["InvoiceNo"], row["HeaderSeqNo"]] += money(row["ExtensionAmt"])
    recorded = [row for row in model.rows("AR_Invoice") if row["ModuleCode"]]
    for row in recorded:
        expected = money(row["TaxableAmt"]) + money(row["NonTaxableAmt"])
        assert lines.pop((row["InvoiceNo"], row["HeaderSeqNo"])) == expected
    assert not lines


def test_sales_history_is_what_was_sold(model: Model) -> None:
    """DollarsSold of a fiscal period is the sum of that period's documents, for 24 periods."""
    sold: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in model.rows("AR_Invoice"):
        if row["InvoiceType"] in {"IN", "CM", "DM", "CA"}:
            when = date.fromisoformat(row["InvoiceDate"])
            period = (*customer_of(row), f"{when.year}", f"{when.month:02d}")
            sold[period] += money(row["TaxableAmt"]) + money(row["NonTaxableAmt"])
    rows = model.rows("AR_CustomerSalesHistory")
    for row in rows:
        key = (*customer_of(row), row["FiscalYear"], row["FiscalPeriod"])
        assert money(row["DollarsSold"]) == sold[key]
    periods = {row["FiscalYear"] + row["FiscalPeriod"] for row in rows}
    assert len(periods) == 24
    assert (min(periods), max(periods)) == ("202412", "202611")


def test_customer_dates_follow_the_ledger(model: Model) -> None:
    """DateLastPayment and LastPaymentAmt are those of the customer's latest receipt."""
    latest: dict[tuple[str, str], str] = {}
    amounts: defaultdict[tuple[str, str, str], set[Decimal]] = defaultdict(set)
    for row in model.rows("AR_Payment"):
        if row["TransactionType"] == "P":
            key = customer_of(row)
            latest[key] = max(latest.get(key, ""), row["PaymentDate"])
            amounts[(*key, row["PaymentDate"])].add(-money(row["TransactionAmt"]))
    for row in model.rows("AR_Customer"):
        key = customer_of(row)
        assert row["DateLastPayment"] == latest.get(key, "")
        if key in latest:
            assert money(row["LastPaymentAmt"]) in amounts[(*key, latest[key])]


def test_cells_fit_their_columns(model: Model) -> None:
    """Every cell is within its width and of its type, as raw Sage 100 text."""
    for name, entity in ENTITIES.items():
        for row in model.rows(name):
            for column in entity.columns:
                cell = row[column.name]
                assert cell == cell.rstrip(" ")
                cell.encode("cp1252")
                if column.type == "number":
                    money(cell)
                elif column.type == "date":
                    assert not cell or date.fromisoformat(cell)
                    assert not cell or len(cell) == 8
                elif column.type == "time":
                    assert not cell or 0 <= Decimal(cell) < 24
                    assert len(cell) <= 8
                elif column.type == "flag":
                    assert cell in {"Y", "N", ""}
                assert column.type == "number" or len(cell) <= column.length


def test_text_is_as_odd_as_in_life(model: Model) -> None:
    """Names need escaping and Windows-1252, numbers come as `.5` style and with trailing minus."""
    names = "".join(row["CustomerName"] for row in model.rows("AR_Customer"))
    assert {"&", "'", "<", "é", "ñ", "Š", "™", "–", "Œ"} <= set(names)
    cells = [row[c] for row in model.rows("AR_Invoice") for c in ("TaxableAmt", "SalesTaxAmt")]
    assert any(cell.endswith("-") for cell in cells)
    assert any(cell.startswith(".") for cell in cells)
    times = [row["TimeCreated"] for row in model.rows("AR_Customer")]
    assert "" in times
    assert any(time.find(".") == 1 for time in times)


def test_customers_vary(model: Model) -> None:
    """Countries are alpha-3; mail is single, several, blank or broken; holds and states occur."""
    rows = model.rows("AR_Customer")
    assert {row["CountryCode"] for row in rows} == {"USA", "CAN", "MEX", ""}
    mails = [row["EmailAddress"] for row in rows]
    assert "" in mails
    assert any(";" in mail for mail in mails)
    assert any(mail and "@" not in mail for mail in mails)
    assert {row["CreditHold"] for row in rows} == {"Y", "N"}
    assert {row["CustomerStatus"] for row in rows} == {"A", "I", "T"}
    assert len({row["TermsCode"] for row in rows}) >= 7
    assert {row["ARDivisionNo"] for row in rows} == {"01", "02"}


def test_contacts_belong_to_customers(model: Model) -> None:
    """Contacts point to customers, most customers name one, and no two share a mail address."""
    customers = {customer_of(row): row for row in model.rows("AR_Customer")}
    contacts = model.rows("AR_CustomerContact")
    codes = {(*customer_of(row), row["ContactCode"]) for row in contacts}
    mails = [row["EmailAddress"] for row in contacts if row["EmailAddress"]]
    assert {customer_of(row) for row in contacts} <= set(customers)
    assert len(mails) == len(set(mails))
    named = [row for row in customers.values() if row["ContactCode"]]
    assert len(customers) * 0.5 < len(named) < len(customers)
    assert all((*customer_of(row), row["ContactCode"]) in codes for row in named)
    counts = dict.fromkeys(customers, 0)
    for row in contacts:
        counts[customer_of(row)] += 1
    assert set(counts.values()) == {0, 1, 2, 3}


def test_mail_addresses_differ_across_companies() -> None:
    """Two companies never share a contact's mail address."""
    both = small_model(companies=(CompanyOptions(), CompanyOptions(code="XYZ")))
    mails = [
        {row["EmailAddress"] for row in both.rows("AR_CustomerContact", code)} - {""}
        for code in ("ABC", "XYZ")
    ]
    assert mails[0].isdisjoint(mails[1])
    assert all(mails)


def test_nothing_is_stamped_after_now(model: Model) -> None:
    """No seeded stamp lies behind the clock, and some rows have none."""
    today = f"{NOW:%Y%m%d}"
    hours = Decimal(NOW.hour) + Decimal(NOW.minute) / 60 + Decimal(NOW.second + 1) / 3600
    for entity in ("AR_Customer", "AR_CustomerContact", "AR_Invoice", "AP_Vendor"):
        rows = model.rows(entity)
        for row in rows:
            for kind in ("Created", "Updated"):
                assert row[f"Date{kind}"] <= today
                assert bool(row[f"Date{kind}"]) == bool(row[f"Time{kind}"])
                if row[f"Date{kind}"] == today:
                    assert Decimal(row[f"Time{kind}"]) <= hours
        assert entity == "AP_Vendor" or any(not row["DateCreated"] for row in rows)


def test_fiscal_years_need_not_be_calendar_years() -> None:
    """A fiscal year that starts in October is named after the year it ends in."""
    company = CompanyOptions(fiscal_year_starts=10)
    assert fiscal_period(date(2026, 9, 30), company) == (2026, 12)
    assert fiscal_period(date(2026, 10, 1), company) == (2027, 1)
    assert fiscal_period(date(2026, 11, 22), CompanyOptions()) == (2026, 11)


def test_wrong_options_are_refused() -> None:
    """Options that make no sense are named when they are built."""
    for wrong in (
        {"customers": -1},
        {"customers": 0, "invoices": 5},
        {"time_zone": "Chicago"},
        {"path": "/control"},
        {"username": "a:b"},
        {"companies": ()},
        {"companies": (CompanyOptions(), CompanyOptions())},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
            AgentOptions(**wrong)
    with pytest.raises(ValueError, match="company code"):
        CompanyOptions(code="abc")
    with pytest.raises(ModelError, match="no company"):
        small_model(customers=1, invoices=0).company("XXX")
