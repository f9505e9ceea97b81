"""Going through what is longer than a page: nothing is missed, and nothing comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import paging
from eventstore import NewEvent, Put, Row, Table, open_store
from tests.eventstore.conftest import event

SIDES = [
    ("", ""),
    ("abcde", ""),
    ("", "abc"),
    ("abcdefg", "abcdefg"),
    ("aceg", "bdfh"),
    ("abcdefgh", "h"),
    ("h", "abcdefgh"),
    ("abz", "acdefgyz"),
]


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


@pytest.mark.parametrize(("left", "right"), SIDES)
async def test_two_tables_side_by_side_lose_no_row(tmp_path: Path, left: str, right: str) -> None:
    """What both have of a key comes in one step, in order, however the pages of the two fall."""
    tables = [Table("ours"), Table("theirs")]
    async with open_store(f"sqlite:///{tmp_path}/a.db", tables=tables) as store:
        for table, keys in (("ours", left), ("theirs", right)):
            rows = [Row(key, f"{table} {key}".encode()) for key in keys]
            await store.append([], also=[Put(table, rows)])
        steps = [
            ([row.key for row in one], [row.key for row in two])
            async for one, two in paging.side_by_side((store, "ours"), (store, "theirs"), size=2)
        ]
    assert "".join(key for one, _ in steps for key in one) == left
    assert "".join(key for _, two in steps for key in two) == right
    reached = [max([*one, *two]) for one, two in steps]
    assert reached == sorted(reached)
    for (one, two), last in zip(steps[1:], reached, strict=False):
        assert min([*one, *two]) > last


async def test_streams_their_events_and_commits_come_whole(tmp_path: Path) -> None:
    """More of them than one page holds are all given out, once, in order."""
    names = [f"a/{number:04}" for number in range(1_500)]
    async with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        await store.append([NewEvent(name, "Seen", b"{}") for name in [*names, "b/1"]])
        assert [name async for name in paging.streams(store, "a/")] == names
        found = await paging.commits(store, [*range(1, 1_502), 9_999])
        lives = [(name, len(stored)) async for name, stored in paging.histories(store, names)]
    assert lives == [(name, 1) for name in names]
    assert [one is not None for one in found] == [True] * 1_501 + [False]
