"""What the simulated server can take: how many sessions, how slow it is and how it wakes up.

The figures to choose from are in the reference, sections 1.2, 6 and 7.1: an agent has one BOI
session, keeps a second request waiting for 30 s, and recycles the session after four hours; an IIS
application pool falls asleep after 20 minutes and takes 10 to 60 s to wake; the object interface
reads 50 to 300 rows a second. By default nothing is limited, so that tests limit what they mean.
"""

from __future__ import annotations

from typing import Literal

import msgspec

POOL_IDLE_S = 1_200.0
RECYCLE_S = 14_400.0
SESSION_WAIT_S = 30.0


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and delays; every time in seconds of the agent's `Pace`.

    `sessions` None: any number at once. A request that finds none free waits `wait_s` and is then
    answered SessionBusy, or with the bare HTTP 503 of some agents (`busy`).
    """

    sessions: int | None = None
    wait_s: float = SESSION_WAIT_S
    busy: Literal["fault", "503"] = "fault"
    cold_start_s: float = 0.0
    idle_s: float = POOL_IDLE_S
    recycle_s: float = RECYCLE_S
    request_delay_s: float = 0.0
    row_delay_s: float = 0.0  # per row looked at

    def __post_init__(self) -> None:
        if self.sessions is not None and self.sessions < 1:
            raise ValueError("sessions must be at least 1")
        for name in ("wait_s", "cold_start_s", "idle_s", "recycle_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more")
        if min(self.request_delay_s, self.row_delay_s) < 0:
            raise ValueError("delays must be 0 or more")
