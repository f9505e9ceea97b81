"""`bundle` and `reproduce`: a record handed on without who it is, and played by somebody else."""

from __future__ import annotations

from pathlib import Path

from projections import keys
from tests.cli.conftest import Bench


def key_and_name(bench: Bench) -> tuple[str, str]:
    """(external key, name) of a customer with invoices."""
    company = bench.site.sage100.company
    row = next(
        row
        for row in company.rows("AR_Customer")
        if next(iter(company.rows("AR_Invoice", row["ARDivisionNo"], row["CustomerNo"])), None)
    )
    return f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}", row["CustomerName"]


def test_a_bundle_is_written_and_played(bench: Bench, tmp_path: Path) -> None:
    """The file names nobody, and needs no configuration to be played to the same end."""
    assert bench.command("run", "--once").code == 0
    key, name = key_and_name(bench)
    file = tmp_path / "one.json"
    made = bench.command("bundle", key, "-o", file, "--json").json()
    assert made["bytes"] == len(file.read_bytes())
    assert made["key"] != f"companies/{key}"
    assert name not in file.read_text()
    bench.site.config_path.unlink()
    ended = bench.command("reproduce", file)
    assert ended.code == 0, ended.out
    assert "The end is the same." in ended.out


def test_what_only_the_real_portal_refuses_is_told(bench: Bench, tmp_path: Path) -> None:
    """A record parked by a portal's own rule goes through elsewhere: the difference is named."""
    key, _ = key_and_name(bench)
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, "Not this one"))
    assert bench.command("run", "--once").code == 1
    file = tmp_path / "one.json"
    told = bench.command("bundle", key, "-o", file, "--note", "why is it parked?")
    assert told.code == 0
    assert "Names, addresses, numbers and keys are made up" in told.out
    assert '"note":"why is it parked?"' in file.read_text()
    ended = bench.command("reproduce", file, "--json")
    assert ended.code == 1
    found = {(one["target"], one["what"]): one for one in ended.json()["differences"]}
    state = found[ended.json()["key"], "(state)"]
    assert state["recorded"].startswith("parked")
    assert state["played"] == "idle"


def test_what_is_not_there_is_refused(bench: Bench, tmp_path: Path) -> None:
    """Unknown keys and files end with the usage code and say what to do."""
    assert bench.command("run", "--once").code == 0
    assert bench.command("bundle", "nobody").code == 2
    assert bench.command("reproduce", tmp_path / "none.json").code == 2
    key, _ = key_and_name(bench)
    for place in (tmp_path / "missing" / "x.json", tmp_path):
        ended = bench.command("bundle", key, "-o", place, "--json")
        assert (ended.code, str(place) in ended.json()["error"]["where"]) == (2, True)
        assert "cannot be written" in ended.json()["error"]["what"]
    folder = bench.command("reproduce", tmp_path)
    assert (folder.code, "cannot be read: Is a directory" in folder.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_asked_for_as_history_is(bench: Bench, tmp_path: Path) -> None:
    """A part of a name that only one record has names it; of several the choices are told."""
    assert bench.command("run", "--once").code == 0
    rows = list(bench.site.sage100.model.rows("AR_Customer"))
    names = [row["CustomerName"].lower() for row in rows]
    file = tmp_path / "one.json"
    for name in names:
        found = bench.command("history", name, "--json").json()
        ended = bench.command("bundle", name, "--force", "-o", file)
        roots = {keys.customer_of(one.partition("/")[2]) for one in found["choices"]}
        assert ended.code == (0 if found["target"] or len(roots) == 1 else 2), ended.err
        assert ended.code == 0 or all(choice in ended.err for choice in found["choices"])
