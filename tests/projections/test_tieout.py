"""Why an amount in HubSpot is not ours: one reason each, and none where the log knows none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from projections import events as e
from projections import keys, receivables, tieout
from projections.folding import Entry
from projections.receivables import EVERYBODY, SourceRows
from projections.tables import Account, Fanout, Pin, Target, Withheld
from projections.tieout import Circumstances, Reason, Tally

OURS = Decimal("10.00")
PROP = "sage100_balance"
SET = {PROP: "10.00"}
READ = Account(row={"CustomerName": "A"})


def target(**fields: object) -> Target:
    """A target that was written once and holds another amount."""
    held: dict[str, object] = {"version": 3, "hubspot_id": "1", "held": {PROP: "7.00"}}
    return Target(**{**held, **fields})  # type: ignore[arg-type]


CASES: dict[str, tuple[str, Circumstances]] = {
    "pending": ("pending", Circumstances(target(state="pending", changes=SET), READ)),
    "on its way": ("pending", Circumstances(target(state="sent", changes=SET), READ)),
    "parked": ("parked", Circumstances(target(state="parked", changes=SET, reason="X"), READ)),
    "held": ("held", Circumstances(target(state="held", changes=SET), READ)),
    "company held": ("held", Circumstances(target(), READ, held=True)),
    "withheld": (
        "withheld field",
        Circumstances(target(withheld={PROP: Withheld("10.00", "read_only")}), READ),
    ),
    "pinned": ("pinned", Circumstances(target(pins={PROP: Pin("10.00", "7.00")}), READ)),
    "on the work list": ("pending", Circumstances(target(), READ, undecided=True)),
    "not projected": ("pending", Circumstances(target(), READ, unprojected=True)),
    "lost": ("pending", Circumstances(target(hubspot_id="", lost="1"), READ)),
    "gone": ("vanished", Circumstances(target(), Account(row={}, vanished=True))),
    "never sent, gone": (
        "vanished",
        Circumstances(target(hubspot_id="", skipped="gone from Sage 100 before"), READ),
    ),
    "skipped": ("withheld field", Circumstances(target(hubspot_id="", skipped="a rule"), READ)),
    "customer not read": ("pending", Circumstances(None, None)),
    "customer vanished": ("vanished", Circumstances(None, Account(row={}, vanished=True))),
    "no command": ("unexplained", Circumstances(None, READ)),
    "nothing under way": ("unexplained", Circumstances(target(), READ)),
    "another amount pending": (
        "unexplained",
        Circumstances(target(state="pending", changes={PROP: "9.99"}), READ),
    ),
    "another amount parked": (
        "unexplained",
        Circumstances(target(state="parked", changes={PROP: "9.99"}), READ),
    ),
    "another field pending": (
        "unexplained",
        Circumstances(target(state="pending", changes={"name": "B"}), READ),
    ),
    "another amount withheld": (
        "unexplained",
        Circumstances(target(withheld={PROP: Withheld("9.99", "read_only")}), READ),
    ),
    "a pin that is over": (
        "unexplained",
        Circumstances(target(pins={PROP: Pin("9.99", "7.00")}), READ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_difference_has_its_one_reason(case: str) -> None:
    """A difference is explained only by what would set, refused or holds exactly our amount."""
    reason, around = CASES[case]
    assert tieout.why_not_written(OURS, PROP, around)[0] == reason


def test_no_rule_no_value() -> None:
    """A measure that no rule of the mapping carries is withheld, whatever else is the case."""
    around = Circumstances(target(state="pending", changes=SET), READ, held=True)
    assert tieout.why_not_written(OURS, "", around)[0] == "withheld field"


@pytest.mark.parametrize(
    ("doc", "found", "reason"),
    [
        (target(), True, "unexplained"),
        (target(), False, "unexplained"),
        (target(state="sent", changes=SET), True, "pending"),
        (target(doubt=SET), True, "pending"),
        (target(unkeyed=True), False, "pending"),
    ],
)
def test_what_hubspot_shows_of_what_it_acknowledged(doc: Target, found: bool, reason: str) -> None:
    """HubSpot may differ from the ledger while an outcome is open; else somebody changed it."""
    assert tieout.why_not_there(Circumstances(doc, READ), found)[0] == reason


@pytest.mark.parametrize(
    ("kind", "prefix", "name", "spread"),
    [
        ("open_items", "ABC:", "companies/ABC:01-A", True),
        ("open_items", "ABC:", "invoices/ABC:01-A:1-1-IN", True),
        ("bills", "ABC:01-A:", "invoices/ABC:01-A:1-1-IN", True),
        ("bills", "ABC:", "companies/ABC:01-A", False),
        ("accounts", "XYZ:", "companies/ABC:01-A", False),
        ("vendors", "ABC:", "companies/ABC:01-A", False),
    ],
)
def test_a_change_on_its_way_to_many(kind: str, prefix: str, name: str, spread: bool) -> None:
    """A fan-out not worked off explains the targets that its rows stand for, and no others."""
    fanout = Fanout(kind, prefix, 1)  # type: ignore[arg-type]
    assert tieout.is_spread([fanout], name) is spread


def observed(key: str, entity: str = "AR_Invoice", **row: str) -> tuple[str, e.Event]:
    """A source row of the log."""
    return f"sage/acme/ABC/{entity}/{key}", e.RecordObserved([], row, "f")


def folded(*what: tuple[str, e.Event]) -> SourceRows:
    """The source rows of these events, one position each."""
    rows = SourceRows(frozenset({"ABC"}))
    for position, (stream, payload) in enumerate(what, start=1):
        rows.fold(Entry(position, stream, 1, payload))
    return rows


DESCRIBED = e.SourceDescribed("acme", "ABC", "USD", "Etc/UTC", aging_limits=[30, 60, 90, 120])
DAY = e.AgingDateAdvanced("ABC", "2026-03-31")


def invoice(balance: str, due: str, **more: str) -> dict[str, str]:
    """Cells of an open invoice."""
    return {
        "InvoiceType": "IN",
        "InvoiceDueDate": due,
        "Balance": balance,
        "IsOpen": "Y",
        **more,
    }


def test_the_newest_row_counts_signed_by_division_and_payer() -> None:
    """Rows replace each other, closed and vanished ones owe nothing, credits lower their bucket."""
    stream = "sage/acme/ABC/AR_Invoice/01-A:5-1-IN"
    rows = folded(
        ("config/source/ABC", DESCRIBED),
        ("config/aging/ABC", DAY),
        observed("01-A:1-1-IN", **invoice("100", "20260401")),
        observed("01-A:1-1-IN", **invoice("60.5", "20260401")),
        observed("01-A:2-1-CM", **invoice("10.25-", "20260220", InvoiceType="CM")),
        observed("02-A:3-1-IN", **invoice("7", "20251101", SoldToCustomerNo="B")),
        observed("02-A:4-1-IN", **{**invoice("7", "20251101"), "IsOpen": "N"}),
        observed("01-A:5-1-IN", **invoice("9", "20251101")),
        (stream, e.RecordVanished([], "f")),
        observed("02-A:6-1-BF", **invoice("3", "20260330", InvoiceType="BF")),
        ("sage/acme/XYZ/AR_Invoice/01-A:1-1-IN", e.RecordObserved([], invoice("1", ""), "f")),
    )
    side = rows.side("ABC")
    assert side.customers == {
        "ABC:01-A": tuple(map(Decimal, ("50.25", "60.50", "0", "-10.25", "0", "0"))),
        "ABC:02-A": tuple(map(Decimal, ("10.00", "0", "3", "0", "0", "7"))),
    }
    assert side.documents == {
        "ABC:01-A:1-1-IN": Decimal("60.50"),
        "ABC:01-A:2-1-CM": Decimal("-10.25"),
        "ABC:02-A:3-1-IN": Decimal("7.00"),
    }
    assert rows.touched[f"ABC:{EVERYBODY}"] == 2
    assert rows.touched["ABC:01-A"] == 9


def test_without_a_day_all_is_current() -> None:
    """Before the as-of day is known nothing can be late."""
    side = folded(observed("01-A:1-1-IN", **invoice("5", "20010101"))).side("ABC")
    assert side.customers["ABC:01-A"] == (Decimal(5), Decimal(5), *receivables.NOTHING[2:])


@pytest.mark.parametrize("code", ["05", "N%", ":/", ">2", "% "])
def test_terms_give_the_due_date_here_too(code: str) -> None:
    """An invoice without a due date ages by its terms, which may come after it, under any code."""
    row = {**invoice("5", "", InvoiceDate="20260101"), "TermsCode": code}
    rows = folded(
        ("config/source/ABC", DESCRIBED),
        ("config/aging/ABC", DAY),
        observed("01-A:1-1-IN", **row),
        observed(keys.record_key("AR_TermsCode", [code]), "AR_TermsCode", DaysBeforeDue="45"),
    )
    assert rows.side("ABC").customers["ABC:01-A"][3] == 5  # 44 days late
    assert rows.touched[f"ABC:{EVERYBODY}"] == 4


def test_what_two_takes_show_differently_was_moving() -> None:
    """Between sides that move, unexplained is only what stood: the rest was on its way."""

    def taken(second: str) -> Tally:
        tally = Tally()
        for record, there in (("invoices/A", "3.00"), ("invoices/B", second)):
            left, right = Decimal("1.00"), Decimal(there)
            tally.add("documents", left, left, right)
            why: tuple[Reason, str] = ("unexplained", "somebody changed it")
            tally.differ(record, "documents", "the ledger and HubSpot", left, right, why)
        return tally

    before, last = taken("5.00"), taken("6.00")
    [line], differences = tieout.seen_moving(
        [last.line("documents")], last.differences, before.differences
    )
    assert [one.reason for one in differences] == ["unexplained", "pending"]
    assert [line.sage, line.hubspot, line.difference] == [Decimal(2), Decimal(9), Decimal(7)]
    assert [line.explained, line.unexplained] == [Decimal(5), Decimal(2)]
    assert tieout.seen_moving([last.line("documents")], last.differences, last.differences) == (
        [last.line("documents")],
        last.differences,
    )
