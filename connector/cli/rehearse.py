"""`rehearse`: the whole history under another mapping, beside the one in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector import mappings, rehearsal
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.watch import FOLDING, watching
from connector.config import Config
from connector.config.mapping import load_mapping, read_mapping
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.rehearsal import Rehearsal
from projections.mapping import compiled


def rehearse(
    ctx: typer.Context,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="The other one; left out: as configured."),
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option("--scratch", metavar="FOLDER", help="Room for two copies of the log."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fold the whole log under another mapping too; show both side by side, write nothing."""
    config = load(ctx)
    wanted = load_mapping(config) if mapping is None else read_mapping(mapping, "--mapping")
    if scratch is not None and not scratch.is_dir():
        raise typer.BadParameter(f"--scratch: {scratch} is no folder")
    found = run_async(_rehearse(config, wanted, scratch.resolve() if scratch else None))
    if as_json:
        output.document(found)
    else:
        render(found)


async def _rehearse(
    config: Config, wanted: compiled.CompiledMapping, scratch: Path | None
) -> Rehearsal:
    async with open_reader(config) as store:
        old = await mappings.active(store)
        if old is None:
            raise Misconfigured(
                "no mapping was ever in force in this store",
                where=str(config.store.file or "store"),
                remedy="Let 'ml-connector run --once' make the first pass, or correct store.url.",
            )
        with watching(output.stderr(), FOLDING) as progress:
            return await rehearsal.rehearse(
                store,
                old,
                wanted,
                beside=config.store.file,
                scratch=scratch,
                progress=progress,
            )


def render(found: Rehearsal) -> None:
    """Commands and records, and the properties that differ."""
    output.say(
        f"{found.events:,} events, with mapping {found.old[:12]} (in force) and {found.new[:12]}, "
        "each as if it had been in force from the first day on and HubSpot had taken everything."
    )
    heads = ["object", "records", "records, new", "commands", "commands, new", "as it was"]
    rows = (
        (
            *(one.object, one.records_old, one.records_new),
            *(one.commands_old, one.commands_new, one.commands_then),
        )
        for one in found.objects
    )
    output.show(output.table("Side by side", heads, rows))
    differing = [one for one in found.fields if one.differ]
    if not differing:
        output.say("Every property of every record would hold the same.")
        return
    lines = []
    for field in differing:
        first = field.samples[0]
        name = first.target.partition("/")[2]
        values = _shown(first.old), _shown(first.new)
        lines.append((field.object, field.property, field.differ, field.same, name, *values))
    heads = ["object", "property", "differ", "same", "for instance", "old", "new"]
    output.show(output.table("Properties that differ", heads, lines))


def _shown(value: str | None) -> str:
    return "(empty)" if value in (None, "") else str(value)
