"""`demo`: both ends simulated, a full sync, a working day, a second pass, the books.

Needs no credentials and no network, and ends with an exit code that says whether the books close.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Annotated, Any, Final

import msgspec
import typer

from connector import reports
from connector.app import App, open_app
from connector.cli import history, output
from connector.cli.demo_site import Edit, Site, a_day_at_the_office, simulated_site
from connector.cli.session import AsJson, run_async
from connector.cli.status import closing_line, hubspot_table, sage100_table
from connector.cli.stopping import stop_event
from connector.cli.watch import watching

_NOUNS: Final = {
    "AR_Customer": "customers",
    "AP_Vendor": "vendors",
    "AR_CustomerContact": "contacts",
    "AR_Invoice": "invoices",
}


class Pass(msgspec.Struct, frozen=True):
    """One pass: how long it took, and what it cost by the two ends' own count."""

    name: str
    seconds: float
    hubspot_calls: int
    agent_calls: int


class Story(msgspec.Struct, frozen=True):
    """Everything the demonstration shows; also its `--json`."""

    books_close: bool
    chain_events: int
    passes: list[Pass]
    edits: list[Edit]
    sage100: dict[str, int]
    hubspot: dict[str, int]
    status: dict[str, Any]
    history: reports.History
    summary: str


def demo(
    customers: Annotated[
        int, typer.Option("--customers", min=3, help="How many are made up.")
    ] = 1_000,
    invoices: Annotated[
        int, typer.Option("--invoices", min=0, max=800_000, help="How many are made up.")
    ] = 5_000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same data.")] = 1,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep both ends and the service running afterwards.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Both ends simulated: a full sync, a second pass, the books. No credentials, no network."""
    closes = run_async(
        _demo(customers=customers, invoices=invoices, seed=seed, serve=serve, as_json=as_json)
    )
    if not closes:
        raise typer.Exit(1)


async def _demo(*, customers: int, invoices: int, seed: int, serve: bool, as_json: bool) -> bool:
    with ExitStack() as watch:
        progress = watch.enter_context(watching(output.stderr()))
        output.note(f"making up {customers:,} customers and {invoices:,} invoices …")
        async with (
            simulated_site(customers=customers, invoices=invoices, seed=seed) as site,
            open_app(site.config(), progress=progress) as app,
        ):
            story = await tell(app, site)
            watch.close()  # the bars make room for the story
            if as_json:
                output.document(story)
            else:
                render(story)
            if serve:
                await _serve(app, site)
            else:
                output.note(
                    "All of it was made up, and is gone now. Next: 'ml-connector demo --serve' "
                    "keeps it running to look into; 'ml-connector init' begins with your own."
                )
    return story.books_close


async def tell(app: App, site: Site) -> Story:
    """Sync everything, let people work, sync what changed, and read the books."""
    passes = [await _timed("setup: properties are created in HubSpot", site, app.setup())]

    async def sync(name: str, *, sweep: bool = False) -> None:
        passes.append(await _timed(name, site, app.run_once(sweep=sweep)))

    await sync("first pass: everything is read and written")
    edits = a_day_at_the_office(site)
    await sync("second pass: only what changed since")
    await sync("a sweep: all is compared, for changes without a date", sweep=True)
    await sync("a last pass, with nothing to do")
    status = await reports.status(app.store)
    chain_events = await app.store.verify()
    found = site.hubspot_records()
    closes = status["books_close"] and all(
        row["emitted"] == row["succeeded"] + row["superseded"] for row in status["hubspot"]
    )
    return Story(
        books_close=closes,
        chain_events=chain_events,
        passes=passes,
        edits=edits,
        sage100=site.sage100_records(),
        hubspot=found,
        status=status,
        history=await reports.history(app.store, f"companies/{edits[0].key}"),
        summary=_summary(closes, passes, found),
    )


async def _timed(name: str, site: Site, work: Awaitable[object]) -> Pass:
    began, calls, asked = time.monotonic(), site.hubspot_calls(), site.agent_calls()
    await work
    return Pass(
        name,
        round(time.monotonic() - began, 2),
        site.hubspot_calls() - calls,
        site.agent_calls() - asked,
    )


def _summary(closes: bool, passes: list[Pass], found: dict[str, int]) -> str:
    if not closes:
        return "The books do NOT close: something was lost, is stuck or counted twice."
    records = sum(found.values())
    _, first, second, *_, last = passes
    return (
        f"HubSpot now holds what Sage 100 says: {records:,} records in {first.hubspot_calls:,} "
        f"calls and {first.seconds:.0f} s; a day's changes cost {second.hubspot_calls:,} calls, "
        f"a pass without changes {last.hubspot_calls:,}; every row read and every command is "
        "accounted for."
    )


def render(story: Story) -> None:
    """The story as tables, and one sentence at the end."""
    made_up = ", ".join(f"{count:,} {_NOUNS[name]}" for name, count in story.sage100.items())
    output.say(
        "A made-up Sage 100 and an empty HubSpot, both in this process, talked to over HTTP."
    )
    output.say(f"Sage 100 holds {made_up}.")
    output.say("")
    output.show(
        output.table(
            "What was done, and the calls as each end counted them",
            ["step", "seconds", "HubSpot calls", "Sage 100 calls"],
            (
                (each.name, f"{each.seconds:.1f}", each.hubspot_calls, each.agent_calls)
                for each in story.passes
            ),
        )
    )
    output.say("Between the first pass and the second, people worked in Sage 100:")
    for edit in story.edits:
        output.say(f"  {edit.key}: {edit.what}")
    output.say("")
    output.say(f"What happened to the first of them, as 'history {story.edits[0].key}' tells it:")
    history.render(story.history)
    output.say("")
    output.say("The books after all of it, as 'status' shows them:")
    output.show(sage100_table(story.status))
    output.show(hubspot_table(story.status))
    output.say(closing_line(story.status))
    output.say(
        f"The log is unaltered: its chain of digests holds over {story.chain_events:,} events."
    )
    output.say("")
    output.say(story.summary)


async def _serve(app: App, site: Site) -> None:
    """Keep everything running and say how to get at it."""
    sage100 = site.sage100.announcement
    output.note("Both ends and the service go on running; Ctrl-C ends it all.")
    output.note(f"  Sage 100 agent  {sage100.endpoint}")
    output.note(f"  HubSpot         {site.portal.base_url}")
    output.note("In another terminal:")
    for name, value in site.env.items():
        output.note(f"  export {name}='{value}'")
    output.note(f"  ml-connector --config {site.config_path} status")
    output.note("Change a customer in Sage 100, and see it arrive in HubSpot:")
    order = {
        "do": "change",
        "entity": "AR_Customer",
        "key": site_key(site),
        "fields": {"AddressLine1": "1 Demo Plaza"},
    }
    output.note(
        f"  curl -H 'Authorization: Bearer {sage100.control_token}' {sage100.control_url} "
        f"-d '{msgspec.json.encode(order).decode()}'"
    )
    with stop_event() as stop:
        await asyncio.create_task(app.run(stop))


def site_key(site: Site) -> list[str]:
    """The key of the first customer."""
    row = next(site.sage100.company.rows("AR_Customer"))
    return [row["ARDivisionNo"], row["CustomerNo"]]
