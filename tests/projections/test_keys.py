"""Keys: one name per record, whatever its parts hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from projections import keys

part = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12)


def test_shapes() -> None:
    """Keys have the shapes the interface promises."""
    invoice = keys.record_key("AR_Invoice", ["01", "ABF", "0100215", "000001", "IN"])
    assert keys.external_key("ABC", invoice) == "ABC:01-ABF:0100215-000001-IN"
    assert keys.record_key("AR_Customer", ["01", "ABF"]) == "01-ABF"
    assert keys.customer_of("ABC:01-ABF:0100215-000001-IN") == "ABC:01-ABF"
    assert keys.bill_of("ABC:01-ABF:0100215-000001-IN") == "ABC:01-ABF:0100215-IN"
    assert keys.sequence_of("ABC:01-ABF:0100215-000001-IN") == "000001"


@given(st.lists(st.tuples(part, part, part), min_size=2, max_size=2, unique=True))
def test_no_two_contacts_share_a_key(pair: list[tuple[str, str, str]]) -> None:
    """Different parts give different keys (the division is two characters, so '-' is no trap)."""
    first, second = [("01", customer.rstrip(" "), code.rstrip(" ")) for _, customer, code in pair]
    same = keys.record_key("AR_CustomerContact", list(first)) == keys.record_key(
        "AR_CustomerContact", list(second)
    )
    assert same == (first == second)


@given(part, part, part)
def test_an_invoice_key_gives_back_its_parts(customer: str, number: str, sequence: str) -> None:
    """Bill and sequence are found again even when numbers contain dashes and colons."""
    sequence = "000001" if "-" in sequence else sequence
    key = keys.external_key(
        "ABC", keys.record_key("AR_Invoice", ["01", customer, number, "000001", "IN"])
    )
    payment = keys.record_key("AR_Payment", ["01", customer, number, "IN", "20260101", "000001"])
    assert keys.sequence_of(key) == "000001"
    assert keys.bill_of(key) == keys.external_key("ABC", payment).rpartition(":")[0]


def test_an_association_gives_back_its_ends() -> None:
    """Both ends are found again from an association's key."""
    name = keys.association("invoices/ABC:01-A:1-000000-IN", "companies/ABC:01-A")
    assert keys.ends(keys.split_target(name)[1]) == (
        "invoices/ABC:01-A:1-000000-IN",
        "companies/ABC:01-A",
    )
    assert keys.parents(name) == keys.ends(keys.split_target(name)[1])


@given(part, part)
def test_what_people_read_has_no_escapes(division: str, number: str) -> None:
    """Escapes are for our keys; people see the number as Sage 100 shows it."""
    key = keys.record_key("AP_Vendor", [division, number])
    assert keys.plain(key) == f"{division.rstrip(' ')}-{number.rstrip(' ')}"
