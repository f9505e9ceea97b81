"""`run`: the service; `run --once`: one pass of everything, then done."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any, Final

import msgspec
import typer

from connector import anchors, reports
from connector.app import open_app
from connector.cli import failures, output
from connector.cli.session import AsJson, load, need_store_folder, run_async
from connector.cli.status import (
    closing_line,
    held_lines,
    hubspot_table,
    proposed_line,
    refusal_lines,
    waiting_line,
)
from connector.cli.stopping import stop_event
from connector.cli.watch import watching
from connector.config import Config
from connector.config.unsupported import refuse_unsupported
from connector.errors import told
from connector.run_report import RunReport
from connector.sage100.passes import Outcome
from connector.telemetry import left_to_the_end, setup_telemetry

DRAIN_S: Final = 30.0
CUT_OFF: Final = 130

log: Final = logging.getLogger("connector.run")


def run(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One pass, then end.")] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="With --once: read everything and compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Poll, project and write, until SIGTERM or Ctrl-C; or once."""
    if sweep and not once:
        raise typer.BadParameter("--sweep goes with --once; the service sweeps on its schedule")
    if as_json and not once:
        raise typer.BadParameter("--json goes with --once; the service reports through its log")
    config = _configured(ctx)
    stop_telemetry = setup_telemetry(config.telemetry)
    try:
        if once:
            code = run_async(_once(config, sweep=sweep, as_json=as_json))
        else:
            code = run_async(_service(config))
    finally:
        stop_telemetry()  # outside the loop: it may wait for the collector
    if code:
        raise typer.Exit(code)


def _configured(ctx: typer.Context) -> Config:
    config = load(ctx, both_ends=True)
    refuse_unsupported(config)
    need_store_folder(config)
    return config


async def _once(config: Config, *, sweep: bool, as_json: bool) -> int:
    with watching(output.stderr()) as progress, left_to_the_end():
        async with open_app(config, progress=progress) as app:
            report = await app.run_once(sweep=sweep)
            await anchors.publish(app.store, config.anchors)
            status = await reports.status(app.store)
    if as_json:
        output.document(_document(report, status))
    else:
        render(report, status)
    # One refusal may have ended the passes of several entities: it is said once.
    errors = [one.error for one in report.passes if one.error is not None and one.waiting is None]
    for error in {id(error): error for error in errors}.values():
        output.failure(error.what, where=error.where, remedy=error.remedy)
    if report.failed is not None:
        output.failure(report.failed.what, where=report.failed.where, remedy=report.failed.remedy)
    failures.report_barred(report.barred, report.remedies)
    return exit_code(report, status)


def exit_code(report: RunReport, status: dict[str, Any]) -> int:
    """0; else the agent's or HubSpot's failure; else 1 when something needs a person.

    That Sage 100 is in use, by period end for instance, is no failure for some hours.
    """
    codes = [
        one.error.exit_code
        for one in report.passes
        if one.error is not None and one.waiting is None
    ]
    codes += [report.failed.exit_code] if report.failed is not None else []
    if codes or report.barred:
        return max([*codes, 3 if report.barred else 0])
    parked = any(row["parked"] or row["withheld"] for row in status["hubspot"])
    person = parked or report.pending > 0 or status["held"] or not status["books_close"]
    return int(bool(person or report.proposed))


async def _service(config: Config) -> int:
    """Run until told to stop, then let what is under way finish, within `DRAIN_S`."""
    with stop_event() as stop:
        async with open_app(config) as app:
            log.info("running; %s", config.path)
            work = asyncio.create_task(app.run(stop))
            asked = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    log.info("stopping: what is under way is finished, %.0f s at most", DRAIN_S)
                    await asyncio.wait({work}, timeout=DRAIN_S)
                in_time = work.done()
            finally:
                asked.cancel()
                work.cancel()
                await asyncio.wait({asked, work})
            if in_time:
                work.result()
                log.info("stopped")
                # A supervisor, too, is to see that nothing has been written any more.
                return 0 if app.writer.stopped is None else app.writer.stopped.exit_code
            log.warning("cut off after %.0f s; the next start goes on from the log", DRAIN_S)
            return CUT_OFF


def _document(report: RunReport, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "passes": [_outcome(one) for one in report.passes],
        "written": report.written,
        "parked": report.parked,
        "pending": report.pending,
        "barred": report.barred,
        "error": None if report.failed is None else told(report.failed),
        "held": status["held"],
        "proposed": report.proposed,
        "withheld": report.withheld,
        "books_close": status["books_close"],
        "log": status["log"],
    }


def _outcome(one: Outcome) -> dict[str, Any]:
    error = one.error
    return {
        "company": one.company,
        "entity": one.entity,
        "via": one.via,
        "completed": one.completed,
        "skipped": one.skipped,
        "read": one.read,
        "unchanged": one.unchanged,
        "observed": one.observed,
        "missed_by_cursor": one.missed,
        "vanished": one.vanished,
        "waiting_since": one.waiting.since if one.waiting is not None else None,
        "error": None if error is None or one.waiting is not None else told(error),
    }


def render(report: RunReport, status: dict[str, Any]) -> None:
    """What this pass read and wrote, and the books after it."""
    output.show(
        output.table(
            "This pass",
            ["company", "entity", "via", "read", "unchanged", "observed", "ended"],
            (
                (one.company, one.entity, one.via, one.read, one.unchanged, one.observed, _end(one))
                for one in report.passes
            ),
        )
    )
    for text in dict.fromkeys(
        waiting_line(msgspec.structs.asdict(one.waiting)) for one in report.passes if one.waiting
    ):
        output.say(f"Sage 100: {text}")
    written = ", ".join(f"{count:,} {name}" for name, count in report.written.items() if count)
    nothing = "nothing, it is up to date" if report.complete else "nothing"
    output.say(f"Written to HubSpot: {written or nothing}.")
    output.show(hubspot_table(status))
    refused = report.failed is not None or bool(report.barred)
    if report.pending:
        kept = output.counted(report.pending, "command")
        then = "the error below says why" if refused else "the next run goes on"
        output.say(f"Still to be sent: {kept}, kept in the log; {then}.")
    if report.parked:
        output.say(
            f"Parked: {output.counted(report.parked, 'command')}: see 'ml-connector parked'."
        )
    if report.withheld:
        output.say(
            f"{report.withheld:,} records are in HubSpot without a value that it would not take: "
            "see 'ml-connector parked'."
        )
    for line in held_lines(status):
        output.say(line)
    if not refused:  # else it is said once, as what it is: an error
        for line in refusal_lines(status):
            output.say(line)
    if report.proposed:
        output.say(proposed_line(report.proposed))
    output.say(closing_line(status))


def _end(one: Outcome) -> str:
    if one.completed:
        return "complete"
    if one.waiting is not None:
        return f"waiting since {one.waiting.since}"
    if one.error is not None:
        return f"failed: {one.error.category}"
    return one.skipped or "to be resumed"
