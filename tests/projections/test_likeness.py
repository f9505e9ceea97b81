"""What counts as one value: by what a property takes, never by what a value looks like."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import diff, likeness
from projections.mapping.compiled import CompiledObject
from projections.mapping.rules import Definition, Rule
from projections.tables import Target
from tests.projections.rig import MAPPING

ALIKE = [
    ("15551234567", "+15551234567"),
    ("4500.10", "4500.1"),
    ("5-", "-5"),
    ("100", "100.0"),
    ("2026-03-01", "2026-03-01T00:00:00Z"),
    ("joe@acme.example", "JOE@acme.example"),
    ("O'Neill", "o'neill"),
]


def changes(kind: str, prop: str, before: str, after: str) -> dict[str, tuple[str | None, str]]:
    """What is to be written when a property we hold is to be another."""
    mapping: CompiledObject = MAPPING.objects[kind]
    doc = Target(version=3, hubspot_id="7", held={prop: before})
    return diff.compare(mapping, {prop: after}, doc).changes


@pytest.mark.parametrize(("before", "after"), ALIKE)
@pytest.mark.parametrize(
    ("kind", "prop"),
    [
        ("companies", "phone"),
        ("companies", "name"),
        ("companies", "zip"),
        ("companies", "sage100_email"),
        ("invoices", "hs_purchase_order_number"),
        ("invoices", "sage100_sales_order_no"),
    ],
)
def test_of_a_text_every_character_counts(kind: str, prop: str, before: str, after: str) -> None:
    """A text that changed is sent, whatever number, time or address it looks like."""
    assert changes(kind, prop, before, after) == {prop: (before, after)}


@pytest.mark.parametrize(
    ("kind", "prop", "shown", "ours"),
    [
        ("companies", "sage100_balance", "42.5", "42.50"),
        ("companies", "annualrevenue", "1E+3", "1000.00"),
        ("companies", "sage100_average_days_to_pay", "12.0", "12"),
        ("invoices", "hs_due_date", "2026-03-01T00:00:00.000Z", "2026-03-01T00:00:00Z"),
        ("invoices", "hs_due_date", "1772323200000", "2026-03-01T00:00:00Z"),
        ("invoices", "sage100_due_date", "2026-03-01T00:00:00Z", "2026-03-01"),
        ("contacts", "email", "joe@acme.example", "Joe@Acme.example"),
        ("companies", "sage100_credit_hold", "TRUE", "true"),
    ],
)
def test_what_hubspot_reformats_is_not_sent_again(
    kind: str, prop: str, shown: str, ours: str
) -> None:
    """Numbers, times and the address of a contact come back in HubSpot's own way."""
    assert changes(kind, prop, shown, ours) == {}


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Rule("phone", "TelephoneNo"), "string"),
        (Rule("email", "EmailAddress"), "email"),
        (Rule("email", "EmailAddress", define=Definition("Address")), "string"),
        (Rule("annualrevenue", "account.revenue", "money"), "number"),
        (Rule("hs_due_date", "invoice.due_date", "datetime"), "datetime"),
        (Rule("tier", "PriceLevel", "number", values={"1": "10"}), "string"),
        (Rule("x_no", "CustomerNo", "number", define=Definition("No")), "string"),
        (Rule("x_sum", "CreditLimit", define=Definition("Sum", "number")), "number"),
        (Rule("x_hold", "CreditHold", "flag"), "bool"),
    ],
)
def test_what_a_property_takes_follows_from_its_rule(rule: Rule, kind: str) -> None:
    """A definition says it; without one the transform does; what neither says is text."""
    assert likeness.kind_of(rule) == kind


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["string", "number", "email"]))
def test_alike_is_alike_both_ways(one: str, other: str, kind: str) -> None:
    """Which of two is ours makes no difference; and text is alike only where it is equal."""
    assert likeness.same(one, other, kind) == likeness.same(other, one, kind)
    assert likeness.same(one, one, kind)
    if kind == "string":
        assert likeness.same(one, other, kind) == (one == other)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2), st.integers(0, 6))
def test_a_number_is_one_with_zeros_more_or_less(value: Decimal, zeros: int) -> None:
    """However many places HubSpot shows, an amount is the same; and another one is not."""
    longer = f"{value:.{2 + zeros}f}"
    assert likeness.same(f"{value:f}", longer, "number")
    assert not likeness.same(f"{value + Decimal('0.01'):f}", longer, "number")
