"""`verify --export` and `import` of a file that somebody has changed, or that is damaged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.archive import files
from eventstore import NewEvent, open_store
from tests.cli.logs import Run, index_of, lines_of, live, url


def _altered(lines: list[bytes]) -> int:
    at = index_of(lines, 200)
    lines[at] = lines[at].replace(b'"salt":"', b'"salt":"00', 1)
    return 200


def _dropped(lines: list[bytes]) -> int:
    del lines[index_of(lines, 200)]
    return 200


def _reordered(lines: list[bytes]) -> int:
    at = index_of(lines, 200)
    lines[at], lines[at - 2] = lines[at - 2], lines[at]
    return 198


def _renamed(lines: list[bytes]) -> int:
    at = index_of(lines, 200)
    lines[at] = lines[at].replace(b'"person/', b'"Person/', 1)
    return 0


def _garbled(lines: list[bytes]) -> int:
    lines[index_of(lines, 200)] = b'{"position":200,"stream":7}\n'
    return 200


def _foreign(lines: list[bytes]) -> int:
    lines[index_of(lines, 200)] = b"and so on\n"
    return 200


def _unhexed(lines: list[bytes]) -> int:
    at = index_of(lines, 200)
    lines[at] = lines[at].replace(b'"salt":"', b'"salt":"xx', 1)
    return 0


def _cut(lines: list[bytes]) -> int:
    del lines[-1:]
    return -1


def _cut_inside(lines: list[bytes]) -> int:
    del lines[index_of(lines, 200) :]
    return 0


def _cut_and_closed(lines: list[bytes]) -> int:
    at = max(n for n, line in enumerate(lines[:200]) if line.startswith(b'{"first":'))
    last = json.loads(lines[at - 1])["position"]
    del lines[at:-1]
    return int(last) + 1


def _longer(lines: list[bytes]) -> int:
    lines.append(lines[-1])
    return -1


TAMPERED = [_altered, _dropped, _reordered, _renamed, _garbled, _foreign, _unhexed]
TAMPERED += [_cut, _cut_inside, _cut_and_closed, _longer]


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda each: each.__name__)
def test_a_tampered_file_is_told(
    tmp_path: Path, store: Path, run: Run, tamper: Callable[[list[bytes]], int]
) -> None:
    """Whatever was changed in the file, verify and import say so and name the first position.

    0: the first position of the commit of 200, which one digest covers; -1: behind the end.
    """
    file, copy = tmp_path / "log", tmp_path / "copy.db"
    head = run("export", "--store", url(store), file, "--json").json()["last"]
    lines = lines_of(file)
    at = next(n for n in range(index_of(lines, 200), 0, -1) if lines[n].startswith(b'{"first":'))
    first = json.loads(lines[at])["first"]
    wanted = {0: first, -1: head + 1}
    where = tamper(lines)
    file.write_bytes(b"".join(lines))
    ended = run("verify", "--export", file)
    assert ended.code == 1
    verdict = run("verify", "--export", file, "--json").json()
    assert verdict["broken_at"] == wanted.get(where, where), verdict
    assert f"BROKEN at position {verdict['broken_at']}" in ended.out
    assert run("import", "--store", url(copy), file).code == 1
    good = run("verify", "--store", url(copy), "--json").json()
    assert good["ok"]
    assert good["head"] < max(verdict["broken_at"], first + 40)


@pytest.mark.parametrize("damage", ["middle", "tail"])
def test_a_damaged_compressed_file_is_told(
    tmp_path: Path, store: Path, run: Run, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes changed or missing in a compressed file are found before anything is believed."""
    monkeypatch.setattr(files, "FRAME_BYTES", 4_000)
    file = tmp_path / "log.zst"
    assert run("export", "--store", url(store), file).code == 0
    content = bytearray(file.read_bytes())
    if damage == "middle":
        content[len(content) // 2] ^= 0xFF
    else:
        del content[-40:]
    file.write_bytes(content)
    verdict = run("verify", "--export", file, "--json")
    assert verdict.code == 1
    assert verdict.json()["broken_at"] > 1
    assert run("import", "--store", url(tmp_path / "copy.db"), file).code == 1


def test_an_export_against_anchors(tmp_path: Path, store: Path, run: Run) -> None:
    """A file made up whole is told by an anchor inside it; one outside says nothing."""
    file, anchors, forged = tmp_path / "log", tmp_path / "anchors", tmp_path / "forged.db"
    lines = []
    for events in (340, 400, 470):
        live(store, events, seed=events)
        head = run("verify", "--store", url(store), "--json").json()
        lines.append({"head": head["head"], "hash": head["hash"], "at": "2026-11-22T08:00:00Z"})
    anchors.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"head":47')
    assert run("export", "--store", url(store), file).code == 0
    held = run("verify", "--export", file, "--anchor", anchors, "--json").json()
    assert (held["ok"], held["anchor"]) == (True, lines[-1]["head"])
    asyncio.run(_forge(store, forged, int(lines[0]["head"])))
    assert run("export", "--store", url(forged), file.with_name("forged")).code == 0
    told = run("verify", "--export", file.with_name("forged"), "--anchor", anchors, "--json")
    assert told.code == 1
    verdict = told.json()
    assert (verdict["broken_at"], verdict["agrees_upto"]) == (lines[1]["head"], lines[0]["head"])
    same = run("verify", "--store", url(forged), "--anchor", anchors, "--json").json()
    assert (same["broken_at"], same["why"]) == (verdict["broken_at"], verdict["why"])
    assert run("export", "--store", url(store), "--to", "90", tmp_path / "early").code == 0
    early = run("verify", "--export", tmp_path / "early", "--anchor", anchors)
    assert early.code == 1
    assert "no anchor lies within" in early.out


async def _forge(store: Path, forged: Path, keep: int) -> None:
    """A log that begins like another, and goes on another way; its own chain holds."""
    async with open_store(url(store), read_only=True) as true, open_store(url(forged)) as other:
        for commit in await true.sealed(0, upto=keep, limit=10_000):
            await other.restore([commit])
        for commit in await true.sealed(keep, limit=10_000):
            new = [NewEvent(e.stream, e.type, b'{"forged":1}') for e in commit.events]
            await other.append(new)
