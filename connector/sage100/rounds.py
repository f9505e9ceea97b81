"""The rounds of one instance: what is read when, in which order, and what stops it.

A round asks the agent what it is, checks that it is the one that was configured, logs what has
changed about it, and then reads the due entities of every company one after the other, those that
others refer to first. A failing entity does not keep the others from being read; a refused log-on
ends everything until a restart.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from connector.progress import Progress, Silent
from connector.sage100.agent import Agent
from connector.sage100.contract import SCHEDULE_OF, AgentInfo
from connector.sage100.errors import AgentError, AgentMisfit, TlsRefused, Unforeseen
from connector.sage100.failure import ended
from connector.sage100.guard import guarded
from connector.sage100.instance import Instance
from connector.sage100.passes import Outcome, Reading, system_time
from connector.sage100.place import Journal, meta_of, place_of
from connector.sage100.poller import poll
from connector.sage100.retry import ONCE
from connector.sage100.schedule import quiet_until
from connector.sage100.selection import Selection, select
from connector.sage100.source import Latest, aging_news, described, source_news, source_stream
from connector.sage100.sweep import sweep as sweep_entity
from connector.sage100.timetable import Timetable
from connector.sage100.trust_log import TrustLog
from connector.tracing import tracer
from eventstore.types import EventStore, NewEvent
from projections.events import SCHEMA, CallsCounted, PollDeferred, PollSkipped, Via, encode, type_of

log: Final = logging.getLogger(__name__)

_LONGEST_IDLE_S: Final = 300.0  # the wall clock may be set meanwhile

OnRound = Callable[[Literal["started", "ended"]], None]
Idle = Callable[[asyncio.Event, float], Awaitable[None]]


async def idle(stop: asyncio.Event, seconds: float) -> None:
    """Return after so many seconds, or as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


class Rounds:
    """Reads one instance, now (`run_once`) or on its schedules (`run`); not both at a time.

    `on_round` is told when a round starts and has ended, `now` gives aware times, `chance`
    numbers from 0 to 1.
    """

    def __init__(
        self,
        agent: Agent,
        store: EventStore,
        instance: Instance,
        *,
        progress: Progress = Silent(),  # noqa: B008 - it holds nothing
        on_round: OnRound = lambda _: None,
        now: Callable[[], datetime] = system_time,
        idle: Idle = idle,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._agent = agent
        self._store = store
        self._instance = instance
        self._progress = progress
        self._on_round = on_round
        self._now = now
        self._idle = idle
        self._chance = chance
        self._zone = instance.zone()
        self._quiet = instance.quiet_spans()
        self._latest = Latest(store)
        self._trust_log = TrustLog(store, instance.name)
        self._not_served: set[str] = set()
        self._origin = 0  # the log's position when the round began
        self._noted: AgentError | None = None  # said in full already, for another entity
        self.refusal: AgentError | None = None  # why nothing more is asked

    async def run_once(self, *, sweep: bool = False) -> list[Outcome]:
        """One cursor pass, or one sweep, of everything, quiet hours or not: a person asked."""
        return await self._round(
            self._instance.entities, "sweep" if sweep else "cursor", lambda: True
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Rounds as they come due, until `stop` is set or the agent refuses our log-on."""
        self._agent.stop = stop
        while not stop.is_set() and self.refusal is None:
            try:
                with guarded(self._agent.call("GetInfo")):
                    await self._keep(stop)
            except Unforeseen:
                await self._idle(stop, _LONGEST_IDLE_S)
        if self.refusal is not None:
            log.error("%s: stopped. %s", self._instance.name, self.refusal)

    async def _keep(self, stop: asyncio.Event) -> None:
        table = await Timetable.load(
            self._store, self._instance, self._now().astimezone(UTC), chance=self._chance
        )
        while not stop.is_set() and self.refusal is None:
            now = self._now().astimezone(UTC)
            ready = table.ready(now)
            wake = quiet_until(self._quiet, now, self._zone)
            if wake is None and ready:
                via: Via = "sweep" if "sweep" in ready else "cursor"
                known = self._instance.entities
                wanted = [one for one in known if via == "sweep" or SCHEDULE_OF[one] in ready]
                outcomes = await self._round(wanted, via, lambda: self._may_go_on(stop))
                table.read(via, ready, outcomes, self._now().astimezone(UTC))
                continue
            wake = wake or table.next()
            wait_s = min((wake - now).total_seconds(), _LONGEST_IDLE_S)
            await self._idle(stop, max(wait_s, 0.0))

    def _may_go_on(self, stop: asyncio.Event) -> bool:
        return not stop.is_set() and quiet_until(self._quiet, self._now(), self._zone) is None

    # ------------------------------------------------------------ one round

    async def _round(
        self, entities: Sequence[str], via: Via, may_go_on: Callable[[], bool]
    ) -> list[Outcome]:
        self._on_round("started")
        attributes = {"instance": self._instance.name, "via": via}
        calls, pages = self._agent.calls, self._agent.pages
        try:
            with (
                tracer.start_as_current_span("sage100.round", attributes=attributes),
                guarded(self._agent.call("GetInfo")),
            ):
                await pages.load(self._store, self._instance.name)
                outcomes = await self._read(entities, via, may_go_on)
                await self._log_trust(outcomes)
                await self._count_calls(self._agent.calls - calls)
                await pages.save(self._store, self._instance.name)
                return outcomes
        except Unforeseen as error:  # where not even the failure could be logged
            companies = self._instance.companies
            return [
                Outcome(company=company, entity=entity, via=via, error=error)
                for company in companies
                for entity in entities
            ]
        finally:
            self._on_round("ended")

    async def _read(
        self, entities: Sequence[str], via: Via, may_go_on: Callable[[], bool]
    ) -> list[Outcome]:
        companies = self._instance.companies
        self._origin = (await self._store.head()).last
        try:
            with guarded(self._agent.call("GetInfo")):
                info = await self._agent.get_info()
                self._check_zone(info)
        except AgentError as error:
            await self._log_day()
            if error.retryable and not may_go_on():
                return [Outcome(company=c, entity=e, via=via) for c in companies for e in entities]
            return [await self._fail(c, e, via, error) for c in companies for e in entities]
        outcomes: list[Outcome] = []
        for company in companies:
            outcomes += await self._read_company(info, company, entities, via, may_go_on)
        return outcomes

    async def _read_company(
        self,
        info: AgentInfo,
        company: str,
        entities: Sequence[str],
        via: Via,
        may_go_on: Callable[[], bool],
    ) -> list[Outcome]:
        try:
            with guarded(self._agent.call("GetInfo")):
                selections = await self._describe(info, company)
        except AgentError as error:
            return [await self._fail(company, entity, via, error) for entity in entities]
        outcomes: list[Outcome] = []
        for entity in entities:
            chosen = selections[entity]
            if chosen is None:
                outcome = await self._skip(info, company, entity, via)
            elif isinstance(chosen, AgentError):
                outcome = await self._fail(company, entity, via, chosen)
            elif self.refusal is not None:
                outcome = await self._fail(company, entity, via, self.refusal)
            else:
                try:
                    with guarded(self._agent.call("ReadPage")):
                        outcome = await self._read_entity(
                            info, company, chosen, via, may_go_on, outcomes
                        )
                except Unforeseen as problem:
                    outcome = await self._fail(company, entity, via, problem)
            outcomes.append(outcome)
        return outcomes

    async def _describe(
        self, info: AgentInfo, company: str
    ) -> dict[str, Selection | AgentError | None]:
        """What to ask of each entity (`_select`), once the log knows how the company is set up.

        Raises AgentMisfit when it is not served.
        """
        served = info.company(company)
        if served is None:
            codes = ", ".join(one.code for one in info.companies) or "none"
            raise AgentMisfit(
                f"The agent does not serve company {company}; it serves {codes}.",
                self._agent.call("GetInfo"),
                remedy="Correct [[sage100]] companies, or let the agent serve this company.",
            )
        selections = {entity: self._select(info, entity) for entity in self._instance.entities}
        columns = {
            entity: one.columns if isinstance(one, Selection) else ()
            for entity, one in selections.items()
        }
        news = await source_news(self._latest, described(self._instance, served, columns))
        if news:
            await self._store.append(news, meta=meta_of(self._instance.name))
        await self._log_day(company)
        return selections

    async def _read_entity(
        self,
        info: AgentInfo,
        company: str,
        selection: Selection,
        via: Via,
        may_go_on: Callable[[], bool],
        before: Sequence[Outcome],
    ) -> Outcome:
        if not may_go_on():
            return Outcome(company=company, entity=selection.entity, via=via)
        tired = any(one.error is not None and one.error.retryable for one in before)
        reading = Reading(
            agent=self._agent,
            store=self._store,
            instance=self._instance.name,
            company=company,
            selection=selection,
            limit=self._instance.page_limit,
            progress=self._progress,
            may_go_on=may_go_on,
            now=self._now,
            # Once all patience was spent in this round, the others get one try each.
            retry=ONCE if tired else None,
            mass_change=self._instance.mass_change,
            alarm_after=self._instance.alarm_after,
            origin=self._origin,
            zone=self._zone,
        )
        if via == "sweep" or await self._must_reread(company, selection.entity):
            outcome = await sweep_entity(reading)
        else:
            overlap, server_time = self._instance.overlap, info.server_time
            outcome = await poll(reading, overlap=overlap, server_time=server_time)
        self._note(outcome)
        return outcome

    async def _must_reread(self, company: str, entity: str) -> bool:
        """Whether Sage 100 went back to an earlier state: then only a sweep tells the truth."""
        return (await place_of(self._store, self._instance.name, company, entity)).reread

    def _select(self, info: AgentInfo, name: str) -> Selection | AgentError | None:
        """What to ask of an entity; the error why it cannot be; None when it is not served."""
        entity = info.entity(name)
        if entity is None:
            return None
        try:
            return select(entity, self._agent.call("GetInfo"))
        except AgentError as error:
            return error

    def _check_zone(self, info: AgentInfo) -> None:
        if info.time_zone != self._instance.timezone:
            raise AgentMisfit(
                f"The agent's time zone is {info.time_zone}, configured is "
                f"{self._instance.timezone}.",
                self._agent.call("GetInfo"),
                remedy=f'Set timezone = "{info.time_zone}", or correct the agent. Stamps and due '
                "dates would be read wrongly otherwise.",
            )

    # ------------------------------------------------------------ what else is logged

    async def _fail(self, company: str, entity: str, via: Via, error: AgentError) -> Outcome:
        """A pass that could not even begin."""
        journal = await Journal.open(self._store, self._instance.name, company, entity)
        patience = self._instance.alarm_after
        place, told = ended(journal.place, via, error, self._now(), patience)
        await journal.write(place, [told])
        waiting = told if isinstance(told, PollDeferred) else None
        outcome = Outcome(company=company, entity=entity, via=via, error=error, waiting=waiting)
        self._note(outcome)
        return outcome

    async def _skip(self, info: AgentInfo, company: str, entity: str, via: Via) -> Outcome:
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

    def _note(self, outcome: Outcome) -> None:
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

    async def _log_day(self, *companies: str) -> None:
        """The site's calendar day, for these companies, or for all that were ever described."""
        if not companies:
            companies = tuple(
                [
                    company
                    for company in self._instance.companies
                    if await self._latest.of(source_stream(company)) is not None
                ]
            )
        day = self._now().astimezone(self._zone).date().isoformat()
        news: list[NewEvent] = []
        for company in companies:
            news += await aging_news(self._latest, company, day)
        if news:
            await self._store.append(news, meta=meta_of(self._instance.name))

    async def _log_trust(self, outcomes: Sequence[Outcome]) -> None:
        """Certificates that were refused, besides the PollFailed of every entity."""
        errors = [one.error for one in outcomes if isinstance(one.error, TlsRefused)]
        news = await self._trust_log.news(errors)
        if news:
            await self._store.append(news, meta=meta_of(self._instance.name))

    async def _count_calls(self, calls: int) -> None:
        if calls:
            counted = CallsCounted(agent_calls=calls)
            stream = f"audit/calls/{self._instance.name}"
            event = NewEvent(stream, type_of(counted), encode(counted), SCHEMA)
            await self._store.append([event], meta=meta_of(self._instance.name))
