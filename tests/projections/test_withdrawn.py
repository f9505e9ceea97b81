"""Another company's files were read under this one's code: what they added is taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector import breaker
from connector.rebuild import rebuild
from projections import events as e
from projections.tables import Account
from projections.workspace import decode
from tests.projections.rig import Gone, Rig, bill, customer, new, open_rig, payment

ACME = "companies/ABC:01-ACME"
HELD = e.MassChangeHeld("sweep", "AR_Payment", 100, 40, 0, 40, "another company")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose company ABC is held."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.store.append([new("poll/acme/ABC/AR_Payment", HELD)])
        yield made


async def decided(desk: Rig) -> dict[str, str]:
    """What HubSpot is to hold of the customer once the company is released."""
    found = await breaker.find(desk.store, "ABC")
    assert found is not None
    released = e.MassChangeReleased("ABC", found.position, "eve")
    assert await breaker.release(desk.store, released)
    await desk.idle()
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    return {name: value or "" for name, value in (await desk.target(ACME)).changes.items()}


async def account(desk: Rig) -> Account:
    """The customer's figures."""
    rows = (await desk.store.rows({"account": ["ABC:01-ACME"]}))["account"]
    found: Account = decode("account", rows["ABC:01-ACME"].value)
    return found


OURS = (
    customer("ACME", DateLastPayment="20260301", LastPaymentAmt="70"),
    bill("ACME", "0000001", "0", "DM", InvoiceDate="20260201"),
    payment("ACME", "0000001", "20260301", "70", "DM"),
)
THEIRS = (
    bill("ACME", "0000009", "0", InvoiceDate="20260401"),
    payment("ACME", "0000009", "20260501", "999"),
)


@pytest.mark.parametrize(
    ("kind", "stage", "paid_on", "paid", "days"),
    [
        ("withdrawn", "prospect", "2026-03-01", "70.00", "28"),
        ("unknown", "customer", "2026-05-01", "999.00", "29"),
    ],
)
async def test_what_never_was_counts_no_more(
    desk: Rig, kind: Gone, stage: str, paid_on: str, paid: str, days: str
) -> None:
    """Stage, last payment and days to pay follow the source; a purge, though, undoes nothing."""
    await desk.see(*OURS, *THEIRS)
    await desk.idle()
    await desk.lose(*THEIRS, kind=kind)
    shown = await decided(desk)
    assert shown["sage100_stage"] == stage
    assert (shown["sage100_last_payment_date"], shown["sage100_last_payment_amount"]) == (
        paid_on,
        paid,
    )
    assert shown["sage100_average_days_to_pay"] == days


async def test_a_row_that_was_overwritten_and_returns_shows_its_own_again(desk: Rig) -> None:
    """The other company had a payment under the very same key: the right one comes back."""
    await desk.see(*OURS)
    theirs = payment("ACME", "0000001", "20260301", "5000", "DM")
    await desk.see(theirs)
    await desk.idle()
    await desk.see(OURS[2])
    await desk.idle()
    assert (await account(desk)).last_payment == ("20260301", "70.0")
    assert (await decided(desk))["sage100_last_payment_amount"] == "70.00"


async def test_a_withdrawn_row_that_is_there_after_all_counts_again(desk: Rig) -> None:
    """What was taken for another company's was ours: seen again it counts once."""
    await desk.see(*OURS, *THEIRS)
    await desk.idle()
    await desk.lose(*THEIRS, kind="withdrawn")
    await desk.idle()
    assert (await account(desk)).posted == 0
    await desk.see(*THEIRS)
    await desk.idle()
    found = await account(desk)
    assert (found.posted, found.last_payment, found.paid_count) == (1, ("20260501", "999.0"), 2)
    assert (await decided(desk))["sage100_last_payment_date"] == "2026-05-01"
