"""The rounds of one instance: what is read when, in which order, and what stops it.

A round asks the agent what it is, checks that it is the one that was configured, logs what has
changed about it, and then reads the due entities of every company one after the other, those that
others refer to first. A failing entity does not keep the others from being read; a refused log-on
ends everything until a person acts (`refusals`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from connector.progress import Progress, Silent
from connector.sage100.agent import Agent
from connector.sage100.contract import SCHEDULE_OF, AgentInfo
from connector.sage100.errors import AgentError, AgentMisfit, Unforeseen
from connector.sage100.guard import guarded
from connector.sage100.instance import Instance
from connector.sage100.passes import Outcome, Reading, system_time
from connector.sage100.place import place_of
from connector.sage100.poller import poll
from connector.sage100.retry import ONCE
from connector.sage100.round_log import RoundLog
from connector.sage100.schedule import quiet_until
from connector.sage100.selection import Selection, select
from connector.sage100.site_day import SiteDay, since_boot
from connector.sage100.source import Latest, check_aging, described, source_news
from connector.sage100.sweep import sweep as sweep_entity
from connector.sage100.timetable import Timetable
from connector.tracing import tracer
from connector.waiting import rest
from eventstore.types import EventStore
from projections.events import Via

log: Final = logging.getLogger(__name__)

_LONGEST_IDLE_S: Final = 300.0  # the wall clock may be set meanwhile
_RELEASED_WITHIN_S: Final = 5.0
_SHOWN_CODES: Final = 50

OnRound = Callable[[Literal["started", "ended"]], None]
Idle = Callable[[asyncio.Event, float], Awaitable[None]]


class Rounds:
    """Reads one instance, now (`run_once`) or on its schedules (`run`); not both at a time.

    `on_round` is told when a round starts and has ended, `now` gives aware times, `clock` seconds
    that only measure, `chance` numbers from 0 to 1.
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
        clock: Callable[[], float] = since_boot,
        idle: Idle = rest,
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
        self._log = RoundLog(store, instance, now)
        self._day = SiteDay(store, instance, now=now, clock=clock)
        self._origin = 0  # the log's position when the round began
        agent.remember(store, instance.name, now)

    @property
    def refusal(self) -> AgentError | None:
        """Why nothing more was asked of the agent in the latest round."""
        return self._log.refusal

    async def run_once(self, *, sweep: bool = False) -> list[Outcome]:
        """One cursor pass, or one sweep, of everything, quiet hours or not: a person asked."""
        return await self._round(
            self._instance.entities, "sweep" if sweep else "cursor", lambda: True
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Rounds as they come due, until `stop` is set; none while our log-on is refused."""
        self._agent.stop = stop
        while not stop.is_set():
            try:
                with guarded(self._agent.call("GetInfo")):
                    await self._keep(stop)
                    await self._stand_still(stop)
            except Unforeseen:
                await self._idle(stop, _LONGEST_IDLE_S)

    async def keep_day(self, stop: asyncio.Event) -> None:
        """Tell the log of each day of the site as it begins, until `stop`, come what may."""
        while not stop.is_set():
            with contextlib.suppress(Unforeseen), guarded(self._agent.call("GetInfo")):
                await self._day.tell()
            await self._idle(stop, self._day.wait_s())

    async def _keep(self, stop: asyncio.Event) -> None:
        """Rounds as they come due, until `stop` is set or the agent refuses our log-on."""
        table = await Timetable.load(
            self._store, self._instance, self._now().astimezone(UTC), chance=self._chance
        )
        if self.refusal is not None or await self._agent.refused() is not None:
            table.hurry(self._now().astimezone(UTC))  # to try again, or to say why not
        while not stop.is_set():
            now = self._now().astimezone(UTC)
            ready = table.ready(now)
            wake = quiet_until(self._quiet, now, self._zone)
            self._log.quiet(wake)
            if wake is None and ready:
                via: Via = "sweep" if "sweep" in ready else "cursor"
                known = self._instance.entities
                wanted = [one for one in known if via == "sweep" or SCHEDULE_OF[one] in ready]
                outcomes = await self._round(wanted, via, lambda: self._may_go_on(stop))
                table.read(via, ready, outcomes, self._now().astimezone(UTC))
                if self.refusal is not None:
                    return
                continue
            wake = wake or table.next()
            wait_s = min((wake - now).total_seconds(), _LONGEST_IDLE_S)
            await self._idle(stop, max(wait_s, 0.0))

    async def _stand_still(self, stop: asyncio.Event) -> None:
        """Ask nothing, until a person releases the instance or `stop` is set."""
        if self.refusal is None:
            return
        log.error("%s: stopped. %s", self._instance.name, self.refusal)
        while not stop.is_set() and await self._agent.refused() is not None:
            await self._idle(stop, _RELEASED_WITHIN_S)
        if not stop.is_set():
            log.info("%s: released, its agent is asked again", self._instance.name)

    def _may_go_on(self, stop: asyncio.Event) -> bool:
        return not stop.is_set() and quiet_until(self._quiet, self._now(), self._zone) is None

    # ------------------------------------------------------------ one round

    async def _round(
        self, entities: Sequence[str], via: Via, may_go_on: Callable[[], bool]
    ) -> list[Outcome]:
        self._on_round("started")
        self._log.refusal = None
        attributes = {"instance": self._instance.name, "via": via}
        calls, pages = self._agent.calls, self._agent.pages
        try:
            with (
                tracer.start_as_current_span("sage100.round", attributes=attributes),
                guarded(self._agent.call("GetInfo")),
            ):
                await pages.load(self._store, self._instance.name)
                outcomes = await self._read(entities, via, may_go_on)
                await self._log.ended(outcomes, self._agent.calls - calls)
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
                self._day.hear(info.server_time)
        except AgentError as error:
            await self._day.tell()
            if error.retryable and not may_go_on():
                return [Outcome(company=c, entity=e, via=via) for c in companies for e in entities]
            return [await self._log.fail(c, e, via, error) for c in companies for e in entities]
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
            await self._day.tell()
            return [await self._log.fail(company, entity, via, error) for entity in entities]
        outcomes: list[Outcome] = []
        for entity in entities:
            chosen = selections[entity]
            if chosen is None:
                outcome = await self._log.skip(info, company, entity, via)
            elif isinstance(chosen, AgentError):
                outcome = await self._log.fail(company, entity, via, chosen)
            elif self.refusal is not None:
                outcome = await self._log.fail(company, entity, via, self.refusal)
            else:
                try:
                    with guarded(self._agent.call("ReadPage")):
                        outcome = await self._read_entity(
                            info, company, chosen, via, may_go_on, outcomes
                        )
                except Unforeseen as problem:
                    outcome = await self._log.fail(company, entity, via, problem)
            outcomes.append(outcome)
        return outcomes

    async def _describe(
        self, info: AgentInfo, company: str
    ) -> dict[str, Selection | AgentError | None]:
        """What to ask of each entity (`_select`), once the log knows how the company is set up.

        Raises AgentMisfit when it is not served, or not to be aged.
        """
        served = info.company(company)
        if served is None:
            codes = ", ".join(one.code for one in info.companies[:_SHOWN_CODES]) or "none"
            raise AgentMisfit(
                f"The agent does not serve company {company}; it serves {codes}.",
                self._agent.call("GetInfo"),
                remedy="Correct [[sage100]] companies, or let the agent serve this company.",
            )
        check_aging(served, self._agent.call("GetInfo"))
        selections = {entity: self._select(info, entity) for entity in self._instance.entities}
        columns = {
            entity: one.columns if isinstance(one, Selection) else ()
            for entity, one in selections.items()
        }
        news = await source_news(self._latest, described(self._instance, served, columns))
        await self._log.append(news)
        await self._day.tell(company)
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
        self._log.note(outcome)
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
