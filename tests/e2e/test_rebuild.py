"""Rebuilding and verifying in the middle of a life: nothing is late, nothing stops for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connector import beside, erasing, opening
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.rebuild import RebuildReport, rebuild
from connector.refolding import refold
from connector.sage100.absent import ABSENT
from connector.sandbox.agent import AgentOptions, maintenance, posting
from projections import events
from tests.e2e import holding
from tests.e2e.site import Site, open_site
from tests.e2e.test_erase import KEY, ask, synced
from tests.e2e.test_service import EVERY_SECOND
from tests.e2e.waiting import LIMIT_S, until

SMALL = AgentOptions(seed=81, customers=8, invoices=20, vendors=3)


def url(site: Site) -> str:
    """The store's."""
    return site.config().store.url


async def test_a_rebuild_between_two_sweeps_postpones_nothing(tmp_path: Path) -> None:
    """A record that two sweeps in a row have missed has vanished, refolded in between or not; and
    the rows are byte for byte what the log gives at every moment of it.
    """
    async with open_site(tmp_path, SMALL) as site:
        async with site.app() as app:
            await app.run_once(sweep=True)
        row = next(iter(site.company.rows("AP_Vendor")))
        maintenance.remove(site.company, "AP_Vendor", (row["APDivisionNo"], row["VendorNo"]))
        for turn in range(2):
            async with site.app() as app:
                await app.run_once(sweep=True)
                assert await app.store.count(ABSENT.name) == (1, 0)[turn]
                report = await app.rebuild(verify=False)
                assert (report.compared, report.differences) == (True, [])
            assert (await beside.verify(url(site))).differences == []
        async with site.app() as app:
            vanished = await app.store.read(0, types=["RecordVanished"], limit=10)
            assert len(vanished) == 1
            payload = events.decode(vanished[0].type, vanished[0].data)
            assert isinstance(payload, events.RecordVanished)
            assert payload.sweeps == 2


async def test_a_record_shown_between_two_sweeps_has_not_vanished(tmp_path: Path) -> None:
    """A cursor pass that shows it begins the count anew."""
    async with open_site(tmp_path, SMALL) as site:
        async with site.app() as app:
            await app.run_once(sweep=True)
        row = next(iter(site.company.rows("AP_Vendor")))
        key = (row["APDivisionNo"], row["VendorNo"])
        maintenance.remove(site.company, "AP_Vendor", key)
        async with site.app() as app:
            await app.run_once(sweep=True)
            site.company.put("AP_Vendor", row | site.company.updated("AP_Vendor"))
            await app.run_once()
            assert await app.store.count(ABSENT.name) == 0
            maintenance.remove(site.company, "AP_Vendor", key)
            await app.run_once(sweep=True)
            assert await app.store.read(0, types=["RecordVanished"], limit=10) == []


async def test_verifying_beside_the_running_service(tmp_path: Path) -> None:
    """While the service polls, folds and writes, the tables are found identical again and again."""
    async with open_site(tmp_path, SMALL, schedule=EVERY_SECOND) as site, site.app() as app:
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def arrived() -> bool:
            assert not service.done()
            return holding.differences(site.portal, site.expectation()) == []

        compared = 0
        for number in range(4):
            invoice = posting.post_invoice(site.company, ("01", "ABF"), f"{number + 1}00.00")
            report = await beside.verify(url(site))
            assert report.mismatch is None, report.mismatch
            compared += report.rows
            posting.receive_payment(site.company, invoice, "50")
        await until(arrived, "everything is in HubSpot")
        assert (await beside.verify(url(site))).mismatch is None
        assert compared > 0
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


async def test_reading_while_the_service_refolds_after_an_erasure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A verification, begun before or after, waits and finds all the same; a report that will not
    wait so long says what is going on, and not that the service is of another version.
    """
    monkeypatch.setattr(opening, "PATIENCE_S", 0.1)
    at_it, done = asyncio.Event(), asyncio.Event()

    async def slowly(*args: Any, **options: Any) -> RebuildReport:
        at_it.set()
        await done.wait()
        return await rebuild(*args, **options)

    async def then(*args: Any, **options: Any) -> None:
        begun.set()
        await at_it.wait()
        await refold(*args, **options)

    async with synced(tmp_path) as site, site.app() as app:
        config = site.config()
        stop, begun = asyncio.Event(), asyncio.Event()
        service = asyncio.create_task(app.run(stop))
        monkeypatch.setattr(erasing, "rebuild", slowly)
        with monkeypatch.context() as patched:
            patched.setattr(beside, "refold", then)
            before = asyncio.create_task(beside.verify(url(site)))
            async with asyncio.timeout(LIMIT_S):
                await begun.wait()
                await ask(config, KEY)
                await at_it.wait()
                after = asyncio.create_task(beside.verify(url(site)))
                with pytest.raises(Misconfigured, match="have not been made since an erasure"):
                    async with open_reader(config):
                        pass
                await until(lambda: caplog.text.count("are made anew by") == 2, "both wait")
            assert not before.done()
            assert not after.done()
            done.set()
            async with asyncio.timeout(LIMIT_S):
                assert [(await one).mismatch for one in (before, after)] == [None, None]
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
