"""`export`, `import`, `verify --export`: the log as a file, there and back, whole or in parts."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import stat
import struct
from pathlib import Path

import pytest

from connector.archive import files
from tests.cli.logs import Run, erase, index_of, lines_of, live, payload_of, text_of, url


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.zst"])
def test_there_and_back_again(tmp_path: Path, store: Path, run: Run, name: str) -> None:
    """Export, import, export gives the same bytes; digests are equal, the erased stay erased."""
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    ended = run("export", "--store", url(store), first, "--json")
    assert ended.code == 0, ended.err
    out = ended.json()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    taken = run("import", "--store", url(tmp_path / "copy.db"), first, "--json")
    assert taken.code == 0, taken.err
    report = taken.json()
    assert (report["restored"], report["held"], report["complete"]) == (out["last"], 0, True)
    assert report["hash"] == out["hash"]
    assert run("export", "--store", url(tmp_path / "copy.db"), second).code == 0
    assert second.read_bytes() == first.read_bytes()
    assert run("verify", "--store", url(tmp_path / "copy.db")).code == 0
    before, _, _ = text_of(first).partition('"type":"Erased"')
    blank = [line for line in before.splitlines() if '"stream":"person/3"' in line]
    assert blank
    assert not any('"data' in line or '"salt"' in line for line in blank)


def test_anyone_can_read_and_verify_it(tmp_path: Path, store: Path, run: Run) -> None:
    """With JSON, SHA-256 and what the handbook says, and nothing of ours, the chain is proved."""
    assert run("export", "--store", url(store), tmp_path / "log").code == 0
    rows = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    lines = (tmp_path / "log").read_bytes().splitlines()
    header, *middle, end = rows
    assert header["format"] == "ml-connector log"
    digest, events, at = bytes.fromhex(header["digest"]), 0, 1
    while at <= len(middle):
        commit = middle[at - 1]
        count = commit["last"] - commit["first"] + 1
        meta = payload_of(commit, "meta", lines[at])
        covered = digest + struct.pack(
            ">qqqI", commit["first"], commit["last"], commit["recorded_at_us"], len(meta)
        )
        covered += meta
        for index in range(at + 1, at + 1 + count):
            event = middle[index - 1]
            stream, kind = event["stream"].encode(), event["type"].encode()
            covered += struct.pack(
                ">qqqqII",
                *(event["position"], event["version"], event["schema"], event.get("cause") or 0),
                *(len(stream), len(kind)),
            )
            covered += stream + kind
            if "digest" in event:
                covered += bytes.fromhex(event["digest"])
            else:
                salt = bytes.fromhex(event["salt"])
                covered += hashlib.sha256(salt + payload_of(event, "data", lines[index])).digest()
            events += 1
        digest = hashlib.sha256(covered).digest()
        assert digest.hex() == commit["digest"]
        at += count + 1
    assert (end["end"], end["digest"]) == (events, digest.hex())


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.zst"])
def test_a_cut_export_goes_on(
    tmp_path: Path, store: Path, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Cut off anywhere, an export continued gives the file it would have given in one go."""
    monkeypatch.setattr(files, "FRAME_BYTES", 4_000)
    whole, part = tmp_path / name, tmp_path / f"part-{name}"
    assert run("export", "--store", url(store), whole).code == 0
    content = whole.read_bytes()
    kept = []
    for cut in [0, 1, 7, 60, *range(90, len(content), max(1, len(content) // 11)), len(content)]:
        part.write_bytes(content[:cut])
        ended = run("export", "--store", url(store), part, "--json")
        assert ended.code == 0, (cut, ended.err)
        assert part.read_bytes() == content, cut
        kept.append(ended.json()["kept"])
    assert kept == sorted(kept)
    assert kept[-1] > 200


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.zst"])
def test_a_log_that_grows_is_exported_on(
    tmp_path: Path, store: Path, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Exported day by day, the file is the one that a single export gives."""
    monkeypatch.setattr(files, "FRAME_BYTES", 4_000)
    daily = tmp_path / name
    for events in (400, 460, 700):
        live(store, events, seed=events)
        assert run("export", "--store", url(store), daily).code == 0
    assert run("export", "--store", url(store), tmp_path / f"once-{name}").code == 0
    assert daily.read_bytes() == (tmp_path / f"once-{name}").read_bytes()


def test_what_is_erased_later_leaves_the_file(tmp_path: Path, store: Path, run: Run) -> None:
    """An export continued after an erasure is written anew: the old payloads are gone from it."""
    file = tmp_path / "log"
    assert run("export", "--store", url(store), file).code == 0
    assert any(
        '"stream":"person/5"' in line and '"data"' in line for line in text_of(file).splitlines()
    )
    erase(store, "person/5")
    again = run("export", "--store", url(store), file, "--json").json()
    assert again["kept"] == 0
    assert not any(
        '"stream":"person/5"' in line and '"data' in line for line in text_of(file).splitlines()
    )
    assert run("verify", "--export", file).code == 0


def test_parts_of_a_log(tmp_path: Path, store: Path, run: Run) -> None:
    """Ranges hold whole commits, import one behind the other, and are refused out of order."""
    one, two = tmp_path / "one", tmp_path / "two"
    first = run("export", "--store", url(store), "--to", "150", one, "--json").json()
    assert first["first"] == 1
    assert 110 < first["last"] <= 150
    rest = run("export", "--store", url(store), "--from", first["last"] + 1, two, "--json").json()
    assert rest["first"] == first["last"] + 1
    checked = run("verify", "--export", two, "--json").json()
    assert (checked["ok"], checked["first"], checked["head"]) == (True, rest["first"], rest["last"])
    copy = tmp_path / "copy.db"
    early = run("import", "--store", url(copy), two)
    assert early.code == 2
    assert f"Import first the file that holds positions 1 to {first['last']}" in early.err
    assert not copy.exists()
    assert run("import", "--store", url(copy), one).code == 0
    done = run("import", "--store", url(copy), two, "--json").json()
    assert (done["restored"], done["head"]) == (rest["last"] - first["last"], rest["last"])
    again = run("import", "--store", url(copy), one, "--json").json()
    assert (again["restored"], again["held"]) == (0, first["last"])


def test_an_import_goes_on(tmp_path: Path, store: Path, run: Run) -> None:
    """A file cut off imports as far as it is whole, says so, and its whole goes on from there."""
    file, cut, copy = tmp_path / "log", tmp_path / "cut", tmp_path / "copy.db"
    assert run("export", "--store", url(store), file).code == 0
    content = file.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    ended = run("import", "--store", url(copy), cut)
    assert ended.code == 1
    assert "The file was cut off" in ended.out
    done = run("import", "--store", url(copy), file, "--json").json()
    assert 0 < done["restored"] < done["head"] == done["restored"] + done["held"]
    live(store, 500, seed=9)
    assert run("export", "--store", url(store), file).code == 0
    assert run("import", "--store", url(copy), file).code == 0
    assert run("export", "--store", url(copy), tmp_path / "back").code == 0
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_only_its_own_log_goes_on(tmp_path: Path, store: Path, run: Run) -> None:
    """A store, or a file, that holds another log is left as it is, and the position is named."""
    file, other = tmp_path / "log", tmp_path / "other.db"
    live(other, 20, seed=5)
    assert run("export", "--store", url(store), file).code == 0
    before = run("verify", "--store", url(other), "--json").json()
    refused = run("import", "--store", url(other), file, "--json")
    assert refused.code == 2
    assert "another log: at position 1" in refused.json()["error"]["what"]
    content = file.read_bytes()
    assert run("export", "--store", url(other), file).code == 2
    assert file.read_bytes() == content
    assert run("export", "--store", url(store), "--from", "100", file).code == 2
    assert run("export", "--store", url(store), "--to", "100", file).code == 2
    assert file.read_bytes() == content
    assert run("export", "--store", url(store), "--from", "9999", tmp_path / "x").code == 2
    assert run("verify", "--store", url(other), "--json").json() == before


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"no line", b'{"position":1}\n'])
@pytest.mark.parametrize("name", ["notes.txt", "notes.zst"])
def test_other_files_are_left_alone(
    tmp_path: Path, store: Path, run: Run, content: bytes, name: str
) -> None:
    """Neither command touches a file that is no exported log; export fills an empty one."""
    file = tmp_path / name
    file.write_bytes(content)
    assert run("import", "--store", url(tmp_path / "copy.db"), file).code in {1, 2}
    assert run("verify", "--export", file).code in {1, 2}
    assert file.read_bytes() == content
    ended = run("export", "--store", url(store), file)
    assert ended.code == (0 if not content else 2)
    assert (file.read_bytes() == content) is bool(content)


def test_files_that_cannot_be_used(tmp_path: Path, store: Path, run: Run) -> None:
    """A link, a folder, a missing place and a file another export writes are refused in words."""
    link, busy = tmp_path / "link", tmp_path / "busy"
    link.symlink_to(tmp_path / "aim")
    for place in (link, tmp_path, tmp_path / "none" / "log"):
        ended = run("export", "--store", url(store), place)
        assert ended.code == 2, place
        assert "cannot be written" in ended.err
    assert not (tmp_path / "aim").exists()
    fd = os.open(busy, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        assert "another export is writing it" in run("export", "--store", url(store), busy).err
    finally:
        os.close(fd)
    turned = run("export", "--store", url(store), "--from", 10, "--to", 5, tmp_path / "turned")
    assert (turned.code, (tmp_path / "turned").exists()) == (2, False)
    missing = run("import", "--store", url(tmp_path / "copy.db"), tmp_path / "missing")
    assert missing.code == 2
    assert "cannot be read" in missing.err
    (tmp_path / "notes").write_text("no log")
    for nothing in ("missing", "notes", "busy"):
        assert run("import", "--store", url(tmp_path / "copy.db"), tmp_path / nothing).code != 0
    assert list(tmp_path.glob("copy.db*")) == [], "no store is made for nothing"


@pytest.mark.parametrize("name", ["log", "log.zst"])
@pytest.mark.parametrize("fault", ["first line", "first commit", "cut in it", "header alone"])
def test_a_refused_import_leaves_nothing(
    tmp_path: Path, store: Path, run: Run, fault: str, name: str
) -> None:
    """Where nothing of a file can be taken in, no store is made for it; nor is there an export
    of a range that the log does not have.
    """
    plain, file = tmp_path / "plain", tmp_path / name
    run("export", "--store", url(store), plain)
    lines = lines_of(plain)
    end = index_of(lines, 1) + 1
    made = {
        "first line": [b"no log\n"],
        "first commit": [*lines[: end - 1], b"{}\n", *lines[end:]],
        "cut in it": [*lines[: end - 1], lines[end - 1][:9]],
        "header alone": lines[:1],
    }[fault]
    file.write_bytes(files.compress(b"".join(made)) if name.endswith(".zst") else b"".join(made))
    before = sorted(tmp_path.iterdir())
    ended = run("import", "--store", url(tmp_path / "copy.db"), file)
    assert ended.code in {1, 2}
    assert ended.err.startswith("error: ")
    assert run("export", "--store", url(store), "--from", 9999, tmp_path / "x").code == 2
    assert sorted(tmp_path.iterdir()) == before


def test_what_holds_before_a_fault_is_taken_in(tmp_path: Path, run: Run) -> None:
    """A file that is wrong at its end gives everything before it, also within one page."""
    store, file, copy = tmp_path / "events.db", tmp_path / "log", tmp_path / "copy.db"
    live(store)
    run("export", "--store", url(store), file)
    lines = lines_of(file)
    at = next(n for n in range(index_of(lines, 100), 0, -1) if lines[n].startswith(b'{"first":'))
    first = json.loads(lines[at])["first"]
    file.write_bytes(b"".join([*lines[:at], b"{}\n"]))
    assert run("import", "--store", url(copy), file).code == 1
    good = run("verify", "--store", url(copy), "--json").json()
    assert (good["ok"], good["head"]) == (True, first - 1)


def test_an_empty_log(tmp_path: Path, run: Run) -> None:
    """A log without events is exported, verified and imported like any other."""
    live(tmp_path / "events.db", 0)
    assert run("export", "--store", url(tmp_path / "events.db"), tmp_path / "log").code == 0
    assert run("verify", "--export", tmp_path / "log").code == 0
    assert run("import", "--store", url(tmp_path / "copy.db"), tmp_path / "log").code == 0


def test_a_broken_store_is_not_exported(tmp_path: Path, store: Path, run: Run) -> None:
    """What does not hold together is not written as if it did."""
    conn = sqlite3.connect(store, isolation_level=None)
    conn.execute("DROP TRIGGER events_are_immutable")
    conn.execute("UPDATE events SET data = x'7b7d' WHERE position = 200")
    conn.close()
    ended = run("export", "--store", url(store), tmp_path / "log")
    assert ended.code == 1
    assert "the hash chain is broken" in ended.err
    assert run("verify", "--export", tmp_path / "log").code == 1
