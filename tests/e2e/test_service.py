"""The service as it runs for days, in a few seconds: schedules, changes, an orderly end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector import reports
from connector.causes import Causes
from connector.hubspot.deals import Deals
from connector.sandbox.agent import AgentOptions, Hold, maintenance, posting
from eventstore import Unavailable
from tests.e2e import holding
from tests.e2e.site import open_site
from tests.e2e.waiting import LIMIT_S, until

EVERY_SECOND = {"customers": "1s", "invoices": "1s", "vendors": "1s", "sweep": "1d"}


async def test_the_service_keeps_hubspot_true_until_it_is_stopped(tmp_path: Path) -> None:
    """`run` brings everything, then changes by its schedule, and ends in order when told to."""
    options = AgentOptions(seed=41, customers=40, invoices=160, vendors=4)
    async with open_site(tmp_path, options, schedule=EVERY_SECOND) as site:
        async with site.app() as app:
            stop = asyncio.Event()
            service = asyncio.create_task(app.run(stop))

            def arrived() -> bool:
                assert not service.done()
                return holding.differences(site.portal, site.expectation()) == []

            await until(arrived, "everything is in HubSpot")
            buyer = ("01", "ABF")
            maintenance.change_customer(site.company, buyer, {"CustomerName": "Renamed"})
            invoice = posting.post_invoice(site.company, buyer, "250.00")
            await until(arrived, "a new name and a new invoice are in HubSpot")
            posting.receive_payment(site.company, invoice, "100")
            await until(arrived, "the receipt shows on invoice and company")

            stop.set()
            async with asyncio.timeout(LIMIT_S):
                await service
            status = await reports.status(app.store)
            assert status["books_close"]
            assert await app.store.verify() == status["log"]["head"]
        async with site.app() as app:
            written = site.portal.calls.writes
            assert (await app.run_once()).complete
            assert site.portal.calls.writes == written
            assert (await app.rebuild(verify=True)).mismatch is None


async def test_a_stop_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """Told to stop while a first sync is under way, the service ends soon; the next one goes on."""
    options = AgentOptions(seed=42, customers=200, invoices=800, vendors=4, scan_limit=100)
    async with open_site(tmp_path, options, schedule=EVERY_SECOND) as site:
        async with site.app() as app:
            stop = asyncio.Event()
            held = site.sage100.inject(Hold(operation="ReadPage", after=9))
            service = asyncio.create_task(app.run(stop))
            async with asyncio.timeout(LIMIT_S):
                await held.reached.wait()
                stop.set()
                held.release()
                await service
            assert await app.store.verify() > 0
        assert site.sage100.calls.operations["ReadPage"] <= 12  # of several dozens
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert holding.differences(site.portal, site.expectation()) == []
            assert (await app.rebuild(verify=True)).mismatch is None


async def test_a_mistake_in_what_is_done_beside_costs_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Looking for deals and trying again break: the log tells it, and everything is synced."""

    async def broken(*_: object) -> int:
        raise KeyError("line_items")

    monkeypatch.setattr(Deals, "look", broken)
    monkeypatch.setattr(Causes, "try_again", broken)
    async with open_site(tmp_path, schedule=EVERY_SECOND) as site, site.app() as app:
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def arrived() -> bool:
            assert not service.done()
            return holding.differences(site.portal, site.expectation()) == []

        await until(arrived, "everything is in HubSpot")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
    assert "looking for deals failed by a mistake of ours" in caplog.text
    assert "trying again what the portal would not take failed" in caplog.text
    assert "KeyError: 'line_items'" in caplog.text


async def test_a_store_that_fails_ends_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store says is heeded wherever it is said, also by what is done beside the work."""

    async def broken(*_: object) -> int:
        raise Unavailable("disk I/O error")

    monkeypatch.setattr(Deals, "look", broken)
    async with open_site(tmp_path, schedule=EVERY_SECOND) as site, site.app() as app:
        with pytest.raises(ExceptionGroup) as ended:
            async with asyncio.timeout(LIMIT_S):
                await app.run(asyncio.Event())
    assert ended.group_contains(Unavailable)
