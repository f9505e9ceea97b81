"""`history`: one record's life with what led to it, found by whatever a person knows of it."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Bench
from tests.cli.test_undo import customer_keys, move, record


def moments(bench: Bench, key: str) -> list[dict[str, Any]]:
    """A record's life as a document."""
    found: list[dict[str, Any]] = bench.command("history", key, "--json").json()["moments"]
    return found


def test_every_step_has_its_trace(bench: Bench) -> None:
    """Without a collector too; what led to a write, the write and its answer are one trace."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    move(bench, key, City="Fargo")
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", "--run", "last").code == 0
    assert bench.command("run", "--once").code == 0
    told = moments(bench, target)
    assert all(len(each["trace"]) == 32 for each in told)
    traces = {each["moment"]["position"]: each["trace"] for each in told}
    sent = [each for each in told if each["moment"]["event"] == "CommandSent"]
    assert len(sent) == 3
    for each in sent:
        assert each["trace"] == traces[each["moment"]["cause"]], each
    [undone] = [each for each in told if each["moment"]["event"] == "UndoRequested"]
    [pinned] = [each for each in told if each["moment"]["event"] == "FieldsPinned"]
    last = [each for each in told if each["moment"]["event"] == "CommandSucceeded"][-1]
    assert undone["trace"] == pinned["trace"] == last["trace"]
    assert record(bench, key)["city"] != "Fargo"
