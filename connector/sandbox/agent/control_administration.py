"""Orders to the control endpoint that do what the administrators of the server do.

    logon        schemes (of Negotiate, NTLM, Basic), lock_after (0: never),   {}
                 lasts (0: as long as the connection), extended_protection
    account      unlock=true, password                                         {}
    certificate  profile: one of the TLS profiles                              {}
    capacity     sessions (0: any number), wait_s, busy, cold_start_s,         {}
                 idle_s, recycle_s

What is left out stays as it is. Connections that have logged on stay so; the next ones meet the new
settings. `certificate` chooses what is shown; the version of TLS stays the one of the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from connector.sandbox.agent.auth_account import Account
from connector.sandbox.agent.control_order import ControlOrder
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.options import LogonOptions
from connector.sandbox.agent.sessions import Sessions
from connector.sandbox.agent.tls import TlsListener, TlsProfile


class LogonOrder(ControlOrder, frozen=True, tag="logon"):
    """Set up Windows authentication in IIS."""

    schemes: tuple[Literal["Negotiate", "NTLM", "Basic"], ...] | None = None
    lock_after: int | None = None
    lasts: int | None = None
    extended_protection: bool | None = None


class AccountOrder(ControlOrder, frozen=True, tag="account"):
    """Unlock the account, or give it another password."""

    unlock: bool = True
    password: str | None = None


class CertificateOrder(ControlOrder, frozen=True, tag="certificate"):
    """Choose another certificate for the site."""

    profile: TlsProfile


class CapacityOrder(ControlOrder, frozen=True, tag="capacity"):
    """Move the agent to another machine."""

    sessions: int | None = None
    wait_s: float | None = None
    busy: Literal["fault", "503"] | None = None
    cold_start_s: float | None = None
    idle_s: float | None = None
    recycle_s: float | None = None


AdministrationOrder = LogonOrder | AccountOrder | CertificateOrder | CapacityOrder


class Server(Protocol):
    """The agent as these orders see it."""

    account: Account
    sessions: Sessions
    logon: LogonOptions

    @property
    def listener(self) -> TlsListener | None:
        """What TLS listens with, None without TLS."""

    def log_on_by(self, logon: LogonOptions) -> None:
        """Treat log-ons so from now on."""


def administer(server: Server, order: AdministrationOrder) -> Mapping[str, Any]:
    """Carry one order out. Raises ModelError when it makes no sense, ValueError for a value."""
    match order:
        case LogonOrder():
            server.log_on_by(_changed(server.logon, order, ("lock_after", "lasts")))
        case AccountOrder():
            if order.password is not None:
                server.account.change_password(order.password)
            if order.unlock:
                server.account.unlock()
        case CertificateOrder():
            if server.listener is None:
                raise ModelError("the agent listens without TLS: start it with --tls")
            server.listener.use(order.profile)
        case CapacityOrder():
            server.sessions.resize(_changed(server.sessions.capacity, order, ("sessions",)))
    return {}


def _changed(settings: Any, order: LogonOrder | CapacityOrder, limits: tuple[str, ...]) -> Any:
    """The settings with what the order says; 0 takes one of the `limits` away."""
    given = {
        name: value
        for name, value in msgspec.structs.asdict(order).items()
        if name != "company" and value is not None
    }
    given |= {name: None for name in limits if given.get(name) == 0}
    # Built anew, so that what does not go together is refused.
    return type(settings)(**{**msgspec.structs.asdict(settings), **given})
