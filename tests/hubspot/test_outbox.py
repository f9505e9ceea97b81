"""Picking due commands, and carrying rows between workspace and store."""

from __future__ import annotations

import pytest

from connector import rows
from connector.hubspot import journal
from connector.hubspot.outbox import ALONE_FROM, Outbox
from eventstore import EventStore, Put, Remove, Row
from projections import events
from projections.tables import PlainText
from projections.workspace import NotLoaded, Workspace, encode

from .rig import Site

NOW_US = 1_000_000


class Late(Outbox):
    """An outbox at a fixed time."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store, lambda: NOW_US)


async def fail(site: Site, name: str, attempt: int, retry_at_us: int) -> None:
    """Let an attempt at a command fail."""
    work = Workspace()
    await rows.load(site.store, work, {"target": [name]})
    command = journal.target_of(work, name).command
    entries = [
        journal.Entry(name, events.CommandSent(command, "b", attempt), None),
        journal.Entry(
            name, events.CommandFailed(command, "server_error", "no", retry_at_us, attempt), None
        ),
    ]
    await journal.append(site.store, work, entries)


async def test_what_is_taken_is_not_taken_twice(site: Site) -> None:
    """Until it is given back."""
    names = await site.emit_many("C", 3)
    outbox = Late(site.store)
    assert await outbox.take("companies", 2) == names[:2]
    assert await outbox.take("companies", 2) == names[2:]
    assert await outbox.take("companies", 2) == []
    outbox.give_back("companies", names)
    assert await outbox.take("companies", 9) == names


async def test_keys_that_differ_only_in_case_are_never_in_work_together(site: Site) -> None:
    """Neither in one batch nor in two: the second is free when the first was given back."""
    small, large, other = "companies/ABC:01-abf", "companies/ABC:01-ABF", "companies/ABC:01-B"
    for name in (small, large, other):
        await site.emit(name, name="A")
    outbox = Late(site.store)
    assert await outbox.take("companies", 9) == [large, other]
    assert await outbox.take("companies", 9) == []
    assert await outbox.take_ready("companies", 9) == []
    outbox.give_back("companies", [large])
    await fail(site, large, 1, NOW_US + 5)
    assert await outbox.take_ready("companies", 9) == [small]
    assert await outbox.take("companies", 9) == []


async def test_what_is_not_due_is_left_and_its_time_is_known(site: Site) -> None:
    """A failed command waits for its time; the earliest free one decides how long to rest."""
    names = await site.emit_many("C", 2)
    await fail(site, names[0], 1, NOW_US + 5)
    outbox = Late(site.store)
    assert await outbox.next_due_us() == 0
    assert await outbox.take("companies", 9) == names[1:]
    assert await outbox.next_due_us() == NOW_US + 5


async def test_what_has_just_become_due_is_not_overlooked(site: Site) -> None:
    """A command whose time came after the last look counts as due, not as nothing."""
    (name,) = await site.emit_many("C", 1)
    await fail(site, name, 1, NOW_US - 1)
    assert await Late(site.store).next_due_us() == NOW_US - 1


async def test_what_failed_often_goes_alone(site: Site) -> None:
    """A command with several failures neither joins others nor lets others join."""
    names = await site.emit_many("C", 3)
    await fail(site, names[1], ALONE_FROM, 1)
    outbox = Late(site.store)
    assert await outbox.take("companies", 9) == [names[0], names[2]]
    assert await outbox.take("companies", 9) == [names[1]]


async def test_rows_go_in_and_changes_come_out(site: Site) -> None:
    """`load` asks once for what is missing; `writes` gives puts and removes table by table."""
    await site.store.append(
        [], also=[Put("alias", [Row("a", encode(PlainText("one"))), Row("b", b'["two"]')])]
    )
    work = Workspace()
    await rows.load(site.store, work, {"alias": ["a", "none"]})
    await rows.load(site.store, work, {"alias": ["a"]})
    assert work.get("alias", PlainText, "a") == PlainText("one")
    assert work.get("alias", PlainText, "none") is None
    with pytest.raises(NotLoaded):
        work.get("alias", PlainText, "b")
    work.put("alias", "a", PlainText("three"))
    work.remove("alias", "b")
    put, remove = rows.writes(work)
    assert isinstance(put, Put)
    assert [(row.key, row.value) for row in put.rows] == [("a", b'["three"]')]
    assert remove == Remove("alias", ["b"])


async def test_loading_nothing_asks_nothing() -> None:
    """A step that needs no rows costs no query."""
    await rows.load(None, Workspace(), {"alias": []})  # type: ignore[arg-type]
    assert rows.writes(Workspace()) == []
