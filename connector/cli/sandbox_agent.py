"""`sandbox agent`: a simulated Sage 100 agent, as right or as wrong as a real one may be.

Each way in which IIS, Windows, TLS or the agent can be set up is an option, so that the handbook's
cases can be tried out; what may change while it runs is an order to its control endpoint too.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from connector.cli import output
from connector.cli.sandbox_serving import Port, serve
from connector.cli.session import AsJson
from connector.errors import Misconfigured
from connector.sandbox import agent as sage100
from connector.sandbox.agent.conduct import Misreading
from connector.sandbox.agent.options import MOST_INVOICES, LogonOptions
from connector.sandbox.agent.private_files import Unfit
from connector.sandbox.agent.profiles import Profile
from connector.sandbox.agent.tls import PROFILES, TlsProfile

_DATA: Final = "What it serves"
_DOORS: Final = "Whom it lets in"
_TLS: Final = "TLS, and files for the client"
_LOAD: Final = "How much it bears"


class LogonScheme(StrEnum):
    """A scheme, as [sage100.auth] names it."""

    NEGOTIATE = "negotiate"
    NTLM = "ntlm"
    BASIC = "basic"


_IN_IIS: Final[dict[LogonScheme, Literal["Negotiate", "NTLM", "Basic"]]] = {
    LogonScheme.NEGOTIATE: "Negotiate",
    LogonScheme.NTLM: "NTLM",
    LogonScheme.BASIC: "Basic",
}


def _option(panel: str, name: str, text: str, **more: Any) -> Any:
    return typer.Option(name, help=text, rich_help_panel=panel, **more)


def agent(
    port: Port = 0,
    seed: Annotated[int, _option(_DATA, "--seed", "The same seed makes the same data.")] = 1,
    customers: Annotated[int, _option(_DATA, "--customers", "Of each company.", min=1)] = 200,
    invoices: Annotated[
        int, _option(_DATA, "--invoices", "Of each company.", min=0, max=MOST_INVOICES)
    ] = 1_000,
    company: Annotated[
        list[str] | None,
        _option(
            _DATA,
            "--company",
            "A 3-character code, also with its currency (CAN:CAD); may be repeated.",
            show_default="ABC:USD",
        ),
    ] = None,
    timezone: Annotated[str, _option(_DATA, "--timezone", "Of the server.")] = "America/Chicago",
    profile: Annotated[
        Profile, _option(_DATA, "--profile", "Which Sage 100: its version, and how odd its data.")
    ] = "current",
    without: Annotated[
        list[str] | None,
        _option(
            _DATA,
            "--without",
            "A column it does not serve, as AR_Invoice.TaxableAmt; may be repeated.",
            metavar="ENTITY.COLUMN",
        ),
    ] = None,
    misread: Annotated[
        Misreading | None,
        _option(
            _DATA,
            "--misread",
            "What it takes Windows-1252 for: ’ arrives as U+0092 (latin-1) or as â€™ (utf-8).",
        ),
    ] = None,
    username: Annotated[
        str, _option(_DOORS, "--username", r"The Windows account, also as DOMAIN\user.")
    ] = "svc_mlconnector",
    logon: Annotated[
        list[LogonScheme] | None,
        _option(
            _DOORS,
            "--logon",
            "A scheme that IIS offers; may be repeated, in their order.",
            show_default="basic",
        ),
    ] = None,
    lock_after: Annotated[
        int | None,
        _option(
            _DOORS,
            "--lock-after",
            "Wrong passwords in a row that lock the account.",
            min=1,
            show_default="never",
        ),
    ] = None,
    extended_protection: Annotated[
        bool,
        _option(
            _DOORS,
            "--extended-protection",
            "NTLM and Negotiate must be bound to the TLS certificate. Needs --tls.",
        ),
    ] = False,
    client_certificate: Annotated[
        bool,
        _option(
            _DOORS,
            "--client-certificate",
            "Demand one in place of the API key (mTLS), and issue it. Needs --tls.",
        ),
    ] = False,
    tls: Annotated[
        TlsProfile | None,
        _option(
            _TLS,
            "--tls",
            f"Listen with TLS, right or wrong in one way: {', '.join(PROFILES)}.",
            metavar="PROFILE",
            show_default="plain http",
        ),
    ] = None,
    folder: Annotated[
        str,
        _option(
            _TLS,
            "--folder",
            "Where to keep ca.pem, client.pem, client.key, password and api_key, readable by you "
            "alone; secrets found there are used again, other files of these names are left alone.",
            metavar="FOLDER",
            show_default="a temporary one",
        ),
    ] = "",
    session_capacity: Annotated[
        int, _option(_LOAD, "--session-capacity", "Requests that Sage 100 serves at once.", min=1)
    ] = 1,
    session_wait: Annotated[
        float,
        _option(_LOAD, "--session-wait", "Seconds until another one is told SessionBusy.", min=0),
    ] = 30.0,
    busy: Annotated[
        Literal["fault", "503"],
        _option(_LOAD, "--busy", "How it is told: by a SOAP fault, or by a bare HTTP 503."),
    ] = "fault",
    cold_start: Annotated[
        float,
        _option(_LOAD, "--cold-start", "Seconds that the first request waits; 10 to 60.", min=0),
    ] = 0.0,
    latency: Annotated[
        float, _option(_LOAD, "--latency", "Milliseconds per row; in life 3 to 20.", min=0)
    ] = 0.0,
    scan_limit: Annotated[
        int, _option(_LOAD, "--scan-limit", "Rows it looks at for one page, at most.", min=1)
    ] = 25_000,
    as_json: AsJson = False,
) -> None:
    """A Sage 100 agent with made-up customers, until Ctrl-C.

    It prints what to configure, and forgets everything when it ends but what lies in --folder.
    """
    try:
        options = sage100.AgentOptions(
            seed=seed,
            customers=customers,
            invoices=invoices,
            companies=tuple(_company(text) for text in company or ("ABC",)),
            time_zone=timezone,
            profile=profile,
            without=tuple(without or ()),
            misread=misread,
            username=username,
            logon=LogonOptions(
                schemes=tuple(_IN_IIS[one] for one in logon or (LogonScheme.BASIC,)),
                lock_after=lock_after,
                extended_protection=extended_protection,
            ),
            client_certificates="required" if client_certificate else "ignored",
            tls=tls,
            folder=folder,
            scan_limit=scan_limit,
            capacity=sage100.Capacity(
                sessions=session_capacity,
                wait_s=session_wait,
                busy=busy,
                cold_start_s=cold_start,
                row_delay_s=latency / 1000,
            ),
        )
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None

    def announce(running: sage100.Announcement) -> None:
        if as_json:
            output.document(facts(running))
            return
        for line in banner(running):
            output.say(line)

    try:
        serve(lambda: sage100.run_agent(options, port=port, announce=announce), port)
    except Unfit as problem:
        where = f"--folder: {problem.where}"
        raise Misconfigured(problem.what, where=where, remedy=problem.remedy) from None


def _company(text: str) -> sage100.CompanyOptions:
    code, colon, currency = text.partition(":")
    return sage100.CompanyOptions(
        code=code, name=f"{code} Distribution", currency=currency if colon else "USD"
    )


def facts(running: sage100.Announcement) -> dict[str, object]:
    """Everything a client needs, secrets included, as one document."""
    told = {
        "endpoint": running.endpoint,
        "wsdl": f"{running.endpoint}?wsdl",
        "username": running.username,
        "password": running.password,
        "scheme": running.scheme,
        "api_key": running.api_key,
        "companies": list(running.companies),
        "currencies": running.currencies,
        "timezone": running.time_zone,
        "control_url": running.control_url,
        "control_token": running.control_token,
        "ca_bundle": running.ca_bundle,
        "client_certificate": running.client_certificate,
        "client_key": running.client_key,
        "folder": running.folder,
    }
    return {name: value for name, value in told.items() if value != ""}


def banner(running: sage100.Announcement) -> Iterable[str]:
    """What to put into the configuration, where the secrets are, and how it takes orders."""
    yield "The simulated Sage 100 agent answers; Ctrl-C ends it. For ml-connector.toml:"
    yield ""
    yield "[[sage100]]"
    yield 'name      = "sandbox"'
    yield f"endpoint  = {_toml(running.endpoint)}"
    yield f"companies = [{', '.join(map(_toml, running.companies))}]"
    yield f"timezone  = {_toml(running.time_zone)}"
    pairs = ", ".join(f"{code} = {_toml(one)}" for code, one in running.currencies.items())
    yield f"currency  = {{ {pairs} }}"
    yield ""
    yield "[sage100.auth]"
    yield f"scheme    = {_toml(running.scheme)}"
    yield f"username  = {_toml(running.username)}"
    yield f"password  = {_secret(running, 'password', 'SAGE100_PASSWORD')}"
    if running.client_certificate:
        yield f"client_certificate = {_toml(running.client_certificate)}"
        yield f"client_key = {{ file = {_toml(running.client_key)} }}"
    else:
        yield f"api_key   = {_secret(running, 'api_key', 'SAGE100_API_KEY')}"
    if running.ca_bundle:
        yield ""
        yield "[sage100.tls]"
        yield f"ca_bundle = {_toml(running.ca_bundle)}"
    yield ""
    if not running.folder:
        yield "The secrets, for the shell that ml-connector is started from:"
        yield f"  export SAGE100_PASSWORD={shlex.quote(running.password)}"
        if not running.client_certificate:
            yield f"  export SAGE100_API_KEY={shlex.quote(running.api_key)}"
        yield ""
    yield "Orders (what there is: ops/handbook/sandbox.md), from this machine only:"
    trusting = f"--cacert {shlex.quote(running.ca_bundle)} " if running.ca_bundle else ""
    yield f'  curl {trusting}-H "Authorization: Bearer {running.control_token}" \\'
    yield f"""    {running.control_url} -d '{{"do": "stats"}}'"""


def _secret(running: sage100.Announcement, name: str, variable: str) -> str:
    if running.folder:
        return f"{{ file = {_toml(f'{running.folder}/{name}')} }}"
    return f'{{ env = "{variable}" }}'


def _toml(text: str) -> str:
    """A TOML string: one of JSON's is one."""
    return msgspec.json.encode(text).decode()
