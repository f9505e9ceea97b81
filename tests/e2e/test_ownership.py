"""What root leaves beside a store is for the user of the service; what is closed to it is told."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from connector import erasure_list, order_files, orders, planning
from connector.erasure_list import Listed
from connector.errors import Misconfigured
from connector.order_files import OrdersClosed
from connector.planning import Kept
from connector.rebuild import all_tables
from eventstore import open_store
from projections.events import ReplayRequested
from tests.e2e.test_erase import KEY, ask, store_file, synced
from tests.e2e.waiting import LIMIT_S, until

LINE = Listed("sage/acme/ABC/AR_Customer/01-X", "2026-11-22T09:00:00Z", "")
ORDER = ReplayRequested([], "a test")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """Being root: number of the file (inode) that was given away to (user, group)."""
    found: dict[int, tuple[int, int]] = {}

    def fchown(fd: int, user: int, group: int) -> None:
        found[os.fstat(fd).st_ino] = (user, group)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", fchown)
    return found


async def test_what_root_leaves_belongs_to_the_store_s_owner(
    tmp_path: Path, given: dict[int, tuple[int, int]]
) -> None:
    """The list, the orders and the plans, and the folders that they lie in."""
    file = tmp_path / "events.db"
    file.touch()
    order = await order_files.leave(file, ORDER)
    await erasure_list.add(file, [LINE])
    plan = planning._write(file, Kept("e" * 64, 1, 0))
    owner = file.stat().st_uid, file.stat().st_gid
    left = (order, order.parent, plan, plan.parent, erasure_list.file_of(file))
    assert given.keys() == {path.stat().st_ino for path in left}
    assert set(given.values()) == {owner}


async def test_nobody_else_gives_anything_away(
    tmp_path: Path, given: dict[int, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is not root leaves files of their own, and where root may not give them, it does not."""
    file = tmp_path / "events.db"

    def refused(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refused)
    await order_files.leave(file, ORDER)
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "fchown", lambda *_: 1 // 0)
    await order_files.leave(file, ORDER)
    assert len(order_files.oldest_first(file)) == 2
    assert given == {}


async def test_no_folder_of_another_name_is_closed(tmp_path: Path) -> None:
    """A link in the place of the folder is not followed: root would close what it points at."""
    file, other = tmp_path / "events.db", tmp_path / "other"
    other.mkdir(mode=0o755)
    order_files.folder_of(file).symlink_to(other)
    with pytest.raises(OrdersClosed):
        await order_files.leave(file, ORDER)
    assert other.stat().st_mode & 0o777 == 0o755


def closed(folder: Any) -> list[str]:
    """What a user sees who may not list it."""
    raise PermissionError(13, "Permission denied")


async def test_orders_that_cannot_be_got_at_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service says so with the way out, goes on looking, and carries them out once it can."""
    monkeypatch.setattr(orders, "_LOOK_S", 0.01)
    file = tmp_path / "events.db"
    looks: list[object] = []
    carry_out = orders.carry_out

    async def counted(*args: Any) -> int:
        looks.append(args)
        return await carry_out(*args)

    monkeypatch.setattr(orders, "carry_out", counted)
    async with open_store(f"sqlite:///{file}", tables=all_tables()) as store:
        left = await order_files.leave(file, ORDER)
        stop = asyncio.Event()
        with monkeypatch.context() as patched:
            patched.setattr(os, "listdir", closed)
            keeping = asyncio.create_task(orders.keep(store, file, None, stop))  # type: ignore[arg-type]
            await until(lambda: len(looks) > 3, "it is looked again")
            assert left.exists()
        await until(lambda: not left.exists(), "it is carried out")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await keeping
    assert caplog.text.count("cannot be got at: Permission denied") == 1
    assert "chown -R --reference=" in caplog.text


async def test_an_erasure_tells_of_orders_it_cannot_look_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They may hold what was erased; all else is erased, and a single run goes on without them."""
    async with synced(tmp_path) as site:
        await ask(site.config(), KEY)
        await order_files.leave(store_file(site.config()), ORDER)
        monkeypatch.setattr(os, "listdir", closed)
        async with site.app() as app:
            assert (await app.run_once()).complete
    assert "orders that wait may hold what was erased" in caplog.text
    assert caplog.text.count("cannot be got at: Permission denied") == 2


async def test_who_may_leave_no_order_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is somebody else's is refused with the way out."""

    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(order_files, "make_folder", denied)
    with pytest.raises(OrdersClosed) as raised:
        await order_files.leave(tmp_path / "events.db", ORDER)
    assert "give commands as that user" in raised.value.remedy


async def test_a_list_that_is_somebody_else_s_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the list nothing is done; whose it should be is said."""
    file = tmp_path / "events.db"
    await erasure_list.add(file, [LINE])

    def denied(*_: Any) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(Misconfigured, match="cannot be read: Permission denied") as raised:
        await erasure_list.read(file)
    assert f"chown --reference={file} {file}.erased" in raised.value.remedy
