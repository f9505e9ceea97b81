"""Applying a plan and undoing it while the service runs, from another process's point of view."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector import orders, planning, undo
from connector.opening import open_reader
from connector.projector import CHECKPOINT
from connector.sandbox.agent import AgentOptions
from projections.events import PlanApplied
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
            scope = await undo.of_plan(store, digest[:12])
            judged = await undo.judge(store, scope, louder())
            report = await undo.still_ours(store, judged, app.hubspot, louder())
            assert (len(report.fields), report.left) == (12, [])
            for asked in undo.requests(report, "eve"):
                await orders.leave(file, asked)
            await until(lambda: names(site) == before, "the names are put back")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
