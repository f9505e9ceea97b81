"""End the connector at every place where it waits, and print and keep what came of it.

`python -m tests.selftest [--scene NAME] [--quick] [--every N] [--jobs N] [--report FILE]`; exits 1
when any end was another. `--scene`: only that one of `scenes`; `--quick`: each place at its first,
middle and last pass; `--every`: every N-th point. How often a place is passed differs a little from
one run to the next; where a pass is not reached, an earlier one of the same place is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from connector.telemetry import product_version
from tests.selftest.crossing import Calm, Crossing, calm, crossed, process_context
from tests.selftest.scenes import SCENES, Scene
from tests.selftest.watch import Point

_PACKAGES: Final = ("aiohttp", "aiosqlite", "msgspec")
_REPORT: Final = "selftest-report.json"


def main() -> int:
    """Run, print the table, write the report; the exit code."""
    asked = argparse.ArgumentParser(prog="selftest", description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--scene", choices=list(SCENES), action="append")
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--every", type=int, default=1)
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--report", type=Path, default=Path(_REPORT))
    options = asked.parse_args()
    started = time.monotonic()
    calms = [_calm(SCENES[name]) for name in options.scene or SCENES]
    points = [
        (point, right)
        for right in calms
        for point in (right.points() if options.quick else right.passes())[:: options.every]
    ]
    console = Console()
    found = []
    for crossing in _crossings(points, options.jobs):
        found.append(crossing)
        for fault in crossing.faults:
            console.print(
                f"{crossing.scene}: {crossing.point}: {fault}", markup=False, soft_wrap=True
            )
        if len(found) % 100 == 0:
            console.print(f"{len(found):,} of {len(points):,} points", markup=False)
    report = _report(calms, len(points), found, time.monotonic() - started)
    options.report.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    console.print(_table(found))
    ends = f"{report['ended']:,} of {len(points):,} points ended the process"
    console.print(
        f"{report['places_ended_at']:,} of {report['places']:,} places; {ends}, "
        f"{report['not_reached']:,} were not reached that time; {len(report['faults']):,} ends "
        f"were another. Report: {options.report}",
        markup=False,
        soft_wrap=True,
    )
    return int(bool(report["faults"]))


def _calm(scene: Scene) -> Calm:
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        return asyncio.run(calm(Path(folder), scene))


def _crossings(points: list[tuple[Point, Calm]], jobs: int) -> Iterator[Crossing]:
    with ProcessPoolExecutor(jobs, mp_context=process_context()) as pool:
        waiting = [pool.submit(crossed, point, right) for point, right in points]
        for done in as_completed(waiting):
            yield done.result()


def _report(
    calms: list[Calm], points: int, found: list[Crossing], seconds: float
) -> dict[str, Any]:
    return {
        "what": "the connector at work, ended at each point, then taken up",
        "scenes": {right.scene: SCENES[right.scene].what for right in calms},
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(seconds),
        "versions": {
            "ml-connector": product_version(),
            **{name: version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "system": platform.platform(),
        },
        "places": sum(len(right.passed) for right in calms),
        "passes": sum(sum(right.passed.values()) for right in calms),
        "points": points,
        "ended": sum(one.reached for one in found),
        "not_reached": sum(not one.reached for one in found),
        "places_ended_at": len({(one.scene, *one.point[:2]) for one in found if one.reached}),
        "checked": [
            "what takes it up comes to the end that undisturbed work does",
            "the pass after it writes nothing",
            "HubSpot holds what it holds after undisturbed work, each record and link once",
            "the hash chain covers the log, the read models are what the log says",
            "the books close; what is parked, held or called vanished is that of undisturbed work",
        ],
        "faults": [one for one in found if one.faults],
        "results": [(one.scene, *one.point, one.reached, not one.faults) for one in found],
    }


def _table(found: list[Crossing]) -> Table:
    picture = Table(title="Ended where it waits", title_justify="left")
    picture.add_column("scene: task begins in")
    for heading in ("points", "ended", "not reached", "faults"):
        picture.add_column(heading, justify="right")
    rows: dict[str, Counter[str]] = {}
    for one in found:
        file = one.point.place.partition(":")[0]
        row = rows.setdefault(f"{one.scene}: {file}", Counter())
        row["points"] += 1
        row["ended"] += one.reached
        row["faults"] += bool(one.faults)
    for name, row in sorted(rows.items()):
        missed = row["points"] - row["ended"]
        cells = (row["points"], row["ended"], missed, row["faults"])
        picture.add_row(name, *(f"{cell:,}" for cell in cells))
    return picture


if __name__ == "__main__":
    sys.exit(main())
