"""Ours and the usual ways to write to HubSpot, on one and the same simulated portal.

    python -m tests.bench.bench_portal [--records N] [--only NAME ...]

The portal keeps a real one's limits (professional: 190 calls in any 10 s, 5 searches a second) and
latencies, and Search shows a change some seconds late. Every contender gets a fresh portal with the
same properties and the same vendors, to be kept as companies: a first load, the same again, and
again with 5 % changed. Then, on another fresh portal, a first load with 1 % of the records refused
by HubSpot and 5 % of the answers lost, half of them after the call was carried out, and a second
run after that, as every schedule brings one.

Ours reads the vendors from a simulated Sage 100 agent, keeps its log and writes; the others get
the finished properties from a file, which is less work. `duplicates` are records too many for one
vendor, `lost` are vendors that HubSpot would have taken and that are not there.

The peers are an extra of their own, which `make bench` installs; who is missing is said and left
out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from connector.sandbox.agent import AgentOptions, SimulatedAgent, maintenance
from connector.sandbox.hubspot import HubSpotOptions, Latency, SimulatedHubSpot
from connector.sandbox.hubspot.faults import Drop
from tests.bench.bench_sync import configuration
from tests.bench.peers import PEERS, PLAIN, installed

OURS = "ml-connector"
CHANGED_SHARE = 0.05
INVALID_SHARE = 0.01
LOST_SHARE = 0.05
_LAG_S = (1.0, 5.0)
_WHY = "Blocked was not one of the allowed options"


class Place(NamedTuple):
    """One contender's portal, the agent behind ours, and a folder for its files."""

    portal: SimulatedHubSpot
    agent: SimulatedAgent
    folder: Path
    secrets: dict[str, str]


class Run(NamedTuple):
    """One run: how long it took and how many calls reached the portal."""

    seconds: float
    calls: int


Sync = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def place(records: int) -> AsyncIterator[Place]:
    """A fresh portal that has our properties, and an agent with so many vendors and no more."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        agent = await stack.enter_async_context(
            SimulatedAgent(AgentOptions(seed=3, customers=0, invoices=0, vendors=records))
        )
        options = HubSpotOptions(latency=Latency(), search_lag_s=_LAG_S)
        portal = await stack.enter_async_context(SimulatedHubSpot(options))
        secrets = {
            "BENCH_PASSWORD": agent.password,
            "BENCH_API_KEY": agent.api_key,
            "BENCH_TOKEN": portal.token,
        }
        made = Place(portal, agent, folder, secrets)
        configuration(folder, agent, portal)
        await child(made, *_ours(folder, "setup"))
        yield made


def _ours(folder: Path, *command: str) -> list[str]:
    return ["-m", "connector", "--config", str(folder / "ml-connector.toml"), *command]


async def child(where: Place, *arguments: str) -> str:
    """Run Python with these arguments to its end; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | where.secrets,
    )
    out, errors = await process.communicate()
    # 1: something is left for a person, here the refused records.
    if process.returncode not in (0, 1):
        raise SystemExit(f"{arguments} ended with {process.returncode}: {errors.decode()[-2000:]}")
    return out.decode()


def sync_of(name: str, where: Place, records: Sequence[dict[str, str]]) -> Sync:
    """What one run of a contender is."""

    async def ours() -> None:
        await child(where, *_ours(where.folder, "run", "--once"))

    async def peer() -> None:
        path = where.folder / "records.json"
        path.write_text(json.dumps(list(records)), "utf-8")
        arguments = ("-m", "tests.bench.peers", name, str(path), where.portal.base_url)
        await child(where, *arguments)

    return ours if name == OURS else peer


async def timed(where: Place, sync: Sync) -> Run:
    """Run it."""
    calls = len(where.portal.calls)
    began = time.perf_counter()
    await sync()
    return Run(time.perf_counter() - began, len(where.portal.calls) - calls)


async def desired(records: int) -> list[dict[str, str]]:
    """The properties that the vendors should have, as ours writes them."""
    async with place(records) as where:
        await sync_of(OURS, where, ())()
        ours = set(where.portal.properties("companies"))
        names = [name for name in ours if name.startswith("sage100_vendor")]
        names += ["name", "domain", "phone", "address", "address2", "city", "state", "zip"]
        names += ["country", "type"]
        return [
            {name: record[name] for name in names if record.get(name)}
            for record in where.portal.records("companies").values()
        ]


def change(where: Place, records: list[dict[str, str]], rng: random.Random) -> None:
    """Another telephone number for some vendors, in Sage 100 and in the peers' file."""
    for record in rng.sample(records, max(1, int(len(records) * CHANGED_SHARE))):
        record["phone"] = f"(312) 555-{rng.randrange(10_000):04d}"
        division, _, number = record[PLAIN].partition("-")
        changes = {"TelephoneNo": record["phone"]}
        maintenance.change(where.agent.company, "AP_Vendor", (division, number), changes)


def judge(where: Place, records: Sequence[dict[str, str]], refused: set[str]) -> tuple[int, int]:
    """(duplicates, lost) of what the portal holds now."""
    held = Counter(record.get(PLAIN, "") for record in where.portal.records("companies").values())
    wanted = {record[PLAIN] for record in records} - refused
    duplicates = sum(count - 1 for number, count in held.items() if number)
    return duplicates, sum(number not in held for number in wanted)


async def good_days(name: str, records: list[dict[str, str]]) -> str:
    """First load, the same again, 5 % changed; one line."""
    records = [dict(record) for record in records]
    async with place(len(records)) as where:
        runs = [await timed(where, sync_of(name, where, records))]
        runs.append(await timed(where, sync_of(name, where, records)))
        change(where, records, random.Random(5))
        runs.append(await timed(where, sync_of(name, where, records)))
        duplicates, lost = judge(where, records, set())
    cells = "".join(
        f"{len(records) / run.seconds:>9,.0f} {run.calls / len(records) * 1000:>8,.0f}"
        for run in runs
    )
    return f"{name:18}{cells} {duplicates:>6} {lost:>6}"


async def bad_day(name: str, records: Sequence[dict[str, str]]) -> str:
    """A first load with refused records and lost answers, and one more run; one line."""
    rng = random.Random(9)
    refused = {
        record[PLAIN] for record in rng.sample(records, max(1, int(len(records) * INVALID_SHARE)))
    }
    async with place(len(records)) as where:
        for number in refused:
            where.portal.poison("companies", number, _WHY, property="sage100_vendor_status")
        for applied in (True, False):
            where.portal.inject(
                Drop(applied=applied), route="objects", times=None, chance=LOST_SHARE / 2
            )
        first = await timed(where, sync_of(name, where, records))
        after_first = judge(where, records, refused)
        await timed(where, sync_of(name, where, records))
        after_second = judge(where, records, refused)
    figures = "".join(f"{number:>11}" for number in (*after_first, *after_second))
    return f"{name:18}{first.calls / len(records) * 1000:>9,.0f}{figures}"


async def main(arguments: Sequence[str]) -> int:
    """Every contender's good days, then every contender's bad day."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--only", nargs="*", choices=[OURS, *PEERS], default=[OURS, *PEERS])
    given = parser.parse_args(arguments)
    there = [name for name in given.only if name not in PEERS or installed(name)]
    for name in set(given.only) - set(there):
        print(f"{name} is left out: pip install -c constraints.txt -e '.[peers]'")
    records = await desired(given.records)
    print(f"{len(records):,} vendors as companies, limits of the professional tier")
    print(f"{'':18}{'first load':>18}{'the same again':>18}{'5 % changed':>18}   dupl.   lost")
    print(f"{'':18}" + f"{'records/s':>9} {'calls/k':>8}" * 3)
    for name in there:
        print(await good_days(name, records), flush=True)
    print(f"\n{INVALID_SHARE:.0%} refused, {LOST_SHARE:.0%} of the answers lost")
    print(f"{'':18}{'calls/k':>9}{'duplicates':>11}{'lost':>11}{'…after a':>11}{'2nd run':>11}")
    for name in there:
        print(await bad_day(name, records), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
