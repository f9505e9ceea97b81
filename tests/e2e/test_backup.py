"""A copy of the store taken while the service is at work is a store: whole, proved, and of use."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

from connector.opening import open_reader, open_writer
from connector.sandbox.agent import AgentOptions
from eventstore import open_store
from tests.e2e import holding
from tests.e2e.site import open_site
from tests.e2e.waiting import until

OPTIONS = AgentOptions(seed=91, customers=60, invoices=250, vendors=4, scan_limit=40)
COPIES = 4


def copy(source: Path, target: Path) -> None:
    """What `sqlite3 events.db ".backup copy.db"` does."""
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing, pages=50)
    finally:
        reading.close()
        writing.close()


async def test_copies_taken_under_load_restore_and_verify(tmp_path: Path) -> None:
    """Each copy's chain holds; put back, the oldest is made good, and nothing is doubled."""
    (home := tmp_path / "site").mkdir()
    async with open_site(home, OPTIONS) as site:
        config = site.config()
        file = config.store.file
        assert file is not None
        copies: list[Path] = []
        async with site.app() as app:
            work = asyncio.create_task(app.run_once())
            head = 0
            for number in range(COPIES):

                async def grown(least: int = head) -> bool:
                    return work.done() or (await app.store.head()).last > least

                await until(grown, "the log has grown")
                assert not work.done()
                copies.append(tmp_path / f"copy-{number}.db")
                await asyncio.to_thread(copy, file, copies[-1])
                head = (await app.store.head()).last
            assert (await work).complete
        heads = []
        for path in copies:
            async with open_store(f"sqlite:///{path}", read_only=True) as store:
                heads.append((await store.head()).last)
                assert await store.verify() == heads[-1]
        assert heads == sorted(heads)
        assert heads[0] > 0

        for left in file.parent.glob(file.name + "-*"):
            left.unlink()
        shutil.copyfile(copies[0], file)
        async with site.app() as app:
            assert (await app.run_once(sweep=True)).complete
            assert (await app.rebuild(verify=True)).mismatch is None
        assert holding.differences(site.portal, site.expectation()) == []
        async with open_reader(config) as store:
            assert await store.verify() == (await store.head()).last


async def test_a_compact_store_is_the_same_store(tmp_path: Path) -> None:
    """Compacting changes no row, no event and no digest."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
            head = await app.store.head()
            writes = site.portal.calls.writes
        async with open_writer(site.config()) as store:
            await store.compact()
            assert await store.head() == head
            assert await store.verify() == head.last
        async with site.app() as app:
            assert (await app.rebuild(verify=True)).mismatch is None
            app.projector.hold = False
            assert (await app.run_once()).complete
        assert site.portal.calls.writes == writes
