"""`replay`: send again what the log says HubSpot should hold, through the ordinary pipeline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import typer

from connector import replaying, reports
from connector.asking import ask
from connector.cli import moments, output
from connector.cli.parked import refuse_unknown_reason
from connector.cli.session import AsJson, load, run_async
from connector.cli.who import who
from connector.config import Config
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.replaying import ReplayReport
from eventstore import EventStore
from projections import keys
from projections.events import ReplayRequested
from projections.tables import LANES

Selected = tuple[str, list[str]]  # in words, and the targets
Select = Callable[[EventStore], Awaitable[Selected]]
_SHOWN: Final = 50


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
    everything: Annotated[bool, typer.Option("--all", help="Everything there is.")] = False,
    all_matches: Annotated[
        bool, typer.Option("--all-matches", help="With --key: all records that it names.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for records to be sent again; the running service, or the next run, does it."""
    if sum([bool(key), parked, bool(object_name), bool(since), everything]) != 1:
        raise typer.BadParameter("choose one of --key, --parked, --object, --since and --all")
    if reason and not parked:
        raise typer.BadParameter("--reason goes with --parked")
    if all_matches and not key:
        raise typer.BadParameter("--all-matches goes with --key")
    if object_name and object_name not in LANES:
        raise typer.BadParameter(f"--object is one of {', '.join(LANES)}")
    since_us = moments.time_us(since) if since else None

    async def select(store: EventStore) -> Selected:
        for one in key or [] if not all_matches else []:
            await _refuse_several(store, one)
        if reason:
            await refuse_unknown_reason(store, reason)
        return await replaying.select_for_replay(
            store,
            key=key or [],
            is_parked=parked,
            reason=reason,
            object_name=object_name,
            since_us=since_us,
            everything=everything,
        )

    _ask(load(ctx), select, dry_run=dry_run, as_json=as_json)


def retry(
    ctx: typer.Context,
    reason: Annotated[
        str, typer.Argument(metavar="REASON", help="Only what is parked for this reason.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try parked records again, all of them or those of one cause."""

    async def select(store: EventStore) -> Selected:
        if reason:
            await refuse_unknown_reason(store, reason)
        return await replaying.select_for_replay(store, is_parked=True, reason=reason)

    _ask(load(ctx), select, dry_run=dry_run, as_json=as_json)


async def _refuse_several(store: EventStore, key: str) -> None:
    """A key that names several records of Sage 100: which, a person has to say.

    A customer and its own contact in HubSpot are one. Raises Misconfigured.
    """
    names = await reports.find(store, key)
    pairs = [keys.split_target(name) for name in names]
    if len({(kind == "vendors", external) for kind, external in pairs}) > 1:
        raise Misconfigured(
            f"{key!r} may be any of these: {', '.join(names)}",
            where="--key",
            remedy="Name one of them, or take all of them with --all-matches.",
        )


def _ask(config: Config, select: Select, *, dry_run: bool, as_json: bool) -> None:
    report = run_async(_replay(config, select, dry_run=dry_run))
    if as_json:
        output.document(report)
    else:
        render(report)


async def _replay(config: Config, select: Select, *, dry_run: bool) -> ReplayReport:
    async with open_reader(config) as store:
        try:
            selection, targets = await select(store)
        except KeyError as unknown:
            raise Misconfigured(
                f"nothing in the log is known as {unknown.args[0]!r}",
                where="--key",
                remedy="Keys look like ABC:01-ABF; 'ml-connector history KEY' tries one out.",
            ) from None
    report = ReplayReport(selection, targets, requested=not dry_run and bool(targets))
    if report.requested:
        await ask(config, ReplayRequested(targets, selection, who()))
    return report


def render(report: ReplayReport) -> None:
    """Which records, and what happens now."""
    for target in report.targets[:_SHOWN]:
        output.say(f"  {target}")
    if len(report.targets) > _SHOWN:
        output.say(f"  … and {len(report.targets) - _SHOWN:,} more; all of them with --json")
    count = len(report.targets)
    records = f"{output.counted(count, 'record')} ({report.selection})"
    if report.requested:
        output.say(f"{records} will be sent again in full, by the running service or the next run.")
    elif count:
        output.say(
            f"Dry run: {output.counted(count, 'record')} ({report.selection}) would be sent again."
        )
    else:
        output.say(f"No records: {report.selection}. Nothing was asked for.")
