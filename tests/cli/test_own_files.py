"""No command writes over the store and what lies beside it, the configuration, anybody's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.own_files import owner_of
from tests.cli.conftest import Bench
from tests.cli.test_bundle import key_and_name

BESIDE = ["", "-wal", "-shm", ".lock", ".erased", ".new", ".plans/x.json", ".orders/x.order"]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but what a reader itself touches."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.mark.parametrize("suffix", BESIDE)
def test_what_is_the_store_s_is_left_alone(bench: Bench, suffix: str) -> None:
    """Neither a bundle nor an export takes the place of the store or of a file beside it, whether
    it is there or not, not by a link either.
    """
    assert bench.command("run", "--once").code == 0
    key, _ = key_and_name(bench)
    folder = bench.site.config_path.parent
    place = folder / f"events.db{suffix}"
    link = folder / "innocent"
    link.symlink_to(place)
    before = content(folder)
    for path in (place, link):
        for command in (["bundle", key, "--force", "-o", path], ["export", path]):
            ended = bench.command(*command)
            assert (ended.code, "belongs to the store" in ended.err) == (2, True), command
    store = f"sqlite:///{folder / 'events.db'}"
    assert bench.command("export", "--store", store, place).code == 2
    assert content(folder) == before


def test_what_is_the_configuration_s_is_left_alone(bench: Bench) -> None:
    """Nor do they take the place of the configuration or the mapping."""
    assert bench.command("run", "--once").code == 0
    key, _ = key_and_name(bench)
    path = bench.site.config_path
    before = content(path.parent)
    for command in (["bundle", key, "--force", "-o", path], ["export", path]):
        ended = bench.command(*command)
        assert (ended.code, "belongs to the configuration" in ended.err) == (2, True), command
    assert content(path.parent) == before


def test_a_bundle_is_written_over_only_when_asked(bench: Bench, tmp_path: Path) -> None:
    """A file that is there is refused; --force writes over a bundle, and over nothing else."""
    assert bench.command("run", "--once").code == 0
    key, _ = key_and_name(bench)
    file, notes = tmp_path / "bundle.json", tmp_path / "notes.txt"
    notes.write_text("mine")
    assert bench.command("bundle", key, "-o", file).code == 0
    first = file.read_bytes()
    refused = bench.command("bundle", key, "-o", file)
    assert (refused.code, "add --force" in refused.err) == (2, True)
    assert file.read_bytes() == first
    assert bench.command("bundle", key, "-o", file, "--force").code == 0
    assert file.read_bytes() != first
    for arguments in ([], ["--force"]):
        assert bench.command("bundle", key, "-o", notes, *arguments).code == 2
    assert notes.read_text() == "mine"


def test_anchors_go_into_no_file_of_ours(bench: Bench) -> None:
    """`run` refuses [anchors] file where it is the store, a file of the store's, or itself."""
    path = bench.site.config_path
    text = path.read_text(encoding="utf-8")
    for name in ("events.db", "events.db.erased", path.name):
        path.write_text(f'{text}\n[anchors]\nfile = "{name}"\n', encoding="utf-8")
        ended = bench.command("run", "--once")
        assert (ended.code, "it is left alone" in ended.err) == (2, True), name
    path.write_text(f'{text}\n[anchors]\nfile = "events.db.anchors"\n', encoding="utf-8")
    assert bench.command("run", "--once").code == 0


def test_a_name_alone_makes_no_file_ours(tmp_path: Path) -> None:
    """An export beside the store may be called after it."""
    store = tmp_path / "events.db"
    assert owner_of(tmp_path / "events.db.jsonl.zst", store) == ""
    assert owner_of(tmp_path / "other" / "events.db", store) == ""
    assert owner_of(tmp_path / "events.db", None) == ""
