"""The simulated Sage 100 agent: a seeded Sage 100 behind the agent contract, honest and strict.

It shares no code with the connector, so that what passes against it has been proven and not
assumed. Tests use `SimulatedAgent` and read or change `agent.company` with `maintenance` and
`posting`; other processes use the control endpoint (`control`).
"""

from __future__ import annotations

from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.calls import Call, Calls
from connector.sandbox.agent.clock import Clock, ManualClock, server_clock
from connector.sandbox.agent.errors import AgentFault, ModelError, SandboxAgentError
from connector.sandbox.agent.faults import (
    FAULT_CODES,
    DoctypeXml,
    DropConnection,
    Hold,
    HttpAnswer,
    Injection,
    MalformedXml,
    SoapFault,
    TruncatedBody,
)
from connector.sandbox.agent.model import Company, Model
from connector.sandbox.agent.options import AgentOptions, CompanyOptions, LogonOptions
from connector.sandbox.agent.seed import build_model
from connector.sandbox.agent.server import Announcement, SimulatedAgent, run_agent

__all__ = [
    "FAULT_CODES",
    "AgentFault",
    "AgentOptions",
    "Announcement",
    "Call",
    "Calls",
    "Clock",
    "Company",
    "CompanyOptions",
    "DoctypeXml",
    "DropConnection",
    "Hold",
    "HttpAnswer",
    "Injection",
    "LogonOptions",
    "MalformedXml",
    "ManualClock",
    "Model",
    "ModelError",
    "SandboxAgentError",
    "SimulatedAgent",
    "SoapFault",
    "TruncatedBody",
    "build_model",
    "maintenance",
    "posting",
    "run_agent",
    "server_clock",
]
