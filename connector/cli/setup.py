"""`setup`: the HubSpot property groups and properties that the mapping needs."""

from __future__ import annotations

import typer

from connector.app import open_app
from connector.cli import output
from connector.cli.session import AsJson, load, need_store_folder, run_async
from connector.config import Config
from connector.hubspot.schema import SchemaReport


def setup(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Create what HubSpot lacks; what is there is left alone, so it is safe to repeat."""
    config = load(ctx, both_ends=True)
    need_store_folder(config)
    report = run_async(_setup(config))
    if as_json:
        output.document(report)
    else:
        render(report)
    if not report.ready:
        raise typer.Exit(1)


async def _setup(config: Config) -> SchemaReport:
    async with open_app(config) as app:
        return await app.setup()


def render(report: SchemaReport) -> None:
    """What was created, what is wrong or soon will be, and what to do next."""
    for name in report.created:
        output.say(f"created {name}")
    for problem in report.problems:
        output.say(f"WRONG {problem.subject}: {problem.detail}")
        output.say(f"      remedy: {problem.remedy}")
    for warning in report.warnings:
        output.say(f"NOTE  {warning.subject}: {warning.detail}")
        output.say(f"      remedy: {warning.remedy}")
    if report.ready:
        new = f"{len(report.created)} properties created" if report.created else "nothing to do"
        output.say(
            f"HubSpot portal {report.portal} is ready ({new}). Next: ml-connector run --once"
        )
