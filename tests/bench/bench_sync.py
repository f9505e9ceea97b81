"""A first sync against both simulated ends, limits lifted: speed, calls, and memory.

    python -m tests.bench.bench_sync [--customers N] [--invoices N] [--dir DIR]

Both ends run in this process, the connector in one of its own, as it is installed: its speed is
what an operator would see on two cores shared with the ends, its memory is its alone. The sync is
made twice, with a tenth of the data and with all of it, so that growth shows. Exits 1 when more
than 12 upserts per 1,000 records were needed, or memory grew by a quarter or more.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from connector.sandbox.agent import AgentOptions, SimulatedAgent
from connector.sandbox.hubspot import HubSpotOptions, Limits, SimulatedHubSpot

MOST_UPSERTS = 12.0
MOST_GROWTH = 0.25
_LIFTED = Limits(burst=1_000_000, daily=100_000_000, association_burst=1_000_000)


class Sync(NamedTuple):
    """One first sync. `peak_mb`: the connector's largest resident size."""

    customers: int
    invoices: int
    records: int
    links: int
    seconds: float
    upserts: int
    calls: int
    peak_mb: float
    log_mb: float


def configuration(folder: Path, agent: SimulatedAgent, portal: SimulatedHubSpot) -> Path:
    """A configuration file for both simulated ends; secrets come from the environment."""
    path = folder / "ml-connector.toml"
    path.write_text(
        f"""
[store]
url = "sqlite:///events.db"

[[sage100]]
name = "bench"
endpoint = "{agent.endpoint}"
companies = ["ABC"]
timezone = "America/Chicago"
currency = "USD"

[sage100.auth]
scheme = "basic"
username = "{agent.username}"
password = {{ env = "BENCH_PASSWORD" }}
api_key = {{ env = "BENCH_API_KEY" }}

[hubspot]
base_url = "{portal.base_url}"
token = {{ env = "BENCH_TOKEN" }}
tier = "professional"
"""
    )
    return path


def run(config: Path, secrets: dict[str, str]) -> tuple[int, float]:
    """Run the connector to its end; exit status and peak resident size in MB."""
    command = [sys.executable, "-m", "connector", "--config", str(config), "run", "--once"]
    child = subprocess.Popen(
        command, env=os.environ | secrets, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with child:
        errors = child.stderr.read().decode() if child.stderr else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        print(errors[-2000:], file=sys.stderr)
    return child.returncode, usage.ru_maxrss / 1024


def size_mb(folder: Path) -> float:
    """The store's files."""
    return sum(file.stat().st_size for file in folder.glob("events.db*")) / 2**20


async def sync(customers: int, invoices: int, folder: Path) -> Sync:
    """One first sync of that much data."""
    async with contextlib.AsyncExitStack() as stack:
        options = AgentOptions(customers=customers, invoices=invoices)
        agent = await stack.enter_async_context(SimulatedAgent(options))
        hubspot = HubSpotOptions(limits=_LIFTED)
        portal = await stack.enter_async_context(SimulatedHubSpot(hubspot))
        secrets = {
            "BENCH_PASSWORD": agent.password,
            "BENCH_API_KEY": agent.api_key,
            "BENCH_TOKEN": portal.token,
        }
        config = configuration(folder, agent, portal)
        began = time.perf_counter()
        status, peak_mb = await asyncio.to_thread(run, config, secrets)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(f"the connector ended with {status}")
        records = sum(portal.count(kind) for kind in ("companies", "contacts", "invoices"))
        pairs = (("contacts", "companies"), ("invoices", "companies"), ("invoices", "contacts"))
        return Sync(
            customers,
            invoices,
            records,
            sum(len(portal.associations(left, right)) for left, right in pairs),
            seconds,
            portal.calls.count(route="objects.batch.upsert"),
            len(portal.calls),
            peak_mb,
            size_mb(folder),
        )


def show(one: Sync) -> None:
    """One line."""
    per_thousand = one.upserts / one.records * 1000
    print(
        f"{one.customers:>7,} customers {one.invoices:>7,} invoices: {one.records:>7,} records and "
        f"{one.links:>7,} links in {one.seconds:6.1f} s = "
        f"{(one.records + one.links) / one.seconds:6,.0f} objects/s "
        f"({one.records / one.seconds:,.0f} records/s); {per_thousand:.2f} upserts and "
        f"{one.calls / one.records * 1000:.1f} calls per 1,000 records; "
        f"peak {one.peak_mb:.0f} MB; log {one.log_mb:.0f} MB"
    )


def main() -> int:
    """A tenth, then all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--invoices", type=int, default=50_000)
    parser.add_argument("--dir", type=Path, default=None)
    given = parser.parse_args()
    found = []
    for share in (10, 1):
        with tempfile.TemporaryDirectory(dir=given.dir) as folder:
            customers, invoices = given.customers // share, given.invoices // share
            found.append(asyncio.run(sync(customers, invoices, Path(folder))))
            show(found[-1])
    small, large = found
    growth = large.peak_mb / small.peak_mb - 1
    upserts = large.upserts / large.records * 1000
    print(f"upserts per 1,000 records {upserts:.2f} (at most {MOST_UPSERTS:g})")
    print(f"memory grew by {growth:.0%} for ten times the data (less than {MOST_GROWTH:.0%})")
    return 0 if upserts <= MOST_UPSERTS and growth < MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
