"""What a round tells the log, and the operator in our own log, beside what its passes say.

Passes that could not even begin, entities that an agent does not have, certificates that were
refused, and how often the agent was asked. The same reason is said in full once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from connector.new_events import new_event
from connector.sage100.contract import AgentInfo
from connector.sage100.errors import AgentError, TlsRefused
from connector.sage100.failure import ended
from connector.sage100.instance import Instance
from connector.sage100.passes import Outcome
from connector.sage100.place import Journal, meta_of
from connector.sage100.schedule import quiet_told
from connector.sage100.trust_log import TrustLog
from eventstore.types import EventStore, NewEvent
from projections.events import CallsCounted, PollDeferred, PollSkipped, Via

log: Final = logging.getLogger(__name__)


class RoundLog:
    """That of one instance. `refusal`: why nothing more is asked of its agent, as last noted."""

    def __init__(self, store: EventStore, instance: Instance, now: Callable[[], datetime]) -> None:
        self.refusal: AgentError | None = None
        self._store = store
        self._instance = instance
        self._now = now
        self._trust = TrustLog(store, instance.name)
        self._not_served: set[str] = set()
        self._noted: AgentError | None = None  # said in full already, for another entity
        self._is_quiet = False

    def quiet(self, until: datetime | None) -> None:
        """Until when quiet hours last, None outside of any: told when they begin and end."""
        if self._is_quiet == (until is not None):
            return
        self._is_quiet = until is not None
        told = "quiet hours are over"
        if until is not None:
            told = f"{quiet_told(until, self._instance.zone())}: nothing is asked"
        log.info("%s: %s", self._instance.name, told)

    async def fail(self, company: str, entity: str, via: Via, error: AgentError) -> Outcome:
        """A pass that could not even begin."""
        journal = await Journal.open(self._store, self._instance.name, company, entity)
        patience = self._instance.alarm_after
        place, told = ended(journal.place, via, error, self._now(), patience)
        await journal.write(place, [told])
        waiting = told if isinstance(told, PollDeferred) else None
        outcome = Outcome(company=company, entity=entity, via=via, error=error, waiting=waiting)
        self.note(outcome)
        return outcome

    async def skip(self, info: AgentInfo, company: str, entity: str, via: Via) -> Outcome:
        """An entity that this agent does not have: its SourceDescribed lists no columns for it."""
        journal = await Journal.open(self._store, self._instance.name, company, entity)
        reason = f"agent {info.agent_version} does not serve {entity}"
        if entity not in self._not_served:
            self._not_served.add(entity)
            log.warning("%s: skipped, %s", self._instance.name, reason)
        if journal.place.skipped != reason:
            place = msgspec.structs.replace(journal.place, skipped=reason)
            await journal.write(place, [PollSkipped(via, reason, journal.place.known)])
        return Outcome(company=company, entity=entity, via=via, skipped=reason)

    def note(self, outcome: Outcome) -> None:
        """Say how a pass failed, if it did."""
        if outcome.error is None:
            return
        if outcome.stopped:
            self.refusal = outcome.error
        where = f"{self._instance.name} {outcome.company} {outcome.entity}"
        level, since = logging.WARNING, ""
        if outcome.waiting is not None:
            level, since = logging.INFO, f"waiting since {outcome.waiting.since}. "
        if outcome.error is self._noted:
            log.log(level, "%s: %sfor the same reason", where, since or "failed ")
            return
        self._noted = outcome.error
        log.log(level, "%s: %s%s", where, since, outcome.error)

    async def ended(self, outcomes: Sequence[Outcome], calls: int) -> None:
        """The round is over: certificates that were refused, besides the PollFailed of every
        entity, and how many calls it took.
        """
        errors = [one.error for one in outcomes if isinstance(one.error, TlsRefused)]
        await self.append(await self._trust.news(errors))
        if calls:
            counted = CallsCounted(agent_calls=calls)
            stream = f"audit/calls/{self._instance.name}"
            await self.append([new_event(stream, counted)])

    async def append(self, news: Sequence[NewEvent]) -> None:
        """Append what there is."""
        if news:
            await self._store.append(news, meta=meta_of(self._instance.name))
