"""`sandbox`: one simulated end alone, on this machine, for trying things out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import available_timezones

import typer

from connector.cli import output
from connector.cli.sandbox_agent import agent
from connector.cli.sandbox_serving import Port, serve
from connector.cli.session import AsJson
from connector.sandbox import hubspot as crm
from connector.sandbox.hubspot.options import InvoiceStrictness, Tier
from connector.sandbox.hubspot.routes import must_be_known

app = typer.Typer(no_args_is_help=True, help="One simulated end alone, for trying things out.")

app.command("agent")(agent)


@app.command("hubspot")
def hubspot(
    port: Port = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same data.")] = 1,
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
    additional_currency: Annotated[
        list[str] | None,
        typer.Option("--additional-currency", help="Another one it takes; may be repeated."),
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Its midnight resets the daily limit.")
    ] = "America/Chicago",
    as_json: AsJson = False,
) -> None:
    """A HubSpot portal without data, with HubSpot's limits, until Ctrl-C."""
    if timezone not in available_timezones():
        raise typer.BadParameter(f"{timezone!r} is no IANA time zone", param_hint="--timezone")
    try:
        must_be_known(scope or ())
    except ValueError as unknown:
        raise typer.BadParameter(str(unknown), param_hint="--scope") from None
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
        additional_currencies=tuple(additional_currency or ()),
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

    serve(lambda: crm.run_hubspot(options, port=port, announce=announce), port)


def _announce(sentence: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        output.document(facts)
        return
    output.say(f"{sentence}; Ctrl-C ends it.")
    for name, value in facts.items():
        output.say(f"  {name:<14} {value}")
