"""The rows of a step: packing them early must change nothing but how much memory they take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.tables import PlainText
from projections.workspace import NotLoaded, TableChange, Workspace, encode

TABLE = "parked"
KEYS = ["a", "b", "c"]

Work = Callable[[Workspace], object]


def put(key: str, text: str) -> Work:
    return lambda work: work.put(TABLE, key, PlainText(text))


def remove(key: str) -> Work:
    return lambda work: work.remove(TABLE, key)


def look(key: str) -> Work:
    return lambda work: work.get(TABLE, PlainText, key)


def reload(key: str) -> Work:
    """What stands in the store is read again while the step is under way."""
    return lambda work: work.load({TABLE: [key]}, {TABLE: {key: encode(PlainText("stored"))}})


steps = st.lists(
    st.one_of(
        st.builds(put, st.sampled_from(KEYS), st.text(max_size=3)),
        st.builds(remove, st.sampled_from(KEYS)),
        st.builds(look, st.sampled_from(KEYS)),
        st.builds(reload, st.sampled_from(KEYS)),
    ),
    max_size=8,
)


def done(work: list[Work], *, packing: bool) -> tuple[list[TableChange], list[object], object]:
    """Changes to write, what each key shows, and what lies over a scan, after these steps."""
    space = Workspace()
    space.load({TABLE: KEYS}, {TABLE: {"a": encode(PlainText("old"))}})
    for one in work:
        one(space)
        if packing:
            space.pack(TABLE, KEYS)
    shown: list[object] = [space.get(TABLE, PlainText, key) for key in KEYS]
    return space.changes(), shown, space.changed(TABLE)


@given(steps)
def test_packing_after_every_change_leaves_the_same_rows(work: list[Work]) -> None:
    """Whatever is put, removed, read and loaded, and in whatever order."""
    assert done(work, packing=True) == done(work, packing=False)


def test_what_is_packed_is_written_though_its_document_is_gone() -> None:
    """Its bytes are those of when it was packed, and a later change of it takes their place."""
    space = Workspace()
    space.put(TABLE, "a", PlainText("first"))
    space.pack(TABLE, ["a", "not there"])
    assert space.changes() == [TableChange(TABLE, [("a", encode(PlainText("first")), None)], [])]
    space.put(TABLE, "a", PlainText("second"))
    assert space.changes() == [TableChange(TABLE, [("a", encode(PlainText("second")), None)], [])]


def test_a_row_that_was_only_read_is_not_packed_into_a_change() -> None:
    """And one that nobody loaded is still told from one that is missing."""
    space = Workspace()
    space.load({TABLE: ["a"]}, {TABLE: {"a": encode(PlainText("old"))}})
    assert space.get(TABLE, PlainText, "a") == PlainText("old")
    space.pack(TABLE, ["a", "b"])
    assert space.changes() == []
    with pytest.raises(NotLoaded):
        space.get(TABLE, PlainText, "b")
