"""What is blank in a store or an exported log: proved when the log says why, refused else."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from connector import verification
from connector.archive import export
from connector.archive.errors import ErasedMeanwhile
from eventstore import Meta, open_store
from tests.cli.logs import Run, index_of, lines_of, payload_of, url


def _blanked(lines: list[bytes], position: int) -> None:
    """Take an event's payload out of the file and leave its true digest."""
    at = index_of(lines, position)
    row = json.loads(lines[at])
    data = payload_of(row, "data", lines[at].rstrip(b"\n"))
    digest = hashlib.sha256(bytes.fromhex(row["salt"]) + data).hexdigest()
    head, _, _ = lines[at].partition(b'"salt":')
    lines[at] = head + b'"digest":"%b"}\n' % digest.encode()


def test_a_file_blanked_in_silence_is_told(tmp_path: Path, store: Path, run: Run) -> None:
    """An event blanked in the file, its digest left, is named, and nothing from it on imported."""
    file, copy = tmp_path / "log", tmp_path / "copy.db"
    assert run("export", "--store", url(store), file).code == 0
    lines = lines_of(file)
    _blanked(lines, 320)
    file.write_bytes(b"".join(lines))
    verdict = run("verify", "--export", file, "--json")
    assert (verdict.code, verdict.json()["broken_at"]) == (1, 320)
    ended = run("import", "--store", url(copy), file, "--json")
    assert ended.code == 1
    assert "no erasure after them names their streams" in ended.json()["error"]["what"]
    good = run("verify", "--store", url(copy), "--json").json()
    assert (good["ok"], good["head"] < 320) == (True, True)
    # Owned to in the last line, as if the erasure came later: that proves nothing either.
    lines[-1] = lines[-1].replace(b"}", b',"blank":1}')
    file.write_bytes(b"".join(lines))
    owned = run("verify", "--export", file)
    assert owned.code == 1
    assert "BROKEN at position 320" in owned.out
    assert "it alone does not prove it" in owned.out


def test_a_store_blanked_in_silence_is_not_exported(tmp_path: Path, store: Path, run: Run) -> None:
    """Evidence blanked in the store with its true digest: verify names it, export refuses it."""
    before = run("verify", "--store", url(store), "--json").json()
    conn = sqlite3.connect(store)
    conn.create_function("h", 2, lambda salt, data: hashlib.sha256(salt + data).digest())
    conn.execute(
        "UPDATE events SET digest = h(salt, data), salt = NULL, data = NULL WHERE position = 320"
    )
    conn.commit()
    conn.close()
    verdict = run("verify", "--store", url(store), "--json")
    assert verdict.code == 1
    assert (verdict.json()["broken_at"], verdict.json()["hash"]) == (320, before["hash"])
    for name in ("log", "log.zst"):
        ended = run("export", "--store", url(store), tmp_path / name)
        assert ended.code == 1
        assert "broken at position 320: it is blank, and no erasure after it" in ended.err
        assert run("verify", "--export", tmp_path / name).code == 1


def test_a_range_that_ends_before_an_erasure_says_so(tmp_path: Path, store: Path, run: Run) -> None:
    """Its last line owns to what is blank, verify does not call it proved, its import goes on."""
    one, two, copy = tmp_path / "one", tmp_path / "two", tmp_path / "copy.db"
    first = run("export", "--store", url(store), "--to", "150", one, "--json").json()
    blank = sum(b'"digest"' in line and b'{"position"' in line for line in lines_of(one))
    assert json.loads(lines_of(one)[-1])["blank"] == blank > 0
    verdict = run("verify", "--export", one, "--json")
    assert verdict.code == 1
    assert f"{blank} events from there on are blank" in verdict.json()["why"]
    assert run("import", "--store", url(copy), one).code == 0
    assert run("verify", "--store", url(copy)).code == 1
    assert run("export", "--store", url(store), "--from", first["last"] + 1, two).code == 0
    assert run("import", "--store", url(copy), two).code == 0
    assert run("verify", "--store", url(copy)).code == 0
    # The file itself, exported on to the end, is the whole log.
    assert run("export", "--store", url(store), one).code == 0
    assert run("verify", "--export", one).code == 0
    undeclared = [line.replace(b',"blank":%d' % blank, b"") for line in lines_of(two)]
    assert undeclared == lines_of(two)


async def _export_while_erasing(store: Path, file: Path, erasures: int) -> None:
    """Export a store in which somebody is erased whenever a page was read of it, so many times."""
    async with open_store(url(store)) as opened:
        left = erasures

        class Watched:
            """The store."""

            def __getattr__(self, name: str) -> Any:
                return getattr(opened, name)

            async def sealed(self, *args: Any, **options: Any) -> Any:
                nonlocal left
                page = await opened.sealed(*args, **(options | {"limit": 50}))
                if left and page:
                    person = f"person/{4 + left}"
                    left -= 1
                    await opened.erase([person], reason="asked", meta=Meta("officer"))
                return page

        watched: Any = Watched()
        await export(watched, file, lambda *_: None)


def test_an_export_that_erasures_overtake_each_time_leaves_nothing(
    tmp_path: Path, store: Path
) -> None:
    """Nobody may be told that a file is whole in which somebody may stand who was erased."""
    file = tmp_path / "log"
    with pytest.raises(ErasedMeanwhile, match="again and again"):
        asyncio.run(_export_while_erasing(store, file, 1_000))
    assert file.read_bytes() == b""


def test_an_erasure_during_an_export_leaves_nothing_in_the_file(
    tmp_path: Path, store: Path
) -> None:
    """What was erased while it was written is not in the file, and the file explains its blanks."""
    file = tmp_path / "log"
    asyncio.run(_export_while_erasing(store, file, 1))
    lines = [json.loads(line) for line in lines_of(file)]
    person = [row for row in lines if row.get("stream") == "person/5" and row["position"] < 330]
    assert person
    assert not any("salt" in row for row in person)
    assert asyncio.run(verification.verify_file(file, [], lambda *_: None)).ok
