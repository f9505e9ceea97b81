"""`reproduce`: a bundle played again, with the simulated HubSpot in the place of the real one."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from connector import bundle as bundles
from connector.bundle import Bundle, Played, Seed
from connector.cli import output
from connector.cli.session import AsJson, run_async
from connector.hubspot.api import HubSpot
from connector.hubspot.limiter import Limiter
from connector.rebuild import all_tables, is_current
from connector.sandbox.hubspot import SimulatedHubSpot
from connector.secret import Secret
from eventstore import open_store

_SHOWN: Final = 50


def reproduce(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", help="What 'bundle' wrote.")],
    as_json: AsJson = False,
) -> None:
    """Play a bundle against a simulated HubSpot, and say where its end is another."""
    report = run_async(_reproduce(file))
    if as_json:
        output.document(report)
    else:
        render(report)
    if report.differences:
        raise typer.Exit(1)


async def _reproduce(file: Path) -> Played:
    return await played(await asyncio.to_thread(bundles.read, file))


async def played(bundle: Bundle) -> Played:
    """Play the bundle in a store of its own, which goes away again, and a portal of its own."""
    with tempfile.TemporaryDirectory(prefix="ml-connector-bundle-") as folder:
        async with (
            SimulatedHubSpot() as portal,
            open_store(f"sqlite:///{Path(folder) / 'bundle.db'}", tables=all_tables()) as store,
            HubSpot(
                Secret(portal.token), Limiter("professional"), base_url=portal.base_url
            ) as hubspot,
        ):
            await is_current(store)
            await bundles.prepare(bundle, store, hubspot)
            ids = {seed.target: _put(portal, seed) for seed in bundles.seeds(bundle)}
            return await bundles.play(bundle, store, hubspot, ids)


def _put(portal: SimulatedHubSpot, seed: Seed) -> str:
    """Put a record into the portal, but for values that this one does not take; its id."""
    try:
        return portal.add(seed.object_type, seed.values)
    except ValueError:
        hubspot_id = portal.add(seed.object_type, {})
    for name, value in seed.values.items():
        with contextlib.suppress(ValueError):
            portal.edit(seed.object_type, hubspot_id, {name: value})
    return hubspot_id


def render(report: Played) -> None:
    """What was played, and what differs."""
    output.say(
        f"{report.key}: {report.inputs:,} events played again; {report.targets:,} HubSpot objects "
        f"with {report.values:,} values compared."
    )
    if not report.differences:
        output.say("The end is the same.")
        return
    rows = [(one.target, one.what, one.recorded, one.played) for one in report.differences]
    title = f"The end is another: {len(rows):,} differences"
    heads = ["record", "what", "in the bundle", "played again"]
    output.show(output.table(title, heads, rows[:_SHOWN]))
    if len(rows) > _SHOWN:
        output.say(f"… and {len(rows) - _SHOWN:,} more; all of them with --json.")
