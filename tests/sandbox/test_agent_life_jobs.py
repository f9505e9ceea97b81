"""What happens to rows behind a date filter's back: jobs, period end, utilities, backups."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.sandbox.agent import (
    Company,
    ModelError,
    arrangements,
    backups,
    batches,
    jobs,
    maintenance,
    posting,
    renumbering,
    stamps,
)
from connector.sandbox.agent.renumbering import invoice_key
from connector.sandbox.agent.terms import BUCKETS
from tests.sandbox.agent_wire import NOW, serving, small_model
from tests.sandbox.test_agent_life_machine import check_books
from tests.sandbox.test_agent_seed import customer_of, money

ABF, OTHER = ("01", "ABF"), ("02", "ABF")
STAMPS = ("DateCreated", "TimeCreated", "DateUpdated", "TimeUpdated")


def stamps_of(company: Company) -> dict[str, list[tuple[str, ...]]]:
    """Every stamp there is, by entity."""
    return {
        entity: [tuple(row.get(name, "") for name in STAMPS) for row in company.rows(entity)]
        for entity in ("AR_Customer", "AR_CustomerContact", "AR_Invoice", "AP_Vendor")
    }


def numbers(rows: Iterable[dict[str, str]]) -> set[str]:
    return {row["InvoiceNo"] for row in rows}


def test_an_import_changes_many_customers_and_no_stamp() -> None:
    """A Visual Integrator import writes one value into every customer and stamps nothing."""
    company = small_model().company()
    before = stamps_of(company)
    assert jobs.import_customers(company, {"CreditLimit": "777"}) == 60
    assert {row["CreditLimit"] for row in company.rows("AR_Customer")} == {"777"}
    assert stamps_of(company) == before
    new = ("01", "IMPORTED")
    jobs.import_customers(company, {"City": "Racine"}, [ABF, new])
    assert company.row("AR_Customer", new)["DateCreated"] == ""
    jobs.import_customers(company, {"City": "Dallas"}, [new], stamp=True)
    assert company.row("AR_Customer", new)["DateUpdated"] == "20261122"


@pytest.mark.parametrize(("kind", "line"), [("CM", "C"), ("PP", "X"), ("PY", "P")])
def test_matching_a_credit_changes_both_balances_and_no_stamp(kind: str, line: str) -> None:
    """A credit applied lowers the invoice and itself, leaves history lines, and stamps neither."""
    company = small_model().company()
    invoice = posting.post_invoice(company, ABF, "100")
    credit = posting.post_invoice(company, ABF, "-30", invoice_type=kind)
    before = stamps_of(company)
    jobs.match_credit(company, credit, invoice, "20")
    assert company.row("AR_Invoice", invoice)["Balance"] == "80"
    assert company.row("AR_Invoice", credit)["Balance"] == "-10"
    (_, applied) = company.rows("AR_Payment", *ABF, invoice[2])
    assert (applied["TransactionType"], applied["TransactionAmt"]) == (line, "-20")
    assert stamps_of(company) == before
    jobs.match_credit(company, credit, invoice)
    assert company.row("AR_Invoice", credit)["Balance"] == "0"
    check_books(company)
    with pytest.raises(ModelError, match="cannot give"):
        jobs.match_credit(company, credit, invoice)
    with pytest.raises(ModelError, match="same customer"):
        jobs.match_credit(company, credit, posting.post_invoice(company, OTHER, "5"))


def test_posting_can_leave_customers_unstamped() -> None:
    """Where journal updates do not stamp AR_Customer, its balance moves under an old stamp."""
    company = small_model().company()
    stamps.restamp(company, "AR_Customer", datetime(2020, 1, 1), [ABF])
    company.posting_stamps_customers = False
    invoice = posting.post_invoice(company, ABF, "50")
    posting.receive_payment(company, invoice, "20")
    assert company.row("AR_Customer", ABF)["DateUpdated"] == "20200101"
    assert company.row("AR_Customer", ABF)["DateLastPayment"] == "20261122"
    assert company.row("AR_Invoice", invoice)["DateUpdated"] == "20261122"
    company.posting_stamps_customers = True
    posting.receive_payment(company, invoice, "1")
    assert company.row("AR_Customer", ABF)["DateUpdated"] == "20261122"


def test_refreshing_the_aging_moves_buckets_only() -> None:
    """The aging report writes buckets and DateLastAging; their sum and the stamps stay."""
    company = small_model().company()
    before, stamped = list(company.rows("AR_Customer")), stamps_of(company)
    assert jobs.refresh_aging(company, NOW.date() + timedelta(days=90)) == 60
    moved = 0
    for old, new in zip(before, company.rows("AR_Customer"), strict=True):
        changed = {name for name in old if old[name] != new[name]}
        assert changed <= {*BUCKETS, "DateLastAging"}
        assert new["DateLastAging"] == "20270220"
        assert sum(money(new[b]) for b in BUCKETS) == sum(money(old[b]) for b in BUCKETS)
        moved += len(changed) > 1
    assert moved > 10
    assert stamps_of(company) == stamped
    assert jobs.refresh_aging(company, customers=[ABF]) == 1
    assert company.row("AR_Customer", ABF)["DateLastAging"] == "20261122"


def test_renumbering_moves_every_row_and_stamps_none() -> None:
    """A customer's rows reappear under the new key in every file, buyer's columns included."""
    company = small_model().company()
    bought = arrangements.national_invoice(company, OTHER, ABF, "70")
    batches.enter_invoice(company, "00001", ABF, "5", invoice_no="BATCHED")
    entities = ("AR_Customer", "AR_CustomerContact", "AR_Invoice", "AR_Payment")
    before = {entity: list(company.rows(entity, *ABF)) for entity in entities}
    new = ("01", "RENUMBERED-1")
    renumbering.renumber_customer(company, ABF, new)
    for entity in entities:
        assert list(company.rows(entity, *ABF)) == []
        moved = [{**row, "CustomerNo": new[1]} for row in before[entity]]
        assert list(company.rows(entity, *new)) == moved
    assert company.row("AR_Invoice", bought)["SoldToCustomerNo"] == new[1]
    (posted,) = batches.post_batch(company, "00001")
    assert posted[:2] == new
    check_books(company)
    with pytest.raises(ModelError, match="merge the two"):
        renumbering.renumber_customer(company, new, OTHER)


def test_merging_adds_what_was_owed_and_bought() -> None:
    """The source's row is gone, the target owes and has bought the sum, under its own name."""
    company = small_model().company()

    def figures(*customers: tuple[str, str]) -> tuple[Decimal, Decimal]:
        rows = [company.find("AR_Customer", customer) or {} for customer in customers]
        sold = [r for c in customers for r in company.rows("AR_CustomerSalesHistory", *c)]
        return (
            sum((money(row[b]) for row in rows if row for b in BUCKETS), Decimal(0)),
            sum((money(row["DollarsSold"]) for row in sold), Decimal(0)),
        )

    before, name = figures(ABF, OTHER), company.row("AR_Customer", OTHER)["CustomerName"]
    renumbering.merge_customers(company, ABF, OTHER)
    assert company.find("AR_Customer", ABF) is None
    assert figures(OTHER) == before
    assert company.row("AR_Customer", OTHER)["CustomerName"] == name
    check_books(company)
    with pytest.raises(ModelError, match="itself"):
        renumbering.merge_customers(company, OTHER, OTHER)


def test_a_merge_that_would_lose_an_item_is_refused() -> None:
    """Two open items of the same number and type cannot come under one customer."""
    company = small_model().company()
    for customer in (ABF, OTHER):
        posting.post_invoice(company, customer, "5", invoice_no="SAME", history=False)
    before = backups.back_up(company)
    with pytest.raises(ModelError, match="both have IN SAME"):
        renumbering.merge_customers(company, ABF, OTHER)
    assert backups.back_up(company) == before


def test_expanding_pads_every_invoice_number_anew() -> None:
    """Numeric numbers get zeros to 20 characters in every file, others stay; new ones follow."""
    company = small_model().company()
    batches.enter_invoice(company, "00001", ABF, "5")
    entities = ("AR_Invoice", "AR_InvoiceDetail", "AR_Payment")
    before = {entity: list(company.rows(entity)) for entity in entities}
    renumbering.expand_invoice_numbers(company)
    for entity in entities:
        expected = [
            {**row, "InvoiceNo": n.zfill(20) if (n := row["InvoiceNo"]).isdigit() else n}
            for row in before[entity]
        ]
        names = company.table(entity).entity.key
        expected.sort(key=lambda row: company.table(entity).entity.padded([row[n] for n in names]))
        assert list(company.rows(entity)) == expected
    assert any(not number.isdigit() for number in numbers(before["AR_Invoice"]))
    (posted,) = batches.post_batch(company, "00001")
    assert posted[2] == "00000000000000100240"
    assert posting.post_invoice(company, ABF, "1")[2] == "00000000000000100241"
    check_books(company)
    with pytest.raises(ModelError, match="no expansion"):
        renumbering.expand_invoice_numbers(company)


async def test_the_agent_tells_the_new_width() -> None:
    """After the expansion GetInfo describes 20 characters, and rows can be asked for by them."""
    async with serving() as wire:
        renumbering.expand_invoice_numbers(wire.agent.company)
        answer = await wire.call("GetInfo", "")
        assert answer.body.count(b'name="InvoiceNo" type="string" length="20"') == 3
        (first, *_) = (await wire.page("AR_Invoice", limit=1)).rows
        assert (await wire.row_call("AR_Invoice", invoice_key(first))).status == 200
        assert len(first["InvoiceNo"]) == 20


def test_a_restore_takes_rows_and_stamps_back() -> None:
    """A restored backup is byte for byte what was there, the numbering and batches too."""
    company = small_model().company()
    batches.enter_invoice(company, "00001", ABF, "5")
    backup = backups.back_up(company)
    maintenance.change_customer(company, ABF, {"City": "Elsewhere"})
    batches.post_batch(company, "00001")
    renumbering.expand_invoice_numbers(company)
    renumbering.renumber_customer(company, ABF, ("01", "AWAY"))
    backups.restore(company, backup)
    assert backups.back_up(company) == backup
    assert company.invoice_digits == 7
    assert posting.post_invoice(company, ABF, "1")[2] == "0100241"


async def test_another_company_can_be_served_under_the_code() -> None:
    """The right code with a stranger's rows: what was there can be put back."""
    async with serving() as wire:
        company, stranger = wire.agent.company, small_model(seed=9).company()
        own = backups.serve_instead(company, stranger)
        assert (await wire.page("AR_Customer")).rows == list(stranger.rows("AR_Customer"))
        maintenance.change_customer(company, ABF, {"City": "Nowhere"})
        assert stranger.row("AR_Customer", ABF)["City"] != "Nowhere"
        backups.restore(company, own)
        assert backups.back_up(company) == own


async def test_unposted_invoices_are_not_served() -> None:
    """A batch shows nowhere until it is posted; then all of it does, under new numbers if so."""
    async with serving() as wire:
        company = wire.agent.company
        before = backups.back_up(company).files
        first = batches.enter_invoice(company, "00001", ABF, "10")
        batches.enter_invoice(company, "00001", OTHER, "-4", invoice_type="CM")
        gone = batches.enter_invoice(company, "00001", ABF, "99")
        batches.edit_invoice(company, "00001", first, "12.34")
        batches.delete_invoice(company, "00001", gone)
        assert backups.back_up(company).files == before
        one, two = batches.post_batch(company, "00001", renumber=True)
        served = {invoice_key(r) for p in await wire.everything("AR_Invoice") for r in p.rows}
        assert {one, two} <= served
        assert {first, gone}.isdisjoint({key[2] for key in served})
        assert company.row("AR_Invoice", one)["Balance"] == "12.34"
        check_books(company)
        for work in (
            lambda: batches.post_batch(company, "00001"),
            lambda: batches.delete_invoice(company, "00001", first),
        ):
            with pytest.raises(ModelError, match="00001"):
                work()


def test_national_accounts_owe_what_others_bought() -> None:
    """The item is the payer's, the buyer stands in SoldTo; the balance is the payer's alone."""
    company = small_model().company()
    before = list(company.rows("AR_Invoice", *ABF))
    key = arrangements.national_invoice(company, OTHER, ABF, "70", fields={"Comment": "HQ"})
    row = company.row("AR_Invoice", key)
    assert customer_of(row) == OTHER
    assert (row["SoldToDivisionNo"], row["SoldToCustomerNo"], row["Comment"]) == (*ABF, "HQ")
    assert list(company.rows("AR_Invoice", *ABF)) == before
    check_books(company)


def test_balance_forward_customers_keep_one_line() -> None:
    """Carrying forward leaves a BF line with the sum; the invoices stay as history, closed."""
    company = small_model().company()
    with pytest.raises(ModelError, match="open-item customer"):
        arrangements.carry_forward(company, ABF)
    invoice = posting.post_invoice(company, ABF, "70")
    arrangements.keep_balance_forward(company, ABF)
    owed = sum(money(row["Balance"]) for row in company.rows("AR_Invoice", *ABF))
    forward = arrangements.carry_forward(company, ABF)
    assert forward is not None
    open_items = [row for row in company.rows("AR_Invoice", *ABF) if row["IsOpen"] == "Y"]
    assert [invoice_key(row) for row in open_items] == [forward]
    assert forward[4] == "BF"
    assert money(open_items[0]["Balance"]) == owed
    assert company.row("AR_Invoice", invoice)["IsOpen"] == "N"
    assert money(company.row("AR_Customer", ABF)["BalanceForward"]) == owed
    posting.post_invoice(company, ABF, "3", invoice_type="BC")
    assert arrangements.carry_forward(company, ABF) == forward
    assert money(company.row("AR_Invoice", forward)["Balance"]) == owed + 3
    check_books(company)


def test_unknown_types_are_data() -> None:
    """An item can come under a type that nobody knows, its history with it."""
    company = small_model().company()
    invoice = posting.post_invoice(company, ABF, "70")
    odd = renumbering.retype_invoice(company, invoice, "Z9")
    assert company.find("AR_Invoice", invoice) is None
    assert company.row("AR_Invoice", odd)["Balance"] == "70"
    assert list(company.rows("AR_Payment", *ABF, invoice[2], "IN")) == []
    check_books(company)
    with pytest.raises(ModelError, match="already has"):
        renumbering.retype_invoice(company, odd, "Z9")


@pytest.mark.parametrize(
    ("total", "kind"), [("5", "PY"), ("-5", "BC"), ("0", "BF"), ("5", "CM"), ("-5", "IN")]
)
def test_signs_of_documents_are_kept(total: Any, kind: str) -> None:
    """Payments on account are negative, charges positive, and nothing is worth nothing."""
    with pytest.raises(ModelError, match="wrong sign"):
        posting.post_invoice(small_model().company(), ABF, total, invoice_type=kind)
