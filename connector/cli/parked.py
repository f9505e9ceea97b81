"""`parked`: the dead letters by reason, with HubSpot's message and the advice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Final

import typer

from connector import reports
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.opening import open_reader
from connector.reports import ParkedItem

_FEW: Final = 3
_SHOWN: Final = 60  # characters of a value


def parked(
    ctx: typer.Context,
    reason: Annotated[
        str, typer.Option("--reason", metavar="R", help="Only those parked for this reason.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """What HubSpot would not take, why, and what to do about it."""
    items = run_async(_read(load(ctx), reason))
    if as_json:
        output.document({"parked": items})
    else:
        render(items)
    if items:
        raise typer.Exit(1)


async def _read(config: Config, reason: str) -> list[ParkedItem]:
    async with open_reader(config) as store:
        return await reports.parked(store, reason=reason)


def render(items: list[ParkedItem]) -> None:
    """One table for each reason, the advice under it."""
    if not items:
        output.say("Nothing is parked.")
        return
    for reason, group in groupby(items, key=lambda item: item.reason):
        rows = list(group)
        output.show(
            output.table(
                f"{reason}: {len(rows)}",
                ["record", "left out", "since", "status", "held behind it"],
                (
                    (
                        row.target,
                        f"{row.field} = {row.value[:_SHOWN]}" if row.field else "all of it",
                        row.since,
                        row.status or None,
                        row.waiting,
                    )
                    for row in rows
                ),
            )
        )
        said: dict[str, list[str]] = {}
        for row in rows:
            said.setdefault(row.message, []).append(row.target)
        for message, names in said.items():
            output.say(f"  HubSpot said, of {_first(names, len(names))}: {message}")
        for row in rows:
            if row.waiting:
                output.say(f"  held behind {row.target}: {_first(row.behind, row.waiting)}")
        for advice in dict.fromkeys(row.advice for row in rows if row.advice):
            output.say(f"  advice: {advice}")
        output.say(f"  all of them again: ml-connector retry {reason}")


def _first(names: Sequence[str], count: int) -> str:
    """The first of so many names, and how many more there are."""
    more = count - min(_FEW, len(names))
    shown = ", ".join(names[:_FEW])
    return f"{shown} and {more:,} more" if more else shown
