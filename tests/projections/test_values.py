"""Sage 100 cells, read as sage100 section 4 describes them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import values


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("20261122", date(2026, 11, 22)),
        ("2026-11-22", date(2026, 11, 22)),
        ("", None),
        ("        ", None),
        ("00000000", None),
        ("17530101", None),
        ("1753-01-01", None),
        ("18991230", None),
        ("20230230", None),
        ("21010101", None),
        ("2026112", None),
        ("20261122x", None),
    ],
)
def test_day(cell: str, expected: date | None) -> None:
    """Real days are read; blanks, sentinels and impossible days are none."""
    assert values.day(cell) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("15.5", datetime(2026, 3, 1, 15, 30)),
        ("13.43210", datetime(2026, 3, 1, 13, 25, 55, 560_000)),
        ("8.49238", datetime(2026, 3, 1, 8, 29, 32, 568_000)),
        ("23.99999", datetime(2026, 3, 1, 23, 59, 59, 964_000)),
        ("0", datetime(2026, 3, 1)),
        ("", datetime(2026, 3, 1)),
        ("24", datetime(2026, 3, 1)),
        ("garbage", datetime(2026, 3, 1)),
    ],
)
def test_moment(hours: str, expected: datetime) -> None:
    """Times are decimal hours of a day; an unreadable one gives the day's start."""
    assert values.moment("20260301", hours) == expected


def test_moment_needs_a_day() -> None:
    """Without a readable day there is no moment."""
    assert values.moment("", "8.5") is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1234.50", Decimal("1234.50")),
        ("1234.50-", Decimal("-1234.50")),
        ("-.5", Decimal("-0.5")),
        (".5", Decimal("0.5")),
        ("5.", Decimal(5)),
        (" 7 ", Decimal(7)),
        ("0", Decimal(0)),
        ("", None),
        ("-", None),
        (".", None),
        ("-5-", None),
        ("1e5", None),
        ("NaN", None),
        ("1,234", Decimal(1234)),
        ("1,234.50", Decimal("1234.50")),
        ("1,234,567.50-", Decimal("-1234567.50")),
        ("-1,234", Decimal(-1234)),
        ("(12.50)", Decimal("-12.50")),
        ("(1,234.50)", Decimal("-1234.50")),
        ("0,123", None),
        ("12,34", None),
        ("1,2345", None),
        (",123", None),
        ("1234,567", None),
        ("(5-)", None),
        ("(-5)", None),
        ("((5))", None),
        ("()", None),
        ("(", None),
        ("12.5O", None),
        ("*****", None),
        ("9" * 40, None),
    ],
)
def test_number(cell: str, expected: Decimal | None) -> None:
    """Decimals with missing zeros and trailing minus are read; the rest is none, never an error."""
    assert values.number(cell) == expected


@given(st.decimals(-(10**12), 10**12, places=2))
def test_number_reads_what_money_writes(value: Decimal) -> None:
    """A money amount written for HubSpot reads back as itself."""
    assert values.number(values.money(value)) == value


@given(st.decimals(-(10**12), 10**12, places=2))
def test_number_reads_what_masks_print(value: Decimal) -> None:
    """With thousands apart, a minus before or behind, or in brackets: the same amount."""
    plain, grouped = f"{abs(value):f}", f"{abs(value):,f}"
    for text in (plain, grouped):
        assert values.number(text) == abs(value)
        for negative in (f"-{text}", f"{text}-", f"({text})"):
            assert values.number(negative) == -abs(value)
            assert not values.is_garbage(negative)


@given(st.text())
def test_no_cell_raises(cell: str) -> None:
    """Whatever a cell holds, reading it never raises."""
    values.day(cell)
    values.number(cell)
    values.moment(cell, cell)
    values.emails(cell)
    values.domain(cell, cell)
    assert not set(values.text(cell)) & set("\x00\x1f\x7f\x9f�")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("O\x92Brien", "O’Brien"),
        ("Mid\x96State \x99", "Mid–State ™"),
        ("\x80 5", "€ 5"),
        ("A\x81B\x8d\x9dC", "A B C"),
        ("A\ufffd\x01B", "A B"),
        (" Café ", "Café"),
    ],
)
def test_text(cell: str, expected: str) -> None:
    """Bytes of Windows-1252 read as Latin-1 are put right; what is no text becomes a blank."""
    assert values.text(cell) == expected


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"])))
def test_a_byte_misread_is_read_after_all(text: str) -> None:
    """Whatever an agent took for Latin-1 that was Windows-1252 comes out as it was typed."""
    typed = f"a{text}\u2019\u201c\u2013z"
    assert values.text(typed.encode("cp1252").decode("latin-1")) == typed


def test_negative_zero_is_zero() -> None:
    """No "-0.00" reaches a controller."""
    assert values.money(Decimal("-0.001")) == "0.00"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a@x.com", ["a@x.com"]),
        ("a@x.com; b@y.org,c@z.net", ["a@x.com", "b@y.org", "c@z.net"]),
        ("not an address", []),
        ("a@x", []),
        ("bad@@x.com;good@x.com", ["good@x.com"]),
        ("", []),
        ("Joe <joe@abc.com>", ["joe@abc.com"]),
        ('"Doe, Joe" <joe@abc.com>, b@x.org', ["joe@abc.com", "b@x.org"]),
        ("Joe [mailto:joe@abc.com]", ["joe@abc.com"]),
        ("mailto:joe@abc.com?subject=Hi", ["joe@abc.com"]),
        ("a@x.com/b@y.com", ["a@x.com", "b@y.com"]),
        ("A/P: ap@x.com (Joe)", ["ap@x.com"]),
        ("'joe@abc.com'", ["joe@abc.com"]),
        ("joe@abc.com.", ["joe@abc.com"]),
        ("joe/ann@abc.com", ["joe/ann@abc.com"]),
    ],
)
def test_emails(cell: str, expected: list[str]) -> None:
    """One field may hold several addresses; only valid ones come out, in order."""
    assert values.emails(cell) == expected


@given(
    st.lists(st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.com", fullmatch=True), max_size=4),
    st.sampled_from(["{}", "Joe Doe <{}>", "mailto:{}", "'{}'", "({})", "AP: {}", '"Doe, J" <{}>']),
    st.sampled_from(["; ", ",", " ", "/", " / ", "\n", "|"]),
)
def test_every_address_is_found_once_in_order(
    addresses: list[str], dress: str, between: str
) -> None:
    """Whatever people put around addresses and between them, those come out and nothing else."""
    cell = between.join(dress.format(address) for address in addresses)
    assert values.emails(cell) == addresses


@pytest.mark.parametrize(
    ("url", "email", "expected"),
    [
        ("http://www.Acme.com/shop", "", "acme.com"),
        ("acme.co.uk", "x@other.com", "acme.co.uk"),
        ("", "joe@acme.com", "acme.com"),
        ("", "joe@gmail.com", ""),
        ("", "joe@gmail.com;joe@acme.com", "acme.com"),
        ("n/a", "", ""),
        ("https://acme.com:8443?x=1", "", "acme.com"),
    ],
)
def test_domain(url: str, email: str, expected: str) -> None:
    """The domain is the URL's, else that of an address which is no free mail."""
    assert values.domain(url, email) == expected
