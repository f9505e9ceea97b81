"""`reconcile`: does HubSpot still hold what was written, who changed it, and putting it right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import typer

from connector import mappings, repairing, reports
from connector import reconcile as reconciling
from connector.asking import ask
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.who import who
from connector.config import Config
from connector.errors import Misconfigured
from connector.hubspot.schema import portal_id
from connector.opening import open_hubspot, open_reader
from connector.reconcile import ReconcileReport
from eventstore import EventStore
from projections.tables import LANES

_SHOWN: Final = 50


def reconcile(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what is ours; without, only look.")
    ] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY", help="These records only.")
    ] = None,
    object_name: Annotated[
        str, typer.Option("--object", metavar="TYPE", help=f"One of {', '.join(LANES)}.")
    ] = "",
    calls: Annotated[
        int, typer.Option("--calls", min=1, help="The most calls to spend on looking.")
    ] = reconciling.CALLS,
    after: Annotated[
        str, typer.Option("--after", metavar="RECORD", help="Go on where a look ended.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Compare what HubSpot holds with what was written; say who changed it; repair if told to."""
    if object_name and object_name not in LANES:
        raise typer.BadParameter(f"--object takes one of {', '.join(LANES)}")
    if after and after.partition("/")[0] not in LANES:
        raise typer.BadParameter("--after takes a record as 'reconcile' shows it: companies/ABC:…")
    config = load(ctx)
    lanes = [object_name] if object_name else list(LANES)
    report = run_async(_reconcile(config, lanes, key or [], after, calls, repair=repair))
    if as_json:
        output.document(report)
    else:
        render(report)
    if report.unreadable or ((report.to_repair or report.missing) and not report.requested):
        raise typer.Exit(1)


async def _reconcile(
    config: Config,
    lanes: Sequence[str],
    key: Sequence[str],
    after: str,
    calls: int,
    *,
    repair: bool,
) -> ReconcileReport:
    async with open_reader(config) as store, open_hubspot(config) as hubspot:
        mapping = await mappings.active(store)
        if mapping is None:
            raise Misconfigured(
                "nothing was ever written from this store",
                where=str(config.store.file or "store"),
                remedy="Let 'ml-connector run --once' make the first pass, or correct store.url.",
            )
        only = await _targets(store, key)
        await portal_id(hubspot)  # is the token good, and when does the portal's day end
        report = await reconciling.look(
            store, hubspot, mapping, only=only, lanes=lanes, after=after, calls=calls
        )
    if not repair or not (report.to_repair or report.missing):
        return report
    await ask(config, repairing.request_of(report, who()))
    return msgspec.structs.replace(report, requested=True)


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


def render(report: ReconcileReport) -> None:
    """What differs, who did it, what is missing, and what becomes of it."""
    if report.differences:
        heads = ["record", "property", "written", "now in HubSpot", "changed by", "--repair"]
        rows = (
            (
                one.target,
                one.property,
                one.ours or "(empty)",
                one.theirs or "(empty)",
                one.by or "not told",
                f"leaves it: {one.stays}" if one.stays else "writes it again",
            )
            for one in report.differences[:_SHOWN]
        )
        output.show(output.table(f"Differences: {len(report.differences):,}", heads, rows))
    for name in report.missing[:_SHOWN]:
        output.say(f"  not in HubSpot any more: {name}")
    more = max(0, len(report.differences) - _SHOWN) + max(0, len(report.missing) - _SHOWN)
    if more:
        output.say(f"… and {more:,} more; all of them with --json.")
    for lane, why in report.unreadable.items():
        output.say(f"{lane} cannot be read: {why}")
    output.say(
        f"{report.records:,} records and {report.links:,} links compared, with "
        f"{report.calls:,} calls."
    )
    if report.more:
        output.say(f"The calls allowed are used up: go on with --after '{report.more}'.")
    open_ = len(report.to_repair) + len(report.missing)
    if report.requested:
        output.say(f"{open_:,} are put right by the running service or the next run.")
    elif open_:
        output.say(f"{open_:,} are ours to put right: 'ml-connector reconcile --repair' does that.")
    else:
        output.say("HubSpot holds what was written.")
