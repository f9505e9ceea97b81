"""A frozen company: its targets wait, the others' do not, and a release lets them go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from connector import breaker, replaying, reports
from connector.projector import PAGE_TARGETS
from connector.rebuild import rebuild
from eventstore import Put
from eventstore import Row as StoreRow
from projections import breaker as naming
from projections import events as e
from projections import keys, source
from projections.tables import Dirty, Fingerprint
from projections.workspace import encode
from tests.projections.rig import Rig, Row, bill, contact, customer, new, open_rig

ACME = "companies/ABC:01-ACME"
POLL = "poll/acme/ABC/AR_Customer"
HELD = e.MassChangeHeld("sweep", "AR_Customer", 100, 40, 0, 40, "a flood")
XYZ = e.SourceDescribed("acme", "XYZ", "USD", "America/Chicago", aging_limits=[30, 60, 90, 120])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig that knows two companies, ABC and XYZ."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.store.append(
            [
                new("config/source/XYZ", XYZ),
                new("config/aging/XYZ", e.AgingDateAdvanced("XYZ", "2026-06-30")),
            ]
        )
        await made.idle()
        yield made


async def hold(desk: Rig, event: e.MassChangeHeld = HELD) -> int:
    """A poller holds ABC; the event's position."""
    return (await desk.store.append([new(POLL, event)])).last


async def release(desk: Rig) -> bool:
    """A person releases what is held of ABC."""
    found = await breaker.find(desk.store, "ABC")
    assert found is not None
    done = await breaker.release(desk.store, e.MassChangeReleased("ABC", found.position, "eve"))
    await desk.idle()
    return done


async def see_of(desk: Rig, company: str, *observed: Row) -> None:
    """Sage 100 shows these rows of another company."""
    events, prints = [], []
    for entity, parts, row in observed:
        key = keys.record_key(entity, parts)
        seen = e.RecordObserved(parts, row, f"{hash(str(row)):x}")
        events.append(new(keys.sage_stream("acme", company, entity, key), seen))
        mark = encode(Fingerprint(seen.fingerprint))
        prints.append(StoreRow(source.fingerprint_key(company, entity, key), mark))
    await desk.store.append(events, also=[Put("fingerprint", prints)])


@pytest.mark.parametrize("ahead", [False, True], ids=["page before", "same page"])
async def test_nothing_of_a_frozen_company_is_decided(desk: Rig, *, ahead: bool) -> None:
    """Rows are folded and targets noted, also when hold and row come in one page of the log."""
    await hold(desk)
    if not ahead:
        await desk.idle()
    await desk.see(customer("ACME"), contact("ACME", "JOE"), bill("ACME", "0000001", "5"))
    await desk.idle()
    assert await desk.targets() == {}
    assert await desk.store.count("account") == 1
    waiting = {row.key for row in await desk.store.scan("dirty")}
    assert f"0/{ACME}" in waiting
    assert "0/contacts/ABC:01-ACME:JOE" in waiting
    [found] = await breaker.held(desk.store)
    assert (found.company, found.waiting) == ("ABC", len(waiting))


async def test_another_company_goes_on(desk: Rig) -> None:
    """Only the company that is held waits, whatever else is dirty around it."""
    await hold(desk)
    await desk.see(customer("ACME"))
    await see_of(desk, "XYZ", customer("OTHER"))
    await desk.idle()
    assert {name for name in await desk.targets() if name.startswith("companies/")} == {
        "companies/XYZ:01-OTHER"
    }


async def test_a_long_queue_of_a_frozen_company_is_stepped_over(desk: Rig) -> None:
    """However many targets wait, one look at the queue finds the others behind them."""
    await hold(desk)
    waiting = [f"0/companies/ABC:01-{number:05}" for number in range(3 * PAGE_TARGETS)]
    waiting += [f"1/invoices/ABC:01-{number:05}" for number in range(2 * PAGE_TARGETS)]
    mark = encode(Dirty(1))
    await desk.store.append([], also=[Put("dirty", [StoreRow(key, mark) for key in waiting])])
    desk.projector.hold = True
    await see_of(desk, "XYZ", customer("OTHER"))
    await desk.idle()
    desk.projector.hold = False
    scans = 0
    scan = desk.store.scan

    async def counted(table: str, **more: object) -> list[StoreRow]:
        nonlocal scans
        scans += table == "dirty"
        return await scan(table, **more)  # type: ignore[arg-type]

    desk.store.scan = counted  # type: ignore[method-assign]
    assert await desk.projector.settle() == 2  # the company and its contact
    assert scans <= 6
    assert await desk.projector.settle() == 0
    assert (await desk.target("companies/XYZ:01-OTHER")).state == "pending"
    assert await desk.store.count("dirty") == len(waiting)


async def test_a_replay_of_a_frozen_company_waits_too(desk: Rig) -> None:
    """No command is emitted for any of its targets, asked for or not."""
    await desk.see(customer("ACME"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.idle()
    await hold(desk)
    await replaying.request_replay(desk.store, "a test", [ACME], dry_run=False)
    await desk.idle()
    assert (await desk.target(ACME)).state == "idle"
    assert await release(desk)
    assert (await desk.target(ACME)).state == "pending"


async def test_what_was_emitted_before_goes_on(desk: Rig) -> None:
    """Commands in the log are carried out; held ones are released when their parent arrives."""
    invoice = "invoices/ABC:01-ACME:0000001-000001-IN"
    await desk.see(customer("ACME"), bill("ACME", "0000001", "5"))
    await desk.idle()
    doc = await desk.target(invoice)
    await desk.tell(invoice, e.CommandHeld(doc.command, [ACME]))
    await hold(desk)
    await desk.idle()
    await desk.carry_out(ACME, "7")
    await desk.idle()
    assert (await desk.target(invoice)).state == "pending"


async def test_a_change_during_an_attempt_waits_for_the_release(desk: Rig) -> None:
    """A decision put off until an outcome arrives meets the freeze when it does."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.tell(ACME, e.CommandSent(1, "b", 1))
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    await hold(desk)
    await desk.tell(ACME, e.CommandSucceeded(1, "7", "created"))
    await desk.idle()
    assert (await desk.target(ACME)).state == "idle"
    assert await release(desk)
    assert (await desk.target(ACME)).changes["city"] == "Bergen"


async def test_a_release_decides_each_target_once(desk: Rig) -> None:
    """Ten changes while frozen are one command."""
    await hold(desk)
    for number in range(10):
        await desk.see(customer("ACME", City=f"City {number}"))
        await desk.idle()
    assert await release(desk)
    assert await desk.events(ACME) == ["CommandEmitted"]
    assert (await desk.target(ACME)).changes["city"] == "City 9"
    assert await breaker.held(desk.store) == []


async def test_a_stale_release_is_refused_and_would_change_nothing(desk: Rig) -> None:
    """A release names the hold that was seen; one made since stays, even if it were appended."""
    first = await hold(desk)
    await desk.idle()
    await hold(desk, e.MassChangeHeld("sweep", "AR_Invoice", 500, 0, 300, 60, "a purge"))
    await desk.idle()
    stale = e.MassChangeReleased("ABC", first, "eve")
    assert not await breaker.release(desk.store, stale)
    await desk.store.append([new(breaker.RELEASE_STREAM, stale)])
    await desk.idle()
    [found] = await breaker.held(desk.store)
    assert found.entity == "AR_Customer", "the entity read first says the most"
    assert await release(desk)
    assert not await breaker.release(desk.store, stale)


async def test_what_vanished_before_it_was_ever_sent_is_not_created(desk: Rig) -> None:
    """After the release it is skipped, with the reason; when it returns, it is created."""
    await hold(desk)
    rows = [customer("ACME"), contact("ACME", "JOE"), bill("ACME", "0000001", "5")]
    await desk.see(*rows)
    gone = []
    for entity, parts, _ in rows:
        stream = keys.sage_stream("acme", "ABC", entity, keys.record_key(entity, parts))
        gone.append(new(stream, e.RecordVanished(parts, "", 1, "withdrawn")))
    await desk.store.append(gone)
    await desk.idle()
    assert await release(desk)
    targets = await desk.targets()
    assert {doc.state for doc in targets.values()} == {"idle"}
    assert {doc.skipped for doc in targets.values()} == {
        "gone from Sage 100 before it was ever sent"
    }
    await desk.see(customer("ACME"))
    await desk.idle()
    assert (await desk.target(ACME)).state == "pending"


@pytest.mark.parametrize(("kind", "revenue"), [("withdrawn", "100.00"), ("unknown", "1000.00")])
async def test_sales_that_never_were_are_taken_back(
    desk: Rig, kind: Literal["withdrawn", "unknown"], revenue: str
) -> None:
    """What was seen in a held pass alone counts no more; what a purge took still was sold."""
    periods = [["01", "ACME", "2026", month] for month in ("05", "06")]
    sold = ({"DollarsSold": "100"}, {"DollarsSold": "900"})
    entity = "AR_CustomerSalesHistory"
    await hold(desk)
    await desk.see(
        customer("ACME"),
        *((entity, parts, row) for parts, row in zip(periods, sold, strict=True)),
    )
    stream = keys.sage_stream("acme", "ABC", entity, keys.record_key(entity, periods[1]))
    await desk.store.append([new(stream, e.RecordVanished(periods[1], "", 1, kind))])
    await desk.idle()
    assert await release(desk)
    assert (await desk.target(ACME)).changes["annualrevenue"] == revenue


async def test_a_rebuild_keeps_what_is_held(desk: Rig) -> None:
    """The freeze is a fold of the log: a rebuild gives it again, and what waited waits."""
    await hold(desk)
    await desk.see(customer("ACME"))
    await desk.idle()
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    assert (await rebuild(desk.store, desk.projector, verify=False)).mismatch is None
    await desk.idle()
    assert await desk.targets() == {}
    assert await release(desk)
    assert (await desk.target(ACME)).state == "pending"


async def test_the_status_says_what_is_held(desk: Rig) -> None:
    """Company, since when, why, what to do, how many wait: for people and machines alike."""
    position = await hold(desk)
    await desk.see(customer("ACME"))
    await desk.idle()
    [held] = (await reports.status(desk.store))["held"]
    assert held["company"] == "ABC"
    assert held["since"].endswith("Z")
    assert held["why"] == "AR_Customer: of 100 records 40 appeared in one sweep (40 %): a flood"
    assert "ml-connector release ABC" in held["what_to_do"]
    assert (held["waiting"], held["position"]) == (2, position)


@pytest.mark.parametrize(
    ("name", "company", "group"),
    [
        ("companies/ABC:01-ABF", "ABC", "companies/ABC:"),
        ("invoices/ABC:01-ABF:0100215-000001-IN", "ABC", "invoices/ABC:"),
        (
            "associations/contacts:ABC:01-ABF>companies:ABC:01-ABF",
            "ABC",
            "associations/contacts:ABC:",
        ),
    ],
)
def test_targets_of_a_company_stand_together(name: str, company: str, group: str) -> None:
    """Each group of names is one stretch of the work list, and its end lies behind all of it."""
    assert naming.group_of(name) == (company, group)
    assert name.startswith(group)
    assert name < naming.end_of(group)
    assert f"0/{group}" in naming.work_list_groups(company)
