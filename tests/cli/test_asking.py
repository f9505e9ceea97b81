"""What is asked for while somebody else has the store: left as an order, carried out by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import order_files
from tests.cli.conftest import Bench
from tests.cli.test_erase import store_in_use
from tests.cli.test_release import flood


def left(bench: Bench) -> list[Path]:
    """The orders that wait."""
    return order_files.oldest_first(bench.site.config_path.with_name("events.db"))


@pytest.mark.parametrize("command", ["replay", "release", "apply"])
def test_beside_the_service_an_order_is_left(bench: Bench, command: str) -> None:
    """It ends well and says what becomes of it; the next run carries it out and removes it."""
    flood(bench, 0, 50)
    assert bench.command("run", "--once").code == 0
    flood(bench, 50, 30)
    assert bench.command("run", "--once").code == 1
    digest = bench.command("plan", "--json").json()["digest"]
    arguments = {
        "replay": ["replay", "--object", "vendors"],
        "release": ["release", "ABC"],
        "apply": ["apply", digest],
    }
    with store_in_use(bench):
        ended = bench.command(*arguments[command], "--json")
        assert ended.code == 0, ended.err
        [order] = left(bench)
    asked = order_files.read(order)
    kinds = {"replay": "ReplayRequested", "release": "MassChangeReleased", "apply": "PlanApplied"}
    assert type(asked).__name__ == kinds[command]
    assert order.stat().st_mode & 0o777 == 0o600
    bench.command("run", "--once")
    assert left(bench) == []
    assert list(order.parent.glob("*.refused")) == []
