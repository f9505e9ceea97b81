"""What the log says of Sage 100's side beside the open items: its own aging, and its readings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import events as e
from projections.evidence import TYPES, Aged, Evidence, Passes
from projections.folding import Entry

ROW = {"CustomerNo": "A", "CurrentBalance": "10.00", "AgingCategory2": ".5", "AgingCategory4": "3-"}
CUSTOMER = "sage/acme/ABC/AR_Customer/01-A"
POLL = "poll/acme/ABC/AR_Invoice"


def folded(*told: tuple[str, e.Event | None]) -> Evidence:
    """The fold of these events, at positions 1, 2, 3 …"""
    evidence = Evidence(frozenset({"ABC"}))
    for position, (stream, payload) in enumerate(told, 1):
        evidence.fold(Entry(position, stream, position, payload))
    return evidence


def seen(**row: str) -> e.RecordObserved:
    """A customer's row."""
    return e.RecordObserved(["01", "A"], ROW | row, "f")


def test_own_aging_is_the_sum_of_its_five_buckets() -> None:
    """The newest row counts, to the cent, with the day of that aging."""
    evidence = folded((CUSTOMER, seen()), (CUSTOMER, seen(DateLastAging="20261101")))
    assert evidence.aged("ABC") == {"ABC:01-A": Aged(Decimal("7.50"), "20261101")}


def test_what_tells_no_aging_is_left_out() -> None:
    """A row without these columns or with one that is no number, a customer that is gone, and
    companies nobody asked for.
    """
    gone = e.RecordVanished(["01", "A"], "f")
    bare = e.RecordObserved(["01", "A"], {"CustomerNo": "A"}, "f")
    for last in (
        gone,
        bare,
        seen(AgingCategory2="1OO"),
        e.RecordErased(["01", "A"], ROW, "f", vanished=True),
    ):
        assert folded((CUSTOMER, seen()), (CUSTOMER, last)).aged("ABC") == {}
    other = folded(("sage/acme/XYZ/AR_Customer/01-A", seen()), (CUSTOMER, None))
    assert other.aged("ABC") == {}


def test_the_aging_of_the_erased_goes_on_counting() -> None:
    """Balances are accounting: what an erasure left of the row is what counts."""
    left = e.RecordErased(["01", "A"], {"CurrentBalance": "4"}, "f")
    assert folded((CUSTOMER, None), (CUSTOMER, left)).aged("ABC") == {
        "ABC:01-A": Aged(Decimal("4.00"), "")
    }


FIRST = e.PollStarted("cursor")
LATER = e.PollStarted("cursor", since="20261121")
PASS = e.PollCompleted("cursor", 9, 9, 0)
SWEEP = e.PollCompleted("sweep", 9, 9, 0)


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        ([], Passes()),
        ([FIRST], Passes()),
        ([FIRST, PASS], Passes(2, 2)),
        ([FIRST, PASS, LATER, PASS], Passes(4, 2)),
        ([FIRST, PASS, e.PollStarted("sweep"), SWEEP], Passes(2, 4, swept=True)),
        ([FIRST, PASS, e.PollStarted("sweep"), SWEEP, LATER, PASS], Passes(6, 4, swept=True)),
        ([LATER, PASS], Passes(2, 0)),
        ([FIRST, e.PollFailed("cursor", "x", "m", "r"), LATER, PASS], Passes(4, 0)),
    ],
)
def test_a_pass_over_changes_is_none_over_everything(told: list[e.Event], passes: Passes) -> None:
    """A sweep reads everything, and so does a pass that asks for no date, once it is complete."""
    assert folded(*((POLL, event) for event in told)).passes("ABC") == passes


@given(st.lists(st.sampled_from([FIRST, LATER, PASS, SWEEP]), max_size=12))
def test_other_entities_and_companies_do_not_count(told: list[e.Event]) -> None:
    """Only receivables of the companies asked for are followed."""
    for stream in ("poll/acme/ABC/AR_Customer", "poll/acme/XYZ/AR_Invoice"):
        evidence = folded(*((stream, event) for event in told))
        assert evidence.passes("ABC") == Passes()


def test_all_that_is_folded_is_asked_for() -> None:
    """The types named are types of the log."""
    assert set(TYPES) <= e.TYPES.keys()
