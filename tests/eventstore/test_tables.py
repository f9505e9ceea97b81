"""What read-model tables promise."""

from __future__ import annotations

import pytest

from eventstore import (
    Adopt,
    BadTable,
    Clear,
    EventStore,
    InvalidAppend,
    Put,
    Remove,
    Row,
    Table,
    UnknownTable,
)

from .conftest import Opener, event


async def put(store: EventStore, table: str, *rows: Row) -> None:
    await store.append([], also=[Put(table, rows)])


async def test_rows_come_back_by_key(store: EventStore) -> None:
    """rows answers for several tables at once; missing keys are left out, tables are not."""
    await put(store, "items", Row("a", b"1"), Row("b", b"2"))
    await put(store, "jobs", Row("a", b"x", 5))
    found = await store.rows({"items": ["b", "zz", "a"], "jobs": {"a"}, "spare": ["a"]})
    assert found == {
        "items": {"a": Row("a", b"1"), "b": Row("b", b"2")},
        "jobs": {"a": Row("a", b"x", 5)},
        "spare": {},
    }
    assert await store.rows({}) == {}
    assert await store.rows({"items": []}) == {"items": {}}


async def test_put_replaces_by_key(store: EventStore) -> None:
    """A later row of the same key wins, within one Put as between two."""
    await put(store, "jobs", Row("a", b"1", 1), Row("a", b"2", 2))
    assert (await store.rows({"jobs": ["a"]}))["jobs"] == {"a": Row("a", b"2", 2)}
    await put(store, "jobs", Row("a", b"3", 3))
    assert await store.scan("jobs") == [Row("a", b"3", 3)]
    assert await store.due("jobs", upto=2) == []


async def test_remove_and_clear(store: EventStore) -> None:
    """Remove deletes these keys and minds no missing one; Clear deletes all; writes go in order."""
    await put(store, "items", *(Row(f"k{n:03}", b"") for n in range(300)))
    await store.append([], also=[Remove("items", ["none", *(f"k{n:03}" for n in range(1, 300))])])
    assert [row.key for row in await store.scan("items")] == ["k000"]
    await store.append([], also=[Clear("items"), Put("items", [Row("new", b"")])])
    assert [row.key for row in await store.scan("items")] == ["new"]
    await store.append([], also=[Put("items", [Row("x", b"")]), Clear("items")])
    assert await store.count("items") == 0


async def test_adopt_replaces_one_table_by_another(store: EventStore) -> None:
    """After Adopt the table holds what the source held, and the source is empty."""
    await put(store, "jobs", Row("old", b"", 1))
    await put(store, "shadow", Row("a", b"1", 7), Row("b", b"2", 8))
    await store.append([event()], also=[Adopt("jobs", "shadow")])
    assert await store.scan("jobs") == [Row("a", b"1", 7), Row("b", b"2", 8)]
    assert await store.next_rank("jobs") == 7
    assert await store.count("shadow") == 0


@pytest.mark.parametrize(("table", "source"), [("items", "jobs"), ("items", "items")])
async def test_adopt_needs_two_tables_of_one_kind(
    store: EventStore, table: str, source: str
) -> None:
    """Adopting a table of another kind, or itself, is refused."""
    with pytest.raises(InvalidAppend):
        await store.append([event()], also=[Adopt(table, source)])
    assert (await store.head()).last == 0


async def test_scan_is_by_prefix_in_byte_order(store: EventStore) -> None:
    """Keys come in the order of their UTF-8 bytes; prefix, after and limit narrow them."""
    keys = ["a", "A", "a\0", "a/", "a/1", "a/\ud7ff", "a/\U0010ffff", "a/\U0010ffffx", "b", "é", ""]
    await put(store, "items", *(Row(key, key.encode()) for key in keys))
    in_order = sorted(keys, key=str.encode)
    assert [row.key for row in await store.scan("items")] == in_order
    below = [key for key in in_order if key.startswith("a/")]
    assert [row.key for row in await store.scan("items", prefix="a/")] == below
    assert [row.key for row in await store.scan("items", prefix="a/", after="a/1")] == below[2:]
    assert [row.key for row in await store.scan("items", prefix="a/", limit=2)] == below[:2]
    top = await store.scan("items", prefix="a/\U0010ffff")
    assert [row.key for row in top] == ["a/\U0010ffff", "a/\U0010ffffx"]
    assert [row.key for row in await store.scan("items", prefix="a/\ud7ff")] == ["a/\ud7ff"]
    assert await store.scan("items", prefix="a/", after="b") == []
    assert await store.count("items", prefix="a/") == len(below)
    assert await store.count("items") == len(keys)


async def test_scan_many_answers_every_prefix(store: EventStore) -> None:
    """scan_many gives all rows of each prefix, and an empty list where there are none."""
    await put(store, "items", *(Row(f"p{n % 3}/{n:04}", b"") for n in range(1_800)))
    found = await store.scan_many("items", ["p0/", "p2/", "p9/"])
    assert {prefix: len(rows) for prefix, rows in found.items()} == {
        "p0/": 600,
        "p2/": 600,
        "p9/": 0,
    }
    assert found["p2/"][0] == Row("p2/0002", b"")
    first = await store.scan_many("items", ["p0/", "p9/"], limit=2)
    assert first == {"p0/": [Row("p0/0000", b""), Row("p0/0003", b"")], "p9/": []}
    assert await store.counts("items", ["p0/", "p", "p9/"]) == {"p0/": 600, "p": 1_800, "p9/": 0}


async def test_due_is_by_rank_then_key(store: EventStore) -> None:
    """due gives rows up to a rank, lowest first, ties by key; next_rank is the lowest."""
    assert await store.next_rank("jobs") is None
    await put(
        store, "jobs", Row("c", b"", 5), Row("b", b"", 5), Row("a", b"", 9), Row("d", b"", -3)
    )
    assert await store.next_rank("jobs") == -3
    assert [row.key for row in await store.due("jobs", upto=5)] == ["d", "b", "c"]
    assert [row.key for row in await store.due("jobs", upto=99, limit=2)] == ["d", "b"]
    assert await store.due("jobs", upto=-4) == []


async def test_rank_belongs_to_ranked_tables(store: EventStore) -> None:
    """A ranked row needs its rank, another must have none; both are refused with the append."""
    for table, row in (("jobs", Row("a", b"")), ("items", Row("a", b"", 1))):
        with pytest.raises(InvalidAppend):
            await store.append([event()], also=[Put(table, [row])])
    assert (await store.head()).last == 0
    for ask in (store.due("items", upto=1), store.next_rank("items")):
        with pytest.raises(UnknownTable):
            await ask


async def test_undeclared_tables_cannot_be_read(store: EventStore) -> None:
    """Asking for a table nobody declared says so."""
    for ask in (
        store.rows({"nobody": []}),
        store.scan("nobody"),
        store.scan_many("nobody", ["a"]),
        store.count("nobody"),
    ):
        with pytest.raises(UnknownTable, match="nobody"):
            await ask


async def test_rows_survive_reopening(opener: Opener) -> None:
    """Tables keep their rows from one opening to the next, and new ones may be declared."""
    async with opener() as store:
        await put(store, "items", Row("a", b"1"))
    async with opener(tables=[Table("items"), Table("later", ranked=True)]) as store:
        assert await store.count("items") == 1
        assert await store.next_rank("later") is None


@pytest.mark.parametrize(
    "tables",
    [
        [Table("Items")],
        [Table("x; drop table events")],
        [Table("")],
        [Table("1a")],
        [Table("a\n")],
        [Table("a"), Table("a")],
    ],
)
async def test_a_bad_declaration_is_refused(opener: Opener, tables: list[Table]) -> None:
    """A table name must be lower case letters, digits and _, and declared once."""
    with pytest.raises(BadTable):
        async with opener(tables=tables):
            pass


async def test_a_table_cannot_change_its_kind(opener: Opener) -> None:
    """A table stored without rank cannot be declared ranked, nor the other way round."""
    async with opener(tables=[Table("a"), Table("b", ranked=True)]):
        pass
    for tables in ([Table("a", ranked=True)], [Table("b")]):
        with pytest.raises(BadTable, match="new name"):
            async with opener(tables=tables):
                pass
