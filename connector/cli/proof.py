"""`proof`: the AR tie-out: Sage 100 = our figures = HubSpot, to the cent, or why not."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Final

import typer

from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.cli.watch import COMPARING, watching
from connector.config import Config
from connector.errors import Misconfigured
from connector.opening import open_hubspot, open_reader
from connector.proof import CompanyProof, Proof, Reading, prove
from connector.sage100.instance import instance_of

_SHOWN: Final = 40
_FEW: Final = 10  # of what is only told
_LABELS: Final = {"balance": "open balance", "documents": "open documents"}
_RECEIVABLES: Final = "AR_Invoice"
_COLUMNS: Final = (
    *("company", "currency", "as_of", "record", "measure", "between", "left", "right"),
    *("difference", "reason", "detail", "days"),
)


def proof(
    ctx: typer.Context,
    company: Annotated[
        list[str] | None,
        typer.Option("--company", metavar="CODE", help="Only these companies; repeatable."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Read HubSpot as well, by key, instead of the ledger.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Comma-separated: the sums, then every difference.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tie receivables out per company; exit 1 when a difference has no reason in the log."""
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    config = load(ctx)
    found = run_async(_prove(config, _companies(config, company), live=live))
    if as_json:
        output.document(found)
    elif as_csv:
        write_csv(found)
    else:
        render(found)
    if not found.ok:
        raise typer.Exit(1)


def _companies(config: Config, wanted: list[str] | None) -> list[str]:
    configured = [code for agent in config.sage100 for code in agent.companies]
    chosen = [code.upper() for code in wanted or configured]
    for code in chosen:
        if code not in configured:
            raise Misconfigured(
                f"no company {code!r} is configured",
                where="--company",
                remedy=f"Give one of: {', '.join(configured)}.",
            )
    return chosen


async def _prove(config: Config, companies: list[str], *, live: bool) -> Proof:
    instances = {
        code: instance_of(settings) for settings in config.sage100 for code in settings.companies
    }
    with watching(output.stderr(), COMPARING) as progress:
        async with open_reader(config) as store:
            if not live:
                return await prove(store, companies, progress, instances=instances)
            async with open_hubspot(config) as hubspot:
                return await prove(store, companies, progress, hubspot, instances=instances)


def render(found: Proof) -> None:
    """A table of sums for each company, the differences below, and the verdict."""
    for one in found.companies:
        _render_company(one, live=found.live)
    at = f"position {found.position:,} of the log, {found.time}"
    if not found.settled:
        output.say(
            f"NOT SETTLED: the figures moved each time they were taken ({found.takes} times, last "
            f"at {at}). Try again when less is under way."
        )
    elif found.ok:
        output.say(f"TIED OUT at {at}: every difference has its reason, unexplained 0.00.")
    else:
        total = sum((line.unexplained for one in found.companies for line in one.lines), Decimal(0))
        output.say(f"NOT TIED OUT at {at}: unexplained {total:,.2f}.")


def _render_company(one: CompanyProof, *, live: bool) -> None:
    title = (
        f"{one.company}: {one.open_items:,} open items of {one.customers:,} customers"
        f"{f', {one.currency}' if one.currency else ''}, aged as of {one.as_of or 'no day yet'}"
    )
    last = "HubSpot" if live else "HubSpot (acknowledged)"
    labels = _LABELS | one.buckets
    names = ["sum", "Sage 100", "ours", last, "difference", "explained", "unexplained"]
    output.show(
        output.table(
            title,
            names,
            (
                (
                    labels[line.measure],
                    *(
                        f"{amount:,.2f}"
                        for amount in (
                            *(line.sage, line.ours, line.hubspot),
                            *(line.difference, line.explained, line.unexplained),
                        )
                    ),
                )
                for line in one.lines
            ),
        )
    )
    _render_reading(one.reading)
    _render_own_aging(one)
    if not one.differences:
        return
    # What has no reason first: that is what somebody must look at.
    listed = sorted(one.differences, key=lambda each: each.reason != "unexplained")
    output.show(
        output.table(
            f"{one.company}: {len(listed):,} differences",
            ["record", "sum", "between", "left", "right", "difference", "reason", "detail"],
            (
                (
                    *(each.record, labels[each.measure], each.between),
                    *(f"{amount:,.2f}" for amount in (each.left, each.right, each.difference)),
                    *(each.reason, each.detail),
                )
                for each in listed[:_SHOWN]
            ),
        )
    )
    if len(listed) > _SHOWN:
        output.say(f"  and {len(listed) - _SHOWN:,} more: --csv or --json lists all of them")


def _render_reading(found: Reading) -> None:
    changes = f"{_age(found.changes_age_s)} ({found.changes or 'never'})"
    everything = f"{_age(found.everything_age_s)} ({found.everything or 'never'})"
    by = "by a sweep" if found.swept else "by the first pass, no sweep since"
    output.say(
        f"  Sage 100's side was read: what changed {changes}; all of it {everything}"
        + (f", {by}" if found.everything else "")
    )
    for warning in found.warnings:
        output.say(f"  WARNING: {warning}")


def _age(age_s: int | None) -> str:
    """How long ago, in the largest unit of which it has two."""
    if age_s is None:
        return "never"
    for size_s, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if age_s >= 2 * size_s:
            return f"{age_s // size_s:,} {unit} ago"
    return f"{age_s} seconds ago"


def _render_own_aging(one: CompanyProof) -> None:
    own = one.own_aging
    if not own.customers:
        return
    output.say(
        f"  Sage 100's own aging comes to {own.aged:,.2f} for "
        f"{output.counted(own.customers, 'customer')}, their open items to {own.open_items:,.2f}; "
        f"{len(own.differing):,} differ. That is told only: the aging is as old as its day, and no "
        "posting moves it."
    )
    if not own.differing:
        return
    output.show(
        output.table(
            f"{one.company}: Sage 100's own aging of {len(own.differing):,} customers",
            ["record", "own aging", "open items", "difference", "aged on"],
            (
                (
                    each.record,
                    *(f"{sum_:,.2f}" for sum_ in (each.aged, each.open_items, each.difference)),
                    each.aged_on or "never",
                )
                for each in own.differing[:_FEW]
            ),
        )
    )
    if len(own.differing) > _FEW:
        output.say(f"  and {len(own.differing) - _FEW:,} more: --csv or --json lists all of them")


def write_csv(found: Proof) -> None:
    """One line for each sum (without a record) and one for each difference; then what it rests on,
    with the entity as its record.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in found.companies:
        for row in (*_sums(one), *_differences(one), *_evidence(one)):
            days = one.buckets.get(str(row[1]), "")
            cells = (one.company, one.currency, one.as_of, *row, days)
            writer.writerow([output.clean(cell) for cell in cells])
    sys.stdout.flush()


def _sums(one: CompanyProof) -> Iterator[tuple[object, ...]]:
    for line in one.lines:
        verdict = "unexplained" if line.unexplained else "tied out"
        detail = f"ours {line.ours}, explained {line.explained}, unexplained {line.unexplained}"
        sides = (line.sage, line.hubspot, line.difference)
        yield ("", line.measure, "Sage 100 and HubSpot", *sides, verdict, detail)


def _differences(one: CompanyProof) -> Iterator[tuple[object, ...]]:
    for each in one.differences:
        sides = (each.left, each.right, each.difference)
        yield (each.record, each.measure, each.between, *sides, each.reason, each.detail)


def _evidence(one: CompanyProof) -> Iterator[tuple[object, ...]]:
    """What is told and fails nothing, as rows: Sage 100's own aging, and when it was read."""
    own, read = one.own_aging, one.reading
    between, told = "own aging and open items", "told only"
    if own.customers:
        sums = (own.aged, own.open_items, own.difference)
        detail = f"{own.customers} customers, {len(own.differing)} differ"
        yield ("AR_Customer", "own aging", between, *sums, told, detail)
    for each in own.differing:
        sums = (each.aged, each.open_items, each.difference)
        detail = f"aged on {each.aged_on or 'no day'}"
        yield (each.record, "own aging", between, *sums, told, detail)
    warned = "; ".join(read.warnings)
    for what, time, age_s in (
        ("last pass over changes", read.changes, read.changes_age_s),
        ("last reading of everything", read.everything, read.everything_age_s),
    ):
        detail = f"{time}, {age_s} s before" if time else "never"
        yield (_RECEIVABLES, what, "Sage 100 and the log", "", "", "", told, detail)
    if warned:
        yield (_RECEIVABLES, "age", "Sage 100 and the log", "", "", "", "warning", warned)
