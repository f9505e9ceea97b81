"""The composition root: the one place where everything long-lived is built and joined.

    pollers ──append──▶ store ──▶ projector ──append──▶ store ──▶ writer ──append──▶ store

`open_app` opens the store and both ends, and closes them in reverse order. `run_once` brings
HubSpot up to date and returns; `run` does so until it is told to stop. While a round of polling
is under way the projector folds but does not decide, so that HubSpot never shows a balance of
half-read invoices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Final, Literal

import msgspec

from connector import anchors, erasing, greeting, orders, planning
from connector.addresses import refuse_moved
from connector.causes import Causes
from connector.config import Config
from connector.config.mapping import load_mapping
from connector.config.matching import deal_rule, match_rules
from connector.errors import OtherEndFailed
from connector.hubspot import schema
from connector.hubspot.api import HubSpot
from connector.hubspot.deals import Deals
from connector.hubspot.definitions import Definitions
from connector.hubspot.delivery import Surroundings
from connector.hubspot.errors import TokenRefused
from connector.hubspot.matching import Matching
from connector.hubspot.schema import SchemaReport
from connector.hubspot.sharing import Sharing
from connector.hubspot.tally import Summary
from connector.hubspot.writer import Writer
from connector.keeping import every
from connector.mappings import Mappings
from connector.new_events import done_by, new_event
from connector.opening import open_ends, open_writer
from connector.progress import Progress, Silent
from connector.projector import CHECKPOINT, Projector
from connector.reading import books_of
from connector.rebuild import RebuildReport, is_current, rebuild
from connector.run_report import RunReport, report_of
from connector.sage100.agent import Agent
from connector.sage100.instance import instance_of
from connector.sage100.passes import Outcome
from connector.sage100.rounds import Rounds
from connector.second_look import SecondLook
from connector.unserved import Unserved
from connector.waiting import first_of
from eventstore import EventStore
from projections.mapping import compiled

CALLS_STREAM: Final = "audit/calls/hubspot"
_COUNT_EVERY_S: Final = 600.0
_LOOK_S: Final = 1.0
_MAX_TURNS: Final = 1000
_log: Final = logging.getLogger(__name__)


class App:
    """The service. Made by `open_app`."""

    def __init__(
        self,
        config: Config,
        store: EventStore,
        hubspot: HubSpot,
        agents: dict[str, Agent],
        mapping: compiled.CompiledMapping,
        progress: Progress,
    ) -> None:
        self.config = config
        self.store = store
        self.hubspot = hubspot
        self.agents = agents
        self.mappings = Mappings(store, hubspot, mapping, config.hubspot.tier)
        self.projector = Projector(store)
        self._progress = progress
        self._ended: set[str] = set()  # companies whose round is over, with perhaps a rest to fold
        definitions = Definitions(hubspot)
        around = Surroundings(
            store,
            hubspot,
            lambda: self.mapping.source,
            definitions=definitions,
            matching=Matching(match_rules(config), hubspot, Sharing(store)),
        )
        self.writer = Writer(around)
        self._causes = Causes(store)
        self._second_look = SecondLook(store, hubspot, around.mapping, definitions)
        self._deals = Deals(store, hubspot, deal_rule(config))
        self._unserved = Unserved(store, config)
        self._rounds = {
            settings.name: Rounds(
                agents[settings.name],
                store,
                instance_of(settings, details=config.hubspot.line_items),
                progress=progress,
                on_round=partial(self._on_round, frozenset(settings.companies)),
            )
            for settings in config.sage100
        }

    # ------------------------------------------------------------ commands

    async def setup(self) -> SchemaReport:
        """Create what the portal lacks of the mapping's groups and properties."""
        await is_current(self.store)  # an empty store is of this version from its first event on
        wanted = self.mappings.configured
        await refuse_moved(self.store, wanted)
        report = await schema.setup(
            self.store,
            self.hubspot,
            wanted.source,
            wanted.digest,
            books=books_of(self.config),
        )
        await self._count_calls()
        return report

    async def rebuild(self, *, verify: bool) -> RebuildReport:
        """Refold the read models, or compare them with what the log gives."""
        return await rebuild(self.store, self.projector, verify=verify, progress=self._progress)

    async def run_once(self, *, sweep: bool = False) -> RunReport:
        """One pass over every entity, then project and write until nothing is pending."""
        await self._prepare()
        if self.config.store.file is not None:
            await orders.carry_out_or_tell(self.store, self.config.store.file, self.mappings)
        await self._causes.try_again()
        await self._second_look.look()
        try:
            outcomes = await self._poll_once(sweep=sweep)
            await self._unserved.warn(self.mapping)  # an agent may have said what it serves
            turns = await self._write_all()
            for more in (self._causes.release, self._deals.look):
                if turns[-1].failed is None and await more():
                    turns += await self._write_all()
        finally:
            await self._count_calls()
            await self._fold()
        return await report_of(self.store, outcomes, turns, self.mappings.proposed)

    async def apply(self, kept: planning.Kept, by: str) -> RunReport:
        """Carry a plan out, and nothing else. Raises PlanRefused when it is out of date."""
        await self._prepare()
        await self.mappings.apply(kept, by)
        try:
            while await self._advance():  # else what the plan replaces might be sent first
                await self._show_projecting()
            turns = await self._write_all()
        finally:
            await self._count_calls()
            await self._fold()
        return await report_of(self.store, [], turns, self.mappings.proposed)

    async def run(self, stop: asyncio.Event) -> None:
        """The service: poll on schedule, project, write until `stop`; finish what is begun."""
        await self._prepare()
        self.writer.stopped = await greeting.greet(self.hubspot, self.writer.permission)
        if self.writer.stopped is not None:
            _log.error("nothing is written to HubSpot: %s", self.writer.stopped)
        try:
            while not stop.is_set():
                # An erasure needs the store for itself: the service rests, and goes on after it.
                async with erasing.until_asked(self.store, self.config.store.file, stop) as pause:
                    await self._serve(pause)
        finally:
            await self._count_calls()
            await self._fold()

    async def _serve(self, stop: asyncio.Event) -> None:
        """Everything the service does, until `stop`."""
        async with asyncio.TaskGroup() as group:
            for rounds in self._rounds.values():
                group.create_task(rounds.run(stop))
                group.create_task(rounds.keep_day(stop))
            group.create_task(self._project(stop))
            group.create_task(self.writer.run(stop, self._progress))
            group.create_task(self._count_now_and_then(stop))
            group.create_task(self._take_orders(stop))
            group.create_task(anchors.keep(self.store, self.config.anchors, stop))
            group.create_task(self._causes.keep(stop))
            group.create_task(self._second_look.keep(stop))
            group.create_task(self._deals.keep(stop))

    # ------------------------------------------------------------ steps

    @property
    def mapping(self) -> compiled.CompiledMapping:
        """The mapping in force."""
        return self.mappings.current

    async def _prepare(self) -> None:
        """Put the mapping in force and the portal's properties in place, once per mapping."""
        if not await is_current(self.store):
            _log.info("the read models are of another version; they are rebuilt from the log")
            await self.rebuild(verify=False)
        try:
            is_first = await self.mappings.prepare()
        except TokenRefused as problem:
            await self.writer.permission.stopped(problem)
            await self._fold()
            raise
        if is_first:
            await self._fold()
        await self._unserved.warn(self.mapping)

    async def _fold(self) -> None:
        """Bring the read models to the end of the log."""
        while await self.projector.step():
            pass

    async def _poll_once(self, *, sweep: bool) -> list[Outcome]:
        """One round of every instance at a time, folding meanwhile."""
        outcomes: list[Outcome] = []

        async def poll(rounds: Rounds) -> None:
            outcomes.extend(await rounds.run_once(sweep=sweep))

        async with self._folding(), asyncio.TaskGroup() as group:
            for rounds in self._rounds.values():
                group.create_task(poll(rounds))
        return outcomes

    async def _write_all(self) -> list[Summary]:
        """Decide and write by turns until a whole turn adds nothing to the log, or HubSpot fails.

        The last turn then says so, and everything unwritten is pending still.
        """
        turns: list[Summary] = []
        for _ in range(_MAX_TURNS):
            head = (await self.store.head()).last
            async with self._folding():
                turns.append(await self._write(again=not turns))
            while await self._advance():
                await self._show_projecting()
            # The projector beside the writer may have decided after the writer's last look.
            if turns[-1].failed is not None or (await self.store.head()).last == head:
                break
        return turns

    async def _write(self, *, again: bool) -> Summary:
        """One turn of the writer, to its end or to HubSpot's failure."""
        refused: OtherEndFailed | None = None
        if await greeting.is_called_for(self.store, self.hubspot, self.writer.permission):
            refused = await greeting.greet(self.hubspot, self.writer.permission)
        try:
            if refused is None:
                return await self.writer.run_until_idle(self._progress, again=again)
        except OtherEndFailed as problem:
            return msgspec.structs.replace(await self.writer.summary(), failed=problem)
        return msgspec.structs.replace(await self.writer.summary(), lanes={}, failed=refused)

    @contextlib.asynccontextmanager
    async def _folding(self) -> AsyncIterator[None]:
        """The projector at work beside the body, stopped between two steps when it ends."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._project(stop))
            try:
                yield
            finally:
                stop.set()

    async def _project(self, stop: asyncio.Event) -> None:
        """Fold and decide whatever comes, until `stop`."""
        while not stop.is_set():
            head = (await self.store.head()).last
            if await self._advance():
                await self._show_projecting()
                continue
            await first_of(self.store.wait(head, _LOOK_S), stop.wait())

    async def _advance(self) -> int:
        """Fold or decide the next page; how much was done, 0 when there is nothing to do."""
        ended = frozenset(self._ended)
        folded = await self.projector.step()
        if folded:
            return folded
        # Only now, with everything folded that their round has read, may decisions be made.
        self.projector.held_back -= ended & self._ended
        self._ended -= ended
        return await self.projector.settle()

    async def _show_projecting(self) -> None:
        done = (await self.store.checkpoint(CHECKPOINT)).position
        self._progress.project(done, (await self.store.head()).last)

    def _on_round(self, companies: frozenset[str], what: Literal["started", "ended"]) -> None:
        """Hold back decisions on an instance's companies, and on no other's, while it is read."""
        if what == "started":
            self.projector.held_back |= companies
            self._ended -= companies
        else:
            self._ended |= companies

    async def _take_orders(self, stop: asyncio.Event) -> None:
        """What other processes ask for while this one holds the store."""
        if self.config.store.file is not None:
            await orders.keep(self.store, self.config.store.file, self.mappings, stop)

    async def _count_now_and_then(self, stop: asyncio.Event) -> None:
        count_s = _COUNT_EVERY_S
        await every(count_s, self._count_calls, stop, what="counting calls", first_s=count_s)

    async def _count_calls(self) -> None:
        counted = self.hubspot.calls.since_last()
        if counted is not None:
            await self.store.append([new_event(CALLS_STREAM, counted)], meta=done_by("service"))


@contextlib.asynccontextmanager
async def open_app(config: Config, *, progress: Progress | None = None) -> AsyncIterator[App]:
    """Everything open: the store, HubSpot, every agent.

    Raises Misconfigured, and the store's own errors (in use, not a store, damaged).
    """
    mapping = await asyncio.to_thread(load_mapping, config)
    async with open_writer(config) as store, open_ends(config) as (hubspot, agents):
        yield App(config, store, hubspot, agents, mapping, progress or Silent())
