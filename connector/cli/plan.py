"""`plan` and `apply`: what would change in HubSpot, field by field, and doing exactly that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from connector import orders, planning
from connector.app import open_app
from connector.cli import failures, output
from connector.cli.session import AsJson, load, run_async
from connector.cli.watch import watching
from connector.cli.who import who
from connector.config import Config
from connector.config.mapping import built_in, load_mapping, read_mapping
from connector.errors import Misconfigured, told
from connector.forecast import share_told
from connector.hubspot.allowance import DAILY
from connector.opening import open_reader
from connector.planning import Kept, Made
from connector.run_report import RunReport
from connector.telemetry import left_to_the_end
from connector.unserved import warnings
from eventstore import StoreInUse
from projections.events import PlanApplied
from projections.mapping import compiled
from projections.plan import Plan
from projections.unwritable import unproved

_WHY: Final = {
    "parked": "stays parked",
    "known": "refused elsewhere",
    "invalid": "will be refused",
}


class Applied(msgspec.Struct, frozen=True):
    """What became of a plan: carried out here, or handed to the running service.

    `next`: what the configuration needs, where it names another mapping; "" for nothing.
    """

    digest: str
    records: int
    handed_over: bool
    written: dict[str, int] = {}
    parked: int = 0
    pending: int = 0
    barred: dict[str, str] = {}
    error: dict[str, str] | None = None
    next: str = ""
    remedies: dict[str, str] = {}


def plan(
    ctx: typer.Context,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="As if this mapping were in force."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every field of every record, not samples.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Every field that would change in HubSpot, without a call; prints a digest to apply."""
    config = load(ctx)
    wanted = load_mapping(config) if mapping is None else read_mapping(mapping, "--mapping")
    named = "" if mapping is None else str(mapping.absolute())
    made, unserved = run_async(_plan(config, wanted, named, everything=everything))
    share = made.plan.calls / DAILY[config.hubspot.tier]
    if as_json:
        more = {"share_of_day": round(share, 4), "warnings": unserved}
        output.document(document(made, everything=everything) | more)
    else:
        for text in unserved:
            output.say(f"WARNING: {text}")
        render(made, everything=everything, share=share)


async def _plan(
    config: Config, mapping: compiled.CompiledMapping, named: str, *, everything: bool
) -> tuple[Made, list[str]]:
    async with open_reader(config) as store:
        unserved = [*await warnings(store, config, mapping), *_unproved(mapping)]
        made = await planning.make(store, mapping, config.hubspot.tier, everything=everything)
    if config.store.file is not None:
        try:
            await planning.keep(config.store.file, made, named)
        except OSError as problem:
            output.note(f"the plan cannot be kept ({problem}): 'apply' will not find it")
    return made, unserved


def _unproved(mapping: compiled.CompiledMapping) -> list[str]:
    """A sentence for each property of which no call is made to see whether HubSpot has it."""
    return [
        f'the mapping, [{one.object}] property "{one.property}": setup does not create it, and '
        "whether HubSpot has it is not asked here: 'ml-connector check' asks, once this mapping is "
        "the configured one"
        for one in unproved(mapping.source, built_in().source)
    ]


def apply(
    ctx: typer.Context,
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="As 'plan' printed it.")],
    as_json: AsJson = False,
) -> None:
    """Carry out exactly this plan, or refuse because the log has moved."""
    report = run_async(_apply(load(ctx, both_ends=True), digest))
    if as_json:
        output.document(report)
    else:
        render_applied(report)
    if report.error is not None:
        error = report.error
        output.failure(error["what"], where=error["where"], remedy=error["remedy"])
    failures.report_barred(report.barred, report.remedies)
    if report.barred or report.error is not None:
        raise typer.Exit(3)
    if report.parked or report.pending:
        raise typer.Exit(1)


async def _apply(config: Config, digest: str) -> Applied:
    file = config.store.file
    if file is None:
        raise Misconfigured("plans are kept beside the store's file", where="store.url")
    kept = await planning.find(file, digest)
    by = who()
    try:
        with watching(output.stderr()) as progress, left_to_the_end():
            async with open_app(config, progress=progress) as app:
                return _applied(kept, await app.apply(kept, by), _next(config, kept))
    except* StoreInUse:
        pass
    # The service runs: it is told instead, once we know that the plan holds.
    async with open_reader(config) as store:
        await planning.check(store, kept, config.hubspot.tier)
    applied = PlanApplied(kept.digest, kept.position, "", kept.records, by)
    await orders.leave(file, applied)
    return Applied(kept.digest, kept.records, handed_over=True, next=_next(config, kept))


def _next(config: Config, kept: Kept) -> str:
    """That the configuration is to name the mapping which this plan puts in force."""
    mapping = compiled.restore(kept.mapping) if kept.mapping else None
    if mapping is None or mapping.digest == load_mapping(config).digest:
        return ""
    file = f'"{kept.source}"' if kept.source else "the file it was made from"
    return (
        f"Now set mapping = {file} under [hubspot] in {config.path}: else every start says that "
        "the configured mapping is not in force."
    )


def _applied(kept: Kept, report: RunReport, then: str) -> Applied:
    return Applied(
        kept.digest,
        kept.records,
        handed_over=False,
        written=report.written,
        parked=report.parked,
        pending=report.pending,
        barred=report.barred,
        error=None if report.failed is None else told(report.failed),
        next=then,
        remedies=report.remedies,
    )


def document(made: Made, *, everything: bool) -> dict[str, object]:
    """The plan as one JSON document."""
    out: dict[str, object] = msgspec.structs.asdict(made.plan)
    out["held"] = made.frozen
    if everything:
        out["changes"] = made.changes
    return out


def render(made: Made, *, everything: bool, share: float) -> None:
    """Counts, samples, what HubSpot would refuse, what it costs, and the digest.

    `share`: of the account's calls of a day.
    """
    plan = made.plan
    in_force = "which is not in force yet" if plan.new_mapping else "in force"
    output.say(f"Log position {plan.position:,}, mapping {plan.mapping[:12]}, {in_force}.")
    if plan.objects:
        rows = (
            (one.object, one.create, one.update, one.link, one.unlink, one.parked)
            for one in plan.objects
        )
        heads = ["object", "create", "update", "link", "unlink", "stay parked"]
        output.show(output.table("Records", heads, rows))
    if everything:
        _render_changes(made)
    elif plan.fields:
        _render_fields(plan)
    _render_refusals(plan)
    for company in made.frozen:
        output.say(
            f"HELD: company {company.company}: {company.waiting:,} records are left out until "
            f"'ml-connector release {company.company}'."
        )
    if plan.empty and not plan.new_mapping:
        output.say("Nothing would be sent: HubSpot holds what the log says it should.")
        return
    least = f"{plan.minutes:.0f} minutes" if plan.minutes >= 1 else "less than a minute"
    output.say(
        f"{output.counted(plan.records, 'record')}, "
        f"{output.counted(plan.calls, 'HubSpot call')} ({share_told(share)} of a day's), "
        f"{least} at the least."
    )
    output.say(f"To do exactly this: ml-connector apply {plan.digest[:12]}")
    output.say(f"digest {plan.digest}")


def _render_fields(plan: Plan) -> None:
    rows = []
    for one in plan.fields:
        first = one.samples[0]
        change = f"{_shown(first.before)} → {_shown(first.after)}"
        rows.append((one.object, one.property, one.count, first.target.partition("/")[2], change))
    heads = ["object", "property", "records", "for instance", "before → after"]
    output.show(output.table("Fields", heads, rows))


def _render_changes(made: Made) -> None:
    for change in made.changes:
        output.say(f"{change.act} {change.target}" + (f" ({change.stays})" if change.stays else ""))
        for name, (before, after) in change.fields.items():
            output.say(f"  {name}: {_shown(before)} → {_shown(after)}")


def _render_refusals(plan: Plan) -> None:
    if not plan.refused:
        return
    rows = ((one.target, _WHY[one.why], one.message) for one in plan.refusals)
    title = f"Rejections to expect: {plan.refused:,}"
    output.show(output.table(title, ["record", "", "why"], rows))


def _shown(value: str | None) -> str:
    return "(empty)" if value in (None, "") else str(value)


def render_applied(report: Applied) -> None:
    """What became of it."""
    if report.handed_over:
        output.say(
            f"Plan {report.digest[:12]} is handed to the running service: {report.records:,} "
            "records, as far as nothing comes between."
        )
        if report.next:
            output.say(report.next)
        return
    written = ", ".join(f"{count:,} {name}" for name, count in report.written.items() if count)
    output.say(f"Plan {report.digest[:12]} is carried out. Written: {written or 'nothing'}.")
    if report.parked:
        output.say(f"{report.parked:,} commands are parked: see 'ml-connector parked'.")
    if report.pending:
        output.say(f"{report.pending:,} commands are still to be sent; the next run goes on.")
    if report.next:
        output.say(report.next)
