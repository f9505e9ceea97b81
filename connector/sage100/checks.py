"""Asking an agent whether it would do, one line per thing that could be wrong; changes nothing.

The lines follow the way in: name, connection, TLS (`check_reach`), log-on, key, WSDL, the agent
itself (`check_doors`), then zone, clock, every company and every entity's columns and rows
(`check_columns`). What cannot be tried because an earlier step failed says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connector.check import CheckLine, failed, untried
from connector.sage100 import check_columns, check_doors, check_reach
from connector.sage100.agent import Agent
from connector.sage100.check_reach import Resolve
from connector.sage100.contract import AgentInfo, Company
from connector.sage100.errors import AgentError, AgentMisfit, Call, LogonRefused
from connector.sage100.instance import Instance
from connector.sage100.passes import system_time
from connector.sage100.retry import ONCE
from connector.sage100.source import check_aging
from projections.aging import edges
from projections.columns import Uses

# A clock further off than this makes cursors and aging days doubtful.
_SKEW_S: Final = 120
_ZONE: Final = "time zone"
_CLOCK: Final = "clock"
_CURRENCY: Final = " currency"
_AGING: Final = " aging"
_BUCKETS: Final = "aging.bucket_"
# What the labels of the built-in mapping's aging properties say.
_LABELLED: Final = (0, 30, 60, 90)


async def check_agent(
    agent: Agent,
    instance: Instance,
    *,
    uses: Uses = MappingProxyType({}),
    certificate: Path | None = None,
    now: Callable[[], datetime] = system_time,
    resolver: Resolve = check_reach.resolve,
) -> list[CheckLine]:
    """Every line of one instance's report.

    `uses`: what is read of Sage 100 and for what (`projections.columns`). `certificate`: our own
    for the agent, where one takes the place of the API key.
    """
    subject = f"Sage 100 {instance.name}"
    lines, because = await check_reach.reach(subject, agent, now(), resolver)
    if not because:
        entered = await check_doors.enter(subject, agent, certificate, now())
        lines += entered.lines
        because = entered.because
        if entered.info is not None:
            try:
                async for line in _served(subject, agent, entered.info, instance, uses, now()):
                    lines.append(line)
            except LogonRefused as refused:
                by_sage = refused.code == "LogonFailed"
                step = check_doors.SAGE_USER if by_sage else f"{check_doors.LOG_ON}, once more"
                lines.append(failed(f"{subject} {step}", refused))
                because = "Sage 100 refused the agent's user" if by_sage else "we were refused"
    told = {line.subject for line in lines}
    rest = [one for one in _subjects(subject, agent, instance, certificate) if one not in told]
    return lines + [untried(one, because) for one in rest]


def _subjects(
    subject: str, agent: Agent, instance: Instance, certificate: Path | None
) -> Iterator[str]:
    """What every whole report has a line of, in order."""
    steps = [check_reach.DNS, check_reach.CONNECTION]
    steps += [check_reach.TLS] if agent.trust is not None else []
    key = check_doors.API_KEY if certificate is None else check_doors.CERTIFICATE
    steps += [check_doors.LOG_ON, key, check_doors.WSDL, check_doors.AGENT, _ZONE, _CLOCK]
    for company in instance.companies:
        steps += [f"company {company}{part}" for part in ("", _CURRENCY, _AGING)]
    for entity in instance.entities:
        steps += [f"{entity} {check_columns.COLUMNS}", f"{entity} {check_columns.ROWS}"]
    return (f"{subject} {step}" for step in steps)


async def _served(
    subject: str, agent: Agent, info: AgentInfo, instance: Instance, uses: Uses, now: datetime
) -> AsyncIterator[CheckLine]:
    """What an agent that lets us in serves. Raises LogonRefused: then nothing more may be asked."""
    yield _zone(subject, info, instance)
    yield _clock(subject, info, instance, now)
    readable = []
    for code in instance.companies:
        company = f"{subject} company {code}"
        line = await _company(company, agent, info, code)
        yield line
        readable += [code] if line.ok else []
        served = info.company(code)
        if served is None:
            yield untried(f"{company}{_CURRENCY}", "it is not served")
            yield untried(f"{company}{_AGING}", "it is not served")
        else:
            yield _currency(f"{company}{_CURRENCY}", served, instance)
            yield _aging(f"{company}{_AGING}", served, uses, agent.call("GetInfo"))
    for entity in instance.entities:
        for line in await check_columns.check_entity(subject, agent, info, entity, readable, uses):
            yield line


def _zone(subject: str, info: AgentInfo, instance: Instance) -> CheckLine:
    subject = f"{subject} {_ZONE}"
    if info.time_zone == instance.timezone:
        return CheckLine(subject, True, info.time_zone)
    return CheckLine(
        subject,
        False,
        f"the agent's is {info.time_zone}, configured is {instance.timezone}",
        f'Set timezone = "{info.time_zone}", or correct the agent.',
    )


def _clock(subject: str, info: AgentInfo, instance: Instance, now: datetime) -> CheckLine:
    local = now.astimezone(instance.zone()).replace(tzinfo=None)
    skew_s = round((info.server_time - local).total_seconds())
    detail = f"{abs(skew_s)} s {'ahead of' if skew_s > 0 else 'behind'} ours"
    if abs(skew_s) <= _SKEW_S:
        return CheckLine(f"{subject} {_CLOCK}", True, detail)
    remedy = "Let the Windows server and this machine take their time from one source (NTP)."
    return CheckLine(f"{subject} {_CLOCK}", False, detail, remedy)


async def _company(subject: str, agent: Agent, info: AgentInfo, code: str) -> CheckLine:
    """Whether a company's files can be read. Raises LogonRefused."""
    served = info.company(code)
    if served is None:
        codes = ", ".join(one.code for one in info.companies) or "none"
        return CheckLine(
            subject,
            False,
            f"not served; the agent serves {codes}",
            "Correct [[sage100]] companies, or let the agent serve this company.",
        )
    try:
        await agent.read_page(code, "AR_TermsCode", limit=1, retry=ONCE)
    except LogonRefused:
        raise
    except AgentError as problem:
        if problem.in_use:
            return untried(subject, f"Sage 100 is in use by others: {problem.what}")
        return failed(subject, problem)
    return CheckLine(subject, True, f"can be read: {served.name or 'without a name'}")


def _currency(subject: str, served: Company, instance: Instance) -> CheckLine:
    """The currency that invoices are told in, against the one the company's books are kept in."""
    configured = instance.currency[served.code]
    if served.currency == configured:
        return CheckLine(subject, True, configured)
    if not served.currency:
        detail = f"configured is {configured}, and the agent does not say"
        return CheckLine(subject, True, detail, "Have somebody who knows compare it, once.")
    return CheckLine(
        subject,
        False,
        f"the agent's is {served.currency}, configured is {configured}",
        f'Set [[sage100]] currency = {{ {served.code} = "{served.currency}" }}, or correct the '
        "agent: every amount of this company is shown in it.",
    )


def _aging(subject: str, served: Company, uses: Uses, call: Call) -> CheckLine:
    """By what receivables are aged, and whether HubSpot's names of the buckets say the same.

    What the rounds refuse is refused here, in their words.
    """
    try:
        check_aging(served, call)
    except AgentMisfit as problem:
        return failed(subject, problem)
    limits = served.aging_limits
    detail = f"by {served.aging_basis}, limits {' '.join(str(limit) for limit in limits)}"
    ends = edges(served.aging_basis, limits)
    made_of_it = uses.get("AR_Invoice", {}).get("Balance", ())
    buckets = [use.shown for use in made_of_it if use.fact.startswith(_BUCKETS)]
    if ends == _LABELLED or not buckets:
        return CheckLine(subject, True, detail)
    names = ", ".join(f"{ends[at] + 1}-{ends[at + 1]}" for at in range(3))
    return CheckLine(
        subject,
        True,
        f"{detail}: the buckets are up to {ends[0]}, {names}, over {ends[3]} days",
        f"Where the labels in HubSpot say 1-30, 31-60, 61-90, change them: {', '.join(buckets)}.",
    )
