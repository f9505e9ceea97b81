"""`erase`: what it says, what it asks, and how it ends."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Bench


def first_customer(bench: Bench) -> tuple[str, str]:
    """(external key, name) of a customer with an address."""
    row = next(row for row in bench.site.sage100.company.rows("AR_Customer") if row["AddressLine1"])
    return f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}", row["CustomerName"]


def test_a_customer_is_erased_by_command(bench: Bench, tmp_path: Path) -> None:
    """A dry run erases nothing; --yes does, at once; HubSpot follows with the next run."""
    assert bench.command("run", "--once").code == 0
    key, name = first_customer(bench)
    store = bench.site.config_path.with_name("events.db")
    dry = bench.command("erase", key, "--dry-run", "--json").json()
    assert (dry["state"], dry["record"]) == ("dry run", f"sage/demo/ABC/AR_Customer/{key[4:]}")
    assert f"companies/{key}" in dry["affected"]["hubspot_ids"]
    assert name.encode() in store.read_bytes()
    backup = shutil.copyfile(store, tmp_path / "backup.db")

    done = bench.command("erase", key, "--yes", "--reason", "Art. 17")
    assert done.code == 0, done.err
    assert "Erased: the personal data of" in done.out
    assert "records there are not deleted" in done.out
    assert bench.command("verify").code == 0
    assert name not in bench.command("history", f"companies/{key}", "--all").out
    assert bench.command("run", "--once", "--sweep").code == 0
    held = bench.at_the_site(
        lambda: bench.site.portal.one("companies", "sage100_customer_key", key)
    )
    assert held["name"] == key[4:]
    assert bench.command("rebuild", "--verify").code == 0
    assert bench.command("proof", "--live").code == 0
    assert bench.command("plan").code == 0

    shutil.copyfile(backup, store)
    assert bench.command("export", tmp_path / "log.jsonl").code == 0
    assert name not in (tmp_path / "log.jsonl").read_text()


def test_erasing_asks_and_takes_no_for_an_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --yes a person is asked; without an answer nothing is erased, nor with --json."""
    assert bench.command("run", "--once").code == 0
    key, _ = first_customer(bench)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ended = bench.command("erase", key)
    assert ended.code == 1
    assert "This cannot be undone" in ended.err
    assert bench.command("erase", key, "--json").code == 2
    assert not bench.site.config_path.with_name("events.db.erased").exists()
    assert bench.command("erase", "nobody", "--yes").code == 2
