"""What adds up all rows of an entity is told once all of them were read, and then by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.bundle import collect
from connector.progress import Silent
from connector.proof import prove
from connector.rebuild import rebuild, this_version
from projections import events as e
from projections import keys
from projections.source import ADDED_UP
from tests.projections.rig import Rig, bill, customer, new, open_rig, payment

ACME = "companies/ABC:01-ACME"
BETA = "companies/ABC:01-BETA"
INVOICE = "invoices/ABC:01-ACME:0000001-000001-IN"
AGED = {"sage100_balance", "sage100_aging_current", "sage100_oldest_due", "sage100_as_of"}
PAID = {"sage100_last_payment_date", "sage100_last_payment_amount"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig in the middle of its first load: a customer with an invoice, and one without so far."""
    async with open_rig(tmp_path) as made:
        await made.store.append([], also=[this_version()])
        await made.settings(read=False)
        await made.see(
            customer("ACME", LastPaymentAmt="5", DateLastPayment="20260101"),
            customer("BETA"),
            bill("ACME", "0000001", "60", InvoiceDate="20260501", InvoiceDueDate="20260601"),
        )
        await carried_out(made)
        yield made


async def carried_out(desk: Rig) -> None:
    """Everything is decided and done, and a rebuild finds the same."""
    await desk.idle()
    await desk.carry_out_all()
    await desk.idle()
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    desk.projector.hold = False


async def held(desk: Rig, name: str) -> dict[str, str]:
    """What HubSpot holds of a record."""
    return (await desk.target(name)).held


async def test_a_balance_waits_for_the_last_invoice(desk: Rig) -> None:
    """Half of the invoices is not what is owed; each of them is shown, and all of it at the end."""
    assert (await held(desk, INVOICE))["sage100_balance"] == "60.00"
    assert AGED.isdisjoint(await held(desk, ACME))
    await desk.read_through("AR_Payment")
    await desk.read_through("AR_CustomerSalesHistory")
    await carried_out(desk)
    assert AGED.isdisjoint(await held(desk, ACME))
    await desk.see(bill("BETA", "0000002", "7", InvoiceDueDate="20260601"))
    await desk.read_through("AR_Invoice")
    await carried_out(desk)
    assert (await held(desk, ACME))["sage100_balance"] == "60.00"
    assert (await held(desk, BETA))["sage100_balance"] == "7.00"


async def test_nobody_is_a_prospect_before_all_invoices_are_read(desk: Rig) -> None:
    """An invoice makes a customer at once; that there is none is known at the end."""
    assert (await held(desk, ACME))["lifecyclestage"] == "customer"
    assert "lifecyclestage" not in await held(desk, BETA)
    await desk.read_through("AR_Invoice")
    await carried_out(desk)
    assert (await held(desk, BETA))["lifecyclestage"] == "lead"


async def test_the_last_payment_waits_for_all_payments(desk: Rig) -> None:
    """What was read first may be the oldest; what Sage 100 remembers itself may be older still."""
    await desk.see(payment("ACME", "0000001", "20260301", "8"))
    await carried_out(desk)
    assert PAID.isdisjoint(await held(desk, ACME))
    await desk.see(payment("ACME", "0000001", "20260401", "9"))
    await desk.read_through("AR_Payment")
    await carried_out(desk)
    found = await held(desk, ACME)
    assert {found[name] for name in PAID} == {"2026-04-01", "9.00"}


async def test_sales_of_a_year_wait_for_all_periods(desk: Rig) -> None:
    """Some periods of a year are not its revenue."""
    await desk.see(("AR_CustomerSalesHistory", ["01", "ACME", "2026", "04"], {"DollarsSold": "7"}))
    await carried_out(desk)
    assert "annualrevenue" not in await held(desk, ACME)
    await desk.see(("AR_CustomerSalesHistory", ["01", "ACME", "2026", "05"], {"DollarsSold": "8"}))
    await desk.read_through("AR_CustomerSalesHistory")
    await carried_out(desk)
    assert (await held(desk, ACME))["annualrevenue"] == "15.00"


async def test_payments_that_are_not_served_are_not_waited_for(desk: Rig) -> None:
    """Then Sage 100's own memory of the last one is all there is."""
    skipped = e.PollSkipped("cursor", "not served")
    await desk.store.append([new(keys.poll_stream("acme", "ABC", "AR_Payment"), skipped)])
    await carried_out(desk)
    found = await held(desk, ACME)
    assert {found[name] for name in PAID} == {"2026-01-01", "5.00"}


@pytest.mark.parametrize("entity", ADDED_UP)
async def test_a_pass_that_broke_off_is_none(desk: Rig, entity: str) -> None:
    """Neither a failure nor a wait, nor another company's pass, says that all is read."""
    before = {name: await held(desk, name) for name in (ACME, BETA)}
    stream = keys.poll_stream("acme", "ABC", entity)
    ended = (
        e.PollStarted("cursor"),
        e.PollFailed("cursor", "unreachable", "gone", "wait"),
        e.PollDeferred("cursor", "period end", "2026-06-30T10:00:00Z", "2026-07-01T10:00:00Z"),
    )
    await desk.store.append([new(stream, one) for one in ended])
    await desk.read_through(entity, "XYZ")
    await carried_out(desk)
    assert {name: await held(desk, name) for name in (ACME, BETA)} == before


async def test_later_passes_change_nothing(desk: Rig) -> None:
    """Once known, figures follow each row as it comes, and a pass that ends touches nobody."""
    for entity in ADDED_UP:
        await desk.read_through(entity)
    await carried_out(desk)
    await desk.see(bill("ACME", "0000002", "1.50", InvoiceDueDate="20260601"))
    await carried_out(desk)
    assert (await held(desk, ACME))["sage100_balance"] == "61.50"
    head = (await desk.store.head()).last
    for entity in ADDED_UP:
        await desk.read_through(entity)
    await desk.idle()
    assert (await desk.store.head()).last == head + 2 * len(ADDED_UP)


async def test_the_tie_out_says_that_it_waits(desk: Rig) -> None:
    """What was read is owed, what is not written has its reason, and nothing is unexplained."""
    [company] = (await prove(desk.store, ["ABC"], Silent())).companies
    told = {(one.measure, one.reason) for one in company.differences}
    assert ("balance", "pending") in told
    assert {reason for _, reason in told} == {"pending"}
    assert "first time" in company.differences[0].detail
    await desk.read_through("AR_Invoice")
    proof = await prove(desk.store, ["ABC"], Silent())
    assert proof.ok, "the end of the pass is in the log, but not projected yet"
    await carried_out(desk)
    [company] = (await prove(desk.store, ["ABC"], Silent())).companies
    assert company.differences == []


async def test_a_slice_of_the_log_says_that_all_was_read(desk: Rig) -> None:
    """However far into the log the first passes came to their end."""
    await desk.see(*(customer(f"C{number:04}") for number in range(600)))
    for entity in ADDED_UP:
        await desk.read_through(entity)
    await carried_out(desk)
    made = await collect(desk.store, "ABC:01-ACME")
    ended = [one for one in made.events if one.type == "PollCompleted"]
    assert [one.stream.rpartition("/")[2] for one in ended] == list(ADDED_UP)
    assert min(one.position for one in ended) > 500


async def test_the_end_of_a_pass_is_nobodys_reason_who_has_a_nearer_one(desk: Rig) -> None:
    """A customer who was just read is written because of that, not because all others were too."""
    desk.projector.held_back.add("ABC")
    await desk.see(customer("NEW"))
    seen = (await desk.store.head()).last
    for entity in ADDED_UP:
        await desk.read_through(entity)
    await desk.idle()
    desk.projector.held_back.clear()
    await desk.idle()
    [emitted] = await desk.store.history(keys.hubspot_stream("companies/ABC:01-NEW"))
    assert (emitted.type, emitted.cause) == ("CommandEmitted", seen)
