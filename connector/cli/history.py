"""`history`: one record's life with causes, or what it was at a moment and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from connector import reports
from connector.app import open_reader
from connector.cli import moments as times
from connector.cli import output
from connector.cli.session import AsJson, run_async, session_of
from connector.config import Config
from connector.reports import History, HistoryMoment


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
        str, typer.Argument(help="ABC:01-ABF, 01-ABF, an invoice number or a HubSpot id.")
    ],
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="What it was then, field by field.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """One record's life, event by event, each with its cause."""
    at_us = times.time_us(at, end_of_day=True) if at else None
    found = run_async(_read(session_of(ctx).load(), key))
    if at_us is None:
        if as_json:
            output.document(found)
        else:
            render(found)
    else:
        fields = fields_at(found.moments, reports.iso(at_us))
        if as_json:
            output.document(
                {
                    "key": key,
                    "target": found.target,
                    "at": at,
                    "fields": fields,
                    "choices": found.choices,
                }
            )
        else:
            render_at(found, at, fields)
    if not found.target:
        raise typer.Exit(1)


async def _read(config: Config, key: str) -> History:
    async with open_reader(config) as store:
        return await reports.history(store, key)


def fields_at(moments: Iterable[HistoryMoment], until: str) -> list[FieldThen]:
    """The properties HubSpot had acknowledged by `until` (ISO 8601 UTC, as in the moments)."""
    held: dict[str, FieldThen] = {}
    asked: dict[str, str | None] = {}
    because = ""
    for each in moments:
        if each.time > until:
            break
        moment = each.moment
        if moment.event == "CommandEmitted":
            asked = {name: after for name, (_, after) in moment.changes.items()}
            because = moment.text
        elif moment.event in {"CommandSucceeded", "RecordAdopted"}:
            answered = {name: after for name, (_, after) in moment.changes.items()}
            adopted = moment.event == "RecordAdopted"
            for name, value in (answered if adopted else asked | answered).items():
                held[name] = FieldThen(
                    name, value, each.time, moment.text if adopted else because, moment.position
                )
    return [held[name] for name in sorted(held)]


def render(found: History) -> None:
    """The life as a table; changes field by field under each event."""
    if _choices(found):
        return
    known = f"HubSpot id {found.hubspot_id}" if found.hubspot_id else "not in HubSpot yet"
    output.say(f"{found.target}: {known}, {found.state or 'idle'}")
    rows = []
    for each in found.moments:
        moment = each.moment
        changes = [
            f"{name}: {_shown(old)} → {_shown(new)}" for name, (old, new) in moment.changes.items()
        ]
        facts = [f"{name} {value}" for name, value in moment.facts.items()]
        detail = "\n".join([moment.text, *(f"  {line}" for line in changes + facts)])
        rows.append((moment.position, each.time, detail, moment.cause))
    output.show(output.table("", ["position", "time", "what happened", "cause"], rows))


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
        output.say(f"{found.key!r} may be any of these; name one of them:")
        for choice in found.choices:
            output.say(f"  {choice}")
    else:
        output.say(f"Nothing in the log is known as {found.key!r}.")
    return True


def _shown(value: str | None) -> str:
    return "(empty)" if value in (None, "") else str(value)
