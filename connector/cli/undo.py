"""`undo`: put back what was there before a run, a plan or a replay wrote it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

import msgspec
import typer

from connector import mappings, reports, undo_judging, undo_scopes
from connector import undo as undoing
from connector.asking import ask
from connector.cli import moments, output
from connector.cli.session import AsJson, load, run_async
from connector.cli.who import who
from connector.config import Config
from connector.errors import Misconfigured
from connector.opening import open_hubspot, open_reader
from connector.undo import UndoWanted
from connector.undo_judging import UndoReport
from connector.undo_scopes import Scope
from eventstore import EventStore
from projections import keys

_SHOWN: Final = 50


def undo(
    ctx: typer.Context,
    run: Annotated[
        str, typer.Option("--run", metavar="last|POS", help="A run: the last, or by a position.")
    ] = "",
    plan: Annotated[str, typer.Option("--plan", metavar="DIGEST", help="An applied plan.")] = "",
    replay: Annotated[
        str, typer.Option("--replay", metavar="last|POS", help="A replay, by its position.")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="All that was decided since then.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="With --since: until then.")
    ] = "",
    lift: Annotated[
        bool, typer.Option("--lift", help="End earlier undos: follow Sage 100 again.")
    ] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY", help="Of these records only.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put values back where HubSpot still holds ours, withdraw what was not sent, list the rest."""
    if sum([bool(run), bool(plan), bool(replay), bool(since), lift]) != 1:
        raise typer.BadParameter("choose one of --run, --plan, --replay, --since and --lift")
    if until and not since:
        raise typer.BadParameter("--until goes with --since")
    times = (
        moments.time_us(since) if since else None,
        moments.time_us(until, end_of_day=True) if until else None,
    )
    places = _position("--run", run), _position("--replay", replay)
    config = load(ctx)
    if lift:
        lifted = run_async(_lift(config, key or [], dry_run=dry_run))
        if as_json:
            output.document({"lifted": lifted, "requested": bool(lifted) and not dry_run})
        else:
            render_lifted(lifted, dry_run=dry_run)
        return

    async def scope_of(store: EventStore) -> Scope:
        if plan:
            return await undo_scopes.of_plan(store, plan)
        if run:
            return await undo_scopes.of_round(store, places[0])
        if replay:
            return await undo_scopes.of_replay(store, places[1])
        return await undo_scopes.of_time(store, times[0] or 0, times[1])

    report = run_async(_undo(config, scope_of, key or [], dry_run=dry_run))
    if as_json:
        output.document(report)
    else:
        render(report, dry_run=dry_run)
    if report.left and not dry_run:
        raise typer.Exit(1)


def _position(option: str, text: str) -> int | None:
    if not text or text == "last":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise typer.BadParameter(f"{option} takes 'last' or a position of the log")
    return int(text)


async def _undo(
    config: Config,
    scope_of: Callable[[EventStore], Awaitable[Scope]],
    key: Sequence[str],
    *,
    dry_run: bool,
) -> UndoReport:
    async with open_reader(config) as store:
        mapping = await mappings.active(store)
        if mapping is None:
            raise Misconfigured(
                "nothing was ever written from this store",
                where=str(config.store.file or "store"),
                remedy="Let 'ml-connector run --once' make the first pass, or correct store.url.",
            )
        only = await _targets(store, key)
        judged = await undo_judging.judge(store, await scope_of(store), mapping, only)
        report = undo_judging.by_the_log(judged)
        if judged.asked:
            async with open_hubspot(config) as hubspot:
                report = await undo_judging.still_ours(store, judged, hubspot, mapping)
    if dry_run or not (report.fields or report.withdrawn):
        return report
    for asked in undoing.requests(report, who()):
        await ask(config, asked)
    return msgspec.structs.replace(report, requested=True)


async def _lift(config: Config, key: Sequence[str], *, dry_run: bool) -> dict[str, list[str]]:
    async with open_reader(config) as store:
        only = await _targets(store, key)
        found = await undoing.pinned_targets(store)
    lifted = {
        name: pins
        for name, pins in found.items()
        if not key or name in only or not set(keys.joined(name)).isdisjoint(only)
    }
    if lifted and not dry_run:
        asked = UndoWanted("lifted", lifted=list(lifted), by=who())
        await ask(config, asked)
    return lifted


async def _targets(store: EventStore, key: Sequence[str]) -> list[str]:
    names: list[str] = []
    for one in key:
        found = await reports.find(store, one)
        if not found:
            raise Misconfigured(
                f"nothing in the log is known as {one!r}",
                where="--key",
                remedy="Keys look like ABC:01-ABF; 'ml-connector history KEY' tries one out.",
            )
        names += found
    return names


def render(report: UndoReport, *, dry_run: bool) -> None:
    """What is put back, what is withdrawn, what is neither and why."""
    count = sum(len(pins) for pins in report.fields.values())
    rows = [
        (name, prop, ours, back or "(empty)")
        for name, pins in report.fields.items()
        for prop, (ours, back) in pins.items()
    ]
    if rows:
        title = f"Put back, of {report.selection}" if not dry_run else "Would be put back"
        heads = ["record", "property", "HubSpot holds", "back to"]
        _some(title, heads, rows)
    if report.withdrawn:
        title = "Not sent yet, and withdrawn" if not dry_run else "Would be withdrawn, not sent yet"
        _some(title, ["record", "property", "not sent", "HubSpot holds"], _withdrawn(report))
    if report.left:
        left = [(one.target, one.property or "-", one.reason) for one in report.left]
        _some(f"Not put back: {len(left):,}", ["record", "property", "why"], left)
    records = f"{output.counted(count, 'value')} of {output.counted(len(report.fields), 'record')}"
    withdrawn = output.counted(len(report.withdrawn), "command")
    if report.requested and report.fields:
        output.say(
            f"To be put back by the running service or the next run: {records}. That stays so "
            "until Sage 100 or the mapping gives another value."
        )
    elif report.fields:
        output.say(f"Dry run. Would be put back: {records}.")
    elif not report.withdrawn:
        output.say(f"Nothing can be put back of {report.selection}.")
    if report.withdrawn:
        how = "Not sent any more" if report.requested else "Dry run. Would not be sent any more"
        output.say(f"{how}: {withdrawn}.")
    if report.uncreated and report.requested:
        output.say("What was not created or linked yet is not until 'ml-connector undo --lift'.")


def _withdrawn(report: UndoReport) -> list[tuple[str, str, str, str]]:
    """A line for every value that is not sent, one for a record that is not made."""
    rows = []
    for name, changes in report.withdrawn.items():
        if name in report.uncreated:
            rows.append((name, "-", f"all of it, {output.counted(len(changes), 'value')}", "-"))
            continue
        for prop, (before, ours) in changes.items():
            rows.append((name, prop, ours or "(empty)", before or "(empty)"))
    return rows


def _some(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first of the rows, and how many more there are."""
    output.show(output.table(title, heads, rows[:_SHOWN]))
    if len(rows) > _SHOWN:
        output.say(f"… and {len(rows) - _SHOWN:,} more; all of them with --json.")


def render_lifted(lifted: dict[str, list[str]], *, dry_run: bool) -> None:
    """Which records follow Sage 100 again."""
    for name, pins in lifted.items():
        output.say(f"  {name}: {', '.join(pins)}")
    if not lifted:
        output.say("No field is held back by an undo.")
    elif dry_run:
        output.say(f"Dry run: {output.counted(len(lifted), 'record')} would follow Sage 100 again.")
    else:
        output.say(f"From the next run on: {output.counted(len(lifted), 'record')} as in Sage 100.")
