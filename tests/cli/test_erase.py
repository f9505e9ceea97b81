"""`erase`: what it says, what it asks, and how it ends."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector import overdue
from connector.config import load_config
from connector.opening import open_writer
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


@contextmanager
def store_in_use(bench: Bench) -> Iterator[None]:
    """Somebody has the store open, and carries nothing out."""
    holder = open_writer(load_config(bench.site.config_path, bench.site.env))

    def there(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, bench.loop).result(60)

    there(holder.__aenter__())
    try:
        yield
    finally:
        there(holder.__aexit__(None, None, None))


def test_nothing_is_handed_on_while_an_erasure_is_pending(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process has the store and the order is not carried out, `export` and `bundle`
    refuse with 1, naming the record; what is only looked at comes with a warning.
    """
    monkeypatch.setattr(overdue, "PATIENCE_S", 0.3)
    assert bench.command("run", "--once").code == 0
    key, name = first_customer(bench)
    file = tmp_path / "log.jsonl"
    url = f"sqlite:///{bench.site.config_path.with_name('events.db')}"
    with store_in_use(bench):
        asked = bench.command("erase", key, "--yes")
        assert (asked.code, "Asked for: " in asked.out) == (0, True)
        for command in (
            ["export", file],
            ["bundle", key, "-o", file],
            ["export", file, "--store", url],
        ):
            ended = bench.command(*command, "--json")
            assert ended.code == 1
            error = ended.json()["error"]
            assert error["what"] == f"an erasure of {key} is pending"
            assert "Try again in a moment" in error["remedy"]
            assert not file.exists()
        told = bench.command("history", key)
        assert (told.code, f"an erasure of {key} is pending" in told.err) == (0, True)
    exported = bench.command("export", file)
    assert (exported.code, exported.err.count("pending")) == (0, 0)
    assert name not in file.read_text()


def test_an_older_export_says_that_it_holds_who_was_erased_since(
    bench: Bench, tmp_path: Path
) -> None:
    """`import` names the list that is to lie beside the new store; with it, who was erased is."""
    assert bench.command("run", "--once").code == 0
    key, customer = first_customer(bench)
    log = tmp_path / "log.jsonl"
    assert bench.command("export", log).code == 0
    assert bench.command("erase", key, "--yes").code == 0
    folder = bench.site.config_path.parent
    text = bench.site.config_path.read_text(encoding="utf-8")
    for name in ("bare.db", "kept.db"):
        bench.site.config_path.write_text(
            text.replace("sqlite:///events.db", f"sqlite:///{name}"), encoding="utf-8"
        )
        if name == "kept.db":
            shutil.copy(folder / "events.db.erased", folder / "kept.db.erased")
        ended = bench.command("import", log)
        assert ended.code == 0
        assert bench.command("rebuild").code == 0
        shown = bench.command("history", f"companies/{key}", "--all").out
        if name == "bare.db":
            assert f"No list of erased records lies beside this store ({folder / name}" in ended.out
            assert customer in shown
        else:
            assert "written before 1 erasure on" in ended.out
            assert customer not in shown
