"""Rebuilding: what it tells, what it keeps, and verifying beside whoever writes the store."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector import beside
from connector.errors import Misconfigured
from connector.rebuild import can_be_read, outdated, rebuild, this_version
from connector.refolding import refold
from connector.store import open_log
from eventstore import Meta, Put, Remove, Row
from projections import events as e
from projections.tables import VERSION, Dirty, Frozen, Number
from projections.workspace import decode, encode
from tests.projections.rig import Rig, bill, customer, new

ACME = "companies/ABC:01-ACME"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with settings told, on a store of this version."""
    async with open_log(url(tmp_path)) as store:
        made = Rig(store)
        await store.append([], also=[this_version()])
        await made.settings()
        await made.idle()
        yield made


def url(folder: Path) -> str:
    """Where the desk's store is."""
    return f"sqlite:///{folder / 'events.db'}"


async def spoil(desk: Rig) -> None:
    """Three accounts gone or changed and one too many, an open item changed."""
    found = await desk.store.scan("account", limit=10)
    wrong = found[1].value.replace(b"Oslo", b"Rome")
    [item] = await desk.store.scan("open_item", limit=1)
    await desk.store.append(
        [],
        also=[
            Remove("account", [found[0].key, found[3].key]),
            Put("account", [Row(found[1].key, wrong), Row("ABC:99-NOBODY", wrong)]),
            Put("open_item", [Row(item.key, item.value.replace(b"40", b"41"))]),
        ],
    )


async def test_a_rebuild_tells_what_it_puts_right(
    desk: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the switch every table is compared: how many rows differed, the first of them; and it
    is logged, without what stood in the rows.
    """
    names = [f"C{number:04}" for number in range(1_500)]
    await desk.see(*(customer(name, City="Oslo") for name in names))
    await desk.see(bill("C0000", "0000001", "40"))
    await desk.idle()
    assert (await rebuild(desk.store, desk.projector, verify=False)).differences == []
    await spoil(desk)
    with caplog.at_level(logging.ERROR):
        report = await rebuild(desk.store, desk.projector, verify=False)
    assert (report.compared, report.mismatch) == (True, None)
    told = [(one.table, one.rows, one.first.key) for one in report.differences]
    key = "ABC:01-C0000"
    assert told == [("account", 4, key), ("open_item", 1, f"{key}:0000001-000001-IN")]
    assert report.differences[0].first.live is None
    assert "Oslo" in (report.differences[0].first.rebuilt or "")
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert f"4 rows of table account were not what the log says, the first at key {key}" in logged
    assert "Oslo" not in logged
    assert (await rebuild(desk.store, desk.projector, verify=True)).differences == []


async def test_tables_of_another_version_are_not_compared(desk: Rig) -> None:
    """What an update or an import leaves need not be what the log gives: that is no difference."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.store.append([], also=[outdated(), Remove("account", ["ABC:01-ACME"])])
    report = await rebuild(desk.store, desk.projector, verify=False)
    assert (report.compared, report.differences) == (False, [])
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


async def replayed_while_sent(desk: Rig) -> None:
    """A replay is asked for while an attempt is under way."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    await desk.store.append([new("audit/replay", e.ReplayRequested([ACME], "by hand"))])
    await desk.idle()
    [waits] = await desk.store.scan("deferred")
    mark: Dirty = decode("deferred", waits.value)
    assert (waits.key, mark.force) == (ACME, "replay: by hand")


async def sent_in_full(desk: Rig) -> bool:
    """The attempt succeeds; whether all of the record is sent again then."""
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSucceeded(doc.command, doc.hubspot_id, "updated"))
    await desk.idle()
    assert await desk.store.count("deferred") == 0
    return "name" in (await desk.target(ACME)).changes


async def test_a_rebuild_keeps_a_replay_that_waits_for_an_outcome(desk: Rig) -> None:
    """What was asked to be sent again is, although all was refolded before the attempt ended."""
    await replayed_while_sent(desk)
    await rebuild(desk.store, desk.projector, verify=False)
    desk.projector.hold = False
    await desk.idle()
    assert await sent_in_full(desk)


async def test_a_change_does_not_take_the_place_of_a_replay_that_waits(desk: Rig) -> None:
    """Being decided on meanwhile for another reason, the record is still sent in full."""
    await replayed_while_sent(desk)
    await desk.see(customer("ACME", City="Molde"))
    await desk.idle()
    assert await sent_in_full(desk)
    assert (await desk.target(ACME)).changes["city"] == "Molde"


async def test_verifying_beside_the_writer(desk: Rig, tmp_path: Path) -> None:
    """Tables are compared where they stand: the projector behind the log, the ledger at its end."""
    await desk.see(customer("ACME", City="Oslo"), bill("ACME", "0000001", "40"))
    await desk.idle()
    assert (await beside.verify(url(tmp_path))).mismatch is None
    await desk.carry_out(ACME, "7")  # the projector does not know of it yet
    await desk.see(customer("BETA"))
    head = (await desk.store.head()).last
    report = await beside.verify(url(tmp_path))
    assert (report.events, report.differences, report.verified) == (head, [], True)
    assert report.rows > 10
    assert (await desk.store.head()).last == head, "it changes nothing"
    [row] = (await desk.store.rows({"target": [ACME]}))["target"].values()
    wrong = row.value.replace(b"Oslo", b"Rome")
    await desk.store.append([], also=[Put("target", [Row(ACME, wrong)])])
    mismatch = (await beside.verify(url(tmp_path))).mismatch
    assert mismatch is not None
    assert (mismatch.table, mismatch.key) == ("target", ACME)
    assert "Rome" in (mismatch.live or "")


async def test_verifying_while_the_log_grows_and_is_erased(
    desk: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens between the fold and the look is no difference, be it an erasure."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    calls: list[bool] = []

    async def and_then(*args: Any, **options: Any) -> None:
        await refold(*args, **options)
        calls.append(True)
        await desk.see(customer(f"C{len(calls)}"))
        await desk.idle()
        if len(calls) == 1:
            await desk.store.erase(["sage/acme/ABC/AR_Customer/01-ACME"], reason="x", meta=Meta())
            await rebuild(desk.store, desk.projector, verify=False)

    monkeypatch.setattr(beside, "refold", and_then)
    assert (await beside.verify(url(tmp_path))).mismatch is None
    assert len(calls) == 4, "begun again after the erasure"


async def test_there_is_nothing_to_verify_after_an_import(tmp_path: Path) -> None:
    """Tables that were not made since, and that nobody makes, are refused with what makes them."""
    async with open_log(url(tmp_path)) as store:
        await Rig(store).settings()
        await store.append([], also=[outdated()])
    with pytest.raises(Misconfigured, match="nobody is at it: there is nothing to compare"):
        await beside.verify(url(tmp_path))


async def test_tables_of_another_version_are_not_verified(desk: Rig, tmp_path: Path) -> None:
    """They are refused as what they are, whoever has the store."""
    await desk.see(customer("ACME"))
    other = Row("version", encode(Number(VERSION + 1)))
    await desk.store.append([], also=[Put("model", [other])])
    with pytest.raises(Misconfigured, match="another version of ml-connector: there is nothing"):
        await beside.verify(url(tmp_path))


async def test_a_frozen_company_is_compared_too(desk: Rig, tmp_path: Path) -> None:
    """Every table that is a fold of the log is looked at, the smallest too."""
    odd = Frozen(1, 1, 1, "sweep", "acme", "AR_Customer", 1, 1, 1, 1, "none")
    await desk.store.append([], also=[Put("frozen", [Row("ABC", encode(odd))])])
    mismatch = (await beside.verify(url(tmp_path))).mismatch
    assert mismatch is not None
    assert (mismatch.table, mismatch.rebuilt) == ("frozen", None)


async def test_the_tables_of_an_empty_log_are_of_any_version(tmp_path: Path) -> None:
    """A service that was updated before it had read anything has nothing to rebuild."""
    async with open_log(url(tmp_path)) as store:
        await store.append([], also=[Put("model", [Row("version", encode(Number(VERSION - 1)))])])
        assert await can_be_read(store)
