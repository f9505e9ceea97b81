"""Logs that earlier versions wrote: taken in, folded, read, worked on and erased by this one.

tests/golden/logs holds them, by the commit whose code wrote them: a made-up company with a customer
to be erased, a parked record, a replay, changes in between, a record that vanished, and (where that
version had it) an undo in its first form. They stay as they are for ever.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest

from connector import old_undos
from connector.store import open_log
from eventstore import EventStore, NewEvent
from projections import events
from projections.events import UndoRequested
from tests.cli.conftest import Bench

LOGS: Final = Path(__file__).parent.parent / "golden" / "logs"
FILES: Final = sorted(LOGS.glob("*.jsonl"))
UNDONE: Final = LOGS / "f81c51c.jsonl"
KEY: Final = "ABC:01-ERASED"
NAMES: Final = (
    *("Wilhelmina Quist", "quist@private.example", "555 0177", "555 0199"),
    *("Larch Lane", "Jokela, Aino"),
)


def named(file: Path) -> str:
    """The commit whose code wrote it."""
    return file.stem


def store_of(bench: Bench) -> Path:
    """Where the store is."""
    return bench.site.config_path.with_name("events.db")


def lines(file: Path) -> list[dict[str, Any]]:
    """What the file holds, line by line."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


async def _history(path: Path, stream: str) -> list[events.Event | None]:
    async with open_log(f"sqlite:///{path}", read_only=True) as store:
        found = await store.history(stream)
    return [events.decode(one.type, one.data) for one in found]


async def _whole(path: Path) -> int:
    async def read(store: EventStore) -> int:
        position = 0
        while page := await store.read(position):
            for event in page:
                assert events.decode(event.type, event.data) is not None, event.position
            position = page[-1].position
        return position

    async with open_log(f"sqlite:///{path}", read_only=True) as store:
        return await read(store)


@pytest.mark.parametrize("file", FILES, ids=named)
def test_an_old_log_is_taken_in_and_read(bench: Bench, file: Path) -> None:
    """It verifies, every event of it is understood, the books close, and a rebuild agrees."""
    head = lines(file)[-1]["end"]
    assert bench.command("verify", "--export", file).code == 0
    assert bench.command("import", file).code == 0
    assert bench.command("verify").code == 0
    assert asyncio.run(_whole(store_of(bench))) == head
    status = bench.command("status", "--json").json()
    assert status["books_close"]
    assert status["log"]["projected"] >= head
    assert sum(row["parked"] for row in status["hubspot"]) == 1
    assert bench.command("rebuild", "--verify").code == 0
    rebuilt = bench.command("rebuild", "--json").json()
    assert (rebuilt["compared"], rebuilt["differences"]) == (True, [])
    told = bench.command("history", f"companies/{KEY}", "--all")
    assert told.code == 0
    assert "10 Larch Lane" in told.out
    plan = bench.command("plan", "--json")
    assert plan.code in {0, 1}, plan.err


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_person_is_erased_from_an_old_log(bench: Bench, file: Path) -> None:
    """Nothing personal is left in any file of the store or in an export; the rest still holds."""
    assert bench.command("import", file).code == 0
    assert bench.command("erase", KEY, "--yes").code == 0
    for path in store_of(bench).parent.glob("events.db*"):
        if path.is_file():
            content = path.read_bytes()
            assert [name for name in NAMES if name.encode() in content] == [], path
    exported = store_of(bench).with_name("log.jsonl")
    assert bench.command("export", exported).code == 0
    assert not any(name in exported.read_text("utf-8") for name in NAMES)
    assert bench.command("verify").code == 0
    assert bench.command("status", "--json").json()["books_close"]
    assert bench.command("rebuild", "--verify").code == 0


def test_an_undo_of_the_first_form_is_lifted(bench: Bench) -> None:
    """Its request held the values themselves; the pins it set are found, and end."""
    [first] = [line for line in lines(UNDONE) if line.get("type") == "UndoRequested"]
    assert (first["schema"], "555 0199" in json.dumps(first["data"]["fields"])) == (1, True)
    assert bench.command("import", UNDONE).code == 0
    pinned = bench.command("undo", "--lift", "--dry-run", "--json").json()["lifted"]
    assert pinned.keys() == first["data"]["fields"].keys()
    assert bench.command("undo", "--lift").code == 0
    assert bench.command("undo", "--lift", "--dry-run", "--json").json()["lifted"] == {}
    requests = asyncio.run(_history(store_of(bench), "audit/undo"))
    assert [type(one) for one in requests] == [UndoRequested, UndoRequested]


def test_an_erasure_says_old_undos_again_without_their_values(bench: Bench) -> None:
    """The old request is blank, and stands once more in today's form: lifting still finds it."""
    [first] = [line for line in lines(UNDONE) if line.get("type") == "UndoRequested"]
    assert bench.command("import", UNDONE).code == 0
    assert bench.command("erase", KEY, "--yes").code == 0
    blank, again = asyncio.run(_history(store_of(bench), "audit/undo"))
    assert blank is None
    assert isinstance(again, UndoRequested)
    assert again.targets == list(first["data"]["fields"])
    pinned = bench.command("undo", "--lift", "--dry-run", "--json").json()["lifted"]
    assert pinned.keys() == {name for name in again.targets if KEY not in name}
    head = bench.command("status", "--json").json()["log"]["head"]
    assert bench.command("erase", KEY, "--yes").code == 0
    assert bench.command("status", "--json").json()["log"]["head"] == head


def test_erased_by_a_version_that_left_old_undos(bench: Bench) -> None:
    """Where an erasure of an earlier version passed an old request over, it is made good."""
    assert bench.command("import", UNDONE).code == 0
    with pytest.MonkeyPatch.context() as patched:

        async def none_held(*_: object) -> bool:
            return False

        patched.setattr(old_undos, "hold", none_held)
        assert bench.command("erase", KEY, "--yes").code == 0
    exported = store_of(bench).with_name("log.jsonl")
    assert bench.command("export", exported).code == 0
    assert not any(name in exported.read_text("utf-8") for name in NAMES)


def test_a_store_of_an_earlier_version_is_read_after_the_update(bench: Bench) -> None:
    """Read models in another form, or a table that is not there, keep no command from its work."""
    assert bench.command("run", "--once").code == 0
    before = bench.command("status", "--json").json()
    conn = sqlite3.connect(store_of(bench))
    for table in ("t_detail", "t_shadow_detail", "t_waiting"):
        conn.execute(f"DROP TABLE {table}")
    conn.execute("UPDATE t_model SET value = CAST('[4]' AS BLOB)")
    conn.execute("UPDATE t_object_book SET value = CAST('[1,0,0,0,0,0]' AS BLOB)")
    conn.commit()
    conn.close()
    first = bench.command("status", "--json")
    assert first.code == 0
    assert "the read models are made from the log" in first.err
    assert first.json() == before
    for command in (("history", f"companies/{key_of_any(bench)}"), ("proof",), ("plan",)):
        ended = bench.command(*command)
        assert (ended.code, "made from the log" in ended.err) == (0, False), ended.err


def key_of_any(bench: Bench) -> str:
    """The external key of some customer."""
    row = next(iter(bench.site.sage100.company.rows("AR_Customer")))
    return f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"


def test_a_log_of_a_later_version_is_refused_with_what_to_do(bench: Bench) -> None:
    """An event in a form that this version does not know is not read as if it did."""
    assert bench.command("run", "--once").code == 0

    async def append() -> None:
        async with open_log(f"sqlite:///{store_of(bench)}") as store:
            later = NewEvent("audit/undo", "UndoRequested", b'{"what":"else"}', 3)
            await store.append([later])

    asyncio.run(append())
    ended = bench.command("run", "--once")
    assert ended.code == 2
    assert "UndoRequested has schema 3, this program knows it up to 2" in ended.err
    assert "install that version, or a later one" in ended.err
    assert bench.command("verify").code == 0
