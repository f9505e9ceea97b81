"""Asking an agent whether it would do, one line per thing that could be wrong; changes nothing.

The lines follow the way in: TLS, reached and let in, clock and zone, every company code, every
entity's columns. What cannot be looked at because an earlier step failed is left out.

The first rows of every entity are looked at as well (`sample`): a column that Sage 100 itself never
leaves empty and that is blank in all of them is a mistake of the agent. Of others it is only said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.check import CheckLine
from connector.errors import ConnectorError, Unreachable
from connector.sage100.agent import Agent
from connector.sage100.contract import AgentInfo
from connector.sage100.errors import NotTrusted
from connector.sage100.instance import Instance
from connector.sage100.passes import system_time
from connector.sage100.retry import ONCE
from connector.sage100.sample import sample
from connector.sage100.selection import select
from connector.sage100.trust_words import remedy as remedy_for

# A clock further off than this makes cursors and aging days doubtful.
_SKEW_S: Final = 120
# A certificate that renews itself has done so by then.
_RENEWED_BY: Final = timedelta(days=14)
_SHOWN_NAMES: Final = 5
# What Sage 100 asks for at every entry, or writes itself.
_NEVER_BLANK: Final[dict[str, tuple[str, ...]]] = {
    "AR_TermsCode": ("TermsCodeDesc",),
    "AR_Customer": ("CustomerName",),
    "AR_CustomerContact": ("ContactName",),
    "AR_CustomerSalesHistory": ("DollarsSold",),
    "AR_Invoice": ("InvoiceDate", "Balance", "IsOpen"),
    "AR_Payment": ("TransactionType", "TransactionAmt"),
    "AP_Vendor": ("VendorName",),
    "AR_InvoiceDetail": ("ItemCode", "ExtensionAmt"),
}


async def check_agent(
    agent: Agent, instance: Instance, *, now: Callable[[], datetime] = system_time
) -> list[CheckLine]:
    """Every line of one instance's report."""
    subject = f"Sage 100 {instance.name}"
    try:
        info = await agent.get_info(retry=ONCE)
    except ConnectorError as problem:
        refused = CheckLine(f"{subject} {agent.endpoint}", False, problem.what, problem.remedy)
        answered = not isinstance(problem, NotTrusted | Unreachable)
        return [*(await _tls(subject, agent, now()) if answered else []), refused]
    version = f"agent {info.agent_version}, Sage 100 {info.sage100_version} {info.edition}"
    lines = await _tls(subject, agent, now())
    lines.append(CheckLine(f"{subject} {agent.endpoint}", True, f"let in: {version}"))
    lines.append(_zone(subject, info, instance))
    lines.append(_clock(subject, info, instance, now()))
    readable = []
    for company in instance.companies:
        line = await _company(f"{subject} company {company}", agent, info, company)
        lines.append(line)
        readable += [company] if line.ok else []
    for entity in instance.entities:
        lines.append(await _entity(f"{subject} {entity}", agent, info, entity, readable))
    return lines


async def _tls(subject: str, agent: Agent, now: datetime) -> list[CheckLine]:
    """The certificate of an agent that was trusted, and whether it will be for long."""
    if agent.trust is None:
        return []
    try:
        shown = await agent.trust.look()
    except OSError:
        return []  # it is gone again: the next line says so
    if shown is None or shown.not_after is None:
        return []
    names = ", ".join(shown.names[:_SHOWN_NAMES])
    detail = f"certificate for {names}, until {shown.not_after:%Y-%m-%d}, {shown.fingerprint}"
    left = shown.not_after - now
    if left > _RENEWED_BY:
        return [CheckLine(f"{subject} TLS", True, f"{detail}, issued by {shown.issuer}")]
    remedy = remedy_for("expired", agent.trust.asked, shown)
    return [CheckLine(f"{subject} TLS", False, f"{detail}: {left.days} days left", remedy)]


def _zone(subject: str, info: AgentInfo, instance: Instance) -> CheckLine:
    subject = f"{subject} time zone"
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
        return CheckLine(f"{subject} clock", True, detail)
    remedy = "Let the Windows server and this machine take their time from one source (NTP)."
    return CheckLine(f"{subject} clock", False, detail, remedy)


async def _company(subject: str, agent: Agent, info: AgentInfo, code: str) -> CheckLine:
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
    except ConnectorError as problem:
        return CheckLine(subject, False, problem.what, problem.remedy)
    limits = " ".join(str(limit) for limit in served.aging_limits)
    return CheckLine(
        subject, True, f"{served.name}, aging by {served.aging_basis}, limits {limits}"
    )


async def _entity(
    subject: str, agent: Agent, info: AgentInfo, name: str, companies: Sequence[str]
) -> CheckLine:
    entity = info.entity(name)
    if entity is None:
        return CheckLine(
            subject, False, "not served by this agent", "Update the agent, if the site has it."
        )
    try:
        selection = select(entity, agent.call("GetInfo"))
    except ConnectorError as problem:
        return CheckLine(subject, False, problem.what, problem.remedy)
    columns = f"{len(selection.columns)} of {len(entity.columns)} columns read"
    missing = [column for column in _NEVER_BLANK[name] if column not in selection.columns]
    if missing:
        return CheckLine(
            subject,
            False,
            f"{columns}; it has no column {', '.join(missing)}",
            "Map the agent's own name in [sage100.columns], or update the agent.",
        )
    seen = await sample(agent, companies, entity, selection)
    wrong = [column for column in _NEVER_BLANK[name] if column in seen.blank]
    if wrong:
        return CheckLine(
            subject,
            False,
            f"{columns}; {', '.join(wrong)} blank in all of the first {seen.rows} rows",
            "Sage 100 never leaves these empty: the agent asks for them by a wrong name. Compare "
            "its names with the file layouts of this Sage 100 version.",
        )
    if seen.shifted:
        return CheckLine(
            subject,
            False,
            f"{columns}; in {seen.shifted} of the first {seen.rows} rows cells stand under the "
            f"wrong column, as {seen.misplaced}",
            "The agent parts its results at a character that names hold as well (a Š is the byte "
            "0x8A, Sage 100's separator). Have it read each column by itself.",
        )
    shown = ", ".join(seen.blank[:_SHOWN_NAMES]) + (", …" if seen.blank[_SHOWN_NAMES:] else "")
    if seen.blank:
        columns = f"{columns}; blank in all of the first {seen.rows} rows: {shown}"
    return CheckLine(subject, True, columns)
