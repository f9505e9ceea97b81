"""Going through what is longer than a page: nothing is missed, and nothing comes twice."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connector import paging
from eventstore import Put, Row, Table, open_store
from tests.eventstore.conftest import event


async def test_the_log_is_read_page_by_page(tmp_path: Path) -> None:
    """Every event after a position and up to another, of the types asked for, once and in order."""
    async with open_store(f"sqlite:///{tmp_path}/ml.db") as store:
        await store.append([event() for _ in range(7)])
        await store.append([event(type_="Other")])
        found = [page async for page in paging.log(store, 1, types=["Noted"], upto=6, size=2)]
        assert [[one.position for one in page] for page in found] == [[2, 3], [4, 5], [6]]
        assert [page async for page in paging.log(store, 8)] == []


async def test_a_table_is_read_on_from_a_key(tmp_path: Path) -> None:
    """Rows with the prefix and behind the key, page by page; rows of others are not among them."""
    async with open_store(f"sqlite:///{tmp_path}/ml.db", tables=[Table("t")]) as store:
        keys = ["a/1", "a/2", "a/3", "a/4", "b/1"]
        await store.append([], also=[Put("t", [Row(key, b"{}") for key in keys])])
        found = [page async for page in paging.pages(store, "t", "a/", after="a/1", size=2)]
        assert [[row.key for row in page] for page in found] == [["a/2", "a/3"], ["a/4"]]


@given(st.lists(st.integers()), st.integers(1, 9))
def test_parts_are_the_list_in_its_order(every: list[int], size: int) -> None:
    """Put together they are what was given; all are full but perhaps the last, none is empty."""
    parts = list(paging.parts(every, size))
    assert [one for part in parts for one in part] == every
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)
