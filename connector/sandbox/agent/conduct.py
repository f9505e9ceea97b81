"""How the agent and its site behave at the moment: states, where scripted faults are single events.

A test, or the control endpoint, sets them and takes them back: exclusive use, locked records, the
cap of an agent that gives up, mistakes of its programmer, a wrong clock, slowness, other users.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from connector.sandbox.agent.errors import AgentFault, ModelError
from connector.sandbox.agent.faults import FAULT_CODES
from connector.sandbox.agent.layouts import ENTITIES

Misreading = Literal["latin-1", "utf-8"]


def known_columns(names: Iterable[str]) -> None:
    """Raises ModelError for a name "entity.column" that is none, or part of a key."""
    for name in names:
        entity, _, column = name.partition(".")
        layout = ENTITIES.get(entity)
        if layout is None or column not in layout.index or column in layout.key:
            raise ModelError(f"{name!r} is no column beside a key, as AR_Invoice.TaxableAmt is")


class Exclusive(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody has the files alone: period end, a utility, the nightly backup (reference 6).

    `company` None: every company; `module` None: every file, else those of that module only.
    """

    company: str | None = None
    module: Literal["AR", "AP"] | None = None
    message: str = FAULT_CODES["ExclusiveUse"].message
    retry_after_s: int | None = FAULT_CODES["ExclusiveUse"].retry_after_s

    def covers(self, company: str, entity: str) -> bool:
        """Whether a file of that company is meant."""
        return self.company in (None, company) and (
            self.module is None or entity.startswith(f"{self.module}_")
        )


class Conduct(msgspec.Struct, kw_only=True):
    """What may be switched while the agent runs; everything is off or as `Capacity` has it.

    `scan_limit`: rows looked at for one page, at most. `scan_cap`: rows behind so many are never
    served, neither by a page (no Next, not Complete, ScanLimitReached) nor by key (NotFound), as an
    agent that caps its scans does (reference 7.1).
    `separator_collision`: a Š in a cell shifts the cells behind it, being the byte by which the
    object interface parts its results (1.2). `blank_columns` ("AR_Customer.EmailAddress"): the
    agent asks for a column by a wrong name and gets blanks (1.2). `misread`: columns ("*" for all)
    whose Windows-1252 the agent takes for Latin-1 (’ becomes U+0092), or recodes twice ("utf-8", ’
    becomes â€™). `not_served`: columns ("AR_Invoice.TaxableAmt") that the agent knows nothing of.
    `server_time` is told in place of the clock's: .NET's "0001-01-01T00:00:00" for instance, by an
    agent that forgot to set it.
    `aging_limits` is told in place of each company's own (" ": none are told).
    As behind a proxy, the connection ends after the next `ends_after_challenge` challenges of a
    log-on, and in place of the next `ends_at_proof` answers to a proof.
    `goes_round`: from the third page of an entity on, Next leads back to the second.
    """

    exclusive: Exclusive | None = None
    locked: set[tuple[str, tuple[str, ...]]] = set()
    scan_limit: int = 25_000
    scan_cap: int | None = None
    separator_collision: bool = False
    blank_columns: set[str] = set()
    misread: dict[str, Misreading] = {}
    not_served: set[str] = set()
    aging_limits: str = ""
    ends_after_challenge: int = 0
    ends_at_proof: int = 0
    goes_round: bool = False
    server_time: str = ""
    server_skew_s: float = 0.0  # by how much the ServerTime told is ahead of the clock
    seats_left: int = 99  # licence seats that the office leaves; the agent's session takes one
    request_delay_s: float = 0.0
    row_delay_s: float = 0.0

    def lock(self, entity: str, key: Sequence[str]) -> None:
        """Somebody edits this record: whatever would read it is RecordLocked.

        Raises ModelError for an entity there is not, or a key of another length.
        """
        layout = ENTITIES.get(entity)
        if layout is None or len(key) != len(layout.key):
            raise ModelError(f"{entity} {'-'.join(key)} is no key of an entity")
        self.locked.add((entity, tuple(key)))

    def unlock(self, entity: str, key: Sequence[str]) -> None:
        """The record is free again."""
        self.locked.discard((entity, tuple(key)))

    def hides(self, entity: str, column: str) -> bool:
        """Whether the agent knows nothing of this column."""
        return f"{entity}.{column}" in self.not_served

    def admit(self, company: str, entity: str) -> None:
        """Raises AgentFault ExclusiveUse while somebody has these files alone."""
        held = self.exclusive
        if held is not None and held.covers(company, entity):
            raise AgentFault("ExclusiveUse", held.message, retry_after_s=held.retry_after_s)
