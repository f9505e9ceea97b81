"""`verify`: the hash chain, checked offline, and against what was published elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from connector import verification
from connector.anchors import Anchor, read_published
from connector.cli import output
from connector.cli.counting import counting
from connector.cli.session import AsJson, load, run_async
from connector.verification import Verdict

_SHOWN: Final = 5


def verify(
    ctx: typer.Context,
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help=r"Anchors as \[anchors] writes them, or an earlier 'verify --json'.",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="An exported log instead of the store."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="This store; no configuration is needed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the log's hash chain; exit 1 and name the first broken position."""
    if export is not None and store is not None:
        raise typer.BadParameter("choose one of --export and --store")
    anchors: list[Anchor] = []
    if anchor is not None:
        published = read_published(anchor)
        anchors = published.anchors
        if published.skipped:
            output.note(f"notice: {anchor}: {_skipped(published.skipped)}")
    with counting(output.stderr(), "verified") as count:
        if export is not None:
            verdict = run_async(verification.verify_file(export, anchors, count))
        else:
            url = store or load(ctx).store.url
            verdict = run_async(verification.verify_store(url, anchors, count))
    if as_json:
        output.document(verdict)
    else:
        output.say(_sentence(verdict))
    if not verdict.ok:
        raise typer.Exit(1)


def _sentence(verdict: Verdict) -> str:
    if verdict.ok:
        anchored = f", and holds what was published at {verdict.anchor:,}" if verdict.anchor else ""
        since = f" from position {verdict.first:,} on" if verdict.first > 1 else ""
        return (
            f"ok: {verdict.events:,} events{since} hang together{anchored}; "
            f"head {verdict.head:,}, digest {verdict.hash}"
        )
    return f"BROKEN at position {verdict.broken_at}: {verdict.why}"


def _skipped(lines: list[int]) -> str:
    shown = ", ".join(str(number) for number in lines[:_SHOWN])
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"no anchor stands in line {shown}{more}; passed over"
