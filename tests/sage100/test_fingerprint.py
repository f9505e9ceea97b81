"""Fingerprints tell rows apart, and only rows."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connector.sage100.fingerprint import (
    fingerprint,
    fingerprints,
    row_of,
    stamp_of,
    stamped_before,
)

CELLS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    max_size=5,
)


@given(CELLS, CELLS)
def test_different_rows_have_different_fingerprints(
    one: dict[str, str], other: dict[str, str]
) -> None:
    """Two rows share a fingerprint only when every cell is the same."""
    assume(one != other)
    assert fingerprint(one) != fingerprint(other)


@given(st.text("ab", min_size=1, max_size=3), st.text("ab", min_size=1, max_size=3))
def test_cells_cannot_flow_into_one_another(name: str, value: str) -> None:
    """Text that moves between a column's name and its value, or to another column, is a change."""
    prints = {
        fingerprint({name: value + "c"}),
        fingerprint({name + value: "c"}),
        fingerprint({name: value, "c": "c"}),
        fingerprint({name: "c", "c": value}),
    }
    assert len(prints) == 4


@given(CELLS, st.randoms())
def test_the_order_of_columns_does_not_matter(row: dict[str, str], random: Random) -> None:
    """An agent that lists its columns otherwise has not changed a row."""
    items = list(row.items())
    random.shuffle(items)
    assert fingerprint(dict(items)) == fingerprint(row)


@given(CELLS)
def test_an_empty_column_does_not_matter(row: dict[str, str]) -> None:
    """A column that is added and holds nothing leaves the fingerprint as it was."""
    columns = [*row, "UDF_NEW"]
    assert row_of(columns, [*row.values(), ""]) == row
    assert len(fingerprint(row)) == 32


@given(
    st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=6, unique=True).flatmap(
        lambda columns: st.tuples(
            st.just(columns), st.lists(st.tuples(*[st.text(max_size=3)] * len(columns)), max_size=4)
        )
    )
)
def test_a_page_has_the_fingerprints_of_its_rows(
    page: tuple[list[str], list[tuple[str, ...]]],
) -> None:
    """All rows at once come to what each comes to by itself, whatever the columns are called."""
    columns, rows = page
    assert fingerprints(columns, rows) == [fingerprint(row_of(columns, cells)) for cells in rows]


def test_the_fingerprint_is_the_one_in_the_log() -> None:
    """Stored for ever: the same row must have the same fingerprint in every later version."""
    row = {"CustomerNo": "ABF", "ARDivisionNo": "01", "CustomerName": "Café “Ünïcode”"}
    assert fingerprint(row) == "63e09b96154ea880907a224319aeab45"


@pytest.mark.parametrize(
    ("row", "stamp"),
    [
        (
            {"DateUpdated": "20261121", "TimeUpdated": "8.49238", "DateCreated": "20200101"},
            "20261121 8.49238",
        ),
        ({"DateUpdated": "20261121"}, "20261121"),
        ({"DateCreated": "20200101", "TimeCreated": "15.5"}, "20200101 15.5"),
        ({"TimeUpdated": "8.5"}, ""),
        ({}, ""),
    ],
)
def test_the_stamp_is_the_update_else_the_creation(row: dict[str, str], stamp: str) -> None:
    """Stamps are kept as Sage holds them; rows never updated show when they were created."""
    assert stamp_of(row) == stamp


@pytest.mark.parametrize(
    ("row", "day", "before"),
    [
        ({"DateUpdated": "20261120"}, "20261121", True),
        ({"DateUpdated": "20261121"}, "20261121", False),
        ({"DateUpdated": "20261122"}, "20261121", False),
        ({"DateCreated": "20261122", "DateUpdated": "20261101"}, "20261121", False),
        ({"DateCreated": "20261101"}, "20261121", True),
        ({}, "20261121", False),
        ({"DateUpdated": "20261120"}, "", False),
    ],
)
def test_a_row_lies_before_a_day_when_all_its_stamps_do(
    row: dict[str, str], day: str, before: bool
) -> None:
    """Rows without stamps are shown by every pass, so they never lie before; nor does anything
    before there is a cursor."""
    assert stamped_before(row, day) is before
