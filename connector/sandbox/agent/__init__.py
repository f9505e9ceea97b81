"""The simulated Sage 100 agent: a seeded Sage 100 behind the agent contract, honest and strict.

It shares no code with the connector, so that what passes against it has been proven and not
assumed. Tests use `SimulatedAgent` and read or change `agent.company`; other processes use the
control endpoint (`control`, `control_jobs`, `control_manners`, `control_administration`). Sections
are those of the Sage 100 reference. Operations on a company, by module:

    maintenance, posting   screens and journal updates, which stamp (or not: `stamp=False`)
    jobs                   import, credit match, aging refresh: no stamp (3.2)
    period_end             period end, purges of history and payments (3.2)
    renumbering            renumber, merge, expand the invoice numbers, unknown types (3.2, 3.5)
    backups                back up, restore, another company's files under the code (3.5)
    batches                enter, edit, delete, post: unposted invoices are not served (2.9)
    arrangements           national accounts, balance forward (2.3, 5.1)
    stamps, clock          blank, equal, future stamps; skew; a clock that goes back; DST (3.1)
    profiles               current, old, new and messy Sage 100s (2.0, 4, 9.3)

What can go wrong, in code on an agent `a` and over the control endpoint; a fault of the first kind
also takes `times`, `after`, `operation`, `entity`, `company`:

    what                          in code                                over control
    ----------------------------  -------------------------------------  -------------------------
    a fault code of the contract  a.inject(SoapFault(code=…))            fault: soap
    any HTTP answer               a.inject(HttpAnswer(status=…))         fault: http
    a page of IIS or a tunnel     a.inject(StrangerPage(page=…))         fault: page
    cut off in the body           a.inject(TruncatedBody(abruptly=…))    fault: truncated
    cut off before it             a.inject(DropConnection())             fault: drop
    XML that stops, XML with DTD  a.inject(MalformedXml()), DoctypeXml   fault: malformed, doctype
    slow trickle                  a.inject(Trickle(pause_s=…))           fault: trickle
    endless answer, zip bomb      a.inject(Oversized(compressed=…))      fault: oversized
    no answer until released      a.inject(Hold())                       fault: hold, release
    session busy (30 s, or 503)   Capacity(sessions=1, busy="503")       capacity, --busy
    cold start after idling       Capacity(cold_start_s=30)              capacity, --cold-start
    log-ons, extended protection  LogonOptions(schemes=…)                logon, --logon
    a locked account              a.account.admits(…), unlock()          --lock-after, account
    another password              a.account.change_password(…)           account
    a certificate that is wrong   a.tls.use(profile)                     certificate, --tls
    a client certificate demanded client_certificates="required"         --client-certificate
    no licence seat free          a.conduct.seats_left = 0               conduct
    dead session, kept            a.sessions.poison(), recycle()         poison, recycle
    exclusive use of the files    a.conduct.exclusive = Exclusive()      exclusive
    record in use                 a.conduct.lock(entity, key), unlock    lock
    page cut short, with Next     AgentOptions(scan_limit=…)             conduct, --scan-limit
    connections ended by a proxy  a.conduct.ends_after_challenge = 2     conduct
    aging limits told wrongly     a.conduct.aging_limits = "90 60 30"    conduct
    cursors that lead in a ring   a.conduct.goes_round = True            conduct
    rows behind a cap not served  a.conduct.scan_cap = 25_000            conduct scan_cap
    a Š shifts the columns        a.conduct.separator_collision = True   conduct
    a column always blank         a.conduct.blank_columns.add("E.Col")   conduct
    a column that is not served   a.conduct.not_served.add("E.Col")      conduct, --without
    Windows-1252 misread          a.conduct.misread["E.Col"] = "latin-1" conduct, --misread
    one misread cell              maintenance.set_raw(…, "O\u0092Neil")  raw
    ServerTime told wrongly       a.conduct.server_skew_s, server_time   conduct
    slow per request, per row     a.conduct.request_delay_s, row_delay_s conduct, --latency
    connection refused a while    await a.go_down(), a.come_back(),      restart gap_s
                                  a.restart(gap_s)
"""

from __future__ import annotations

from connector.sandbox.agent import (
    arrangements,
    backups,
    batches,
    jobs,
    maintenance,
    period_end,
    posting,
    renumbering,
    stamps,
)
from connector.sandbox.agent.calls import Call, Calls
from connector.sandbox.agent.capacity import Capacity
from connector.sandbox.agent.clock import Clock, ManualClock, ZonedClock, server_clock
from connector.sandbox.agent.conduct import Conduct, Exclusive
from connector.sandbox.agent.errors import AgentFault, ModelError, SandboxAgentError
from connector.sandbox.agent.faults import (
    FAULT_CODES,
    DoctypeXml,
    DropConnection,
    Hold,
    HttpAnswer,
    Injection,
    MalformedXml,
    Oversized,
    SoapFault,
    StrangerPage,
    Trickle,
    TruncatedBody,
)
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions, CompanyOptions, LogonOptions
from connector.sandbox.agent.pace import ManualPace, Pace, RealPace
from connector.sandbox.agent.seed import build_model
from connector.sandbox.agent.server import Announcement, SimulatedAgent, run_agent

__all__ = [
    "FAULT_CODES",
    "AgentFault",
    "AgentOptions",
    "Announcement",
    "Call",
    "Calls",
    "Capacity",
    "Clock",
    "Company",
    "CompanyOptions",
    "Conduct",
    "DoctypeXml",
    "DropConnection",
    "Exclusive",
    "Hold",
    "HttpAnswer",
    "Injection",
    "LogonOptions",
    "MalformedXml",
    "ManualClock",
    "ManualPace",
    "Model",
    "ModelError",
    "Oversized",
    "Pace",
    "RealPace",
    "SandboxAgentError",
    "SimulatedAgent",
    "SoapFault",
    "StrangerPage",
    "Trickle",
    "TruncatedBody",
    "ZonedClock",
    "arrangements",
    "backups",
    "batches",
    "build_model",
    "jobs",
    "maintenance",
    "period_end",
    "posting",
    "renumbering",
    "run_agent",
    "server_clock",
    "stamps",
]
