"""`release`: let go on what waits for a person.

A company whose decisions the mass-change breaker has frozen, or an instance that stands still since
its agent refused our log-on. A code and a name may be the same text; then it is the company, if
that is held.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from connector import breaker
from connector.asking import ask
from connector.breaker import ReleaseReport
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.who import who
from connector.config import Config
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.sage100 import refusals
from projections.events import LogonReleased, MassChangeReleased


class RefusedLogon(msgspec.Struct, frozen=True):
    """A log-on that an agent refused. `since`: when, ISO 8601 UTC."""

    since: str
    code: str
    why: str


class LogonReport(msgspec.Struct, frozen=True):
    """What a release lets be tried again; `requested` is False for a dry run or nothing refused."""

    instance: str
    refused: RefusedLogon | None
    requested: bool


def release(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="COMPANY|INSTANCE", help="A company's code, or an instance's name."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a held company go on, or an instance whose log-on was refused."""
    report = run_async(_release(load(ctx), what, dry_run=dry_run))
    if as_json:
        output.document(report)
    elif isinstance(report, LogonReport):
        render_logon(report)
    else:
        render(report)


async def _release(config: Config, what: str, *, dry_run: bool) -> ReleaseReport | LogonReport:
    code = what.upper()
    is_company = any(code in agent.companies for agent in config.sage100)
    instances = [agent.name for agent in config.sage100]
    alike = [name for name in instances if name.lower() == what.lower()]
    named = what if what in alike else next(iter(alike), None)
    if not is_company and named is None:
        codes = ", ".join(code for agent in config.sage100 for code in agent.companies)
        raise Misconfigured(
            f"no company and no instance {what!r} is configured",
            where="release",
            remedy=f"Give one of: {codes}; or an instance: {', '.join(instances)}. "
            "'ml-connector status' says which is held.",
        )
    async with open_reader(config) as store:
        held = await breaker.find(store, code) if is_company else None
        refused = await refusals.find(store, named) if named is not None else None
    if held is None and named is not None and (refused is not None or not is_company):
        return await _release_logon(config, named, refused, dry_run=dry_run)
    if held is None or dry_run:
        return ReleaseReport(code, held, requested=False)
    done = await ask(config, MassChangeReleased(code, held.position, who()))
    return ReleaseReport(code, held, requested=done)


async def _release_logon(
    config: Config, instance: str, refused: refusals.Refusal | None, *, dry_run: bool
) -> LogonReport:
    if refused is None:
        return LogonReport(instance, None, requested=False)
    shown = RefusedLogon(refused.at, refused.code, refused.message)
    if dry_run:
        return LogonReport(instance, shown, requested=False)
    request = LogonReleased(instance, refused.at, refused.code, who())
    return LogonReport(instance, shown, requested=await ask(config, request))


def render(report: ReleaseReport) -> None:
    """What was held, and what happens now."""
    held = report.held
    if held is None:
        output.say(f"{report.company} is not held. Nothing was asked for.")
        return
    output.say(f"{report.company} is held since {held.since}. {held.why}.")
    if report.requested:
        output.say(
            f"It is released: {held.waiting:,} records are decided on by the running service or "
            "the next run, and what differs is sent."
        )
    else:
        output.say(f"Dry run: {held.waiting:,} records would be decided on.")


def render_logon(report: LogonReport) -> None:
    """What was refused, and what happens now."""
    refused = report.refused
    if refused is None:
        output.say(f"No log-on of {report.instance} is refused. Nothing was asked for.")
        return
    output.say(f"{report.instance} stands still since {refused.since}. {refused.why}")
    if report.requested:
        output.say(
            "It is released: the running service or the next run logs on once more, with what is "
            "configured."
        )
    else:
        output.say("Dry run: its agent would be asked again.")
