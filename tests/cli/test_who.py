"""In whose name an order stands in the log."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

import connector
from connector.cli.who import who
from tests.cli.conftest import Bench


def test_a_user_without_a_name_is_named_by_number(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a number that no passwd file knows whatever signs does so as uid:N, all in one way."""

    def nobody() -> str:
        raise KeyError(f"getpwuid(): uid not found: {os.getuid()}")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who() == f"uid:{os.getuid()}"
    assert bench.command("run", "--once").code == 0
    [row, *_] = bench.site.sage100.model.rows("AR_Customer")
    key = f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"
    assert bench.command("replay", "--key", f"companies/{key}").code == 0
    assert bench.command("run", "--once").code == 0
    digest = bench.command("plan", "--json").json()["digest"]
    assert bench.command("apply", digest).code == 0
    assert bench.command("erase", key, "--yes").code == 0
    listed = bench.site.config_path.with_name("events.db.erased").read_text()
    assert f'"by":"uid:{os.getuid()}"' in listed
    sources = Path(connector.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if "import getpass" in path.read_text()] == ["who.py"]


def test_a_user_with_a_name_is_named_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log-on name where there is one."""
    monkeypatch.setattr(getpass, "getuser", lambda: "eve")
    assert who() == "eve"


def test_a_name_that_is_no_utf_8_signs_as_far_as_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log takes no other encoding, and an order is not refused for who gave it."""
    monkeypatch.setattr(getpass, "getuser", lambda: "andr\udce9")
    assert who() == "andr?"
