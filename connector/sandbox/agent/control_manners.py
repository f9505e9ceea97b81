"""Orders to the control endpoint that change how the agent and its site behave at the moment.

    conduct    scan_limit, scan_cap (0: none), separator_collision,        {}
               blank_columns, misread, not_served, ends_after_challenge,
               ends_at_proof, goes_round, aging_limits ("": the company's),
               server_time ("": the clock's), server_skew_s, seats_left,
               request_delay_s, row_delay_s
    exclusive  on=true, company (all), module ("AR", "AP"; all),           {}
               message, retry_after_s
    lock       entity, key, on=true                                        {}
    poison                                                                 {}
    recycle                                                                {}
    restart    gap_s=5                                                     {}

What is left out of `conduct` stays as it is. After `restart` the answer still comes, and then the
agent refuses connections for so long, the control endpoint's too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec

from connector.sandbox.agent.conduct import Conduct, Exclusive, Misreading, known_columns
from connector.sandbox.agent.control_order import ControlOrder
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.faults import FAULT_CODES
from connector.sandbox.agent.sessions import Sessions

_EXCLUSIVE = FAULT_CODES["ExclusiveUse"]


class ConductOrder(ControlOrder, frozen=True, tag="conduct"):
    """Switch some of `Conduct`."""

    scan_limit: int | None = None
    scan_cap: int | None = None
    separator_collision: bool | None = None
    blank_columns: set[str] | None = None
    misread: dict[str, Misreading] | None = None
    not_served: set[str] | None = None
    aging_limits: str | None = None
    ends_after_challenge: int | None = None
    ends_at_proof: int | None = None
    goes_round: bool | None = None
    server_time: str | None = None
    server_skew_s: float | None = None
    seats_left: int | None = None
    request_delay_s: float | None = None
    row_delay_s: float | None = None


class ExclusiveOrder(ControlOrder, frozen=True, tag="exclusive"):
    """Begin or end exclusive use."""

    on: bool = True
    module: Literal["AR", "AP"] | None = None
    message: str = _EXCLUSIVE.message
    retry_after_s: int | None = _EXCLUSIVE.retry_after_s


class LockOrder(ControlOrder, frozen=True, tag="lock"):
    """Lock or unlock one record."""

    entity: str
    key: tuple[str, ...]
    on: bool = True


class Poison(ControlOrder, frozen=True, tag="poison"):
    """Kill the session, and let the agent keep it."""


class Recycle(ControlOrder, frozen=True, tag="recycle"):
    """Throw the session away."""


class Restart(ControlOrder, frozen=True, tag="restart"):
    """End the process, and start it again."""

    gap_s: float = 5.0


MannersOrder = ConductOrder | ExclusiveOrder | LockOrder | Poison | Recycle | Restart


class Premises(Protocol):
    """The agent as these orders see it."""

    conduct: Conduct
    sessions: Sessions

    def restart(self, gap_s: float) -> asyncio.Task[None]:
        """Go down and come back, in the background."""


def behave(premises: Premises, order: MannersOrder) -> Mapping[str, Any]:
    """Carry one order out. Raises ModelError when it makes no sense."""
    conduct = premises.conduct
    match order:
        case ConductOrder():
            _switch(conduct, order)
        case ExclusiveOrder():
            begun = Exclusive(
                company=order.company,
                module=order.module,
                message=order.message,
                retry_after_s=order.retry_after_s,
            )
            conduct.exclusive = begun if order.on else None
        case LockOrder():
            (conduct.lock if order.on else conduct.unlock)(order.entity, order.key)
        case Poison():
            premises.sessions.poison()
        case Recycle():
            premises.sessions.recycle()
        case Restart():
            premises.restart(order.gap_s)
    return {}


def _switch(conduct: Conduct, order: ConductOrder) -> None:
    given = {
        name: value
        for name, value in msgspec.structs.asdict(order).items()
        if name != "company" and value is not None
    }
    if given.get("scan_limit") == 0:
        raise ModelError("scan_limit must be at least 1")
    known_columns(given.get("not_served", ()))
    for name, value in given.items():
        if isinstance(value, int | float) and value < 0 and name != "server_skew_s":
            raise ModelError(f"{name} must be 0 or more")
        setattr(conduct, name, (value or None) if name == "scan_cap" else value)
