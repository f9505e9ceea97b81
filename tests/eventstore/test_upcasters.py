"""Old payloads are lifted on read and left as they are in the log."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventstore import BadUpcaster, NewEvent, UnknownSchema, Upcasters

from .conftest import Opener, event


def split_name(old: dict[str, Any]) -> dict[str, Any]:
    first, _, last = old["name"].partition(" ")
    return {"first": first, "last": last}


def add_title(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "title": None}


UPCASTERS = {("Named", 1): split_name, ("Named", 2): add_title}


async def test_old_events_are_read_in_the_current_schema(opener: Opener) -> None:
    """Each upcaster in turn is applied to what is old; current and foreign events are untouched."""
    async with opener(upcasters=UPCASTERS) as store:
        await store.append(
            [
                NewEvent("p", "Named", b'{"name":"Ada Lovelace"}', schema=1),
                NewEvent("p", "Named", b'{"first":"A","last":"L"}', schema=2),
                NewEvent("p", "Named", b'{ "first": 1 }', schema=3),
                NewEvent("p", "Other", b'{ "name": 1 }', schema=1),
            ]
        )
        for events in (await store.read(0), await store.history("p"), await anext(store.follow(0))):
            assert [e.schema for e in events] == [3, 3, 3, 1]
            lifted = [msgspec.json.decode(e.data or b"") for e in events[:2]]
            assert lifted[0] == {"first": "Ada", "last": "Lovelace", "title": None}
            assert lifted[1] == {"first": "A", "last": "L", "title": None}
            assert [e.data for e in events[2:]] == [b'{ "first": 1 }', b'{ "name": 1 }']


async def test_stored_bytes_stay(opener: Opener, path: Path) -> None:
    """Lifting changes what is read, never what is stored; the chain verifies."""
    async with opener(upcasters=UPCASTERS) as store:
        await store.append([NewEvent("p", "Named", b'{"name":"Ada Lovelace"}')])
        await store.read(0)
        assert await store.verify() == 1
    conn = sqlite3.connect(path)
    try:
        assert conn.execute("SELECT schema, data FROM events").fetchall() == [
            (1, b'{"name":"Ada Lovelace"}')
        ]
    finally:
        conn.close()


async def test_an_erased_event_is_not_lifted(opener: Opener) -> None:
    """What is blank stays blank, in the schema it had."""
    async with opener(upcasters=UPCASTERS) as store:
        await store.append([NewEvent("p", "Named", b'{"name":"Ada Lovelace"}')])
        await store.erase(["p"], reason="asked", meta=(await store.head()).meta)
        assert [(e.schema, e.data) for e in await store.history("p")] == [(1, None)]


async def test_an_event_from_the_future_stops_the_reader(opener: Opener) -> None:
    """An event newer than its upcasters know is an UnknownSchema that names its position."""
    async with opener(upcasters=UPCASTERS) as store:
        await store.append([event(), NewEvent("p", "Named", b"{}", schema=4)])
        with pytest.raises(UnknownSchema, match="position 2"):
            await store.read(0)
        assert len(await store.read(0, upto=1)) == 1


@pytest.mark.parametrize("data", [b"[]", b"not json", b'{"nick":"x"}'])
async def test_a_failing_upcaster_names_the_event(opener: Opener, data: bytes) -> None:
    """Payloads that cannot be lifted fail as BadUpcaster with their position, not silently."""
    async with opener(upcasters=UPCASTERS) as store:
        await store.append([event(), NewEvent("p", "Named", data)])
        with pytest.raises(BadUpcaster, match="position 2") as raised:
            await store.read(0)
        assert data.decode() not in str(raised.value)


async def test_a_type_without_upcasters_has_a_current_schema_too(opener: Opener) -> None:
    """What is newer than the program says is refused, not read as if it were current."""
    async with opener(schemas={"Named": 1}) as store:
        await store.append([NewEvent("p", "Named", b"{}"), NewEvent("q", "Other", b"{}", schema=9)])
        assert [one.schema for one in await store.read(0)] == [1, 9]
        await store.append([NewEvent("p", "Named", b"{}", schema=2)])
        with pytest.raises(UnknownSchema, match="position 3: Named has schema 2"):
            await store.history("p")
        assert [commit.last for commit in await store.sealed(0)] == [2, 3]
        assert await store.verify() == 3


async def test_a_blank_event_of_the_future_is_passed_over(opener: Opener) -> None:
    """Of an erased event nothing is read, whatever its schema was."""
    async with opener(schemas={"Named": 1}) as store:
        await store.append([NewEvent("p", "Named", b"{}", schema=2)])
        await store.erase(["p"], reason="asked", meta=(await store.head()).meta)
        assert [one.data for one in await store.history("p")] == [None]


@pytest.mark.parametrize(
    ("upcasters", "schema"),
    [
        ({}, 2),
        ({("T", 2): add_title}, 3),
        ({("T", 1): add_title}, 3),
        ({("T", 1): add_title, ("T", 2): add_title}, 2),
        ({("T", 1): add_title}, 1),
    ],
)
async def test_upcasters_lead_to_the_current_schema(
    opener: Opener, upcasters: Upcasters, schema: int
) -> None:
    """From schema 1 to the one that the program says is current, and no further."""
    with pytest.raises(BadUpcaster, match=f"T: to read it in schema {schema}"):
        async with opener(upcasters=upcasters, schemas={"T": schema}):
            pass


@pytest.mark.parametrize(
    "upcasters",
    [{("T", 1): add_title, ("T", 3): add_title}, {("T", 0): add_title}],
)
async def test_a_chain_with_a_hole_is_refused(opener: Opener, upcasters: Upcasters) -> None:
    """Upcasters that do not lead from one schema to the next are refused at opening."""
    with pytest.raises(BadUpcaster, match="T"):
        async with opener(upcasters=upcasters):
            pass
