"""`replay`: send again what the log says HubSpot should hold, through the ordinary pipeline."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from connector import orders, reports
from connector.app import open_reader, open_writer
from connector.cli import moments, output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.errors import Misconfigured
from connector.reports import ReplayReport
from eventstore import StoreInUse
from projections.events import ReplayRequested
from projections.tables import LANES


def replay(
    ctx: typer.Context,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY", help="These records; repeatable.")
    ] = None,
    parked: Annotated[bool, typer.Option("--parked", help="All dead letters.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="R", help="With --parked: of this reason only.")
    ] = "",
    object_name: Annotated[
        str, typer.Option("--object", metavar="TYPE", help="All of: " + ", ".join(LANES) + ".")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="All with a command since then.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for records to be sent again; the running service, or the next run, does it."""
    if sum([bool(key), parked, bool(object_name), bool(since)]) != 1:
        raise typer.BadParameter("choose one of --key, --parked, --object and --since")
    if reason and not parked:
        raise typer.BadParameter("--reason goes with --parked")
    if object_name and object_name not in LANES:
        raise typer.BadParameter(f"--object is one of {', '.join(LANES)}")
    since_us = moments.time_us(since) if since else None
    config = load(ctx)
    report = run_async(
        _replay(
            config,
            keys=key or [],
            is_parked=parked,
            reason=reason,
            object_name=object_name,
            since_us=since_us,
            dry_run=dry_run,
        )
    )
    if as_json:
        output.document(report)
    else:
        render(report)


async def _replay(
    config: Config,
    *,
    keys: list[str],
    is_parked: bool,
    reason: str,
    object_name: str,
    since_us: int | None,
    dry_run: bool,
) -> ReplayReport:
    async with open_reader(config) as store:
        try:
            selection, targets = await reports.select_for_replay(
                store,
                key=keys,
                is_parked=is_parked,
                reason=reason,
                object_name=object_name,
                since_us=since_us,
            )
        except KeyError as unknown:
            raise Misconfigured(
                f"nothing in the log is known as {unknown.args[0]!r}",
                where="--key",
                remedy="Keys look like ABC:01-ABF; 'ml-connector history KEY' tries one out.",
            ) from None
    by = getpass.getuser()
    report = ReplayReport(selection, targets, requested=not dry_run and bool(targets))
    if not report.requested:
        return report
    try:
        async with open_writer(config) as store:
            return await reports.request_replay(store, selection, targets, dry_run=False, by=by)
    except StoreInUse:
        # The service runs: it is told instead.
        if config.store.file is None:
            raise
        await orders.leave(config.store.file, ReplayRequested(targets, selection, by))
        return report


def render(report: ReplayReport) -> None:
    """Which records, and what happens now."""
    for target in report.targets:
        output.say(f"  {target}")
    count = len(report.targets)
    if report.requested:
        output.say(
            f"{count:,} records ({report.selection}) will be sent again in full, by the running "
            "service or the next run."
        )
    elif count:
        output.say(f"Dry run: {count:,} records ({report.selection}) would be sent again.")
    else:
        output.say(f"No records: {report.selection}. Nothing was asked for.")
