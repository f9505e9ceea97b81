"""Comparing what was sent with what HubSpot shows: habits forgiven, differences not."""

from __future__ import annotations

import pytest

from connector.hubspot.holds import holds, same, types_of

from .rig import MAPPING


@pytest.mark.parametrize(
    ("name", "wanted", "got", "kind"),
    [
        ("annualrevenue", "1250.50", "1250.5", ""),
        ("annualrevenue", "100", "100.0", ""),
        ("sage100_balance", "1E+2", "100", "number"),
        ("email", "Joe@ACME.example", "joe@acme.example", ""),
        ("domain", "ACME.example", "acme.example", ""),
        ("website", "https://acme.example/", "https://acme.example", ""),
        ("sage100_oldest_due_date", "2026-03-01", "2026-03-01", "date"),
        ("hs_due_date", "2026-03-01", "2026-03-01T00:00:00Z", ""),
        ("hs_due_date", "2026-03-01T00:00:00.000Z", "1772323200000", ""),
        ("choices", "a;b", "b;a", "enumeration"),
        ("flag", "true", "TRUE", "bool"),
        ("name", " Acme ", "Acme", ""),
    ],
)
def test_habits_are_forgiven(name: str, wanted: str, got: str, kind: str) -> None:
    """HubSpot's own way of writing the same value is the same value."""
    assert same(name, wanted, got, kind)


@pytest.mark.parametrize(
    ("name", "wanted", "got", "kind"),
    [
        ("zip", "01234", "1234", ""),
        ("name", "Acme", "ACME", ""),
        ("sage100_terms", "1.10", "1.1", "string"),
        ("hs_purchase_order_number", "4500.10", "4500.1", "string"),
        ("phone", "15551234567", "+15551234567", "string"),
        ("annualrevenue", "100", "", ""),
        ("annualrevenue", "", "0", ""),
        ("hs_due_date", "2026-03-01", "2026-03-02T00:00:00Z", ""),
        ("sage100_balance", "NaN", "nan", "number"),
        ("sage100_balance", "x", "y", "number"),
        ("sage100_balance", "9" * 500, "9" * 499, "number"),
        ("choices", "a", "a;b", "enumeration"),
    ],
)
def test_differences_are_not(name: str, wanted: str, got: str, kind: str) -> None:
    """A value that is another one is another one."""
    assert not same(name, wanted, got, kind)


def test_a_cleared_value_is_held_by_its_absence() -> None:
    """What was set to "" is there when HubSpot shows nothing."""
    assert holds({"phone": "", "name": "A"}, {"name": "A", "phone": None}, {})
    assert not holds({"phone": ""}, {"phone": "1"}, {})


def test_types_come_from_the_mapping_s_rules() -> None:
    """A property's type is the one we define it with, else the one its rule writes."""
    types = types_of(MAPPING.source.companies)
    assert types["sage100_balance"] == "number"
    assert types["annualrevenue"] == "number"
    assert types["name"] == "string"


def test_a_lost_write_of_a_text_is_no_habit() -> None:
    """An order number that was to lose its last zero is not there while HubSpot shows the zero."""
    types = types_of(MAPPING.source.invoices)
    wanted = {"hs_purchase_order_number": "4500.1"}
    assert not holds(wanted, {"hs_purchase_order_number": "4500.10"}, types)
