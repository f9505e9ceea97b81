"""`check`: ping the real systems; each line is ok, or what is wrong, where, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.text import Text

from connector.app import check as check_both_ends
from connector.check import CheckLine
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config.unsupported import refuse_unsupported


def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Try out Sage 100's agent and HubSpot, down to columns and properties; changes nothing."""
    config = load(ctx)
    refuse_unsupported(config)
    lines = run_async(check_both_ends(config))
    ok = all(line.ok for line in lines)
    if as_json:
        output.document({"ok": ok, "lines": lines})
    else:
        render(lines)
    if not ok:
        raise typer.Exit(1)


def render(lines: Sequence[CheckLine]) -> None:
    """One line each, the remedy under what is not well, and a sum."""
    console = output.stdout()
    for line in lines:
        mark = ("ok    ", "green") if line.ok else ("WRONG ", "bold red")
        text = output.clean(f"{line.subject}: {line.detail}")
        console.print(Text.assemble(mark, text), soft_wrap=True)
        if not line.ok and line.remedy:
            console.print(Text("      remedy: " + output.clean(line.remedy)), soft_wrap=True)
    wrong = sum(not line.ok for line in lines)
    if wrong:
        output.say(f"{wrong} of {len(lines)} need a person.")
    else:
        output.say(f"All {len(lines)} are well. Next: ml-connector setup")
