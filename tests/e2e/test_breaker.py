"""A mass change from end to end: HubSpot keeps what it holds until a person has looked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector import breaker, orders, reports
from connector.app import App
from connector.opening import open_reader
from connector.sandbox.agent import AgentOptions, build_model, maintenance
from connector.sandbox.agent.backups import restore, serve_instead
from projections import events as e
from projections.keys import KEY_COLUMNS
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import LIMIT_S, until

OPTIONS = AgentOptions(seed=71, customers=70, invoices=150, vendors=4)
EVERY_SECOND = {"customers": "1s", "invoices": "1s", "vendors": "1s", "sweep": "1d"}


async def released(app: App) -> None:
    """A person has looked and releases ABC."""
    found = await breaker.find(app.store, "ABC")
    assert found is not None
    assert await breaker.release(app.store, e.MassChangeReleased("ABC", found.position, "eve"))


def another_company(site: Site) -> None:
    """The agent serves other files under the code ABC, of customers with other numbers."""
    options = AgentOptions(seed=99, customers=80, invoices=160, vendors=4)
    other = build_model(options, site.company.clock).company()
    for entity, names in KEY_COLUMNS.items():
        if "CustomerNo" in names:
            rows = list(other.rows(entity))
            other.table(entity).load([])
            for row in rows:
                other.put(entity, {**row, "CustomerNo": f"Z{row['CustomerNo'][:19]}"})
        elif entity == "AP_Vendor" or entity == "AR_TermsCode":
            other.table(entity).load(site.company.table(entity).dump())
    serve_instead(site.company, other)


async def test_another_company_under_the_code_reaches_hubspot_with_nothing(tmp_path: Path) -> None:
    """Held at once and over restarts; after a good sweep a release ends it without one write."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
        before, expected = holding.lasting(site.portal), site.expectation()
        writes = site.portal.calls.writes
        backup = serve_instead(site.company, site.company)
        another_company(site)
        for sweep in (True, False):
            async with site.app() as app:
                report = await app.run_once(sweep=sweep)
                assert report.held == ("ABC",)
                assert not report.complete
                assert all(one.completed for one in report.passes)
                status = await reports.status(app.store)
                assert status["books_close"]
                assert "another company" in status["held"][0]["why"]
        restore(site.company, backup)
        async with site.app() as app:
            assert (await app.run_once(sweep=True)).held == ("ABC",)
            await released(app)
            report = await app.run_once()
            assert report.complete
            assert report.held == ()
            assert (await app.rebuild(verify=True)).mismatch is None
        assert site.portal.calls.writes == writes
        assert holding.lasting(site.portal) == before
        assert holding.differences(site.portal, expected) == []


async def test_a_mass_change_that_is_meant_goes_on_after_the_release(tmp_path: Path) -> None:
    """While the service runs: it holds, the release is left as an order, all of it arrives."""
    async with (
        open_site(tmp_path, OPTIONS, schedule=EVERY_SECOND) as site,
        site.app() as app,
    ):
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def arrived() -> bool:
            assert not service.done()
            return holding.differences(site.portal, site.expectation()) == []

        async def held() -> bool:
            assert not service.done()
            return bool(await breaker.held(app.store))

        await until(arrived, "everything is in HubSpot")
        count = site.portal.count("companies")
        for number in range(40):
            fields = {"CustomerName": f"Imported {number}", "City": "Oslo"}
            maintenance.add_customer(site.company, ("03", f"NEW{number:04}"), fields)
        await until(held, "the flood is held")
        assert site.portal.count("companies") == count
        async with open_reader(site.config()) as reader:
            found = await breaker.find(reader, "ABC")
        file = site.config().store.file
        assert found is not None
        assert file is not None
        left = await orders.leave(file, e.MassChangeReleased("ABC", found.position, "eve"))
        await until(arrived, "what was held is in HubSpot")
        assert not left.exists()
        assert site.portal.count("companies") == count + 40
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
        [request] = await app.store.history(breaker.RELEASE_STREAM)
        [commit] = await app.store.commits([request.position])
        assert commit is not None
        assert commit.meta.actor == "operator:eve"
