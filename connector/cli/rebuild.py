"""`rebuild`: the read models from the log again, or proof that they are what the log says."""

from __future__ import annotations

from typing import Annotated

import typer

from connector import beside
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.watch import FOLDING, watching
from connector.config import Config
from connector.opening import open_writer
from connector.projector import Projector
from connector.rebuild import RebuildReport
from connector.rebuild import rebuild as make_anew
from eventstore import StoreMissing


def rebuild(
    ctx: typer.Context,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Compare, change nothing, name the first difference; beside 'run' too."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Refold the read models from the log, tell in what they differed; HubSpot is told nothing."""
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
    with watching(output.stderr(), FOLDING) as progress:
        if verify:
            return await beside.verify(
                config.store.url, beside=config.store.file, progress=progress
            )
        async with open_writer(config) as store:
            return await make_anew(store, Projector(store), verify=False, progress=progress)


def render(report: RebuildReport) -> None:
    """What was done, and what differs or differed."""
    figures = f"{report.rows:,} rows from {report.events:,} events"
    for one in report.differences:
        first = one.first
        output.say(f"DIFFERENT: table {one.table}, {one.rows:,} rows; the first at key {first.key}")
        output.say(f"  live:    {_row(first.live)}")
        output.say(f"  the log: {_row(first.rebuilt)}")
    if not report.verified:
        output.say(f"ok: {figures}, rebuilt{_compared(report)}")
    elif report.mismatch is None:
        output.say(f"ok: {figures}, all identical")
    else:
        output.say("'ml-connector rebuild' makes the tables what the log says.")


def _compared(report: RebuildReport) -> str:
    if not report.compared:
        return "; the tables before were of another version, or not made since an import"
    if not report.differences:
        return "; all were the same before"
    rows = sum(one.rows for one in report.differences)
    return f"; {rows:,} rows were not what the log says and are put right: please report that"


def _row(text: str | None) -> str:
    return "(no such row)" if text is None else text
