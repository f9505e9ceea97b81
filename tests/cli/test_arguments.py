"""Arguments that are not UTF-8, as a shell of another encoding passes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import environment
from tests.cli.conftest import Bench

LINES = [
    ["history", "{}"],
    ["replay", "--key", "{}"],
    ["undo", "--run", "last", "--key", "{}", "--dry-run"],
    ["reconcile", "--key", "{}"],
    ["bundle", "{}"],
    ["erase", "{}", "--yes"],
    ["erase", "ABC:01-ABF", "--reason={}", "--yes"],
    ["release", "{}"],
    ["parked", "--reason", "{}"],
    ["export", "{}"],
    ["--config", "{}", "status"],
    ["sandbox", "agent", "--folder", "{}"],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_what_is_not_utf_8_is_refused(bench: Bench, line: list[str]) -> None:
    """Whatever command and option it is for: a usage error that says which, and no traceback."""
    [number] = [at for at, one in enumerate(line, 1) if "{}" in one]
    # Two arguments stand before: the configuration's option.
    ended = bench.command(*(one.format("caf\udce9") for one in line))
    assert (ended.code, ended.out) == (2, "")
    assert f"argument {number + 2} is not UTF-8: " in ended.err
    assert "caf\\udce9" in ended.err


def test_it_is_a_document_where_that_is_asked_for(bench: Bench) -> None:
    """With --json the error is one."""
    ended = bench.command("history", "caf\udce9", "--json")
    assert ended.code == 2
    assert "is not UTF-8" in ended.json()["error"]["what"]


@pytest.mark.parametrize("key", ["café", "日本", "\N{GRINNING FACE}", ""])
def test_all_other_text_is_taken(bench: Bench, key: str) -> None:
    """Letters of any language are no business of this."""
    assert bench.command("run", "--once").code == 0
    assert "UTF-8" not in bench.command("history", key).err


def test_a_process_is_told_too(tmp_path: Path) -> None:
    """The bytes of another encoding, from a real command line."""
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"connector", b"history", b"caf\xe9"],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"argument 2 is not UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr
