"""Mass changes: what is held and as what, what is not, and what a release or a good pass does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from connector import breaker, reports
from connector.rebuild import rebuild
from connector.sage100.contract import Page
from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.backups import back_up, restore, serve_instead
from connector.sandbox.agent.renumbering import expand_invoice_numbers, renumber_customer
from projections import events as e
from projections.keys import KEY_COLUMNS
from tests.sage100.desk import Desk, build_company, busy, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk of 60 customers whose first load is over, and everything decided."""
    async with open_desk(tmp_path) as made:
        await made.round()
        made.pass_time(days=1)
        await made.round()
        yield made


def customers(desk: Desk) -> list[tuple[str, str]]:
    """The keys of all customers."""
    return [(row["ARDivisionNo"], row["CustomerNo"]) for row in desk.company.rows("AR_Customer")]


async def holds(desk: Desk) -> list[e.MassChangeHeld]:
    """Every MassChangeHeld."""
    return [one for one in await desk.events(e.MassChangeHeld) if isinstance(one, e.MassChangeHeld)]


def drop(desk: Desk, count: int) -> list[tuple[str, str]]:
    """Let so many customers go, and nothing else of them."""
    gone = customers(desk)[:count]
    for key in gone:
        maintenance.remove(desk.company, "AR_Customer", key)
    return gone


def import_customers(desk: Desk, count: int, *, stamp: bool = True) -> None:
    """Enter so many new customers."""
    for number in range(count):
        fields = {"CustomerName": f"Imported {number}", "City": "Oslo"}
        maintenance.add_customer(desk.company, ("01", f"NEW{number:04}"), fields, stamp=stamp)


async def release(desk: Desk) -> bool:
    """A person looks and lets the company go on."""
    found = await breaker.find(desk.store, "ABC")
    assert found is not None
    done = await breaker.release(desk.store, e.MassChangeReleased("ABC", found.position, "eve"))
    await desk.projector.run_until_idle()
    return done


async def test_a_first_load_is_no_mass_change(desk: Desk) -> None:
    """Every key is new, and nothing is held."""
    assert await holds(desk) == []
    assert await desk.commands() > 60


@pytest.mark.parametrize("sweep", [False, True], ids=["cursor", "sweep"])
@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_first_load_that_starts_again_is_none_either(
    tmp_path: Path, cut: int, *, sweep: bool
) -> None:
    """Keys of a first pass that was cut off do not make the rest of it look like a flood."""
    async with open_desk(tmp_path, customers=120, invoices=0) as desk:
        desk.agent.limit = 55
        for _ in range(cut):
            # The first page of customers is in the log, the place behind it is lost.
            desk.agent.script = lambda entity, page: page if entity != "AR_Customer" else _cut(page)
            await desk.round(sweep=sweep)
        desk.agent.script = lambda _, page: page
        outcomes = await desk.round(sweep=sweep)
        assert outcomes["AR_Customer"].completed
        assert await holds(desk) == []


def _cut(page: Page) -> Page:
    return msgspec.structs.replace(page, next=None, complete=False)


@pytest.mark.parametrize(
    ("gone", "held"),
    [(12, False), (24, False), (25, True), (40, True)],
)
async def test_absent_keys_are_held_from_the_share_and_the_least_number_on(
    desk: Desk, gone: int, *, held: bool
) -> None:
    """25 records at least, and more than 20 % of those known; the first absence counts."""
    drop(desk, gone)
    await desk.round(sweep=True)
    found = await holds(desk)
    assert bool(found) == held
    if held:
        assert (found[0].known, found[0].new, found[0].absent) == (60, 0, gone)
        assert found[0].entity == "AR_Customer"
        assert found[0].share == round(100 * gone / 60)
        assert "purge" in found[0].suspicion


@pytest.mark.parametrize("share", [0.2, 0.5])
async def test_the_share_is_the_sites_to_set(tmp_path: Path, share: float) -> None:
    """30 of 60 new records are more than 20 %, and not more than 50 %."""
    async with open_desk(tmp_path, mass_change=share) as desk:
        await desk.round()
        import_customers(desk, 30)
        await desk.round()
        assert bool(await holds(desk)) == (share < 0.5)


async def test_few_records_are_never_held(tmp_path: Path) -> None:
    """Of an entity with less than 50 records any share may come or go, but not all of them."""
    async with open_desk(tmp_path, customers=45, invoices=0) as desk:
        await desk.round()
        drop(desk, 40)
        import_customers(desk, 40)
        await desk.round(sweep=True)
        assert await holds(desk) == []


async def test_new_keys_are_held_by_a_cursor_pass_before_anything_is_decided(desk: Desk) -> None:
    """The rows are facts in the log; not one command of the company comes of them."""
    before = await desk.commands()
    import_customers(desk, 30)
    maintenance.change_customer(desk.company, customers(desk)[0], {"City": "Bergen"})
    outcomes = await desk.round()
    assert outcomes["AR_Customer"].observed == 31
    [held] = await holds(desk)
    assert (held.via, held.known, held.new, held.absent) == ("cursor", 60, 30, 0)
    assert "bulk import" in held.suspicion
    assert await desk.commands() == before
    [company] = await breaker.held(desk.store)
    assert company.waiting >= 31
    assert "60 records 30 appeared" in company.why
    assert "release ABC" in company.what_to_do


async def test_a_release_lets_the_decisions_go_on_by_themselves(desk: Desk) -> None:
    """What waited is decided once, also what changed in between; then nothing is left."""
    before = await desk.commands()
    import_customers(desk, 30)
    await desk.round()
    maintenance.change_customer(desk.company, ("01", "NEW0003"), {"City": "Bergen"})
    await desk.round()
    assert await desk.commands() == before
    assert await release(desk)
    emitted = [
        one for one in await desk.events(e.CommandEmitted) if isinstance(one, e.CommandEmitted)
    ][before:]
    created = [one for one in emitted if one.changes.get("name", ("", ""))[1][:8] == "Imported"]
    assert len(created) == 30
    assert [one.changes["city"][1] for one in created].count("Bergen") == 1
    assert await breaker.held(desk.store) == []
    assert await desk.store.count("dirty") == 0
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


async def test_a_release_lets_nothing_later_go_on(desk: Desk) -> None:
    """One given before the company was held once more, or given twice, releases nothing."""
    import_customers(desk, 30)
    await desk.round()
    found = await breaker.find(desk.store, "ABC")
    assert found is not None
    early = e.MassChangeReleased("ABC", found.position, "eve")
    drop(desk, 40)
    await desk.round(sweep=True)
    assert not await breaker.release(desk.store, early)
    assert len(await breaker.held(desk.store)) == 1
    assert await release(desk)
    assert not await breaker.release(desk.store, early)


async def test_after_a_release_the_second_absence_is_no_second_hold(desk: Desk) -> None:
    """A person has said that the records may go: the next sweep makes them vanish."""
    drop(desk, 30)
    await desk.round(sweep=True)
    assert await release(desk)
    outcomes = await desk.round(sweep=True)
    assert outcomes["AR_Customer"].vanished == 30
    assert len(await holds(desk)) == 1


async def test_another_company_is_held_and_leaves_no_trace_in_hubspot(desk: Desk) -> None:
    """Its records were seen, held, and gone in the next good sweep: a release writes nothing."""
    before = await desk.commands()
    other = build_company(desk.clock, seed=77, customers=70, invoices=90)
    for entity, names in KEY_COLUMNS.items():
        if "CustomerNo" in names:
            rows = list(other.rows(entity))
            other.table(entity).load([])
            for row in rows:
                other.put(entity, {**row, "CustomerNo": f"Z{row['CustomerNo'][:19]}"})
    own = serve_instead(desk.company, other)
    await desk.round(sweep=True)
    found = {one.entity: one for one in await holds(desk)}
    assert {"AR_Customer", "AR_Invoice", "AR_Payment"} <= found.keys()
    assert "another company" in found["AR_Customer"].suspicion
    assert (found["AR_Customer"].new, found["AR_Customer"].absent) == (70, 60)
    [company] = await breaker.held(desk.store)
    assert company.entity == "AR_Customer"
    restore(desk.company, own)
    await desk.round(sweep=True)
    assert await desk.commands() == before
    assert await release(desk)
    assert await desk.commands() == before, "records that never were have been sent"
    assert await breaker.held(desk.store) == []
    assert await desk.view("AR_Customer") == desk.model("AR_Customer")
    vanished = [
        one for one in await desk.events(e.RecordVanished) if isinstance(one, e.RecordVanished)
    ]
    assert {one.kind for one in vanished} == {"withdrawn"}
    assert {one.sweeps for one in vanished} == {1}


async def test_absences_that_were_none_lead_to_no_write(desk: Desk) -> None:
    """An agent that showed half shows all again: release, and nothing is sent."""
    before = await desk.commands()
    backup = back_up(desk.company)
    drop(desk, 40)
    await desk.round(sweep=True)
    restore(desk.company, backup)
    await desk.round(sweep=True)
    assert await release(desk)
    assert await desk.commands() == before
    assert await desk.events(e.RecordVanished) == []


async def test_the_hold_comes_with_the_page_that_goes_beyond(desk: Desk) -> None:
    """A pass that fails right after it is held all the same; its end adds the final figures."""
    before = await desk.commands()
    desk.agent.limit = 28
    import_customers(desk, 60)
    desk.agent.errors = {4: busy()}  # terms, and two pages of customers
    outcomes = await desk.round()
    assert outcomes["AR_Customer"].error is not None
    [early] = await holds(desk)
    assert 25 <= early.new < 60
    assert await desk.commands() == before
    await desk.round()
    assert (await holds(desk))[1].new == 60
    [company] = await breaker.held(desk.store)
    assert "60 appeared" in company.why
    assert await desk.commands() == before


async def test_a_renumbering_is_recognised(desk: Desk) -> None:
    """As many came as went, with the same names: that is said."""
    for number, key in enumerate(customers(desk)[:35]):
        renumber_customer(desk.company, key, (key[0], f"R{number:05}"))
    await desk.round(sweep=True)
    [*_, last] = [one for one in await holds(desk) if one.entity == "AR_Customer"]
    assert (last.new, last.absent) == (35, 35)
    assert "renumbering" in last.suspicion


async def test_longer_invoice_numbers_are_recognised(desk: Desk) -> None:
    """The conversion of invoice numbers holds the company, as what it is."""
    expand_invoice_numbers(desk.company)
    await desk.round(sweep=True)
    [*_, last] = [one for one in await holds(desk) if one.entity == "AR_Invoice"]
    assert "longer invoice number" in last.suspicion


async def test_a_restored_backup_is_told_as_such_and_read_again(desk: Desk) -> None:
    """The newest stamp went back: no error, an event, and the next pass reads everything."""
    backup = back_up(desk.company)
    desk.pass_time(days=2)
    buyers = customers(desk)
    for key in buyers[:3]:
        maintenance.change_customer(desk.company, key, {"City": "Bergen"})
    import_customers(desk, 3)
    await desk.round(sweep=True)
    desk.pass_time(hours=5)
    restore(desk.company, backup)
    outcomes = await desk.round(sweep=True)
    assert outcomes["AR_Customer"].completed
    [rewound] = await desk.events(e.SourceRewound)
    assert isinstance(rewound, e.SourceRewound)
    assert (rewound.rows, rewound.back, rewound.gone) == ((63, 60), 3, 3)
    assert rewound.stamp[1] < rewound.stamp[0]
    status = await reports.status(desk.store)
    [row] = [one for one in status["sage100"] if one["entity"] == "AR_Customer"]
    assert "63 rows became 60" in row["rewound"]
    assert "3 rows carry an earlier stamp" in row["rewound"]
    desk.agent.asked.clear()
    again = await desk.round()
    assert again["AR_Customer"].via == "sweep"
    assert again["AR_Invoice"].via == "cursor"
    assert ("AR_Customer", "") in desk.agent.asked
    assert await desk.view("AR_Customer") == desk.model("AR_Customer")
    third = await desk.round()
    assert third["AR_Customer"].via == "cursor"
    assert len(await desk.events(e.SourceRewound)) == 1


async def test_a_large_restored_backup_is_held_as_one(desk: Desk) -> None:
    """When so much of it is gone that the breaker acts, it names the backup."""
    backup = back_up(desk.company)
    desk.pass_time(days=2)
    import_customers(desk, 14)
    await desk.round()
    import_more = [("02", f"MORE{number:03}") for number in range(14)]
    for key in import_more:
        maintenance.add_customer(desk.company, key, {"CustomerName": key[1]})
    desk.pass_time(hours=1)
    await desk.round()
    assert await holds(desk) == []
    restore(desk.company, backup)
    desk.pass_time(days=1)
    await desk.round(sweep=True)
    [held] = await holds(desk)
    assert "restored backup" in held.suspicion


async def test_deleting_the_newest_record_is_no_restored_backup(desk: Desk) -> None:
    """One record gone takes the newest stamp with it, and that is all."""
    desk.pass_time(days=3)
    import_customers(desk, 1)
    await desk.round(sweep=True)
    maintenance.remove_customer(desk.company, ("01", "NEW0000"))
    desk.pass_time(days=3)
    await desk.round(sweep=True)
    assert await desk.events(e.SourceRewound) == []


async def test_a_corrected_future_stamp_is_no_restored_backup(desk: Desk) -> None:
    """A stamp that lay in the future never counted."""
    key = customers(desk)[0]
    for day in ("20301231", f"{desk.clock.now - timedelta(days=1):%Y%m%d}"):
        maintenance.set_raw(desk.company, "AR_Customer", key, "DateUpdated", day)
        await desk.round(sweep=True)
    assert await desk.events(e.SourceRewound) == []


async def test_rows_that_a_cursor_pass_shows_with_earlier_stamps_cause_a_sweep(desk: Desk) -> None:
    """Two rows whose own stamps went back: the next round reads that entity whole."""
    keys = customers(desk)[:2]
    for key in keys:
        maintenance.change_customer(desk.company, key, {"City": "Bergen"})
    await desk.round()
    backup = {key: desk.company.row("AR_Customer", key) for key in keys}
    desk.pass_time(hours=8)
    for key in keys:
        maintenance.change_customer(desk.company, key, {"City": "Oslo"})
    await desk.round()
    for row in backup.values():
        desk.company.put("AR_Customer", row)
    await desk.round()
    [rewound] = await desk.events(e.SourceRewound)
    assert rewound == e.SourceRewound("cursor", back=2)
    assert (await desk.round())["AR_Customer"].via == "sweep"
    assert (await desk.round())["AR_Customer"].via == "cursor"


async def test_a_new_fiscal_period_is_no_mass_change(desk: Desk) -> None:
    """It brings a row of sales history for every customer."""
    for number, key in enumerate(customers(desk)):
        fields = {"ARDivisionNo": key[0], "CustomerNo": key[1], "FiscalYear": "2027"}
        maintenance.add(
            desk.company,
            "AR_CustomerSalesHistory",
            {**fields, "FiscalPeriod": "01", "DollarsSold": str(number)},
            stamp=False,
        )
    await desk.round()
    assert await holds(desk) == []


async def test_posting_goes_on_as_usual(desk: Desk) -> None:
    """Ordinary days are not held, and their changes are sent."""
    before = await desk.commands()
    for key in customers(desk)[:10]:
        invoice = posting.post_invoice(desk.company, key, "100.00")
        posting.receive_payment(desk.company, invoice, "40")
    await desk.round()
    assert await holds(desk) == []
    assert await desk.commands() > before
