"""`history`: one record's life with causes, or what it was at a moment and why."""

from __future__ import annotations

import shlex
from typing import Annotated, Final

import typer

from connector import reports
from connector.at_a_moment import FieldThen, fields_at
from connector.cli import moments as times
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.histories import History, HistoryMoment
from connector.naming import MOST
from connector.opening import open_reader

_FEW: Final = 6
_TELLING: Final = frozenset(
    {"advice", "status", "correlation id", "stamp", "mapping", "batch", "reason", "deals"}
)


def history(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            help="ABC:01-ABF, 01-ABF, ABF, an invoice number, a HubSpot id, a part of the name, or "
            "one of these after its kind: companies/50001."
        ),
    ],
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="What it was then, field by field.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Every column, property and fact of each event.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One record's life, event by event, each with its cause."""
    at_us = times.time_us(at, end_of_day=True) if at else None
    found, fields = run_async(_read(load(ctx), key, at_us))
    if at_us is None:
        if as_json:
            output.document(found)
        else:
            render(found, everything=everything)
    else:
        if as_json:
            output.document(
                {
                    "key": key,
                    "target": found.target,
                    "at": at,
                    "fields": fields,
                    "choices": found.choices,
                    "named": found.named,
                }
            )
        else:
            render_at(found, at, fields)
    if not found.target:
        raise typer.Exit(1)


async def _read(config: Config, key: str, at_us: int | None) -> tuple[History, list[FieldThen]]:
    async with open_reader(config) as store:
        found = await reports.history(store, key)
        if at_us is None or not found.target:
            return found, []
        return found, await fields_at(store, found, at_us)


def render(found: History, *, everything: bool = False) -> None:
    """The life as a table; changes field by field under each event."""
    if _choices(found):
        return
    known = f"HubSpot id {found.hubspot_id}" if found.hubspot_id else "not in HubSpot yet"
    state = found.state if found.state not in {"", "idle"} else "nothing pending"
    output.say(f"{found.target}: {known}, {state}")
    rows = (
        (each.moment.position, each.time, _told(each, everything), each.moment.cause)
        for each in found.moments
    )
    output.show(output.table("", ["position", "time", "what happened", "cause"], rows))


def _told(each: HistoryMoment, everything: bool) -> str:
    """The event in words; of many changes the first few, unless everything is wanted."""
    moment = each.moment
    is_new = all(old is None for old, _ in moment.changes.values())
    changes = [
        f"{name} = {_shown(new)}" if is_new else f"{name}: {_shown(old)} → {_shown(new)}"
        for name, (old, new) in moment.changes.items()
    ]
    if not everything and len(changes) > _FEW:
        more = len(changes) - _FEW
        changes = [*changes[:_FEW], f"… and {more} more, shown by --all"]
    facts = [
        f"{name} {value}" for name, value in moment.facts.items() if everything or name in _TELLING
    ]
    facts += [f"trace {each.trace}"] if each.trace else []
    lines = changes + ([", ".join(facts)] if facts else [])
    return "\n".join([moment.text, *(f"  {line}" for line in lines)])


def render_at(found: History, at: str, fields: list[FieldThen]) -> None:
    """The record as it was."""
    if _choices(found):
        return
    if not fields:
        output.say(f"{found.target}: nothing was acknowledged by HubSpot until {at}.")
        return
    rows = [(one.field, _value(one), one.since or "-", _why(one), one.position) for one in fields]
    heads = ["field", "value", "since", "because", "position"]
    output.show(output.table(f"{found.target} at {at}", heads, rows))
    erased = [one.erased for one in fields if one.erased]
    if erased:
        count = output.counted(len(erased), "value")
        output.say(f"Of {count} nothing is left: personal data was erased on {max(erased)}.")


def _value(one: FieldThen) -> str:
    return "(erased)" if one.erased else _shown(one.value)


def _why(one: FieldThen) -> str:
    """The reason of a value, from Sage 100 to HubSpot's answer."""
    shown_cells = [f"{column} {_shown(cell)}" for column, cell in one.cells.items()]
    if len(shown_cells) > _FEW:
        more = len(shown_cells) - _FEW
        shown_cells = [*shown_cells[:_FEW], f"… and {more} more, all with --json"]
    cells = ", ".join(shown_cells)
    seen = {"stamp": one.stamp, "seen": one.seen}
    seen_how = {"sweep": "by the nightly sweep", "cursor": "by a poll"}.get(one.via, "")
    shown = [cells, *(f"{name} {text}" for name, text in seen.items() if text), seen_how]
    said = {
        "status": str(one.status or ""),
        "correlation id": one.correlation_id,
        "batch": one.batch,
        "trace": one.trace,
    }
    lines = [
        one.source,
        ", ".join(text for text in shown if text),
        one.because + (f", mapping {one.mapping}" if one.mapping else ""),
        f"led to by: {one.cause}" if one.cause else "",
        ", ".join(f"{name} {text}" for name, text in said.items() if text),
    ]
    return "\n".join(line for line in lines if line)


def _choices(found: History) -> bool:
    """Say so when the key named no record, or several; whether it did."""
    if found.target:
        return False
    if found.choices:
        title = f"{found.key!r} may be any of these {len(found.choices):,}"
        rows = [(one.key, one.name, one.kind) for one in found.named]
        output.show(output.table(title, ["key", "name", "kind"], rows))
        first = found.choices[0]
        output.say(f"Name one of them by its key: ml-connector history {shlex.quote(first)}")
        if len(found.choices) >= MOST:
            output.say(f"Of each kind the first {MOST} are looked for: give more of the name.")
    else:
        output.say(
            f"Nothing in the log is known as {found.key!r}. Give a key (ABC:01-ABF or 01-ABF), a "
            "whole customer or invoice number, a HubSpot id, or a part of the name."
        )
    return True


def _shown(value: str | None) -> str:
    return "(empty)" if value in (None, "") else str(value)
