"""The stored form of every event, for ever: golden files decode, and encode to themselves.

A file is called TYPE-SCHEMA.json, or TYPE-SCHEMA-WHAT.json where one does not hold all. A field
that is added goes into a new one: a file that is there stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from eventstore import NewEvent, open_store
from projections import events
from projections.upcasting import UPCASTERS

GOLDEN: Final = Path(__file__).parent.parent / "golden" / "events"
FILES: Final = sorted(GOLDEN.glob("*.json"))


def kind_of(file: Path) -> tuple[str, int]:
    """The type and the schema that a golden file is of."""
    name, schema, *_ = file.stem.split("-")
    return name, int(schema)


def lifted(name: str, schema: int, document: dict[str, Any]) -> dict[str, Any]:
    """The document in its type's current schema."""
    for step in range(schema, events.SCHEMAS[name]):
        document = UPCASTERS[name, step](document)
    return document


def fields(kind: inspect.Type, where: str) -> Iterator[str]:
    """Every field of a stored struct, and of those in it: "CommandSucceeded.withheld.owner"."""
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                place = f"{where}.{field.encode_name}"
                yield place
                yield from fields(field.type, place)
        case inspect.DictType():
            yield from fields(kind.value_type, where)
        case inspect.ListType():
            yield from fields(kind.item_type, where)
        case _:
            pass


def shown(kind: inspect.Type, value: Any, where: str) -> Iterator[str]:
    """The fields that a document shows, named as `fields` names them."""
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                if field.encode_name in value:
                    place = f"{where}.{field.encode_name}"
                    yield place
                    yield from shown(field.type, value[field.encode_name], place)
        case inspect.DictType():
            for one in value.values():
                yield from shown(kind.value_type, one, where)
        case inspect.ListType():
            for one in value:
                yield from shown(kind.item_type, one, where)
        case _:
            pass


def test_every_schema_of_every_type_has_its_golden_file() -> None:
    """No event is stored in a form that no file pins, be it the first one or today's."""
    wanted = {
        (name, schema) for name in events.TYPES for schema in range(1, events.SCHEMAS[name] + 1)
    }
    assert {kind_of(file) for file in FILES} == wanted


def test_every_field_stands_in_a_golden_file() -> None:
    """A field that was added later is pinned too: it is shown by a file of the current schema."""
    wanted: set[str] = set()
    found: set[str] = set()
    for name, cls in events.TYPES.items():
        kind = inspect.type_info(cls)
        wanted.update(fields(kind, name))
        for file in FILES:
            if kind_of(file) == (name, events.SCHEMAS[name]):
                found.update(shown(kind, json.loads(file.read_text("utf-8")), name))
    assert sorted(wanted - found) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stored_event_is_read_and_written_as_ever(file: Path) -> None:
    """A payload of a released version still decodes, in full: nothing of it is dropped."""
    name, schema = kind_of(file)
    stored = json.loads(file.read_text("utf-8"))
    event = events.decode(name, json.dumps(lifted(name, schema, stored)).encode())
    assert event is not None
    if schema == events.SCHEMAS[name]:
        assert json.loads(events.encode(event)) == stored


async def test_old_forms_are_lifted_by_the_store(tmp_path: Path) -> None:
    """Every golden payload, appended in the schema it was written in, is read in today's."""
    stored = [(*kind_of(file), file.read_bytes()) for file in FILES]
    async with open_store(
        f"sqlite:///{tmp_path}/e.db", upcasters=UPCASTERS, schemas=events.SCHEMAS
    ) as store:
        await store.append([NewEvent("s", name, data, schema) for name, schema, data in stored])
        for event in await store.read(0):
            assert event.schema == events.SCHEMAS[event.type]
            assert events.decode(event.type, event.data) is not None


def test_an_undo_of_the_first_form_keeps_its_records_and_no_values() -> None:
    """UndoRequested 1 held values by record; also logs exist whose schema 1 is today's form."""
    first = json.loads((GOLDEN / "UndoRequested-1.json").read_text("utf-8"))
    assert "ACME INC" in json.dumps(first)
    told = msgspec.convert(lifted("UndoRequested", 1, first), events.UndoRequested)
    wanted = events.UndoRequested(
        "run at 4711", ["companies/ABC:01-ABF"], ["companies/ABC:01-X"], "ada"
    )
    assert told == wanted
    today = json.loads((GOLDEN / "UndoRequested-2.json").read_text("utf-8"))
    assert lifted("UndoRequested", 1, today) == today
