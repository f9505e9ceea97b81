"""`verify`: the chain, offline, and against a published anchor."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

import eventstore
from tests.cli.command import inside


def url_of(path: Path) -> str:
    """The store URL of a file."""
    return f"sqlite:///{path}"


async def _fill(path: Path, events: int) -> None:
    async with eventstore.open_store(url_of(path)) as store:
        for number in range(events):
            new = eventstore.NewEvent("order/1", "Counted", json.dumps({"n": number}).encode())
            await store.append([new])


def fill(path: Path, events: int) -> None:
    """Append so many events, each its own commit."""
    asyncio.run(_fill(path, events))


def tamper(path: Path, statement: str) -> None:
    """Change the file behind the store's back, past its triggers."""
    database = sqlite3.connect(path)
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        database.execute(f"DROP TRIGGER {name}")
    database.execute(statement)
    database.commit()
    database.close()


def test_an_untouched_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An untouched log verifies, in words and as JSON."""
    fill(tmp_path / "e.db", 3)
    ended = inside(capsys, "verify", "--store", url_of(tmp_path / "e.db"))
    assert (ended.code, ended.err) == (0, "")
    assert "3 events hang together" in ended.out
    verdict = inside(capsys, "verify", "--store", url_of(tmp_path / "e.db"), "--json").json()
    assert (verdict["ok"], verdict["events"], verdict["head"]) == (True, 3, 3)


def test_an_altered_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed payload is found, and the first broken position is named."""
    fill(tmp_path / "e.db", 5)
    tamper(
        tmp_path / "e.db", "UPDATE events SET data = CAST('{\"n\": 99}' AS BLOB) WHERE position = 4"
    )
    ended = inside(capsys, "verify", "--store", url_of(tmp_path / "e.db"))
    assert ended.code == 1
    assert "BROKEN at position 4" in ended.out
    verdict = inside(capsys, "verify", "--store", url_of(tmp_path / "e.db"), "--json").json()
    assert (verdict["ok"], verdict["broken_at"]) == (False, 4)


@pytest.mark.parametrize("document", ["verify", "status"])
def test_an_anchor_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str], document: str) -> None:
    """A log that has only grown since an anchor was published still holds it."""
    store = tmp_path / "e.db"
    fill(store, 2)
    published = inside(capsys, "verify", "--store", url_of(store), "--json").json()
    anchor = tmp_path / "anchor.json"
    anchor.write_text(json.dumps(published if document == "verify" else {"log": published}))
    fill(store, 2)
    ended = inside(capsys, "verify", "--store", url_of(store), "--anchor", anchor)
    assert ended.code == 0
    assert "published at 2" in ended.out


@pytest.mark.parametrize(
    ("events", "why"), [(2, "it was cut off"), (5, "history was rewritten")], ids=["cut", "new"]
)
def test_an_anchor_finds_a_rewritten_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], events: int, why: str
) -> None:
    """A log replaced as a whole hangs together, but is not the one that was published."""
    fill(tmp_path / "true.db", 4)
    published = inside(capsys, "verify", "--store", url_of(tmp_path / "true.db"), "--json").out
    (tmp_path / "anchor.json").write_text(published)
    fill(tmp_path / "other.db", events)
    ended = inside(
        capsys,
        "verify",
        "--store",
        url_of(tmp_path / "other.db"),
        "--anchor",
        tmp_path / "anchor.json",
    )
    assert ended.code == 1
    assert why in ended.out


@pytest.mark.parametrize("content", [None, "no json", "{}", '{"head": "x", "hash": ""}'])
def test_no_anchor(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None) -> None:
    """A file that is no anchor is refused by name."""
    fill(tmp_path / "e.db", 1)
    anchor = tmp_path / "anchor.json"
    if content is not None:
        anchor.write_text(content)
    ended = inside(
        capsys, "verify", "--store", url_of(tmp_path / "e.db"), "--anchor", anchor, "--json"
    )
    assert ended.code == 2
    assert ended.json()["error"]["where"] == str(anchor)


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing store is not created by looking at it."""
    ended = inside(capsys, "verify", "--store", url_of(tmp_path / "none.db"))
    assert ended.code == 2
    assert "there is no store" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_another_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another program's database is refused and left as it was."""
    path = tmp_path / "other.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE guests (name TEXT)")
    database.commit()
    database.close()
    before = path.read_bytes()
    ended = inside(capsys, "verify", "--store", url_of(path))
    assert ended.code == 2
    assert "another program" in ended.err
    assert path.read_bytes() == before
