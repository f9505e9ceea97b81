"""`status`: the books, and whether they close."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from connector import forecast, mappings, planning, reports
from connector.cli import output
from connector.cli.session import AsJson, load, run_async
from connector.config import Config
from connector.config.mapping import load_mapping
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.sage100.schedule import quiet_hours, quiet_told, quiet_until
from eventstore import EventStore


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What was read, what HubSpot was told, and whether every sum closes."""
    report = run_async(_read(load(ctx)))
    if as_json:
        output.document(report)
    else:
        render(report)
    if needs_person(report):
        raise typer.Exit(1)


async def _read(config: Config) -> dict[str, Any]:
    now = datetime.now(UTC)
    async with open_reader(config) as store:
        report = await reports.status(store)
        pending = await forecast.of_pending(store, config.hubspot.tier, config.hubspot.reserve)
        report["forecast"] = msgspec.structs.asdict(pending)
        report["mapping"] = await _mapping(config, store)
    report["quiet"] = quiet_now(config, now)
    # What is configured no more, a mistyped company code for instance, is nobody's worry.
    wanted = {(one.name, code) for one in config.sage100 for code in one.companies}
    report["sage100"] = [
        row for row in report["sage100"] if (row["instance"], row["company"]) in wanted
    ]
    return report


async def _mapping(config: Config, store: EventStore) -> dict[str, str]:
    """The mapping in force, and the configured one when that is another and waits for a plan."""
    found = await planning.in_force(store)
    try:
        waiting = await mappings.proposed(store, load_mapping(config))
    except Misconfigured:
        waiting = ""  # whatever is wrong with the file, the commands that need it say so
    return {"in_force": found.digest if found is not None else "", "proposed": waiting}


def quiet_now(config: Config, now: datetime) -> list[dict[str, str]]:
    """The instances whose quiet hours it is at `now` (aware), and until when, in words."""
    found = []
    for settings in config.sage100:
        zone = ZoneInfo(settings.timezone)
        until = quiet_until(quiet_hours(settings.quiet_hours), now, zone)
        if until is not None:
            ends = f"{until:%Y-%m-%dT%H:%M:%SZ}"
            told = quiet_told(until, zone)
            found.append({"instance": settings.name, "until": ends, "told": told})
    return found


def needs_person(report: dict[str, Any]) -> bool:
    """Whether a sum does not close, something is parked or held, an amount cannot be read, or an
    end failed or refused us.
    """
    return (
        not report["books_close"]
        or bool(report["held"])
        or bool(report["unreadable"]["records"])
        or report["hubspot_error"] is not None
        or any(row["parked"] or row["withheld"] or row["error"] for row in report["hubspot"])
        or any(row["error"] for row in report["sage100"])
        or bool(report["mapping"]["proposed"])
    )


def render(report: dict[str, Any]) -> None:
    """The books as tables, and the verdict under them."""
    output.show(sage100_table(report))
    for one in report["quiet"]:
        output.say(f"  {one['instance']}: {one['told']}: the service asks nothing until then")
    for row in report["sage100"]:
        if row["error"]:
            where = f"{row['company']} {row['entity']}"
            output.say(f"  {where}: {_told(row['error'])}")
        if row["skipped"]:
            output.say(f"  {row['company']} {row['entity']}: not read: {row['skipped']}")
        if row["waiting"]:
            output.say(f"  {row['company']} {row['entity']}: {waiting_line(row['waiting'])}")
        if row["rewound"]:
            output.say(
                f"  {row['company']} {row['entity']}: Sage 100 went back to an earlier state "
                f"({row['rewound']}): a restored backup, or clocks that disagree."
            )
    for line in blind_spots(report):
        output.say(f"  {line}")
    output.show(hubspot_table(report))
    output.say(closing_line(report))
    for line in refusal_lines(report):
        output.say(line)
    if "forecast" in report and report["hubspot_error"] is None:
        waits = forecast.told(msgspec.convert(report["forecast"], forecast.Forecast))
        if waits:
            output.say(waits)
    deals = report["deals"]
    if any(deals.values()):
        output.say(
            f"Deals: {deals['linked']:,} invoices linked, {deals['several']:,} with several deals "
            f"of their number, {deals['none']:,} with none; 'history' says which."
        )
    for line in unreadable_lines(report):
        output.say(line)
    for line in held_lines(report):
        output.say(line)
    if report["mapping"]["proposed"]:
        output.say(proposed_line(report["mapping"]["proposed"]))
    log, http = report["log"], report["http"]
    output.say(
        f"log: {log['head']:,} events, digest {log['hash'][:16]}…; calls so far: "
        f"HubSpot {http['hubspot_calls']:,} (429: {http['hubspot_429']:,}{_left_today(http)}), "
        f"Sage 100 agent {http['agent_calls']:,}"
    )


def proposed_line(digest: str) -> str:
    """That the configured mapping is not in force, and what to do about it."""
    return (
        f"The configured mapping ({digest[:12]}) is not in force yet: 'ml-connector plan' shows "
        "what it would change, 'ml-connector apply DIGEST' puts it in force. Or is the one in "
        "force the right one, applied from another file? Then name that file as hubspot.mapping."
    )


def _left_today(http: dict[str, Any]) -> str:
    """What HubSpot last told of the account's calls of the day."""
    if http.get("hubspot_daily_left") is None:
        return ""
    ends = http["hubspot_resets_at"]
    when = f"of the day that ends {ends}" if ends else "of the day"
    return f"; {http['hubspot_daily_left']:,} of {http['hubspot_daily_limit']:,} were left {when}"


def waiting_line(waiting: dict[str, str]) -> str:
    """Since when Sage 100 has been in use, by what, and from when on that is an error."""
    return (
        f"waiting since {waiting['since']}. {waiting['message']} It goes on by itself; an error "
        f"from {waiting['alarm_at']} on."
    )


def refusal_lines(report: dict[str, Any]) -> list[str]:
    """What HubSpot does not let us write: since when, in its words, and what to do about it."""
    lines = []
    error = report["hubspot_error"]
    if error is not None:
        waiting = output.counted(sum(row["pending"] for row in report["hubspot"]), "command")
        lines.append(
            f"WRITING HAS STOPPED since {error['since']} ({waiting} pending). {_told(error)}"
        )
    for row in report["hubspot"]:
        if row["error"]:
            waiting = output.counted(row["pending"], "command")
            since = row["error"]["since"]
            told = _told(row["error"])
            lines.append(
                f"HubSpot takes no {row['object']} since {since} ({waiting} pending). {told}"
            )
    return lines


def blind_spots(report: dict[str, Any]) -> list[str]:
    """What the cursor had not shown, over the last seven days, by company and entity."""
    return [
        f"{row['company']} {row['entity']}: blind spot: {row['missed_7_days']:,} changes this week "
        "were found by sweeps alone"
        for row in report["sage100"]
        if row["missed_7_days"]
    ]


def unreadable_lines(report: dict[str, Any]) -> list[str]:
    """The records some amount of which is no number, and some of them by name."""
    records, some = report["unreadable"]["records"], report["unreadable"]["some"]
    if not records:
        return []
    more = f" … and {records - len(some):,} more" if records > len(some) else ""
    return [
        f"UNREADABLE: {records:,} invoices have amounts in Sage 100 that are no numbers. Balance "
        "or total, and the aging of the customer, stay as last told. Correct them in Sage 100:",
        *(f"  {name}: {cells}" for name, cells in some.items()),
        *([more] if more else []),
    ]


def held_lines(report: dict[str, Any]) -> list[str]:
    """Each company whose decisions wait for a person: since when, why, what to do."""
    return [
        f"HELD: company {one['company']} since {one['since']}. {one['why']}. Nothing more of it is "
        f"sent; {one['waiting']:,} records wait. {one['what_to_do']}"
        for one in report["held"]
    ]


def sage100_table(report: dict[str, Any]) -> Any:
    """One line for each entity's last pass: read = unchanged + observed."""
    return output.table(
        "Sage 100: the last pass of each entity",
        [
            "company",
            "entity",
            "last pass",
            "via",
            "read",
            "unchanged",
            "observed",
            "vanished",
            "missed by cursor",
            "closes",
        ],
        (
            (
                row["company"],
                row["entity"],
                _to_the_second(row["last_pass"]),
                row["via"],
                row["read"],
                row["unchanged"],
                row["observed"],
                row["vanished"],
                row["missed_by_cursor"],
                row["closes"],
            )
            for row in report["sage100"]
        ),
    )


def _to_the_second(time: str | None) -> str | None:
    """Times of passes, in two words: on a narrow terminal they stand on two lines."""
    return f"{time[:10]} {time[11:19]}Z" if time else time


def hubspot_table(report: dict[str, Any]) -> Any:
    """One line for each HubSpot object: emitted = the sum of the others."""
    names = ["emitted", "succeeded", "pending", "held", "parked", "superseded"]
    return output.table(
        "HubSpot: commands so far",
        ["object", *names, "incomplete"],
        (
            (row["object"], *(row[name] for name in names), row["withheld"])
            for row in report["hubspot"]
        ),
    )


def closing_line(report: dict[str, Any]) -> str:
    """The verdict in a sentence."""
    if report["books_close"]:
        return "The books close: read = unchanged + observed, emitted = succeeded + what is open."
    return "THE BOOKS DO NOT CLOSE: a sum above is wrong. Run 'ml-connector rebuild --verify'."


def _told(error: dict[str, str]) -> str:
    remedy = error.get("remedy", "")
    return error.get("message", "") + (f" Remedy: {remedy}" if remedy else "")
