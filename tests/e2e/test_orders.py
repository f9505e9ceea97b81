"""Asking a running service for a replay, from another process's point of view."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from connector import order_files, orders, planning, replaying
from connector.opening import open_reader
from connector.order_files import OrderTooLarge
from connector.planning import Kept
from connector.repairing import RepairWanted
from connector.sandbox.agent import AgentOptions
from connector.undo import UndoWanted
from eventstore import StoreClosed
from projections.events import PlanApplied, ReplayRequested
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
            selection, targets = await replaying.select_for_replay(store, key=[key])
        file = site.config().store.file
        assert file is not None
        left = await orders.leave(file, ReplayRequested(targets, selection, "eve"))
        await until(arrived, "the edit is overwritten")
        assert not left.exists()
        [request] = await app.store.history(replaying.REPLAY_STREAM)
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


TINY = AgentOptions(seed=44, customers=3, invoices=0, vendors=0)


async def test_whatever_an_order_fails_for_it_fails_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A plan that this version cannot read, one that is gone and a file that is too large are put
    aside with the reason in the log; the order behind them is carried out, and none comes again.
    """
    async with open_site(tmp_path, TINY) as site, site.app() as app:
        assert (await app.run_once()).complete
        file = site.config().store.file
        assert file is not None
        head = (await app.store.head()).last
        await asyncio.to_thread(planning._write, file, Kept("e" * 64, head, 0, {"version": 2}))
        unreadable = await orders.leave(file, PlanApplied("e" * 64, head, "", 0, "eve"))
        gone = await orders.leave(file, PlanApplied("d" * 64, head, "", 0, "eve"))
        large = gone.with_name("99-99-000001.order")
        large.write_bytes(b" ")
        with large.open("r+b") as opened:
            opened.truncate(order_files.LARGEST_BYTES + 1)
        last = large.with_name("99-99-000002.order")
        last.write_bytes((await orders.leave(file, ReplayRequested([], "last"))).read_bytes())
        assert await orders.carry_out(app.store, file, app.mappings) == 2
        assert [path.with_suffix(".refused").exists() for path in (unreadable, gone, large)] == [
            True,
            True,
            True,
        ]
        assert "cannot read the plan's mapping" in caplog.text
        assert "names no plan" in caplog.text
        assert "more than any order" in caplog.text
        assert "made with" not in caplog.text
        caplog.clear()
        assert await orders.carry_out(app.store, file, app.mappings) == 0
        assert caplog.text == ""


async def test_a_store_that_fails_keeps_the_order(tmp_path: Path) -> None:
    """What is the store's trouble is no fault of the order: it waits for the next service."""
    async with open_site(tmp_path, TINY) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
            file = site.config().store.file
            assert file is not None
            left = await orders.leave(file, ReplayRequested(["companies/ABC:01-ABF"], "keys"))
        with pytest.raises(StoreClosed):
            await orders.carry_out(app.store, file)
        assert left.exists()


async def test_only_the_newest_refused_orders_are_kept(tmp_path: Path) -> None:
    """What was put aside does not pile up for ever."""
    file = tmp_path / "events.db"
    for _ in range(60):
        path = await orders.leave(file, PlanApplied("e" * 64, 1, "", 0, "eve"))
        order_files.put_aside(path)
    kept = sorted(orders.folder_of(file).glob("*.refused"))
    assert len(kept) == 50
    assert kept[-1] == path.with_suffix(".refused")


async def test_a_large_order_is_left_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together the parts ask for all of it and for nothing else; each is small enough to be read.

    A single record that is larger than an order may be is refused with the way out.
    """
    monkeypatch.setattr(order_files, "LARGEST_BYTES", 2_000)
    file = tmp_path / "events.db"
    names = [f"companies/ABC:01-{number:06}" for number in range(200)]
    fields = {name: {"name": ("ours", "before")} for name in names}
    who = {name: {"name": "user 7"} for name in names[::2]}
    for request in (
        ReplayRequested(names, "all", "eve"),
        UndoWanted("a test", fields, by="eve"),
        UndoWanted("lifted", lifted=names, by="eve"),
        UndoWanted("unsent", withdrawn={name: {"name": (None, "ours")} for name in names}),
        RepairWanted(fields, who, [f"missing/{name}" for name in names], "eve"),
    ):
        await orders.leave(file, request)
        paths = order_files.oldest_first(file)
        assert len(paths) > 3
        assert max(path.stat().st_size for path in paths) <= 2_000
        parts = [order_files.read(path) for path in paths]
        assert {type(part) for part in parts} == {type(request)}
        for name in ("targets", "fields", "lifted", "withdrawn", "who", "missing"):
            whole = getattr(request, name, None)
            if isinstance(whole, dict):
                assert {k: v for one in parts for k, v in getattr(one, name).items()} == whole
            elif whole is not None:
                assert [each for one in parts for each in getattr(one, name)] == whole
        for path in paths:
            path.unlink()
    with pytest.raises(OrderTooLarge) as raised:
        await orders.leave(file, UndoWanted("one", {names[0]: {"name": ("x" * 3_000, "")}}))
    assert "Stop the service" in raised.value.remedy
    assert order_files.oldest_first(file) == []


async def test_an_order_is_written_through_nobody_s_link(tmp_path: Path) -> None:
    """A draft that lies there already is neither followed nor taken over."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    made = planning._write(tmp_path / "a.db", Kept("f" * 64, 1, 0))
    made.unlink()
    trap = made.with_name(f"{made.name}.{os.getpid()}.draft")
    trap.symlink_to(victim)
    again = planning._write(tmp_path / "a.db", Kept("f" * 64, 1, 0))
    assert (again.is_symlink(), stat.S_IMODE(again.stat().st_mode)) == (False, 0o600)
    assert victim.read_text() == "precious"
    assert list(made.parent.glob("*.draft")) == []
