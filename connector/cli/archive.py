"""`export` and `import`: the log as JSON lines, out of a store and into another."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from connector import erasure_list
from connector.archive import (
    ExportReport,
    ImportReport,
    export,
    must_be_importable,
    restore,
    source_of,
)
from connector.cli import output
from connector.cli.counting import counting
from connector.cli.session import AsJson, load, run_async
from connector.config.settings import StoreSettings
from connector.moments import iso
from connector.overdue import refuse_while_overdue
from connector.own_files import refuse_own
from connector.rebuild import outdated
from connector.store import open_log
from eventstore import Commit

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
    url = store or ""
    ours: tuple[Path, ...] = ()
    if not store:
        config = load(ctx)
        url, ours = config.store.url, config.files
    refuse_own(file, StoreSettings(url=url).file, ours, remedy="Name another file.")
    report = run_async(_export(url, file, start, upto))
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'export' wrote; a pipe, too.")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Take an exported log into an empty store, or on into one that holds its beginning."""
    url = store or load(ctx).store.url
    report, notice = run_async(_import(url, file))
    if as_json:
        output.document(msgspec.structs.asdict(report) | {"notice": notice})
    else:
        render(report)
        if notice:
            output.say(notice)
    if not report.complete:
        raise typer.Exit(1)


async def _import(url: str, file: Path) -> tuple[ImportReport, str]:
    """What was taken in, and what is to be told of people erased since; "" for nothing."""
    store = StoreSettings(url=url).file
    async with AsyncExitStack() as kept:
        with counting(output.stderr(), "bytes read") as count:
            source = await kept.enter_async_context(source_of(file, store, count))
        await must_be_importable(source, store_exists=store is None or store.exists())
        with counting(output.stderr(), "imported up to position") as count:
            async with open_log(url) as opened:
                report = await restore(opened, source, count, also=[outdated()])
                head = await opened.head()
    return report, await erased_since(store, head) if report.restored else ""


async def erased_since(store_file: Path | None, head: Commit) -> str:
    """What an operator must know of people erased after the imported log was written; or ""."""
    if store_file is None:
        return ""
    path = erasure_list.file_of(store_file)
    listed = await erasure_list.read(store_file)
    if not listed:
        return (
            f"No list of erased records lies beside this store ({path}). Whoever was erased after "
            "this log was written is in it again: put the former store's list there, under this "
            "name, before anything else uses the store."
        )
    written = iso(head.recorded_at_us)
    later = sum(one.time > written for one in listed)
    if not later:
        return ""
    return (
        f"This log was written before {output.counted(later, 'erasure')} on {path}: the next "
        "command that opens the store carries them out."
    )


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
