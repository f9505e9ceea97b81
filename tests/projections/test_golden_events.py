"""The stored form of every event, for ever: golden files decode, and encode to themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projections import events

GOLDEN = Path(__file__).parent.parent / "golden" / "events"
FILES = sorted(GOLDEN.glob("*.json"))


def test_every_type_has_its_golden_file() -> None:
    """No event type is stored without a file that pins its form."""
    assert {file.stem for file in FILES} >= {f"{name}-{events.SCHEMA}" for name in events.TYPES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stored_event_is_read_and_written_as_ever(file: Path) -> None:
    """A payload of a released version still decodes, in full: nothing of it is dropped."""
    name, _, schema = file.stem.rpartition("-")
    stored = json.loads(file.read_text("utf-8"))
    event = events.decode(name, json.dumps(stored).encode())
    assert event is not None
    if int(schema) == events.SCHEMA:
        assert json.loads(events.encode(event)) == stored
