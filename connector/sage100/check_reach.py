"""The way to an agent's server, step by step: its name, its addresses, a connection, TLS.

Nothing of ours is said on the way: no request, no credentials. Each step gives one line, and the
first that fails is the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from yarl import URL

from connector.check import CheckLine, failed
from connector.sage100.agent import Agent
from connector.sage100.errors import Call, TlsRefused
from connector.sage100.trust import Trust
from connector.sage100.trust_certificate import Certificate, is_address
from connector.sage100.trust_words import remedy as tls_remedy

# The addresses of a name. Raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

DNS: Final = "DNS"
CONNECTION: Final = "connection"
TLS: Final = "TLS"

_CONNECT_S: Final = 10.0
_SHOWN_NAMES: Final = 5
# A certificate that renews itself has done so by then; one that people renew wants planning.
_RENEWED_BY: Final = timedelta(days=14)
_PLANNED_BY: Final = timedelta(days=30)


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine's resolver gives for a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def reach(
    subject: str, agent: Agent, now: datetime, resolver: Resolve = resolve
) -> tuple[list[CheckLine], str]:
    """The lines of the way there, and why it ends before the agent: "" when it does not."""
    url = URL(agent.endpoint)
    host, port = url.raw_host or "", url.port or 443
    name, addresses = await _name(f"{subject} {DNS}", host, port, resolver)
    if not name.ok:
        return [name], "the host has no address"
    connection = await _connection(f"{subject} {CONNECTION}", host, port, addresses)
    if not connection.ok:
        return [name, connection], "there is no connection"
    if agent.trust is None:
        return [name, connection], ""
    tls, trusted = await _tls(f"{subject} {TLS}", agent.trust, agent.call("TLS handshake"), now)
    return [name, connection, tls], "" if trusted else "TLS failed"


# ---------------------------------------------------------------- its name


async def _name(
    subject: str, host: str, port: int, resolver: Resolve
) -> tuple[CheckLine, Sequence[str]]:
    if is_address(host):
        return CheckLine(subject, True, f"{host} is an address: no name to look up"), [host]
    try:
        addresses = await resolver(host, port)
    except OSError as problem:
        return _unnamed(subject, host, problem), []
    return CheckLine(subject, True, f"{host} is {', '.join(addresses)}"), addresses


def _unnamed(subject: str, host: str, problem: OSError) -> CheckLine:
    if isinstance(problem, socket.gaierror) and problem.errno == socket.EAI_AGAIN:
        return CheckLine(
            subject,
            False,
            f"no name server answered when asked for {host} ({_said(problem)})",
            "See that this machine has its network, and that the name servers it asks "
            f"(/etc/resolv.conf; ipconfig /all) know {host}: the server's network may have its "
            "own, to be reached over a VPN.",
        )
    return CheckLine(
        subject,
        False,
        f"there is no host {host} ({_said(problem)})",
        "See that [[sage100]] endpoint names the server as its own network does: "
        f"`nslookup {host}` must find it from here. If only that network knows it, let this "
        f"machine ask its name servers, or add a line for {host} to the hosts file (/etc/hosts; "
        "on Windows C:\\Windows\\System32\\drivers\\etc\\hosts).",
    )


# ---------------------------------------------------------------- a connection


async def _connection(subject: str, host: str, port: int, addresses: Sequence[str]) -> CheckLine:
    tried = await asyncio.gather(*(_try(address, port) for address in addresses))
    failures = [f"{one}: {why}" for one, why in zip(addresses, tried, strict=True) if why]
    reached = [one for one, why in zip(addresses, tried, strict=True) if not why]
    if not reached:
        return CheckLine(
            subject,
            False,
            f"none to port {port}: {'; '.join(failures)}",
            _opening(host, port, tried),
        )
    besides = f" (but {'; '.join(failures)})" if failures else ""
    return CheckLine(subject, True, f"port {port} of {', '.join(reached)} answers{besides}")


async def _try(address: str, port: int) -> str:
    """Why there is no connection, "" when there is one."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return f"no answer in {_CONNECT_S:g} s"
    except OSError as problem:
        return _said(problem)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ""


def _opening(host: str, port: int, tried: Sequence[str]) -> str:
    if "refused" in tried:
        return (
            f"The machine is there and nothing listens on port {port}: on the server, IIS Manager "
            "→ Sites → the agent's site → Start, and Bindings… → https with this port (`netstat "
            f'-ano | findstr ":{port}"` shows who listens). If another port is right, put it into '
            "[[sage100]] endpoint."
        )
    if any(why.startswith("no answer") for why in tried):
        return (
            "See that the server runs under this address, and let this machine through to TCP "
            f"port {port}: Windows Defender Firewall → Inbound Rules on the server, and every "
            "firewall or VPN in between. From another Windows machine: Test-NetConnection "
            f"{host} -Port {port}."
        )
    return (
        "There is no way from this machine to that network: see that the VPN or the route to it is "
        f"up (`ping {host}`)."
    )


# ---------------------------------------------------------------- TLS


async def _tls(subject: str, trust: Trust, call: Call, now: datetime) -> tuple[CheckLine, bool]:
    """Whether the server is trusted; one whose certificate ends soon is trusted until then."""
    try:
        met = await trust.meet(call)
    except TlsRefused as refused:
        return failed(subject, refused), False
    except OSError as problem:
        what = f"the connection ended before the handshake did: {_said(problem)}"
        remedy = tls_remedy("reset", trust.asked, None)
        where = f"{call.operation} at {call.endpoint}"
        return CheckLine(subject, False, what, remedy, where), False
    shown = met.certificate
    detail = f"{met.version.replace('TLSv', 'TLS ')}, {describe(shown)}"
    return aging(subject, detail, shown, now, tls_remedy("expired", trust.asked, shown)), True


def aging(
    subject: str, detail: str, certificate: Certificate, now: datetime, remedy: str
) -> CheckLine:
    """A line for a certificate that holds: for how long, and the remedy when that is not long."""
    if certificate.not_after is None:
        return CheckLine(subject, True, detail)
    left = certificate.not_after - now
    detail = f"{detail}: {left.days} days left"
    if left > _PLANNED_BY:
        return CheckLine(subject, True, detail)
    return CheckLine(subject, left > _RENEWED_BY, detail, remedy)


def describe(certificate: Certificate) -> str:
    """What a certificate is for, who issued it and until when it holds."""
    names = certificate.names[:_SHOWN_NAMES] or (certificate.subject,)
    until = "" if certificate.not_after is None else f", until {certificate.not_after:%Y-%m-%d}"
    return (
        f"certificate for {', '.join(names)}, {certificate.fingerprint}, issued by "
        f"{certificate.issuer}{until}"
    )


def _said(problem: OSError) -> str:
    return problem.strerror or str(problem) or type(problem).__name__
