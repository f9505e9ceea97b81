"""What can go wrong inside the simulator, split by whose fault it is.

SandboxAgentError
├── ModelError      the caller asked for a state Sage 100 could not be in: fix the input
├── RequestRefused  the SOAP request itself is wrong: answered with a soap:Client fault
├── AgentFault      a fault code of the contract: answered with an AgentFault detail
└── ServiceUnavailable  no session in time, from an agent that says so with a bare HTTP 503
"""

from __future__ import annotations


class SandboxAgentError(Exception):
    """The simulated Sage 100 agent could not do what was asked."""


class ModelError(SandboxAgentError):
    """The simulated Sage 100 data cannot take this change."""


class RequestRefused(SandboxAgentError):
    """The request is not one of this service: answered with soap:Client and no detail."""

    def __init__(self, message: str, *, faultcode: str = "Client") -> None:
        super().__init__(message)
        self.message = message
        self.faultcode = faultcode


class ServiceUnavailable(SandboxAgentError):
    """Service is busy, please try again."""


class AgentFault(SandboxAgentError):
    """A fault of the contract, by its code; `retry_after_s` only where waiting helps."""

    def __init__(self, code: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
