"""`rebuild`: the read models anew from the log, or a proof that they are what the log says."""

from __future__ import annotations

from typing import Annotated

import typer

from connector.app import open_app
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.watch import watching
from connector.config import Config
from connector.rebuild import RebuildReport
from eventstore import StoreMissing


def rebuild(
    ctx: typer.Context,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare, change nothing, name the first difference.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop the read models and refold them from the log; HubSpot is told nothing."""
    config = load(ctx)
    file = config.store.file
    if file is not None and not file.exists():  # a mistyped address is no empty log
        raise StoreMissing(f"there is no store at {file}")
    report = run_async(_rebuild(config, verify=verify))
    if as_json:
        output.document(report)
    else:
        render(report)
    if report.mismatch is not None:
        raise typer.Exit(1)


async def _rebuild(config: Config, *, verify: bool) -> RebuildReport:
    with watching(output.stderr()) as progress:
        async with open_app(config, progress=progress) as app:
            return await app.rebuild(verify=verify)


def render(report: RebuildReport) -> None:
    """What was done, or what differs."""
    figures = f"{report.rows:,} rows from {report.events:,} events"
    if report.mismatch is None:
        output.say(f"ok: {figures}, " + ("all identical" if report.verified else "rebuilt"))
        return
    differs = report.mismatch
    output.say(f"DIFFERENT: table {differs.table}, key {differs.key}")
    output.say(f"  live:    {_row(differs.live)}")
    output.say(f"  the log: {_row(differs.rebuilt)}")
    output.say("'ml-connector rebuild' makes the tables what the log says.")


def _row(text: str | None) -> str:
    return "(no such row)" if text is None else text
