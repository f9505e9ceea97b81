"""What can go wrong between us and an agent, by what one can do about it.

    AgentError
    ├── AgentUnreachable   no connection, connection lost          retried
    │   └── AgentTimeout   no answer, or none in time              retried
    ├── AgentBusy          Sage 100 is in use, or stumbled         retried, when told so by a fault
    ├── LogonRefused       401, 403, LogonFailed                   never again until a person acts
    ├── NotTrusted         the agent is not who it should be
    │   └── TlsRefused     TLS failed, and why: certificate, host name, version
    ├── NotTheAgent        something else answered: IIS, a proxy, a tunnel
    ├── BadAnswer          not what the contract says
    │   ├── CutShort       the answer ends too early               retried
    │   └── TooLarge       beyond the bound                        retried with fewer rows
    ├── AgentMisfit        company, entity, column or zone do not fit the configuration
    ├── CursorInvalid      the place in the entity is not known any more: start the pass again
    ├── PassIncomplete     the last page came, and the end of the entity was not reached
    ├── RecordNotFound     no such key
    ├── AgentFault         a fault this version does not know
    └── Unforeseen         an error of this program, while reading   retried by the next round

Every error names the operation and the endpoint and shows at most a short, cleaned excerpt of
what came; secrets are taken out of it (`Call.excerpt`).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import msgspec

from connector.errors import (
    ConnectorError,
    Misconfigured,
    OtherEndFailed,
    Refused,
    Unintelligible,
    Unreachable,
)
from connector.sage100.trust_certificate import Certificate
from connector.sage100.trust_words import Problem
from connector.secret import HIDDEN

_EXCERPT: Final = 200  # characters
_WAIT: Final = re.compile(r"[0-9]{1,5}")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffc]+")


class Call(msgspec.Struct, frozen=True):
    """One operation at one endpoint. `hidden`: texts that no message may show.

    `instance`: by which name the configuration knows the agent, for remedies.
    """

    endpoint: str
    operation: str
    hidden: tuple[str, ...] = ()
    instance: str = ""

    def __repr__(self) -> str:
        return f"Call({self.operation} at {self.endpoint})"

    def excerpt(self, received: bytes | str, limit: int = _EXCERPT) -> str:
        """At most `limit` characters of what came, on one line, without our secrets."""
        text = received if isinstance(received, str) else received.decode(errors="replace")
        for secret in self.hidden:
            text = text.replace(secret, HIDDEN)
        text = _UNPRINTABLE.sub(" ", text).strip()
        return text if len(text) <= limit else text[:limit] + "…"


class AgentError(ConnectorError):
    """The agent did not do its part. `retry_after_s`: how long it said to wait (`told_wait_s`)."""

    stopped: bool = False  # nothing more may be asked of this agent until a person acts

    def __init__(
        self,
        what: str,
        call: Call,
        *,
        code: str = "",
        remedy: str = "",
        retryable: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(what, where=f"{call.operation} at {call.endpoint}", remedy=remedy)
        self.call = call
        self.code = code
        self.retry_after_s = retry_after_s
        self.attempts = 1
        if retryable is not None:
            self.retryable = retryable

    @property
    def in_use(self) -> bool:
        """Whether others use Sage 100, and nothing is wrong."""
        return False

    @property
    def wsdl(self) -> str:
        """Where the agent describes itself."""
        return f"{self.call.endpoint}?wsdl"


class AgentUnreachable(AgentError, Unreachable):
    """The agent cannot be reached."""

    default_remedy = "See that the agent's server, IIS and the network in between are up."


class AgentTimeout(AgentUnreachable):
    """The agent did not answer in time."""

    connected: bool = True  # False: not even a connection came about in time
    category = "timeout"
    default_remedy = "See whether the server is overloaded; raise the limit if it is only slow."


class AgentBusy(AgentError, Unreachable):
    """Sage 100 cannot serve just now."""

    category = "busy"
    default_remedy = "Nothing, if it passes: it is tried again."

    @property
    def in_use(self) -> bool:
        """Whether period end, a backup or a full office keeps us out."""
        return self.code in _IN_USE


_CORRECT: Final = "correct [sage100.auth]"
_UNLOCK: Final = "unlock the account or enable it again"


def release_of(instance: str) -> str:
    """The command that lets an instance ask its agent again, as remedies name it."""
    return f"'ml-connector release {instance or 'INSTANCE'}'"


class LogonRefused(AgentError, Refused):
    """The agent, its web server or Sage 100 refused our credentials.

    What to do: `ours` in the configuration ("": nothing), or `theirs` at the other end; `remedy`
    in place of both. `plain`: neither was said, so somebody may know better.
    """

    category = "logon"
    stopped = True

    def __init__(
        self,
        what: str,
        call: Call,
        *,
        code: str = "",
        remedy: str = "",
        ours: str = _CORRECT,
        theirs: str = _UNLOCK,
    ) -> None:
        self.plain = not remedy and (ours, theirs) == (_CORRECT, _UNLOCK)
        ways = f"{ours}, then restart; or {theirs}" if ours else theirs
        super().__init__(
            what,
            call,
            code=code,
            remedy=remedy
            or f"{ways[0].upper()}{ways[1:]}, then {release_of(call.instance)}. "
            "Nothing more is asked of this agent until then, not even after a restart, since a few "
            "wrong passwords lock the Windows or the Sage user.",
        )


class NotTrusted(AgentError, Refused):
    """The agent's certificate cannot be trusted."""

    category = "tls"
    default_remedy = (
        "Set [sage100.tls] ca_bundle to the issuer's certificate, and use the host name that is "
        "in the agent's certificate as the endpoint."
    )


class TlsRefused(NotTrusted):
    """TLS with the agent failed. `code` is the problem; `certificate` what was shown, if anything.

    `host`: the name asked for. `seen_at`: when, by this machine's clock.
    """

    def __init__(
        self,
        what: str,
        call: Call,
        *,
        problem: Problem,
        host: str,
        seen_at: datetime,
        certificate: Certificate | None = None,
        remedy: str = "",
        retryable: bool = False,
    ) -> None:
        super().__init__(what, call, code=problem, remedy=remedy, retryable=retryable)
        self.problem = problem
        self.host = host
        self.seen_at = seen_at
        self.certificate = certificate


class NotTheAgent(AgentError, Unintelligible):
    """Something else than the agent answered."""

    category = "not_the_agent"
    default_remedy = (
        "Compare the endpoint with the agent's address; see whether IIS, a proxy or a tunnel "
        "answers in its place."
    )


class BadAnswer(AgentError, Unintelligible):
    """The agent's answer is not what the contract says."""

    category = "answer"
    default_remedy = "Report it to whoever made the agent; nothing of this answer was used."


class CutShort(BadAnswer):
    """The agent's answer ends too early."""

    retryable = True
    default_remedy = "See what ends connections early: the agent, a proxy, a tunnel, a time limit."


class TooLarge(BadAnswer):
    """The agent's answer is larger than any page may be."""

    default_remedy = "See what the agent sends: even its smallest page is beyond the bound."


class AgentMisfit(AgentError, Misconfigured):
    """The agent does not serve what the configuration asks for."""


class CursorInvalid(AgentError, OtherEndFailed):
    """The agent does not know the place any more at which we want to go on."""

    category = "cursor"
    default_remedy = "Nothing: the pass starts again from its beginning."


class PassIncomplete(AgentError, OtherEndFailed):
    """The agent's last page does not reach the end of the entity."""

    category = "incomplete"
    default_remedy = (
        "Nothing is lost: the cursor stays where it was. If it happens again, raise the scan "
        "limit of the agent, or see its log for why it stops early."
    )


class RecordNotFound(AgentError, OtherEndFailed):
    """Sage 100 holds no such record."""

    category = "not_found"
    default_remedy = "See that the key is complete, with its padding."


class AgentFault(AgentError, OtherEndFailed):
    """The agent reports a fault that this version does not know."""

    category = "fault"
    default_remedy = "See the agent's log on the Sage 100 server."


class Unforeseen(AgentError):
    """Reading ended in an error of this program."""

    category = "internal"
    retryable = True
    default_remedy = (
        "Report it, with the traceback from this program's log. Nothing is lost, and it is tried "
        "again by itself."
    )


_MISFIT: Final = {
    "InvalidCompany": "Correct [[sage100]] companies: three characters, case matters.",
    "ExternalAccessDisabled": (
        "In Sage 100, Company Maintenance, Preferences: allow external access for this company."
    ),
    "UnknownEntity": "Update the agent, or see that it may serve this entity.",
    "UnknownColumn": "Correct [sage100.columns]; `check` lists the agent's columns.",
}
_IN_USE: Final = frozenset({"ExclusiveUse", "SessionBusy", "LicenseExhausted"})
_BUSY: Final = {
    "SessionBusy": "Nothing, if it passes: the agent's one session is taken.",
    "LicenseExhausted": "Free a Sage 100 seat, or keep one for the agent.",
    "ExclusiveUse": "Nothing: it goes on when period end, backup or utility has finished.",
    "RecordLocked": "Nothing, if it passes: somebody edits this record.",
    "Internal": "Nothing, if it passes: the agent starts a new session. Else see its log.",
}


def told_wait_s(text: str) -> float | None:
    """A wait as headers and faults tell it, in whole seconds; None for anything else.

    What is longer than a day or so is nonsense as well: it would end the waiting for ever.
    """
    return float(text) if _WAIT.fullmatch(text.strip()) else None


def fault(
    call: Call, code: str, message: str, retryable: bool | None, retry_after_s: float | None
) -> AgentError:
    """The error for a fault of the contract; what it says never turns a refusal into a retry."""
    what = f"The agent reports {code or 'a fault without code'}: {call.excerpt(message)}"
    if code == "LogonFailed":
        return LogonRefused(what, call, code=code)
    if code in _MISFIT:
        return AgentMisfit(what, call, code=code, remedy=_MISFIT[code])
    if code == "InvalidCursor":
        return CursorInvalid(what, call, code=code)
    if code == "NotFound":
        return RecordNotFound(what, call, code=code)
    if code in _BUSY or retryable:
        return AgentBusy(
            what,
            call,
            code=code,
            remedy=_BUSY.get(code, ""),
            retryable=retryable,
            retry_after_s=retry_after_s,
        )
    return AgentFault(what, call, code=code)
