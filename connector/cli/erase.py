"""`erase`: personal data of one record out of the log, for good, and not in again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from connector import erasing, erasure_list
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.who import who
from connector.config import Config
from connector.erasing import Affected
from connector.erasure_list import Listed
from connector.errors import Misconfigured
from connector.opening import open_reader, open_writer
from eventstore import StoreInUse

_REASON: Final = "asked for"


class EraseReport(msgspec.Struct, frozen=True):
    """What is erased: the record, everything that goes with it, and how far that has come.

    `hubspot_ids`: records that stay in HubSpot, where nothing is deleted. `list_file`: what sees
    to it that no backup brings it back.
    """

    record: str
    affected: Affected
    state: str
    list_file: str


def erase(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A customer, contact or vendor: ABC:01-ABF.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the log; no personal data.")
    ] = _REASON,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Blank a person's data in the log, the read models and exports to come, for good."""
    config = load(ctx)
    report = run_async(_look(config, key))
    if not dry_run:
        if not yes:
            if as_json:
                raise typer.BadParameter("--json asks nothing: add --yes or --dry-run")
            render(report)
            typer.confirm("This cannot be undone. Erase?", abort=True, err=True)
        report = run_async(_erase(config, report, reason))
    if as_json:
        output.document(report)
    else:
        render(report)


async def _look(config: Config, key: str) -> EraseReport:
    file = config.store.file
    if file is None:
        raise Misconfigured("this store has no file to keep the list of erased records beside")
    async with open_reader(config) as store:
        record = await erasing.record_meant(store, key)
        found = await erasing.affected(store, record)
    return EraseReport(record, found, "dry run", str(erasure_list.file_of(file)))


async def _erase(config: Config, report: EraseReport, reason: str) -> EraseReport:
    """On the list first: from there on it is erased, now or when the store is next at hand."""
    file = config.store.file
    assert file is not None  # noqa: S101 - _look has seen to it
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await erasure_list.add(file, [Listed(report.record, time, reason, who())])
    try:
        async with open_writer(config):
            state = "erased"
    except StoreInUse:
        state = "asked for"
    return msgspec.structs.replace(report, state=state)


def render(report: EraseReport) -> None:
    """What is erased, what stays, and what is left to a person."""
    found = report.affected
    for name in found.records:
        output.say(f"  {name}")
    for name in found.targets:
        there = found.hubspot_ids.get(name)
        output.say(f"  {name}" + (f", HubSpot id {there}" if there else ", not in HubSpot"))
    count = f"{len(found.records):,} records and {len(found.targets):,} HubSpot objects"
    match report.state:
        case "erased":
            output.say(f"Erased: the personal data of {count}, in the log and the read models.")
        case "asked for":
            output.say(
                f"Asked for: the personal data of {count} is erased by the process that has the "
                "store: the running service within seconds, a single pass when the next one starts."
            )
        case _:
            output.say(f"The personal data of {count} would be erased.")
    output.say(
        "Kept: keys, amounts, dates, terms; invoices, payments and sales. In HubSpot the fields "
        "that are ours are emptied by the next run; records there are not deleted: that is done "
        "in HubSpot, and they are not created again."
    )
    output.say(f"{report.list_file} keeps it so, also when a backup is restored: keep that file.")
