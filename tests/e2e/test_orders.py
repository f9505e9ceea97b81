"""Asking a running service for a replay, from another process's point of view."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from connector import orders, reports
from connector.opening import open_reader
from connector.sandbox.agent import AgentOptions
from projections.events import ReplayRequested
from tests.e2e import holding
from tests.e2e.site import open_site
from tests.e2e.waiting import LIMIT_S, until


async def test_a_running_service_carries_out_a_replay(tmp_path: Path) -> None:
    """A person's edit is overwritten by a replay that was ordered while the service runs."""
    options = AgentOptions(seed=43, customers=12, invoices=20, vendors=1)
    async with open_site(tmp_path, options) as site, site.app() as app:
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))

        def arrived() -> bool:
            assert not service.done()
            return holding.differences(site.portal, site.expectation()) == []

        await until(arrived, "everything is in HubSpot")
        key = site.expectation().companies.popitem()[0]
        record = site.portal.one("companies", "sage100_customer_key", key)
        site.portal.edit("companies", record["hs_object_id"], {"name": "Edited by hand"})
        async with open_reader(site.config()) as store:
            selection, targets = await reports.select_for_replay(store, key=[key])
        file = site.config().store.file
        assert file is not None
        left = await orders.leave(file, ReplayRequested(targets, selection, "eve"))
        await until(arrived, "the edit is overwritten")
        assert not left.exists()
        [request] = await app.store.history(reports.REPLAY_STREAM)
        assert request.type == "ReplayRequested"
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


async def test_an_order_is_private_and_nonsense_is_kept_aside(tmp_path: Path) -> None:
    """Orders are readable by their owner only; a file that is none is renamed, not obeyed."""
    options = AgentOptions(seed=44, customers=3, invoices=0, vendors=0)
    async with open_site(tmp_path, options) as site, site.app() as app:
        file = site.config().store.file
        assert file is not None
        left = await orders.leave(file, ReplayRequested([], "nothing"))
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
        assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700
        nonsense = left.with_name("0-0.order")
        nonsense.write_bytes(b'{"targets": 1}')
        assert await orders.carry_out(app.store, file) == 1
        assert not nonsense.exists()
        assert nonsense.with_suffix(".refused").exists()
