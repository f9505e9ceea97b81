"""Applying a plan and undoing it while the service runs, from another process's point of view."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector import orders, planning, undo, undo_judging, undo_scopes
from connector.mappings import Mappings
from connector.opening import open_reader
from connector.planning import PlanRefused
from connector.projector import CHECKPOINT
from connector.sandbox.agent import AgentOptions
from eventstore import EventStore, NewEvent
from projections.events import PlanApplied, PollStarted, RecordObserved, encode
from projections.mapping import compiled
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import LIMIT_S, until

NAME = 'property = "name"\nfrom = "CustomerName"\n'
LOUDER = NAME + 'transform = "upper"\n'


def louder() -> compiled.CompiledMapping:
    """The built-in mapping, with company names in capitals."""
    folder = Path(compiled.__file__).parent
    return compiled.parse((folder / "default.toml").read_text("utf-8").replace(NAME, LOUDER, 1))


def names(site: Site) -> set[str]:
    """The names of all companies in HubSpot."""
    return {one["name"] for one in holding.held(site.portal)["companies"].values()}


async def test_a_running_service_applies_a_plan_and_takes_it_back(tmp_path: Path) -> None:
    """An ordered plan is carried out with its mapping; one that is out of date is not."""
    options = AgentOptions(seed=47, customers=12, invoices=20, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def arrived() -> bool:
            assert not service.done()
            return holding.differences(site.portal, site.expectation()) == []

        await until(arrived, "everything is in HubSpot")
        before = names(site)
        file = site.config().store.file
        assert file is not None
        async with open_reader(site.config()) as store:

            async def all_known() -> bool:
                """Whether no outcome is on its way into the log any more."""
                folded = (await store.checkpoint(CHECKPOINT)).position
                quiet = folded == (await store.head()).last
                return quiet and not await store.scan("inflight", limit=1)

            await until(all_known, "the log knows it")
            made = await planning.make(store, louder(), "professional")
            assert made.plan.records == 12
            assert names(site) == before
            await planning.keep(file, made)
            digest = made.plan.digest
            applied = PlanApplied(digest, made.plan.position, "", made.plan.records, "eve")
            await orders.leave(file, applied)
            capitals = {name.upper() for name in before}
            await until(lambda: names(site) == capitals, "the plan is carried out")
            assert app.mapping.digest == louder().digest

            late = await orders.leave(file, applied)
            await until(lambda: not late.exists(), "the order is looked at")
            assert len(await store.history("audit/plan")) == 1

            await until(all_known, "every outcome is known")
            scope = await undo_scopes.of_plan(store, digest[:12])
            judged = await undo_judging.judge(store, scope, louder())
            report = await undo_judging.still_ours(store, judged, app.hubspot, louder())
            assert (len(report.fields), report.left) == (12, [])
            for asked in undo.requests(report, "eve"):
                await orders.leave(file, asked)
            await until(lambda: names(site) == before, "the names are put back")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


class Racing:
    """A store into which something is appended whenever the log has just been looked through."""

    def __init__(self, store: EventStore, event: NewEvent, times: int) -> None:
        self._store = store
        self._event = event
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, new: Any, **options: Any) -> Any:
        """Something comes in between, and then the append itself."""
        if self.left:
            self.left -= 1
            await self._store.append([self._event])
        return await self._store.append(new, **options)


def seen() -> NewEvent:
    """Sage 100 says something new of a customer."""
    row = {"ARDivisionNo": "01", "CustomerNo": "NEW", "CustomerName": "Newcomer"}
    stream = "sage/acme/ABC/AR_Customer/01-NEW"
    return NewEvent(stream, "RecordObserved", encode(RecordObserved(["01", "NEW"], row, "f")))


def began() -> NewEvent:
    """A pass begins."""
    return NewEvent("poll/acme/ABC/AR_Customer", "PollStarted", encode(PollStarted("cursor")))


async def test_nothing_comes_between_the_look_and_the_plan(tmp_path: Path) -> None:
    """A change that lands after the last look refuses the plan; a pass that begins does not."""
    options = AgentOptions(seed=48, customers=4, invoices=4, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        assert (await app.run_once()).complete
        made = await planning.make(app.store, app.mapping, "professional")
        kept = planning.Kept(made.plan.digest, made.plan.position, made.plan.records)
        for event, times, why in ((seen(), 1, "has moved"), (began(), 100, "moves faster")):
            racing: Any = Racing(app.store, event, times)
            racer = Mappings(racing, app.hubspot, app.mapping, "professional")
            head = (await app.store.head()).last
            with pytest.raises(PlanRefused, match=why):
                await racer.apply(kept, "eve")
            assert {one.type for one in await app.store.read(head)} == {event.type}
            assert await app.store.history("audit/plan") == []
            while await app.projector.step():
                pass
            while await app.projector.settle():
                pass
            made = await planning.make(app.store, app.mapping, "professional")
            kept = planning.Kept(made.plan.digest, made.plan.position, made.plan.records)
        passing: Any = Racing(app.store, began(), 2)
        await Mappings(passing, app.hubspot, app.mapping, "professional").apply(kept, "eve")
        [applied] = await app.store.history("audit/plan")
        assert applied.position == (await app.store.head()).last


async def test_an_ordered_plan_is_made_again_before_it_is_applied(tmp_path: Path) -> None:
    """The service, too, applies only what would be done now, to the letter."""
    options = AgentOptions(seed=48, customers=4, invoices=4, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        assert (await app.run_once()).complete
        file = site.config().store.file
        assert file is not None
        other = await planning.make(app.store, app.mapping, "professional")
        # That plan's digest over another mapping: what would be done is not what was seen.
        content = compiled.content(louder())
        kept = planning.Kept(other.plan.digest, other.plan.position, 0, content)
        planning._write(file, kept)
        left = await orders.leave(file, PlanApplied(other.plan.digest, 0, "", 0, "eve"))
        assert await orders.carry_out(app.store, file, app.mappings) == 0
        assert left.with_suffix(".refused").exists()
        assert await app.store.history("audit/plan") == []
        assert app.mapping.digest == other.mapping.digest
