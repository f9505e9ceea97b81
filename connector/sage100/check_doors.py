"""The doors of an agent: the Windows log-on, the key or certificate, the WSDL, then itself.

Two requests tell of all four, since both doors are checked on every request. A refusal is final
and nothing more is asked after it, so that one check never costs more than one try of a password.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from connector.check import CheckLine, failed, untried
from connector.sage100 import wsdl
from connector.sage100.agent import Agent
from connector.sage100.check_reach import aging, describe
from connector.sage100.contract import NAMESPACE, AgentInfo
from connector.sage100.errors import (
    AgentError,
    AgentTimeout,
    AgentUnreachable,
    BadAnswer,
    LogonRefused,
    NotTheAgent,
    NotTrusted,
    TlsRefused,
)
from connector.sage100.retry import ONCE
from connector.sage100.trust_certificate import Certificate, read

LOG_ON: Final = "Windows log-on"
API_KEY: Final = "API key"
CERTIFICATE: Final = "client certificate"
WSDL: Final = "WSDL"
AGENT: Final = "agent"
SAGE_USER: Final = "Sage 100 user"

_FIRST: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# 4625 is the event of a failed log-on; the codes are those of ntstatus.h.
_WINDOWS_SAYS: Final = (
    "On the server eventvwr.msc → Windows Logs → Security, event 4625 says why (Sub Status): "
    "0xC000006A wrong password, 0xC0000064 no such account, 0xC0000234 locked, 0xC0000072 "
    "disabled, 0xC0000071 password expired, 0xC000035B Extended Protection. It was tried "
    "once: each further try counts towards its lock."
)
_PROXY: Final = (
    "A proxy in between wants a log-on of its own: let it pass what goes from this machine to the "
    "agent, or let this machine reach the agent without it."
)
_WRONG_KEY: Final = (
    "[sage100.auth] api_key is not the one the agent expects: compare it with the agent's own "
    "settings on the server, and look for a blank or a line end in it."
)
_IIS_REFUSES: Final = (
    "A page of IIS came, not the agent's word: on the server see the site's IP Address and Domain "
    "Restrictions, Authorization Rules and SSL Settings; the log of IIS has the number behind 403."
)
_CERTIFICATE_REFUSED: Final = (
    "The agent knows no account for [sage100.auth] client_certificate: enter it there, or in IIS "
    "(client certificate mapping)."
)
_RENEW: Final = (
    "Have it issued anew, put it into the files of [sage100.auth] client_certificate and "
    "client_key, and restart."
)


class Entered(NamedTuple):
    """The lines, and what the agent says of itself; None with the reason why nothing was asked."""

    lines: list[CheckLine]
    info: AgentInfo | None
    because: str


async def enter(subject: str, agent: Agent, certificate: Path | None, now: datetime) -> Entered:
    """Through all doors, once. `certificate`: the file of our own, where one takes the key's place.

    Raises nothing.
    """
    document: bytes | None = None
    info: AgentInfo | None = None
    first = second = None
    try:
        document = await agent.read_wsdl(retry=ONCE)
    except AgentError as problem:
        first = problem
    if first is None or not _is_final(agent, first):
        try:
            info = await agent.get_info(retry=ONCE)
        except AgentError as problem:
            second = problem
    seen = _seen(agent, document, info, first, second)
    own = await asyncio.to_thread(_own, certificate)
    lines = [
        _log_on(f"{subject} {LOG_ON}", seen),
        _key(f"{subject} {API_KEY if certificate is None else CERTIFICATE}", seen, own, now),
        _wsdl(f"{subject} {WSDL}", seen),
        _itself(f"{subject} {AGENT}", seen),
    ]
    return Entered(lines, info, "" if info is not None else seen.because)


def _is_final(agent: Agent, problem: AgentError) -> bool:
    """Whether nothing more may be asked: a refusal, a connection that breaks, a broken log-on."""
    if isinstance(problem, LogonRefused | NotTrusted | AgentUnreachable):
        return True
    return isinstance(problem, BadAnswer) and _is_outside(agent)


def _is_outside(agent: Agent) -> bool:
    """Whether a log-on by connection has not come to its end."""
    return agent.credentials.by_connection and not agent.logged_on_by


class _Seen(NamedTuple):
    """What the two requests came to: `first` of the WSDL, `second` of GetInfo, `last` of both.

    `at_log_on`: it broke off before the log-on came to its end. `inside`: both doors were passed,
    for the agent itself answered, be it with a fault. `because`: why no more could be asked.
    """

    agent: Agent
    document: bytes | None
    info: AgentInfo | None
    first: AgentError | None
    second: AgentError | None
    last: AgentError | None
    at_log_on: bool
    inside: bool
    because: str


def _seen(
    agent: Agent,
    document: bytes | None,
    info: AgentInfo | None,
    first: AgentError | None,
    second: AgentError | None,
) -> _Seen:
    last = second or first
    broken = isinstance(last, BadAnswer | AgentUnreachable | NotTrusted)
    broken = broken and not isinstance(last, AgentTimeout | TlsRefused)
    at_log_on = broken and _is_outside(agent)
    refused = isinstance(last, LogonRefused) and last.code != "LogonFailed"
    answered = not refused and not isinstance(last, NotTheAgent | NotTrusted | AgentUnreachable)
    inside = document is not None or info is not None or (answered and not at_log_on)
    if isinstance(last, LogonRefused) and last.code == "403":
        because = "the agent's own door was shut"
    elif isinstance(last, LogonRefused) and last.code == "LogonFailed":
        because = "Sage 100 refused the agent's user"
    elif at_log_on or isinstance(last, LogonRefused):
        because = "the log-on was refused"
    elif isinstance(last, TlsRefused):
        because = "TLS was refused"
    else:
        because = "the agent did not answer"
    return _Seen(agent, document, info, first, second, last, at_log_on, inside, because)


def _log_on(subject: str, seen: _Seen) -> CheckLine:
    """The Windows account: by which scheme it was let in, or why it was not."""
    credentials, problem = seen.agent.credentials, seen.last
    if isinstance(problem, LogonRefused) and problem.code in {"401", "407"}:
        remedy = f"{problem.remedy} {_WINDOWS_SAYS}" if problem.plain else problem.remedy
        line = failed(subject, problem, _PROXY if problem.code == "407" else remedy)
        return msgspec.structs.replace(line, detail=f"{credentials.username}: {line.detail}")
    if problem is not None and seen.at_log_on:
        return failed(subject, problem)
    behind_it = isinstance(problem, LogonRefused) and not _is_outside(seen.agent)
    if not seen.inside and not behind_it:
        return untried(subject, seen.because)
    if not credentials.username:
        return CheckLine(subject, True, "no account is configured, and none was asked for")
    if not credentials.by_connection:
        return CheckLine(subject, True, f"{credentials.username}, sent by Basic and not refused")
    return CheckLine(subject, True, f"{credentials.username}, let in by {seen.agent.logged_on_by}")


def _key(subject: str, seen: _Seen, own: Certificate | None, now: datetime) -> CheckLine:
    """The agent's own door: the key, or the certificate in its place."""
    problem = seen.last
    if isinstance(problem, LogonRefused) and problem.code == "403":
        page = "html" in problem.what.partition(":")[0]
        usual = _WRONG_KEY if own is None else _CERTIFICATE_REFUSED
        return failed(subject, problem, _IIS_REFUSES if page else usual)
    if isinstance(problem, TlsRefused):
        return failed(subject, problem)
    if not seen.inside:
        return untried(subject, seen.because)
    if own is not None:
        return aging(subject, f"accepted: {describe(own)}", own, now, _RENEW)
    if seen.agent.credentials.api_key is None:
        return CheckLine(subject, True, "none is configured, and none was asked for")
    return CheckLine(subject, True, "accepted")


def _wsdl(subject: str, seen: _Seen) -> CheckLine:
    """The description: that of our contract, or what came in its place."""
    where = f"{seen.agent.endpoint}?wsdl"
    if seen.document is not None:
        flaw = wsdl.flaw_of(seen.document)
        if flaw is not None:
            return CheckLine(subject, False, flaw.what, flaw.remedy, where)
        return CheckLine(subject, True, f"describes all operations of {NAMESPACE}")
    problem = seen.first
    if problem is None or seen.at_log_on or isinstance(problem, LogonRefused | TlsRefused):
        return untried(subject, seen.because)
    return CheckLine(subject, False, problem.what, problem.remedy, where)


def _itself(subject: str, seen: _Seen) -> CheckLine:
    """The agent's version, and which Sage 100 it serves."""
    if seen.info is not None:
        info = seen.info
        version = f"agent {info.agent_version}, Sage 100 {info.sage100_version} {info.edition}"
        return CheckLine(subject, True, f"let in: {version.rstrip()}")
    problem = seen.second
    outside = isinstance(problem, LogonRefused) and problem.code != "LogonFailed"
    if problem is None or outside or seen.at_log_on or isinstance(problem, TlsRefused):
        return untried(subject, seen.because)
    return failed(subject, problem)


def _own(path: Path | None) -> Certificate | None:
    """What our certificate says of itself; the first in its file is ours, its issuers follow."""
    if path is None:
        return None
    found = _FIRST.search(path.read_text(encoding="ascii", errors="replace"))
    return read(ssl.PEM_cert_to_DER_cert(found[0]) if found else b"")
