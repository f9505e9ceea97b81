"""National accounts: one customer buys, another pays; the invoice belongs to both."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector import reports
from connector.rebuild import rebuild
from projections import events as e
from projections import invoice
from projections.tables import Account
from projections.workspace import decode
from tests.projections.rig import Rig, Row, bill, customer, open_rig

KEY = "ABC:01-PAYER:0000001-000001-IN"
INVOICE = f"invoices/{KEY}"
PAYER, BUYER, OTHER = (f"companies/ABC:01-{name}" for name in ("PAYER", "BUYER", "OTHER"))


def sold(to: str, kind: str = "IN", balance: str = "5", number: str = "0000001") -> Row:
    """An invoice that PAYER pays and somebody of division 01 bought."""
    bought = {"SoldToDivisionNo": "01", "SoldToCustomerNo": to} if to else {}
    return bill("PAYER", number, balance, kind, **bought)


def link(company: str) -> str:
    """The association of the invoice with a company."""
    return f"associations/invoices:{KEY}>{company.replace('/', ':', 1)}"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with three customers that HubSpot has."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.see(customer("PAYER"), customer("BUYER"), customer("OTHER"))
        await after(made)
        yield made


async def after(desk: Rig) -> None:
    """Everything is decided and carried out; the books close and a rebuild finds the same."""
    for _ in range(2):
        await desk.idle()
        await desk.carry_out_all()
    await desk.idle()
    assert (await reports.status(desk.store))["books_close"]
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    desk.projector.hold = False


async def stages(desk: Rig) -> list[str]:
    """What PAYER, BUYER and OTHER are."""
    return [(await desk.target(name)).held["sage100_stage"] for name in (PAYER, BUYER, OTHER)]


async def linked(desk: Rig) -> set[str]:
    """The companies that HubSpot shows the invoice at."""
    return {
        name.partition(">")[2].replace(":", "/", 1)
        for name, doc in (await desk.targets()).items()
        if name.startswith(f"associations/invoices:{KEY}>companies:")
        and doc.held.get("linked") == "true"
    }


async def test_an_invoice_belongs_to_who_pays_and_who_bought(desk: Rig) -> None:
    """Both become customers, both show it; receivables stay with who pays."""
    await desk.see(sold("BUYER"))
    await after(desk)
    assert await stages(desk) == ["customer", "customer", "prospect"]
    assert await linked(desk) == {PAYER, BUYER}
    assert (await desk.target(INVOICE)).held["sage100_sold_to"] == "ABC:01-BUYER"
    assert (await desk.target(PAYER)).held["sage100_balance"] == "5.00"
    assert (await desk.target(BUYER)).held["sage100_balance"] == "0.00"


async def test_another_buyer_takes_the_place_of_the_first(desk: Rig) -> None:
    """Stage and link go over to who is named now; without one the payer bought it."""
    await desk.see(sold("BUYER"))
    await after(desk)
    await desk.see(sold("OTHER"))
    await after(desk)
    assert await stages(desk) == ["customer", "prospect", "customer"]
    assert await linked(desk) == {PAYER, OTHER}
    await desk.see(sold(""))
    await after(desk)
    assert await stages(desk) == ["customer", "prospect", "prospect"]
    assert await linked(desk) == {PAYER}
    assert (await desk.target(INVOICE)).held["sage100_sold_to"] == ""


async def test_two_invoices_hold_a_stage_twice(desk: Rig) -> None:
    """A buyer stays a customer as long as one sale to it stands."""
    await desk.see(sold("BUYER"), sold("BUYER", number="0000002"))
    await after(desk)
    await desk.see(sold("OTHER"))
    await after(desk)
    assert await stages(desk) == ["customer", "customer", "customer"]
    await desk.lose(sold("BUYER", number="0000002"), kind="withdrawn")
    await after(desk)
    assert await stages(desk) == ["customer", "prospect", "customer"]


async def test_what_is_purged_was_sold_and_what_is_withdrawn_was_not(desk: Rig) -> None:
    """A purge takes back nothing; another company's invoice makes nobody a customer."""
    await desk.see(sold("BUYER"))
    await after(desk)
    await desk.lose(sold("BUYER"))
    await after(desk)
    assert await stages(desk) == ["customer", "customer", "prospect"]
    assert await linked(desk) == {PAYER, BUYER}
    await desk.lose(sold("BUYER"), kind="withdrawn")
    await after(desk)
    assert await stages(desk) == ["prospect", "prospect", "prospect"]


@pytest.mark.parametrize("kind", ["CM", "DM", "FC", "PP"])
async def test_what_is_no_sale_makes_no_customer(desk: Rig, kind: str) -> None:
    """It is linked with who caused it, but nothing was sold."""
    await desk.see(sold("BUYER", kind))
    await after(desk)
    assert await stages(desk) == ["prospect", "prospect", "prospect"]
    name = f"associations/invoices:ABC:01-PAYER:0000001-000001-{kind}>companies:ABC:01-BUYER"
    assert (await desk.target(name)).held == {"linked": "true"}


async def test_a_link_waits_for_its_buyer(desk: Rig) -> None:
    """A buyer that HubSpot does not have yet holds its link, and nothing else."""
    await desk.see(sold("LATER"))
    await desk.idle()
    waiting = link("companies/ABC:01-LATER")
    await desk.carry_out(INVOICE, "9")
    await desk.carry_out(link(PAYER), "1>2")
    doc = await desk.target(waiting)
    await desk.tell(waiting, e.CommandHeld(doc.command, ["companies/ABC:01-LATER"]))
    await desk.see(customer("LATER"))
    await after(desk)
    assert await linked(desk) == {PAYER, "companies/ABC:01-LATER"}
    assert (await desk.target("companies/ABC:01-LATER")).held["sage100_stage"] == "customer"


async def test_a_buyer_made_anew_in_hubspot_is_linked_anew(desk: Rig) -> None:
    """Another record in the buyer's place: what others pay for it is linked with that one."""
    await desk.see(sold("BUYER"))
    await after(desk)
    await desk.tell(BUYER, e.RecordLost((await desk.target(BUYER)).hubspot_id, "deleted"))
    await desk.idle()
    doc = await desk.target(BUYER)
    await desk.tell(BUYER, e.CommandSent(doc.command, "b", 1))
    await desk.tell(BUYER, e.CommandSucceeded(doc.command, "99", "created", replaced=doc.lost))
    await after(desk)
    assert (await desk.target(link(BUYER))).hubspot_id.endswith(">99")


ROWS = [
    customer("PAYER"),
    customer("BUYER"),
    customer("OTHER"),
    sold("BUYER"),
    sold("OTHER", number="0000002"),
    sold("BUYER", "CM", number="0000003"),
    sold("", number="0000004"),
]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(st.permutations(ROWS), st.sets(st.integers(0, 6)), st.sets(st.integers(3, 5), max_size=2))
async def test_any_order_comes_to_the_same(
    order: list[Row], pauses: set[int], moved: set[int]
) -> None:
    """Invoices before their buyers, or after; sold to others meanwhile: the last rows count."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_rig(Path(folder)) as desk:
            await desk.settings()
            for at in moved:  # as they were seen first
                await desk.see(sold("OTHER", ROWS[at][1][4], number=ROWS[at][1][2]))
            for at, row in enumerate(order):
                await desk.see(row)
                if at in pauses:
                    await desk.idle()
                    await desk.carry_out_all()
            await after(desk)
            assert await stages(desk) == ["customer", "customer", "customer"]
            assert await linked(desk) == {PAYER, BUYER}
            counts = (await desk.store.rows({"account": ["ABC:01-PAYER", "ABC:01-BUYER"]}))[
                "account"
            ]
            posted = {key: _account(row.value).posted for key, row in counts.items()}
            assert posted == {"ABC:01-PAYER": 3, "ABC:01-BUYER": 1}


def _account(value: bytes) -> Account:
    found: Account = decode("account", value)
    return found


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, ""),
        ({"SoldToDivisionNo": "01"}, ""),
        ({"SoldToDivisionNo": "01", "SoldToCustomerNo": "PAYER"}, ""),
        ({"SoldToDivisionNo": "02", "SoldToCustomerNo": "PAYER"}, "ABC:02-PAYER"),
        ({"SoldToCustomerNo": "C/O 7 "}, "ABC:01-C%2FO 7"),
        ({"SoldToDivisionNo": "00", "SoldToCustomerNo": "B"}, "ABC:00-B"),
    ],
)
def test_who_bought(cells: dict[str, str], expected: str) -> None:
    """Blank is who pays; a number without a division is of the payer's."""
    assert invoice.buyer(KEY, cells) == expected
