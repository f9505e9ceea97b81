"""`sandbox`: one simulated end alone, on this machine, for trying things out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, cast
from zoneinfo import available_timezones

import typer

from connector.cli import output
from connector.cli.session import AsJson, run_async
from connector.cli.stopping import stop_event, until_stopped
from connector.errors import Misconfigured
from connector.sandbox import agent as sage100
from connector.sandbox import hubspot as crm
from connector.sandbox.agent.options import MOST_INVOICES
from connector.sandbox.agent.profiles import PROFILES as SAGE100_PROFILES
from connector.sandbox.agent.profiles import Profile
from connector.sandbox.agent.tls import PROFILES, TlsProfile
from connector.sandbox.hubspot.options import InvoiceStrictness, Tier

app = typer.Typer(no_args_is_help=True, help="One simulated end alone, for trying things out.")

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed makes the same data.")]


@app.command("agent")
def agent(
    port: Port = 0,
    seed: Seed = 1,
    customers: Annotated[int, typer.Option("--customers", min=1)] = 200,
    invoices: Annotated[int, typer.Option("--invoices", min=0, max=MOST_INVOICES)] = 1_000,
    company: Annotated[str, typer.Option("--company", help="A 3-character code.")] = "ABC",
    tls: Annotated[
        str | None, typer.Option("--tls", help=f"Listen with TLS: {', '.join(PROFILES)}.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help=f"The Sage 100: {', '.join(SAGE100_PROFILES)}.")
    ] = "current",
    session_capacity: Annotated[
        int, typer.Option("--session-capacity", min=1, help="Requests served at once.")
    ] = 1,
    cold_start: Annotated[
        float, typer.Option("--cold-start", min=0, help="Seconds that the first request waits.")
    ] = 0.0,
    latency: Annotated[
        float,
        typer.Option("--latency", min=0, help="Milliseconds per row; in life 3 to 20."),
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """A Sage 100 agent with made-up customers, until Ctrl-C."""
    if tls is not None and tls not in PROFILES:
        raise typer.BadParameter(f"{tls!r} is none of {', '.join(PROFILES)}", param_hint="--tls")
    try:
        options = sage100.AgentOptions(
            seed=seed,
            customers=customers,
            invoices=invoices,
            companies=(sage100.CompanyOptions(code=company),),
            tls=cast("TlsProfile | None", tls),
            profile=cast("Profile", profile),
            capacity=sage100.Capacity(
                sessions=session_capacity, cold_start_s=cold_start, row_delay_s=latency / 1000
            ),
        )
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None

    def announce(running: sage100.Announcement) -> None:
        facts: dict[str, object] = {
            "endpoint": running.endpoint,
            "username": running.username,
            "password": running.password,
            "api_key": running.api_key,
            "companies": list(running.companies),
            "timezone": running.time_zone,
            "control_url": running.control_url,
            "control_token": running.control_token,
        }
        if running.ca_bundle:
            facts["ca_bundle"] = running.ca_bundle
        _announce("The simulated Sage 100 agent answers", facts, as_json=as_json)

    _serve(lambda: sage100.run_agent(options, port=port, announce=announce), port)


@app.command("hubspot")
def hubspot(
    port: Port = 0,
    seed: Seed = 1,
    tier: Annotated[Tier, typer.Option("--tier", help="Whose limits apply.")] = "professional",
    limits: Annotated[bool, typer.Option("--limits/--no-limits", help="Limit the calls.")] = True,
    latency: Annotated[
        float, typer.Option("--latency", min=0, help="1: as slow as HubSpot; 0: not at all.")
    ] = 0.0,
    search_lag: Annotated[
        float,
        typer.Option("--search-lag", min=0, help="Seconds until Search finds a change, at most."),
    ] = 30.0,
    invoices: Annotated[
        InvoiceStrictness,
        typer.Option("--invoices", help="What the status of a non-billable invoice needs."),
    ] = "documented",
    auto_companies: Annotated[
        bool, typer.Option("--auto-companies", help="Make companies by e-mail domains.")
    ] = False,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="Grant only this; may be repeated.")
    ] = None,
    currency: Annotated[str, typer.Option("--currency", help="The account's own.")] = "USD",
    timezone: Annotated[
        str, typer.Option("--timezone", help="Its midnight resets the daily limit.")
    ] = "America/Chicago",
    as_json: AsJson = False,
) -> None:
    """A HubSpot portal without data, with HubSpot's limits, until Ctrl-C."""
    if timezone not in available_timezones():
        raise typer.BadParameter(f"{timezone!r} is no IANA time zone", param_hint="--timezone")
    options = crm.HubSpotOptions(
        seed=seed,
        tier=tier,
        limits="tier" if limits else None,
        latency=crm.Latency(factor=latency) if latency else None,
        search_lag_s=(min(1.0, search_lag), search_lag),
        invoices=crm.InvoiceRules(status=invoices),
        auto_companies=auto_companies,
        scopes=tuple(scope) if scope else None,
        company_currency=currency,
        custom_objects=tier == "enterprise",
        timezone=timezone,
    )

    def announce(running: crm.SimulatedHubSpot) -> None:
        facts = {
            "base_url": running.base_url,
            "token": running.token,
            "control_url": f"{running.base_url}/control",
            "control_token": running.control_token,
        }
        _announce("The simulated HubSpot answers", facts, as_json=as_json)

    _serve(lambda: crm.run_hubspot(options, port=port, announce=announce), port)


def _announce(sentence: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        output.document(facts)
        return
    output.say(f"{sentence}; Ctrl-C ends it.")
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        output.say(f"  {name:<14} {shown}")


def _serve(work: Callable[[], Coroutine[Any, Any, None]], port: int) -> None:
    async def serve() -> None:
        with stop_event() as stop:
            await until_stopped(stop, asyncio.create_task(work()))

    try:
        run_async(serve())
    except OSError as problem:
        raise Misconfigured(
            f"cannot listen on port {port}: {problem.strerror or problem}",
            where=f"127.0.0.1:{port}",
            remedy="Choose another --port, or leave it out for one that is free.",
        ) from None
