"""Faults on demand: the contract's codes, and the script by which tests make the agent misbehave.

A scripted fault waits until a matching request comes (authenticated and well-formed; filters by
operation, entity and company), spoils it, and is used up after `times`. `after` lets so many
matching requests pass first. `inject` returns a handle that tells when the fault was reached and,
for `Hold`, lets the request go on.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from connector.sandbox.agent.errors import AgentFault
from connector.sandbox.agent.pages import PAGES, PageName


class FaultCode(msgspec.Struct, frozen=True):
    """One row of the contract's fault table."""

    faultcode: Literal["Client", "Server"]
    retryable: bool
    message: str
    retry_after_s: int | None = None


FAULT_CODES: dict[str, FaultCode] = {
    "InvalidCompany": FaultCode("Client", False, "The company code is invalid"),
    "ExternalAccessDisabled": FaultCode(
        "Server", False, "The company does not allow external access"
    ),
    "UnknownEntity": FaultCode("Client", False, "There is no such entity"),
    "UnknownColumn": FaultCode("Client", False, "There is no such column"),
    "InvalidCursor": FaultCode("Client", False, "After is not a cursor of this agent"),
    "NotFound": FaultCode("Client", False, "There is no row with this key"),
    "LogonFailed": FaultCode("Server", False, "Sage 100 refused the agent's user"),
    "SessionBusy": FaultCode("Server", True, "Timeout waiting for the session", 30),
    "LicenseExhausted": FaultCode("Server", True, "The maximum number of users is reached", 120),
    "ExclusiveUse": FaultCode("Server", True, "Period end is running in A/R", 300),
    "RecordLocked": FaultCode("Server", True, "The record is in use by another user", 5),
    "Internal": FaultCode("Server", True, "A COM error; the session has been thrown away", 10),
}


class ScriptedFault(msgspec.Struct, frozen=True, kw_only=True, tag_field="fault"):
    """What every scripted fault has: how often, after how many, and for which requests."""

    times: int = 1
    after: int = 0
    operation: Literal["GetInfo", "ReadPage", "ReadRow", "WSDL"] | None = None
    entity: str | None = None
    company: str | None = None

    def matches(self, operation: str, company: str | None, entity: str | None) -> bool:
        """Whether this request is one of those meant."""
        return (
            self.operation in (None, operation)
            and self.entity in (None, entity)
            and self.company in (None, company)
        )


class SoapFault(ScriptedFault, frozen=True, tag="soap"):
    """Answer with a fault code of the contract (message and wait default to the usual ones)."""

    code: str
    message: str | None = None
    retry_after_s: int | None = None

    def __post_init__(self) -> None:
        if self.code not in FAULT_CODES:
            raise ValueError(f"no fault code {self.code!r}; there are {', '.join(FAULT_CODES)}")

    def fault(self) -> AgentFault:
        """The fault to raise."""
        usual = FAULT_CODES[self.code]
        wait = usual.retry_after_s if self.retry_after_s is None else self.retry_after_s
        return AgentFault(self.code, self.message or usual.message, retry_after_s=wait)


class HttpAnswer(ScriptedFault, frozen=True, tag="http"):
    """Answer with any HTTP status and body: what IIS, a proxy or a tunnel says in our stead."""

    status: int = 502
    body: str = "<html><body><h1>502 Bad Gateway</h1></body></html>"
    content_type: str = "text/html"
    headers: dict[str, str] = {}


class TruncatedBody(ScriptedFault, frozen=True, tag="truncated"):
    """Announce the whole body, send this share of it, and drop the connection (`abruptly`: RST)."""

    share: float = 0.5
    abruptly: bool = False


class MalformedXml(ScriptedFault, frozen=True, tag="malformed"):
    """A complete HTTP response whose XML stops in the middle."""


class DoctypeXml(ScriptedFault, frozen=True, tag="doctype"):
    """The right response behind a DTD that defines an entity."""


class DropConnection(ScriptedFault, frozen=True, tag="drop"):
    """Drop the connection without a byte of response."""


class Hold(ScriptedFault, frozen=True, tag="hold"):
    """Keep the request waiting until it is released, then answer as usual."""


class StrangerPage(ScriptedFault, frozen=True, tag="page"):
    """Answer with a page of IIS or of a tunnel (`pages`); `status` where a proxy changes it."""

    page: PageName
    status: int | None = None

    def __post_init__(self) -> None:
        if self.page not in PAGES:
            raise ValueError(f"no page {self.page!r}; there are {', '.join(PAGES)}")


class Trickle(ScriptedFault, frozen=True, tag="trickle"):
    """The right answer, in pieces with a pause between: alive, but hardly."""

    piece_bytes: int = 256
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        if self.piece_bytes < 1 or self.pause_s < 0:
            raise ValueError("a trickle has pieces of at least 1 byte and pauses of 0 s or more")


class Oversized(ScriptedFault, frozen=True, tag="oversized"):
    """The right answer with padding inside until it is so large; `compressed` it travels small."""

    body_bytes: int = 256 * 1024 * 1024
    compressed: bool = False


AnyFault = (
    SoapFault
    | HttpAnswer
    | StrangerPage
    | TruncatedBody
    | Trickle
    | Oversized
    | MalformedXml
    | DoctypeXml
    | DropConnection
    | Hold
)


class Injection:
    """A scripted fault at work: `await reached.wait()` for the first request it has hit."""

    def __init__(self, number: int, fault: AnyFault) -> None:
        self.number = number
        self.fault = fault
        self.remaining = fault.times
        self.passing = fault.after
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    def release(self) -> None:
        """Let held requests go on; the fault is over."""
        self.remaining = 0
        self.released.set()


class FaultScript:
    """The faults still to come, first in, first out among those that match."""

    def __init__(self) -> None:
        self._injections: dict[int, Injection] = {}
        self._count = 0

    def inject(self, fault: AnyFault) -> Injection:
        """Add a fault; it hits the next matching requests."""
        self._count += 1
        injection = self._injections[self._count] = Injection(self._count, fault)
        return injection

    def release(self, number: int) -> bool:
        """End one injection by its number, used up or not; False for a number never given."""
        injection = self._injections.pop(number, None)
        if injection is not None:
            injection.release()
        return 1 <= number <= self._count

    def clear(self) -> None:
        """End them all."""
        for number in tuple(self._injections):
            self.release(number)

    def take(self, operation: str, company: str | None, entity: str | None) -> Injection | None:
        """The injection that this request falls to, if any; uses it up by one."""
        for injection in tuple(self._injections.values()):
            if injection.remaining <= 0:
                if injection.released.is_set() or not isinstance(injection.fault, Hold):
                    del self._injections[injection.number]
                continue
            if not injection.fault.matches(operation, company, entity):
                continue
            if injection.passing > 0:
                injection.passing -= 1
                continue
            injection.remaining -= 1
            injection.reached.set()
            return injection
        return None
