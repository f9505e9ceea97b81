"""What lies beside the store is for its owner alone, also when it was put back for all to read."""

from __future__ import annotations

import stat
from pathlib import Path

from connector import erasure_list, orders, planning
from connector.erasure_list import Listed
from projections.events import ReplayRequested
from projections.plan import Plan, Planning
from tests.projections.rig import MAPPING


def mode(path: Path) -> int:
    """Who may do what with it."""
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_list_of_the_erased(tmp_path: Path) -> None:
    """A list that others could read is private again with the next line."""
    path = erasure_list.file_of(tmp_path / "events.db")
    path.touch()
    path.chmod(0o644)
    line = Listed("sage/acme/ABC/AR_Customer/01-X", "2026-11-22T09:00:00Z", "asked")
    await erasure_list.add(tmp_path / "events.db", [line])
    assert mode(path) == 0o600


async def test_orders(tmp_path: Path) -> None:
    """So is the folder of orders with the next order, whatever lies in it."""
    folder = orders.folder_of(tmp_path / "events.db")
    folder.mkdir()
    folder.chmod(0o755)
    left = await orders.leave(tmp_path / "events.db", ReplayRequested([], "nothing"))
    assert (mode(folder), mode(left)) == (0o700, 0o600)


async def test_plans(tmp_path: Path) -> None:
    """And that of plans with the next plan, be it one that is there."""
    folder = planning.folder_of(tmp_path / "events.db")
    folder.mkdir()
    folder.chmod(0o755)
    made = planning.Made(an_empty_plan(), MAPPING, [], [])
    kept = await planning.keep(tmp_path / "events.db", made)
    kept.chmod(0o644)
    assert mode(await planning.keep(tmp_path / "events.db", made)) == 0o600
    assert mode(folder) == 0o700


def an_empty_plan() -> Plan:
    """A plan of nothing."""
    made = Planning(MAPPING.source, MAPPING.digest, 0, new_mapping=True, known={})
    return made.finish(planning.calls_per_minute("free"))
