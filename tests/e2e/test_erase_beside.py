"""Erasing while others have the store, and what lies beside it: orders, plans, the list."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connector import (
    erasing,
    erasure_list,
    order_files,
    orders,
    overdue,
    planning,
    scrubbing,
    undo,
)
from connector.archive import export
from connector.asking import Asked
from connector.asking import ask as ask_for
from connector.erasure_list import Listed
from connector.errors import Misconfigured
from connector.opening import open_reader, open_writer
from connector.overdue import ErasurePending, refuse_while_overdue
from connector.planning import Kept
from connector.rebuild import all_tables
from connector.repairing import RepairWanted
from connector.store import open_log
from connector.undo import UndoWanted
from eventstore import EventStore, open_store
from projections.events import Change
from tests.e2e.test_erase import KEY, NAMES, ask, files_with, store_file, synced
from tests.e2e.waiting import LIMIT_S, until

COMPANY = f"companies/{KEY}"


async def test_what_is_handed_on_waits_for_the_running_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordered beside the service, the erasure is carried out before anything is exported."""
    monkeypatch.setattr(overdue, "PATIENCE_S", LIMIT_S)
    async with synced(tmp_path) as site, site.app() as app:
        config = site.config()
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))
        for number, key in enumerate((KEY, "ABC:01-PRIVATE")):
            await ask(config, key)
            async with open_reader(config, to_hand_on=True) as store:
                await export(store, tmp_path / f"{number}.jsonl", lambda *_: None)
            assert not service.done()
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
        assert not any(name in (tmp_path / "0.jsonl").read_text() for name in NAMES)
        assert "Otso Vendor" not in (tmp_path / "1.jsonl").read_text()


async def test_nothing_is_handed_on_while_an_erasure_is_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever has the store and does not erase, a single pass say: exports are refused naming the
    key, reports warn; with the store free the next one to ask erases by itself.
    """
    monkeypatch.setattr(overdue, "PATIENCE_S", 0.5)
    async with synced(tmp_path) as site:
        config = site.config()
        async with site.app():
            await ask(config, KEY)
            with pytest.raises(ErasurePending, match=f"an erasure of {KEY} is pending") as raised:
                async with open_reader(config, to_hand_on=True):
                    pass
            assert raised.value.exit_code == 1
            assert "Try again in a moment" in raised.value.remedy
            with pytest.raises(ErasurePending):
                await refuse_while_overdue(config.store.url, config.store.file)
            async with open_reader(config) as store:
                assert (await store.head()).last > 0
            assert f"an erasure of {KEY} is pending" in caplog.text
        caplog.clear()
        async with open_reader(config, to_hand_on=True) as store:
            assert await store.verify() > 0
        assert files_with(tmp_path, NAMES) == []
        assert "pending" not in caplog.text


async def test_the_service_finishes_what_a_reader_kept_it_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A report that is open holds old bytes in the write-ahead log; once it is gone, they go while
    the service runs, and nothing is left for its next start.
    """
    monkeypatch.setattr(scrubbing, "_AGAIN_S", 0.05)
    caplog.set_level("INFO")
    async with synced(tmp_path) as site, site.app() as app:
        config = site.config()
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))
        async with open_log(config.store.url, read_only=True, steady=True) as report:
            await report.head()
            await ask(config, KEY)
            await until(lambda: "another process is reading" in caplog.text, "it is kept from it")
            assert files_with(tmp_path, NAMES) != []
        await until(lambda: "the write-ahead log is empty" in caplog.text, "it is finished")
        assert files_with(tmp_path, NAMES) == []
        assert not service.done()
        assert await scrubbing.behind(app.store) is None
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service


async def test_the_service_can_be_stopped_whatever_becomes_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A list that cannot be looked at is told once and looked at again; a stop is heard all the
    same, and so is an erasure once it can be read.
    """
    looks: list[Path] = []

    def denied(path: Path) -> int:
        looks.append(path)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(erasing, "_LOOK_S", 0.01)
    file = tmp_path / "events.db"
    async with open_store(f"sqlite:///{file}", tables=all_tables()) as store:
        for heard in ("a stop", "the list"):
            looks.clear()
            stop = asyncio.Event()
            async with erasing.until_asked(store, file, stop) as pause, asyncio.timeout(LIMIT_S):
                with monkeypatch.context() as patched:
                    patched.setattr(erasure_list, "size", denied)
                    await until(lambda: len(looks) > 3, "it is looked at again")
                    assert not pause.is_set()
                    if heard == "a stop":
                        stop.set()
                        await pause.wait()
                if heard == "the list":
                    line = Listed("sage/acme/ABC/AR_Customer/01-X", "2026-11-22T09:00:00Z", "")
                    await erasure_list.add(file, [line])
                    await pause.wait()
                    assert not stop.is_set()
            assert caplog.text.count("the list of erased records cannot be looked at") == 1
            caplog.clear()


async def test_a_look_that_fails_ends_the_rest_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error nobody thought of sets the pause, so that nobody waits for it, and comes out."""

    async def broken(store: EventStore, file: Path) -> None:
        async with erasing.until_asked(store, file, asyncio.Event()) as pause:
            monkeypatch.setattr(erasure_list, "size", lambda _: 1 // 0)
            async with asyncio.timeout(LIMIT_S):
                await pause.wait()

    file = tmp_path / "events.db"
    async with open_store(f"sqlite:///{file}", tables=all_tables()) as store:
        with pytest.raises(ZeroDivisionError):
            await broken(store, file)


async def test_a_list_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    """Whatever is wrong with it, it is named with the way out, never a traceback."""
    async with synced(tmp_path) as site:
        config = site.config()
        erasure_list.file_of(store_file(config)).mkdir()
        with pytest.raises(Misconfigured, match="cannot be read: Is a directory"):
            async with open_writer(config):
                pass


async def test_what_lies_beside_the_store_is_erased_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that wait lose the values of the erased and nothing else; plans, drafts, orders that
    were put aside and those that nobody can read go.
    """
    async with synced(tmp_path) as site:
        config = site.config()
        file = store_file(config)
        pins = {
            COMPANY: {"name": ("Wilhelmina Quist", "W. Quist"), "sage100_terms": ("00", "01")},
            f"contacts/{KEY}:AINO": {"lastname": ("Jokela", "Jokela, Aino")},
            "companies/ABC:01-ABF": {"name": ("Ours", "Before")},
        }
        asked = UndoWanted("a test", pins, by="eve", withdrawn=dict(pins))  # type: ignore[arg-type]
        undoing = await orders.leave(file, asked)
        who = {COMPANY: {"name": "Wilhelmina Quist (user 7)"}}
        repair = RepairWanted(pins, who, ["companies/ABC:01-X"], "eve")
        repairing = await orders.leave(file, repair)
        aside = order_files.put_aside(await orders.leave(file, UndoWanted("aside", pins)))
        plan = planning._write(file, Kept("e" * 64, 1, 0))
        drafts = [path.with_name(f"{path.name}.7.draft") for path in (plan, undoing)]
        for path in drafts:
            path.write_text("Wilhelmina Quist")
        locked = await orders.leave(file, UndoWanted("locked", pins))
        nonsense = locked.with_name("9-9-9.order")
        nonsense.write_text("Wilhelmina Quist")
        await ask(config, KEY)
        read = order_files.read

        def denied(path: Path) -> order_files.Request:
            if path == locked:
                raise PermissionError(13, "Permission denied")
            return read(path)

        with monkeypatch.context() as patched:
            patched.setattr(order_files, "read", denied)
            async with open_writer(config):
                pass
        gone = (aside, plan, locked, nonsense, *drafts)
        assert [path.exists() for path in gone] == [False] * len(gone)
        left = {
            COMPANY: {"sage100_terms": ("00", "01")},
            "companies/ABC:01-ABF": pins["companies/ABC:01-ABF"],
        }
        kept = UndoWanted("a test", left, by="eve", withdrawn=dict(left))  # type: ignore[arg-type]
        assert order_files.read(undoing) == kept
        assert order_files.read(repairing) == RepairWanted(left, {}, ["companies/ABC:01-X"], "eve")
        assert files_with(tmp_path / "events.db.orders", NAMES) == []


async def test_an_order_from_before_the_erasure_brings_nothing_back(tmp_path: Path) -> None:
    """What was looked up before and ordered after is carried out without the erased values."""
    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, KEY)
        async with site.app() as app:
            pins = {COMPANY: {"name": ("01-ERASED", "Wilhelmina Quist")}}
            await orders.leave(store_file(config), UndoWanted("a test", pins, by="eve"))
            assert await orders.carry_out(app.store, store_file(config)) == 1
            assert [one.type for one in await app.store.history(undo.UNDO_STREAM)] == [
                "UndoRequested"
            ]
        assert files_with(tmp_path, NAMES) == []


async def test_an_undo_looked_up_before_the_erasure_brings_nothing_back(tmp_path: Path) -> None:
    """Without a service too: what `undo` saw before an erasure is asked for without the erased
    values, and the rest of it is put back.
    """
    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, KEY)
        async with open_writer(config):
            pass
        fields = {"name": ("01-ERASED", NAMES[0]), "sage100_credit_limit": ("500.00", "400.00")}
        pulled: dict[str, dict[str, Change]] = {
            f"contacts/{KEY}:AINO": {"lastname": ("Jokela", NAMES[4])}
        }
        asked = UndoWanted("a test", {COMPANY: fields}, by="eve", withdrawn=pulled)
        assert await ask_for(config, asked) == Asked.NEXT_RUN
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert await undo.pinned_targets(app.store) == {COMPANY: ["sage100_credit_limit"]}
        company = site.portal.one("companies", "sage100_customer_key", KEY)
        assert (company["name"], company["sage100_credit_limit"]) == ("01-ERASED", "400.00")
        assert files_with(tmp_path, NAMES) == []


async def test_an_order_put_aside_after_the_erasure_holds_nothing_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that fails is kept without values of the erased; one that nobody can read is removed
    where somebody was erased.
    """
    pins = {COMPANY: {"name": ("01-ERASED", NAMES[0]), "sage100_terms": ("00", "01")}}

    async def fails(*_: object) -> None:
        raise ValueError("out of luck")

    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, KEY)
        async with open_writer(config) as store:
            file = store_file(config)
            left = await orders.leave(file, UndoWanted("a test", pins, by="eve"))
            nonsense = left.with_name("9-9-9.order")
            nonsense.write_text(NAMES[0])
            monkeypatch.setattr(undo, "request", fails)
            assert await orders.carry_out(store, file) == 0
    [aside] = left.parent.iterdir()
    assert aside == left.with_suffix(".refused")
    rest = {COMPANY: {"sage100_terms": ("00", "01")}}
    assert order_files.read(aside) == UndoWanted("a test", rest, by="eve")
    assert "out of luck" in caplog.text
    assert "nobody can tell whether it holds what was erased" in caplog.text


def test_the_list_says_which_objects_show_a_record() -> None:
    """A customer is shown by its company and its contacts, a contact by itself, a vendor alone."""
    listed = [
        Listed(f"sage/acme/ABC/{entity}", "2026-11-22T09:00:00Z", "")
        for entity in ("AR_Customer/01-A", "AR_CustomerContact/01-B:JOE", "AP_Vendor/00-V")
    ]
    shows = erasure_list.showing(listed)
    shown = ["companies/ABC:01-A", "contacts/ABC:01-A", "contacts/ABC:01-A:ANY"]
    shown += ["contacts/ABC:01-B:JOE", "vendors/ABC:00-V"]
    others = ["companies/ABC:01-B", "contacts/ABC:01-B", "contacts/ABC:01-B:ANN"]
    others += ["invoices/ABC:01-A:1-000000-IN", "companies/XYZ:01-A", "vendors/ABC:01-A"]
    assert [name for name in (*shown, *others) if shows(name)] == shown
