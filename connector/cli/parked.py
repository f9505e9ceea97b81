"""`parked`: the dead letters by reason, with HubSpot's message and the advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Final

import typer

from connector import candidates, reports
from connector.candidates import Candidate, Candidates
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.errors import Misconfigured
from connector.opening import open_hubspot, open_reader
from connector.reports import ParkedItem
from eventstore import EventStore

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
    items, found = run_async(_read(load(ctx), reason))
    if found.trouble:
        output.note(f"who the candidates are cannot be looked up: {found.trouble}")
    if as_json:
        output.document({"parked": items, "candidates": found.found})
    else:
        render(items, found.found)
    if items:
        raise typer.Exit(1)


async def _read(config: Config, reason: str) -> tuple[list[ParkedItem], Candidates]:
    async with open_reader(config) as store:
        items = await reports.parked(store, reason=reason)
        if reason and not items:
            await refuse_unknown_reason(store, reason)
        matches = [item for item in items if candidates.named(item)]
        if not matches:
            return items, Candidates()
        async with open_hubspot(config) as hubspot:
            return items, await candidates.look_up(store, hubspot, matches)


async def refuse_unknown_reason(store: EventStore, reason: str) -> None:
    """Nothing is parked for this reason: say for which there is, if there is any.

    Raises Misconfigured.
    """
    counts = Counter(item.reason for item in await reports.parked(store))
    if counts and reason not in counts:
        known = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))
        raise Misconfigured(
            f"nothing is parked for {reason!r}", where="reason", remedy=f"Give one of: {known}."
        )


def render(items: list[ParkedItem], found: Sequence[Candidate] = ()) -> None:
    """One table for each reason, the advice under it; `found`: candidates of matches."""
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
        names_here = {row.target for row in rows}
        for one in found:
            if one.target in names_here:
                output.say(f"  candidate {one.hubspot_id} for {one.target}: {one.shown}")
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
