"""Seeded receivables: every kind of document, paid or not, with the transactions that prove it.

Documents are numbered from the oldest to the newest. Most are plain invoices whose fate follows
their age; every block of a hundred also holds one of each special case below, and the newest block
always does, so that even a small model has them all. All arithmetic is in cents: an item's balance
is the sum of its transactions, the customers' buckets are the sums of their balances.
"""

from __future__ import annotations

from random import Random

import msgspec

from connector.sandbox.agent.accounts import Account
from connector.sandbox.agent.documents import Item, Transaction, fate, figures, settle
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.table import pack
from connector.sandbox.agent.timeline import Timeline
from connector.sandbox.agent.values import amount, masked
from connector.sandbox.agent.words import ITEMS, TERMS

HISTORY_DAYS = 900
RETAINED_DAYS = 45  # paid items leave the open file so many days after their last transaction
FIRST_NUMBER = 100_000
POSTINGS = {"IN": "I", "CM": "C", "DM": "D", "FC": "F", "PP": "X"}
SOLD = frozenset({"IN", "CM", "DM", "CA"})

_DETAIL = ENTITIES["AR_InvoiceDetail"]
_PURCHASE_ORDERS = ("", "{0}", "PO-{0}", "Verbal – Kim", "#{0}/A&B")


class Case(msgspec.Struct, frozen=True):
    """What becomes of one document: its type, its fate, and what is special about it."""

    kind: str = "IN"
    fate: str = "aged"  # open | part | paid | aged (as its age suggests)
    trait: str = ""


SPECIALS = (
    Case("IN", "open"),
    Case("IN", "part"),
    Case("IN", "paid"),
    Case("CM", "open"),
    Case("DM", "open"),
    Case("FC", "open"),
    Case("PP", "open"),
    Case("CA", "paid"),
    Case("XD", "paid"),
    Case("CM", "paid"),
    Case("CM", "open", "twin"),  # the number of the invoice before it
    Case("IN", "open"),
    Case("IN", "open", "reused"),  # a number that an older invoice had
    Case("IN", "open", "unrecorded"),  # an open item without a history row
    Case("IN", "open", "undated"),  # no due date: the terms decide
    Case("IN", "open", "deposit"),
    Case("IN", "open", "retention"),
    Case("IN", "open", "orders"),  # several sales orders billed on one invoice
    Case("IN", "part", "national"),  # sold to one customer, paid by another
    Case("IN", "paid", "adjusted"),
    Case("IN", "part", "credited"),
    Case("IN", "open", "converted"),  # no stamps at all
    Case("DM", "paid"),
    Case("FC", "paid"),
)
BLOCK = SPECIALS + (Case(),) * (100 - len(SPECIALS))


class Files(msgspec.Struct):
    """Packed rows by file, as they are made."""

    invoices: list[bytes] = []
    payments: list[bytes] = []
    details: list[bytes] = []
    sales: list[bytes] = []


class Ledger:
    """Writes one company's documents; `accounts` collect what becomes of them."""

    def __init__(
        self, rng: Random, accounts: list[Account], timeline: Timeline, *, details: bool
    ) -> None:
        self._rng = rng
        self._accounts = accounts
        self._timeline = timeline
        self._details = details
        self._files = Files()
        self._sales: dict[tuple[int, int, int], int] = {}  # account, year, period → cents
        self._kept_periods = timeline.recent_periods(24)
        self._previous: tuple[int, str] | None = None  # account and number of the last plain IN
        self._reusable: list[tuple[int, str]] = []

    def seed(self, count: int) -> Files:
        """Write `count` documents, oldest first, and everything that hangs on them."""
        block = list(BLOCK)
        cases: list[Case] = []
        while len(cases) < count:
            cases += block
            block = list(BLOCK)
            self._rng.shuffle(block)
        for at in range(count):
            ago = int(HISTORY_DAYS * (1 - (at + 1) / count) ** 1.2)
            self._document(at, ago, cases[count - 1 - at])
        for (customer, year, period), sold in self._sales.items():
            account = self._accounts[customer]
            cost = amount(sold * 62 // 100)
            cells = (account.division, account.number, f"{year:04d}", f"{period:02d}", amount(sold))
            self._files.sales.append(pack((*cells, cost)))
        return self._files

    def _document(self, at: int, ago: int, case: Case) -> None:
        rng, timeline = self._rng, self._timeline
        customer = int(rng.random() ** 2 * len(self._accounts))
        number, sequence = f"{FIRST_NUMBER + at:07d}", "000001"
        if case.trait == "twin" and self._previous:
            (customer, number), sequence = self._previous, "000002"
            self._previous = None
        elif case.trait == "reused" and self._reusable and len(self._accounts) > 1:
            first, number = self._reusable.pop(rng.randrange(len(self._reusable)))
            sequence = "000002"
            # Another customer's: AR_Payment is keyed without HeaderSeqNo.
            customer = (customer + (customer == first)) % len(self._accounts)
        elif case.kind in {"FC", "PP"}:
            number = f"{case.kind[0]}{at:06d}"
        elif at % 97 == 5:
            number = f"W{at:06d}"
        recorded = case.kind != "PP" and case.trait != "unrecorded"
        if not recorded:
            sequence = "000000"
        if case.kind == "IN" and sequence == "000001":
            if self._previous and len(self._reusable) < 10_000:
                self._reusable.append(self._previous)
            self._previous = (customer, number)

        account = self._accounts[customer]
        due, until = timeline.due(account.terms, ago)
        sums = figures(rng, case.kind, case.trait, account.tax_rate)
        discount = 0 if until is None else sums.total * timeline.discount_rate(account.terms) // 100
        item = Item(
            account=account,
            kind=case.kind,
            number=number,
            sequence=sequence,
            ago=ago,
            due=ago if sums.total < 0 else due,
            until=until if sums.total > 0 else None,
            discount=discount if sums.total > 0 else 0,
            figures=sums,
        )
        outcome = fate(rng, ago) if case.fate == "aged" else case.fate
        applied = settle(rng, item, outcome, case.trait)
        if case.kind in {"CA", "XD"}:  # never in receivables
            balance, applied = 0, []
        else:
            balance = sums.posted + sum(entry.cents for entry in applied)
        self._files.invoices.append(self._invoice(at, item, case, balance, applied))
        if case.kind in POSTINGS:
            opening = Transaction(POSTINGS[case.kind], ago, sums.posted)
            self._transactions(item, [opening, *applied])
        if recorded and self._details:
            self._lines(item)
        self._settled(customer, item, balance, applied)

    def _invoice(
        self, at: int, item: Item, case: Case, balance: int, applied: list[Transaction]
    ) -> bytes:
        rng, timeline, account, sums = self._rng, self._timeline, item.account, item.figures
        text = masked if rng.random() < (0.03 if sums.total >= 0 else 0.25) else amount
        last = min((entry.ago for entry in applied), default=item.ago)
        is_open = case.kind in POSTINGS and (balance != 0 or last <= RETAINED_DAYS)
        recorded = case.kind != "PP" and case.trait != "unrecorded"
        ordered = recorded and case.kind in {"IN", "CA"} and rng.random() < 0.8
        order = f"{200_000 + at:07d}" if ordered or case.trait == "orders" else ""
        orders = f"{order} {200_001 + at:07d}" if case.trait == "orders" else order
        sold_to = ("", "")
        if case.trait == "national":
            buyer = self._accounts[rng.randrange(len(self._accounts))]
            sold_to = (buyer.division, buyer.number)
        created = created_time = updated = updated_time = ""
        if case.trait != "converted":
            created, created_time = timeline.day(item.ago), timeline.time(rng, item.ago)
            updated, updated_time = created, created_time
            if last < item.ago:
                updated, updated_time = timeline.day(last), timeline.time(rng, last)
        return pack(
            (
                account.division,
                account.number,
                item.number,
                item.sequence,
                case.kind,
                *sold_to,
                timeline.day(item.ago),
                "" if case.trait == "undated" else timeline.day(item.due),
                "" if item.until is None else timeline.day(item.until),
                timeline.day(item.ago),
                TERMS[account.terms]["TermsCode"],
                rng.choice(_PURCHASE_ORDERS).format(at),
                order,
                orders,
                account.division,
                f"{1 + at % 8:04d}",
                "VOID" if case.kind == "XD" else "",
                ("SO" if order else "AR") if recorded else "",
                text(sums.taxable),
                text(sums.nontaxable),
                text(sums.freight),
                text(sums.tax),
                text(item.discount),
                text(sums.deposit),
                text(sums.retention),
                text(balance) if is_open else "0",
                "Y" if is_open else "N",
                created,
                created_time,
                updated,
                updated_time,
            )
        )

    def _transactions(self, item: Item, entries: list[Transaction]) -> None:
        rng, timeline, account = self._rng, self._timeline, item.account
        on_day: dict[int, int] = {}
        for entry in entries:
            sequence = on_day[entry.ago] = on_day.get(entry.ago, 0) + 1
            date_text = timeline.day(entry.ago)
            stamped = rng.random() > 0.02
            self._files.payments.append(
                pack(
                    (
                        account.division,
                        account.number,
                        item.number,
                        item.kind,
                        date_text,
                        f"{sequence:06d}",
                        item.sequence,
                        entry.check_no,
                        entry.check_no,
                        entry.type,
                        date_text if entry.type == "P" else "",
                        "CHECK" if entry.check_no else "",
                        "",
                        amount(entry.cents),
                        date_text if stamped else "",
                        timeline.time(rng, entry.ago) if stamped else "",
                        "0000000002" if stamped else "",
                    )
                )
            )

    def _lines(self, item: Item) -> None:
        """One line per tax class, so that the lines add up to taxable and non-taxable."""
        sums = item.figures
        parts = [("TX", sums.taxable), ("NT", sums.nontaxable)]
        lines = [part for part in parts if part[1]] or parts[:1]
        for at, (tax_class, extension) in enumerate(lines, start=1):
            code, description = self._rng.choice(ITEMS)
            cells = {
                "InvoiceNo": item.number,
                "HeaderSeqNo": item.sequence,
                "DetailSeqNo": f"{at:06d}",
                "ItemCode": code,
                "ItemType": "5" if code.startswith("/") else "1",
                "ItemCodeDesc": description,
                "UnitOfMeasure": "EACH",
                "TaxClass": tax_class,
                "QuantityShipped": "-1" if extension < 0 else "1",
                "QuantityOrdered": "1",
                "UnitPrice": amount(abs(extension)),
                "ExtensionAmt": amount(extension),
            }
            self._files.details.append(pack(_DETAIL.cells(cells)))

    def _settled(self, customer: int, item: Item, balance: int, applied: list[Transaction]) -> None:
        """What the document leaves on its customer: balances, dates, averages, sales."""
        account, timeline = item.account, self._timeline
        if balance:
            account.buckets[timeline.bucket(item.ago, item.due)] += balance
        paid = [entry for entry in applied if entry.type == "P"]
        for entry in paid:
            if account.last_payment is None or entry.ago <= account.last_payment:
                account.last_payment, account.last_payment_cents = entry.ago, -entry.cents
        if paid and not balance:
            account.paid_count += 1
            account.paid_days += item.ago - paid[-1].ago
            account.overdue_days += max(0, item.due - paid[-1].ago)
        latest = min([item.ago, *(entry.ago for entry in applied)])
        if account.last_activity is None or latest < account.last_activity:
            account.last_activity = latest
        period = timeline.period(item.ago)
        if item.kind in SOLD and period in self._kept_periods:
            key = (customer, *period)
            sold = item.figures.taxable + item.figures.nontaxable
            self._sales[key] = self._sales.get(key, 0) + sold
