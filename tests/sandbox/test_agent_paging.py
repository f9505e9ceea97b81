"""Paging by key: rows that come and go meanwhile neither shift nor double what follows."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.sandbox.agent import AgentFault, ModelError, maintenance
from connector.sandbox.agent.cursor import Cursors
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.table import Table, pack
from tests.sandbox.agent_wire import Page, Wire, serving, small_model

CUSTOMER = ENTITIES["AR_Customer"]
# What CustomerNo may hold, with blanks and letters beyond ASCII whose UTF-8 order differs.
NUMBERS = st.text("AZ09-' &Éž™", min_size=1, max_size=20).map(lambda t: t.rstrip(" ") or "X")
KEYS = st.lists(st.tuples(st.sampled_from(["00", "01", "02"]), NUMBERS), unique=True, max_size=40)


def filled(keys: list[tuple[str, str]], updated: list[str] | None = None) -> Table:
    """A customer file with these keys, and these DateUpdated if given."""
    stamps = updated or [""] * len(keys)
    table = Table(CUSTOMER)
    rows = (
        CUSTOMER.cells({"ARDivisionNo": d, "CustomerNo": n, "DateUpdated": stamp})
        for (d, n), stamp in zip(keys, stamps, strict=False)
    )
    table.load([pack(row) for row in rows])
    return table


def walk(table: Table, limits: list[int], since: str | None, scan_limit: int) -> list[bytes]:
    """Every key of a pass, asking for the limits in turn."""
    after, found, turn = None, [], 0
    while True:
        limit = limits[turn % len(limits)]
        page = table.page(after=after, limit=limit, since=since, scan_limit=scan_limit)
        assert len(page.rows) <= limit
        assert page.scanned <= scan_limit
        found += [table.key_of(row) for row in page.rows]
        if page.position is None:
            return found
        assert after is None or page.position > after
        after, turn = page.position, turn + 1


@given(KEYS, st.lists(st.integers(1, 500), min_size=1, max_size=6), st.integers(1, 50))
def test_any_limits_yield_each_key_once_in_order(
    keys: list[tuple[str, str]], limits: list[int], scan_limit: int
) -> None:
    """Whatever limits are asked for, a pass yields each key once, in byte order when padded."""
    found = walk(filled(keys), limits, None, scan_limit)
    assert found == sorted(CUSTOMER.padded(key) for key in keys)


@given(
    st.lists(st.tuples(NUMBERS, st.sampled_from(["", "20261120", "20261121", "20261122"]))),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 6),
)
def test_filtered_pages_miss_nothing_at_any_scan_limit(
    rows: list[tuple[str, str]], limits: list[int], scan_limit: int
) -> None:
    """ChangedSince with any limits and any scan limit yields just the rows that qualify."""
    stamped = dict(rows)
    table = filled([("01", number) for number in stamped], list(stamped.values()))
    wanted = [n for n, stamp in stamped.items() if not stamp or stamp >= "20261121"]
    found = walk(table, limits, "20261121", scan_limit)
    assert found == sorted(CUSTOMER.padded(("01", number)) for number in wanted)


@settings(max_examples=50)
@given(st.data())
def test_inserts_and_deletes_between_pages_shift_nothing(data: st.DataObject) -> None:
    """Rows that stay throughout come exactly once, in order, however many come and go."""
    numbers = data.draw(st.lists(NUMBERS, unique=True, min_size=4, max_size=20))
    stay = set(numbers[::2])
    table = filled([("01", number) for number in numbers])
    after, found = None, []
    while True:
        page = table.page(after=after, limit=2, since=None, scan_limit=500)
        found += [table.key_of(row) for row in page.rows]
        if page.position is None:
            break
        after = page.position
        for number in data.draw(st.lists(st.sampled_from(numbers), max_size=3)):
            if number not in stay:
                table.remove(("01", number))
        for number in data.draw(st.lists(NUMBERS, max_size=3)):
            table.put(CUSTOMER.cells({"ARDivisionNo": "01", "CustomerNo": number}))
    assert found == sorted(set(found))
    assert {CUSTOMER.padded(("01", number)) for number in stay} <= set(found)


async def test_a_pass_survives_inserts_and_deletes_over_the_wire() -> None:
    """Over the socket, too: what was there all along is read once, the new behind it is seen."""
    async with serving() as wire:
        company = wire.agent.company
        before = [row["CustomerNo"] for row in company.rows("AR_Customer", "01")]
        first = await wire.page("AR_Customer", limit=10)
        last = first.rows[-1]["CustomerNo"]
        maintenance.remove(company, "AR_Customer", ("01", first.rows[2]["CustomerNo"]))
        maintenance.remove(company, "AR_Customer", ("01", last))  # the cursor's own row
        maintenance.add_customer(company, ("01", "!FIRST"), {})
        maintenance.add_customer(company, ("03", "LAST"), {})
        rest = [row for page in await after(wire, first.following) for row in page.rows]
        read = [row["CustomerNo"] for row in first.rows + rest if row["ARDivisionNo"] == "01"]
        assert read == before
        assert rest[-1]["CustomerNo"] == "LAST"


async def after(wire: Wire, following: str | None) -> list[Page]:
    """The pages behind a cursor."""
    pages: list[Page] = []
    while following is not None:
        pages.append(await wire.page("AR_Customer", limit=7, after=following))
        following = pages[-1].following
    return pages


def test_a_row_cannot_be_there_twice() -> None:
    """Two rows with one key are refused, also when they differ by trailing blanks only."""
    with pytest.raises(ModelError, match="two rows"):
        filled([("01", "ABF"), ("01", "ABF ")])
    company = small_model(customers=2, invoices=0).company()
    with pytest.raises(ModelError, match="already has"):
        maintenance.add_customer(company, ("01", "ABF  "), {})


def test_only_this_agents_cursors_are_honoured() -> None:
    """A cursor that was altered, respelt, cut or made elsewhere is InvalidCursor."""
    cursors, key = Cursors(b"one"), b"01ABF"
    good = cursors.issue("ABC", "AR_Customer", key)
    assert cursors.read("ABC", "AR_Customer", good) == key
    flipped = bytearray(urlsafe_b64decode(good + "=="))
    flipped[-1] ^= 1
    wrong = [
        "",
        "x",
        good[:-1],
        good + "=",
        good + "\n",
        " " + good,
        good + "é",
        good * 40,
        urlsafe_b64encode(bytes(flipped)).decode().rstrip("="),
        Cursors(b"two").issue("ABC", "AR_Customer", key),
        cursors.issue("ABC", "AR_Invoice", key),
        cursors.issue("XYZ", "AR_Customer", key),
    ]
    for cursor in wrong:
        with pytest.raises(AgentFault) as refused:
            cursors.read("ABC", "AR_Customer", cursor)
        assert refused.value.code == "InvalidCursor"
