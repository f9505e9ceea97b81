"""`release`: let go on what waits for a person.

A company whose decisions the mass-change breaker has frozen, or an instance that stands still since
its agent refused our log-on. A code and a name may be the same text; then it is the company, if
that is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
import typer

from connector import breaker
from connector.asking import Asked, ask
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
    """What a release lets be tried again; `requested` is False for a dry run or nothing refused.

    `by`: who tries it; "" for nobody. `shared_by`: the other instances that stand still for the
    same refusal, since they have the same account, and are released with it.
    """

    instance: str
    refused: RefusedLogon | None
    requested: bool
    by: str = ""
    shared_by: tuple[str, ...] = ()


def release(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="COMPANY|INSTANCE",
            help="A company's code, or the name of an instance (an agent), as 'status' shows them.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a held company go on, or let an instance log on again whose log-on was refused.

    A company is held when very many of its records come or go at once; an instance stands still
    when its agent has refused the log-on or the API key. The running service goes on by itself
    within seconds, else the next run does.
    """
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
        kept = await refusals.all_refused(store)
    if held is None and named is not None and (named in kept or not is_company):
        return await _release_logon(config, named, kept, dry_run=dry_run)
    if held is None or dry_run:
        return ReleaseReport(code, held, requested=False)
    asked = await ask(config, MassChangeReleased(code, held.position, who()))
    return ReleaseReport(code, held, requested=bool(asked), by=asked.value)


async def _release_logon(
    config: Config, instance: str, kept: Mapping[str, refusals.Refusal], *, dry_run: bool
) -> LogonReport:
    if instance not in kept:
        return LogonReport(instance, None, requested=False)
    refused = kept[instance]
    shown = RefusedLogon(refused.at, refused.code, refused.message)
    others = tuple(refusals.sharing(kept, instance)[1:])
    if dry_run:
        return LogonReport(instance, shown, requested=False, shared_by=others)
    request = LogonReleased(instance, refused.at, refused.code, who())
    asked = await ask(config, request)
    return LogonReport(instance, shown, requested=bool(asked), by=asked.value, shared_by=others)


def render(report: ReleaseReport) -> None:
    """What was held, and what happens now."""
    held = report.held
    if held is None:
        output.say(
            f"Nothing was released: company {report.company} is not held. What is held is told by "
            "'ml-connector status'."
        )
        return
    output.say(f"{report.company} is held since {held.since}. {held.why}.")
    records = output.counted(held.waiting, "record")
    if report.requested:
        output.say(
            f"It is released: {records} are decided on, and what differs is sent. {_next(report)}"
        )
    else:
        output.say(f"Dry run: {records} would be decided on.")


def render_logon(report: LogonReport) -> None:
    """What was refused, and what happens now."""
    refused = report.refused
    if refused is None:
        output.say(
            f"Nothing was released: no log-on of {report.instance} is refused. Which instance "
            "stands still is told by 'ml-connector status'."
        )
        return
    output.say(f"{report.instance} stands still since {refused.since}. {refused.why}")
    others = " and ".join(report.shared_by)
    if others:
        output.say(f"So does {others}, with the same account at the same agent.")
    if report.requested:
        released = f"It is released, and so is {others}" if others else "It is released"
        output.say(f"{released}: one more log-on, with what is configured then. {_next(report)}")
    else:
        output.say("Dry run: its agent would be asked again.")


def _next(report: ReleaseReport | LogonReport) -> str:
    if report.by == Asked.SERVICE:
        return "The running service does that by itself; look at 'ml-connector status' in a while."
    return "No service is running here. Next: ml-connector run --once, or start the service."
