"""`bundle`: one record's part of the log as a file, about somebody else."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from connector import bundle as bundles
from connector.bundle.pseudonyms import Pseudonyms
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.opening import open_reader
from connector.own_files import refuse_own


class BundleReport(msgspec.Struct, frozen=True):
    """What was written: `key` is what the record is called in the bundle."""

    file: str
    key: str
    events: int
    bytes: int


def bundle(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As for 'history'.")],
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Left out: bundle.json.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a bundle that is there already.")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="What is wrong, in your own words.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write everything that one record depends on into a file, all names made up."""
    config = load(ctx)
    file = file or Path("bundle.json")
    refuse_own(file, config.store.file, config.files, remedy="Name another file: -o FILE.")
    bundles.must_be_free(file, replace=force)
    report = run_async(_bundle(config, key, file, note))
    if as_json:
        output.document(report)
        return
    output.say(f"{report.events:,} events, {report.bytes:,} bytes, in {report.file}.")
    output.say(
        f"The record is called {report.key} there. Names, addresses, numbers and keys are made up; "
        "amounts and dates are the real ones. Next: ml-connector reproduce " + report.file
    )


async def _bundle(config: Config, key: str, file: Path, note: str) -> BundleReport:
    async with open_reader(config, to_hand_on=True) as store:
        found = await bundles.collect(store, key)
    made_up = bundles.disguise(found, Pseudonyms(secrets.choice))
    made_up = msgspec.structs.replace(made_up, note=note)
    size = bundles.write(file, made_up)
    return BundleReport(str(file), made_up.key, len(made_up.events), size)
