"""What a seeded document is worth and what has been applied to it, in cents.

Figures come first (lines, tax, freight, what of it was posted to receivables), then the fate: which
receipts, credits and write-offs have met it by today. Signs are a ledger's, as in `posting`.
"""

from __future__ import annotations

from random import Random

import msgspec

from connector.sandbox.agent.accounts import Account


class Figures(msgspec.Struct, frozen=True):
    """The amounts of a document in cents; negative throughout for CM and PP."""

    taxable: int = 0
    nontaxable: int = 0
    freight: int = 0
    tax: int = 0
    deposit: int = 0
    retention: int = 0

    @property
    def total(self) -> int:
        """The document's total: lines, freight and tax."""
        return self.taxable + self.nontaxable + self.freight + self.tax

    @property
    def posted(self) -> int:
        """What was posted to receivables: the total less deposit and retainage."""
        return self.total - self.deposit - self.retention


class Item(msgspec.Struct, frozen=True):
    """One document; `ago`, `due` and `until` (discount) are days before today."""

    account: Account
    kind: str
    number: str
    sequence: str
    ago: int
    due: int
    until: int | None
    discount: int
    figures: Figures


class Transaction(msgspec.Struct, frozen=True):
    """Something applied to a document: TransactionType, day before today, signed cents."""

    type: str
    ago: int
    cents: int
    check_no: str = ""


def figures(rng: Random, kind: str, trait: str, tax_rate: int) -> Figures:
    """Plausible amounts for a document of this kind; `tax_rate` in hundredths of a percent."""
    lines = int(10 ** rng.uniform(3.3, 6.6))  # $20 to $40,000, small ones as often as big ones
    if kind == "XD":
        return Figures()
    if kind == "FC":
        return Figures(nontaxable=lines * 15 // 1000 + 1)
    if kind == "DM":
        return Figures(nontaxable=lines // 10 + 1)
    if kind == "PP":
        return Figures(nontaxable=-lines)
    share = rng.choice((1000, 1000, 1000, 0, rng.randrange(1001)))  # thousandths
    taxable = lines * share // 1000
    tax = taxable * tax_rate // 10_000
    freight = rng.randrange(500, 20_000) if kind == "IN" and rng.random() < 0.4 else 0
    if kind == "CM":
        return Figures(taxable=-taxable, nontaxable=taxable - lines, tax=-tax)
    total = lines + tax + freight
    return Figures(
        taxable=taxable,
        nontaxable=lines - taxable,
        freight=freight,
        tax=tax,
        deposit=total // 4 if trait == "deposit" else 0,
        retention=total // 10 if trait == "retention" else 0,
    )


def fate(rng: Random, ago: int) -> str:
    """open, part or paid: the older a document, the likelier it has been paid."""
    paid = 15 if ago < 30 else 50 if ago < 60 else 75 if ago < 120 else 92
    roll = rng.randrange(100)
    if roll < paid:
        return "paid"
    return "part" if roll < paid + 3 else "open"


def settle(rng: Random, item: Item, outcome: str, trait: str) -> list[Transaction]:
    """The transactions that bring the document to its outcome, oldest first."""
    posted = item.figures.posted
    if not posted or outcome == "open":
        return []
    first = max(0, min(item.ago, item.due + rng.randrange(-20, 25)))
    second = max(0, first - rng.randrange(5, 40))
    check = f"{rng.randrange(1000, 999_999):06d}"
    if posted < 0:  # a credit, applied to something else
        return [Transaction("A", first, -posted)]
    if trait == "credited":
        return [Transaction("C", first, -(posted // 3))]
    if outcome == "part":
        return [Transaction("P", first, -(posted * rng.randrange(20, 80) // 100), check)]
    if trait == "adjusted":
        return [Transaction("P", first, 7 - posted, check), Transaction("A", second, -7)]
    if item.until is not None and rng.random() < 0.5:
        within = rng.randrange(max(0, item.until), item.ago + 1)
        taken = [Transaction("A", within, -item.discount)] if item.discount else []
        return [Transaction("P", within, item.discount - posted, check), *taken]
    if rng.random() < 0.8:
        return [Transaction("P", first, -posted, check)]
    part = posted * rng.randrange(30, 70) // 100
    return [Transaction("P", first, -part, check), Transaction("P", second, part - posted, check)]
