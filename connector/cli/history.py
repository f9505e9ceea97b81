"""`history`: one record's life with causes, or what it was at a moment and why."""

from __future__ import annotations

import shlex
from typing import Annotated, Final

import msgspec
import typer

from connector import reports
from connector.cli import moments as times
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.histories import History, HistoryMoment
from connector.naming import MOST
from connector.opening import open_reader
from connector.projector import entries_of
from eventstore import EventStore
from projections import asof, keys

_FEW: Final = 6
_TELLING: Final = frozenset(
    {"advice", "status", "correlation id", "stamp", "mapping", "batch", "reason", "deals"}
)


class FieldThen(msgspec.Struct, frozen=True):
    """What one HubSpot property held at a moment, since when, and what had led to it."""

    field: str
    value: str | None
    since: str
    because: str
    position: int


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


async def fields_at(store: EventStore, found: History, at_us: int) -> list[FieldThen]:
    """What HubSpot had acknowledged of a record at a time (µs UTC), each value with its reason."""
    # Times are shown to the millisecond, cut off: one that was copied means all of it.
    upto = await store.position_at(at_us // 1000 * 1000 + 999)
    stored = await store.history(keys.hubspot_stream(found.target), upto=upto)
    told = {each.moment.position: each for each in found.moments}
    return [
        FieldThen(
            one.field,
            one.value,
            told[one.position].time,
            told[one.because].moment.text if one.because in told else "",
            one.position,
        )
        for one in asof.held_at(entries_of(stored))
    ]


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
    output.show(
        output.table(
            f"{found.target} at {at}",
            ["field", "value", "since", "because", "position"],
            ((row.field, row.value, row.since, row.because, row.position) for row in fields),
        )
    )


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
