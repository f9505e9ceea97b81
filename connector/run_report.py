"""What one run did and left undone, as `run --once` and `apply` tell it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector import breaker
from connector.errors import OtherEndFailed
from connector.hubspot.tally import Summary
from connector.sage100.passes import Outcome
from eventstore import EventStore
from projections.tables import LANES


class RunReport(msgspec.Struct, frozen=True):
    """What `run_once` did: the passes, what was written, and what is left and why.

    `failed`: what HubSpot did that ended the writing.
    """

    passes: list[Outcome]
    written: dict[str, int]
    parked: int
    pending: int
    barred: dict[str, str]
    held: tuple[str, ...] = ()  # companies whose decisions wait for a person
    proposed: str = ""  # digest of the configured mapping while another one is in force
    withheld: int = 0  # records written without a property that HubSpot would not take
    failed: OtherEndFailed | None = None
    remedies: dict[str, str] = {}  # of what is barred, where more than 'check' can be said

    @property
    def complete(self) -> bool:
        """Whether every pass was made, and nothing was parked, barred, held or left over."""
        unread = any(not one.completed and not one.skipped for one in self.passes)
        waits = (self.parked, self.pending, self.barred, self.held, self.proposed, self.withheld)
        return not (unread or any(waits) or self.failed is not None)


async def report_of(
    store: EventStore, outcomes: list[Outcome], turns: Sequence[Summary], proposed: str
) -> RunReport:
    """A run of these passes and turns of the writer, one at least; what waits is counted now."""
    written = dict.fromkeys(LANES, 0)
    barred: dict[str, str] = {}
    remedies: dict[str, str] = {}
    for turn in turns:
        barred |= turn.barred
        remedies |= turn.remedies
        for lane, tally in turn.lanes.items():
            written[lane] += tally.succeeded
    return RunReport(
        passes=outcomes,
        written=written,
        parked=await store.count("parked"),
        pending=turns[-1].pending,
        barred=barred,
        held=tuple(one.company for one in await breaker.held(store)),
        proposed=proposed,
        withheld=await store.count("withheld"),
        failed=turns[-1].failed,
        remedies=remedies,
    )
