"""`release`: let a company's decisions go on that the mass-change breaker has frozen."""

from __future__ import annotations

from typing import Annotated

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
from projections.events import MassChangeReleased


def release(
    ctx: typer.Context,
    company: Annotated[str, typer.Argument(metavar="COMPANY", help="The company's code.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, ask for nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a held company go on: what has changed in Sage 100 is then sent."""
    report = run_async(_release(load(ctx), company.upper(), dry_run=dry_run))
    if as_json:
        output.document(report)
    else:
        render(report)


async def _release(config: Config, company: str, *, dry_run: bool) -> ReleaseReport:
    if not any(company in agent.companies for agent in config.sage100):
        codes = ", ".join(code for agent in config.sage100 for code in agent.companies)
        raise Misconfigured(
            f"no company {company!r} is configured",
            where="release",
            remedy=f"Give one of: {codes}. 'ml-connector status' says which is held.",
        )
    async with open_reader(config) as store:
        held = await breaker.find(store, company)
    if held is None or dry_run:
        return ReleaseReport(company, held, requested=False)
    done = await ask(config, MassChangeReleased(company, held.position, who()))
    return ReleaseReport(company, held, requested=done)


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
