"""`export` and `import`: the log as JSON lines, out of a store and into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector.archive import ExportReport, ImportReport, export, must_be_importable, restore
from connector.cli import output
from connector.cli.counting import counting
from connector.cli.session import AsJson, load, run_async
from connector.config.settings import StoreSettings
from connector.overdue import refuse_while_overdue
from connector.rebuild import outdated
from connector.store import open_log

Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="This store; no configuration is needed."),
]


def export_log(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Compressed when it ends in .zst; continued.")
    ],
    start: Annotated[
        int, typer.Option("--from", metavar="POS", min=1, help="Begin with its commit.")
    ] = 1,
    upto: Annotated[
        int | None,
        typer.Option("--to", metavar="POS", min=1, help="End with the last commit up to there."),
    ] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Write the log, or a range of it, as JSON lines that need nothing of ours to be read."""
    if upto is not None and upto < start:
        raise typer.BadParameter("--to lies before --from")
    report = run_async(_export(store or load(ctx).store.url, file, start, upto))
    if as_json:
        output.document(report)
        return
    kept = f" ({report.kept:,} were there already)" if report.kept else ""
    output.say(
        f"{report.kept + report.written:,} events{kept}, positions {report.first:,} to "
        f"{report.last:,}, in {file}; digest {report.hash}"
    )


async def _export(url: str, file: Path, start: int, upto: int | None) -> ExportReport:
    await refuse_while_overdue(url, StoreSettings(url=url).file)
    with counting(output.stderr(), "exported") as count:
        async with open_log(url, read_only=True) as opened:
            return await export(opened, file, count, start=start, upto=upto)


def import_log(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'export' wrote.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Take an exported log into an empty store, or on into one that holds its beginning."""
    report = run_async(_import(store or load(ctx).store.url, file))
    if as_json:
        output.document(report)
    else:
        render(report)
    if not report.complete:
        raise typer.Exit(1)


async def _import(url: str, file: Path) -> ImportReport:
    store = StoreSettings(url=url).file
    await must_be_importable(file, store_exists=store is None or store.exists())
    with counting(output.stderr(), "imported up to position") as count:
        async with open_log(url) as opened:
            return await restore(opened, file, count, also=[outdated()])


def render(report: ImportReport) -> None:
    """What was taken in, and what comes next."""
    held = f"; {report.held:,} were there already" if report.held else ""
    output.say(
        f"{report.restored:,} events imported{held}. The chain holds: head {report.head:,}, "
        f"digest {report.hash}"
    )
    if not report.complete:
        output.say(
            "The file was cut off: what is whole of it, and proved, is imported. Import the whole "
            "file to go on."
        )
    if report.restored:
        output.say("Next: ml-connector rebuild (or the next run) makes the read models.")
