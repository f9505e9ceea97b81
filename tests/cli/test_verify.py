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


@pytest.mark.parametrize(
    "content",
    [
        *(None, "no json", "{}", '{"head": "x", "hash": ""}', "", "\n", " \n\n\t\n", "a\nb\n"),
        *('{"head": 0, "hash": "%s"}' % ("0" * 64), '{"head": 1, "hash": "ab"}'),
        '{"log": {"head": 0, "hash": "%s"}}' % ("0" * 64),
    ],
)
def test_no_anchor(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None) -> None:
    """A file that holds no anchor is refused by name: nothing would be compared."""
    fill(tmp_path / "e.db", 1)
    anchor = tmp_path / "anchor.json"
    if content is not None:
        anchor.write_text(content)
    ended = inside(
        capsys, "verify", "--store", url_of(tmp_path / "e.db"), "--anchor", anchor, "--json"
    )
    assert ended.code == 2
    assert ended.json()["error"]["where"] == str(anchor)


def test_torn_anchors_are_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line in the middle that is none is named, and all others are compared."""
    store, anchors = tmp_path / "e.db", tmp_path / "anchors"
    fill(store, 2)
    first = inside(capsys, "verify", "--store", url_of(store), "--json").json()
    fill(store, 2)
    second = inside(capsys, "verify", "--store", url_of(store), "--json").json()
    lines = [json.dumps({"head": one["head"], "hash": one["hash"]}) for one in (first, second)]
    anchors.write_text(f'{lines[0]}\n{{"head":3,"ha\n\n{lines[1]}\n')
    ended = inside(capsys, "verify", "--store", url_of(store), "--anchor", anchors)
    assert ended.code == 0
    assert "published at 4" in ended.out
    assert "no anchor stands in line 2; passed over" in ended.err
    wrong = lines[1].replace(second["hash"], "0" * 64)
    anchors.write_text(f'{lines[0]}\n{{"head":3,"ha\n{wrong}\n')
    assert inside(capsys, "verify", "--store", url_of(store), "--anchor", anchors).code == 1


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


SWAP = """
UPDATE events SET position = -1 WHERE position = 3;
UPDATE events SET position = 3 WHERE position = 4;
UPDATE events SET position = 4 WHERE position = -1;
"""
TAMPERINGS = {
    "removed": ("DELETE FROM events WHERE position = 4", 4),
    "removed with its commit": (
        "DELETE FROM events WHERE position = 4; DELETE FROM commits WHERE last_position = 4",
        4,
    ),
    "cut off in the middle of a commit": ("DELETE FROM events WHERE position = 6", 6),
    "added": (
        "INSERT INTO events (position, stream_id, version, type, schema, salt, data)"
        " VALUES (7, 1, 9, 'Counted', 1, randomblob(16), CAST('{}' AS BLOB))",
        7,
    ),
    "reordered": (SWAP, 3),
    "moved to another stream": ("UPDATE streams SET name = 'order/2'", 1),
    "dated back": ("UPDATE commits SET recorded_at = 0 WHERE last_position = 5", 5),
    "another author": (
        'UPDATE commits SET meta = CAST(\'{"actor":"me"}\' AS BLOB) WHERE last_position = 2',
        2,
    ),
    "blanked": ("UPDATE events SET data = NULL, salt = NULL WHERE position = 3", 3),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_tampered_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """Whatever is changed behind the store's back is found, without configuration or anchor."""
    store = tmp_path / "e.db"
    fill(store, 6)
    statements, position = TAMPERINGS[what]
    for statement in statements.split(";"):
        if statement.strip():
            tamper(store, statement)
    ended = inside(capsys, "verify", "--store", url_of(store), "--json")
    assert ended.code == 1
    assert ended.json()["broken_at"] == position


def test_a_truncated_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log whose newest commits were taken off whole hangs together; an anchor tells."""
    store, anchor = tmp_path / "e.db", tmp_path / "anchor.json"
    fill(store, 6)
    anchor.write_text(inside(capsys, "verify", "--store", url_of(store), "--json").out)
    tamper(store, "DELETE FROM events WHERE position > 4")
    tamper(store, "DELETE FROM commits WHERE last_position > 4")
    assert inside(capsys, "verify", "--store", url_of(store)).code == 0
    ended = inside(capsys, "verify", "--store", url_of(store), "--anchor", anchor, "--json")
    assert ended.code == 1
    verdict = ended.json()
    assert (verdict["broken_at"], verdict["anchor"]) == (5, 6)
    assert "it was cut off" in verdict["why"]


def test_a_rechained_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log rewritten from some event on, chain and all, lies between two anchors."""
    true, forged, anchors = tmp_path / "true.db", tmp_path / "forged.db", tmp_path / "anchors"
    lines = []
    for events in (3, 4, 5):
        fill(true, events)
        verdict = inside(capsys, "verify", "--store", url_of(true), "--json").json()
        lines.append(json.dumps({"head": verdict["head"], "hash": verdict["hash"]}))
    anchors.write_text("\n".join(lines) + "\n")
    asyncio.run(_rechain(true, forged, keep=5))
    assert inside(capsys, "verify", "--store", url_of(forged)).code == 0
    ended = inside(capsys, "verify", "--store", url_of(forged), "--anchor", anchors)
    assert ended.code == 1
    assert "BROKEN at position 7" in ended.out
    assert "up to 3 it is as published" in ended.out
    held = inside(capsys, "verify", "--store", url_of(true), "--anchor", anchors, "--json").json()
    assert (held["ok"], held["agrees_upto"]) == (True, 12)


async def _rechain(true: Path, forged: Path, keep: int) -> None:
    async with (
        eventstore.open_store(url_of(true), read_only=True) as source,
        eventstore.open_store(url_of(forged)) as store,
    ):
        await store.restore(await source.sealed(0, upto=keep))
        for event in await source.read(keep):
            await store.append([eventstore.NewEvent(event.stream, event.type, b'{"n": 99}')])


def test_store_or_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One thing at a time is verified."""
    ended = inside(capsys, "verify", "--store", url_of(tmp_path / "e.db"), "--export", "log")
    assert ended.code == 2
