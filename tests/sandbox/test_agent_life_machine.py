"""Whatever happens to a simulated company, in whatever order: its books stay right to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from connector.sandbox.agent import (
    Company,
    ManualClock,
    ModelError,
    arrangements,
    backups,
    batches,
    build_model,
    jobs,
    maintenance,
    period_end,
    posting,
    renumbering,
    stamps,
)
from connector.sandbox.agent.options import AgentOptions
from connector.sandbox.agent.renumbering import invoice_key, item_of
from connector.sandbox.agent.terms import BUCKETS
from tests.sandbox.agent_wire import NOW, small_model
from tests.sandbox.test_agent_seed import customer_of, money

TINY = AgentOptions(customers=6, invoices=40, vendors=1)


def check_books(company: Company) -> None:
    """Items are the sum of their transactions, buckets of their items, headers of their lines."""
    applied: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    owed: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    lines: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in company.rows("AR_Payment"):
        applied[item_of(row)] += money(row["TransactionAmt"])
    for row in company.rows("AR_InvoiceDetail"):
        lines[row["InvoiceNo"], row["HeaderSeqNo"]] += money(row["ExtensionAmt"])
    open_items = [item_of(row) for row in company.rows("AR_Invoice") if row["IsOpen"] == "Y"]
    assert len(open_items) == len(set(open_items))  # the open file's key has no HeaderSeqNo
    for row in company.rows("AR_Invoice"):
        balance = money(row["Balance"])
        applied[item_of(row)] -= balance
        owed[customer_of(row)] += balance
        assert row["IsOpen"] in {"Y", "N"}
        assert row["IsOpen"] == "Y" or not balance
        if row["ModuleCode"]:
            assert row["HeaderSeqNo"] > "000000"
            sold = money(row["TaxableAmt"]) + money(row["NonTaxableAmt"])
            assert lines.pop((row["InvoiceNo"], row["HeaderSeqNo"])) == sold
        else:
            assert row["HeaderSeqNo"] == "000000"
    assert not any(applied.values())
    assert not any(lines.values())
    for row in company.rows("AR_Customer"):
        cached = sum((money(row[name]) for name in BUCKETS), Decimal(0))
        assert cached == owed.pop(customer_of(row), Decimal(0))
    assert not any(owed.values())


def check_order(company: Company) -> None:
    """Pages of any size find every row once, in the order of the padded keys."""
    for table in company.tables.values():
        found: list[bytes] = []
        position: bytes | None = None
        while True:
            page = table.page(after=position, limit=7, since=None, scan_limit=5)
            found += page.rows
            position = page.position
            if position is None:
                break
        keys = [table.key_of(row) for row in found]
        assert keys == sorted(set(keys))
        assert found == table.dump()


CENTS = st.integers(1, 500_000).map(lambda cents: Decimal(cents) / 100)
AT = st.integers(0, 10_000)
AGO = st.integers(0, 900).map(lambda days: NOW.date() - timedelta(days=days))


class CompanyLife(RuleBasedStateMachine):
    """Random jobs on one small company; what Sage 100 would refuse must change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(NOW)
        self.company = build_model(TINY, self.clock).company()
        self.backup = backups.back_up(self.company)

    @initialize(seed=st.integers(1, 3), messy=st.booleans())
    def begin(self, seed: int, messy: bool) -> None:
        options = AgentOptions(
            seed=seed, customers=6, invoices=40, vendors=1, profile="messy" if messy else "current"
        )
        self.company = build_model(options, self.clock).company()
        self.backup = backups.back_up(self.company)

    def tried(self, work: Callable[[], Any]) -> None:
        before = backups.back_up(self.company)
        try:
            work()
        except ModelError:
            after = backups.back_up(self.company)
            assert after.files == before.files

    def customer(self, at: int) -> tuple[str, str]:
        rows = list(self.company.rows("AR_Customer"))
        return customer_of(rows[at % len(rows)])

    def item(self, at: int, *, credit: bool = False) -> tuple[str, str, str, str, str]:
        rows = [
            row
            for row in self.company.rows("AR_Invoice")
            if (money(row["Balance"]) < 0) == credit and row["IsOpen"] == "Y"
        ] or list(self.company.rows("AR_Invoice"))
        return invoice_key(rows[at % len(rows)])

    @rule(at=AT, total=CENTS, kind=st.sampled_from(["IN", "CM", "DM", "FC", "PP", "PY", "BC"]))
    def post(self, at: int, total: Decimal, kind: str) -> None:
        signed = -total if kind in posting.CREDITS else total
        work = posting.post_invoice
        self.tried(lambda: work(self.company, self.customer(at), signed, invoice_type=kind))

    @rule(at=AT, share=st.integers(1, 150), stamp=st.booleans())
    def pay(self, at: int, share: int, stamp: bool) -> None:
        item = self.item(at)
        owed = money(self.company.row("AR_Invoice", item)["Balance"])
        paid = (abs(owed) * share / 100).quantize(Decimal("0.01"))
        self.tried(lambda: posting.receive_payment(self.company, item, paid, stamp=stamp))

    @rule(at=AT)
    def pay_in_full(self, at: int) -> None:
        item = self.item(at)
        owed = money(self.company.row("AR_Invoice", item)["Balance"])
        self.tried(lambda: posting.receive_payment(self.company, item, owed))

    @rule(at=AT, other=AT)
    def match(self, at: int, other: int) -> None:
        credit = self.item(at, credit=True)
        items = [
            invoice_key(row)
            for row in self.company.rows("AR_Invoice", *credit[:2])
            if money(row["Balance"]) > 0
        ]
        if items:
            self.tried(lambda: jobs.match_credit(self.company, credit, items[other % len(items)]))

    @rule(at=AT, cents=st.integers(-999, 999))
    def adjust(self, at: int, cents: int) -> None:
        self.tried(lambda: posting.adjust(self.company, self.item(at), Decimal(cents) / 100))

    @rule()
    def import_everything(self) -> None:
        count = jobs.import_customers(self.company, {"CreditLimit": "1.5"})
        assert count == len(self.company.table("AR_Customer"))

    @rule(day=AGO)
    def age(self, day: Any) -> None:
        jobs.refresh_aging(self.company, day)

    @rule(days=st.integers(0, 60))
    def end_period(self, days: int) -> None:
        self.tried(lambda: period_end.period_end(self.company, retain_days=days))

    @rule(day=AGO)
    def purge(self, day: Any) -> None:
        period_end.purge_history(self.company, day)

    @rule(day=AGO)
    def purge_payments(self, day: Any) -> None:
        period_end.purge_payments(self.company, day)

    @rule(at=AT, number=st.sampled_from(["ABF", "NEW-1", "0000007", "X" * 20]))
    def renumber(self, at: int, number: str) -> None:
        old = self.customer(at)
        self.tried(lambda: renumbering.renumber_customer(self.company, old, (old[0], number)))

    @rule(at=AT, other=AT)
    def merge(self, at: int, other: int) -> None:
        source, target = self.customer(at), self.customer(other)
        self.tried(lambda: renumbering.merge_customers(self.company, source, target))

    @rule()
    def expand(self) -> None:
        self.tried(lambda: renumbering.expand_invoice_numbers(self.company))

    @rule(at=AT, kind=st.sampled_from(["ZZ", "R1", "IN"]))
    def retype(self, at: int, kind: str) -> None:
        self.tried(lambda: renumbering.retype_invoice(self.company, self.item(at), kind))

    @rule(at=AT, total=CENTS, batch=st.sampled_from(["00001", "00002"]))
    def enter(self, at: int, total: Decimal, batch: str) -> None:
        batches.enter_invoice(self.company, batch, self.customer(at), total)

    @rule(batch=st.sampled_from(["00001", "00002"]), renumber=st.booleans())
    def post_batch(self, batch: str, renumber: bool) -> None:
        if batch in self.company.batches:
            posted = batches.post_batch(self.company, batch, renumber=renumber)
            assert all(self.company.find("AR_Invoice", key) for key in posted)

    @rule(at=AT, other=AT, total=CENTS)
    def national(self, at: int, other: int, total: Decimal) -> None:
        payer, buyer = self.customer(at), self.customer(other)
        arrangements.national_invoice(self.company, payer, buyer, total)

    @rule(at=AT)
    def carry(self, at: int) -> None:
        customer = self.customer(at)
        arrangements.keep_balance_forward(self.company, customer)
        arrangements.carry_forward(self.company, customer)

    @rule(entity=st.sampled_from(["AR_Customer", "AR_Invoice", "AR_Payment"]))
    def restamp(self, entity: str) -> None:
        stamps.restamp(self.company, entity, self.clock())

    @rule()
    def back_up(self) -> None:
        self.backup = backups.back_up(self.company)

    @rule()
    def restore(self) -> None:
        backups.restore(self.company, self.backup)

    @rule(days=st.integers(-2, 40))
    def wait(self, days: int) -> None:
        self.clock.advance(timedelta(days=days))

    @rule(at=AT)
    def enter_customer(self, at: int) -> None:
        fields = {"TemporaryCustomer": "Y", "CustomerStatus": "T"}
        self.tried(lambda: maintenance.add_customer(self.company, ("01", f"TEMP{at % 3}"), fields))

    @invariant()
    def books_are_right(self) -> None:
        check_books(self.company)

    @invariant()
    def pages_are_right(self) -> None:
        check_order(self.company)


def test_books_stay_right_whatever_happens() -> None:
    """Sums hold to the cent, and pages miss nothing, after any order of jobs and utilities."""
    live(examples=12, steps=25)


@pytest.mark.slow
def test_books_stay_right_over_long_lives() -> None:
    """The same over more and longer lives than one waits for every day."""
    live(examples=60, steps=50)


def live(*, examples: int, steps: int) -> None:
    """Search for a life that breaks an invariant."""
    run_state_machine_as_test(
        CompanyLife,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("profile", ["current", "old", "new", "messy"])
def test_every_profile_has_right_books(profile: str) -> None:
    """Old, new and messy companies are as consistent as a plain one."""
    company = small_model(customers=120, invoices=900, profile=profile).company()
    check_books(company)
    check_order(company)
