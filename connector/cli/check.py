"""`check`: ping the real systems; each line is ok, or what is wrong, where, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, takewhile

import typer
from rich.text import Text

from connector.check import CheckLine
from connector.checking import check as check_both_ends
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config.unsupported import refuse_unsupported


def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Try out Sage 100's agent and HubSpot, down to columns and properties; changes nothing."""
    config = load(ctx, both_ends=True)
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
    """One line each, under it where and the remedy; what could not be tried together; a sum."""
    console = output.stdout()
    for detail, group in groupby(lines, lambda line: "" if line.tried else line.detail):
        if detail:
            console.print(Text(f"-     {output.clean(_untried(list(group)))}"), soft_wrap=True)
            continue
        for line in group:
            text = output.clean(f"{line.subject}: {line.detail}")
            console.print(Text.assemble(_mark(line), text), soft_wrap=True)
            for label, more in (("where:", line.where), ("remedy:", line.remedy)):
                if more:
                    console.print(Text(f"      {label} {output.clean(more)}"), soft_wrap=True)
    output.say(_sum(lines))


def _sum(lines: Sequence[CheckLine]) -> str:
    """What all of it comes to, and what to do next."""
    wrong = sum(line.tried and not line.ok for line in lines)
    left = sum(not line.tried for line in lines)
    if wrong or left:
        verb = "needs" if wrong == 1 else "need"
        besides = f", and {left} could not be tried" if left else ""
        return (
            f"{wrong} of {len(lines)} {verb} a person{besides}. Next: follow the remedies from the "
            "top, then 'ml-connector check' again."
        )
    notes = sum(bool(line.remedy) for line in lines)
    noted = f", {output.counted(notes, 'note')} among them" if notes else ""
    # A property that setup would create is missing: then something is wrong above.
    return f"All {len(lines)} are well{noted}. Next: ml-connector run --once"


def _mark(line: CheckLine) -> tuple[str, str]:
    if not line.ok:
        return "WRONG ", "bold red"
    return ("note  ", "yellow") if line.remedy else ("ok    ", "green")


def _untried(lines: Sequence[CheckLine]) -> str:
    """Lines that share a reason as one: what their subjects begin with is said once."""
    words = [line.subject.split(" ") for line in lines]
    if len(words) == 1:
        return f"{lines[0].subject}: {lines[0].detail}"
    alike = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))))
    rest = ", ".join(" ".join(one[alike:]) for one in words)
    return f"{' '.join(words[0][:alike])}: {lines[0].detail}: {rest}"
