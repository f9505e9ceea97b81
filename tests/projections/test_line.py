"""Lines of invoices: whose they are, what they hold, and which become none."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from connector.config.mapping import with_lines
from projections import events as e
from projections import fanouts, keys, line
from projections.mapping import compiled
from tests.projections import rig
from tests.projections.rig import Rig, Row, bill, customer, new, open_rig

KEY = "ABC:01-A:0100215-000001-IN:000002"
NAME = f"line_items/{KEY}"


def detail(invoice: str, number: str, amount: str, **cells: str) -> Row:
    """An AR_InvoiceDetail row of one piece."""
    row = {
        "InvoiceNo": invoice,
        "ItemCode": "BOLT",
        "ItemCodeDesc": "A bolt",
        "QuantityShipped": "1",
        "UnitPrice": amount,
        "ExtensionAmt": amount,
        **cells,
    }
    return "AR_InvoiceDetail", [invoice, "000001", number], row


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose mapping has line items."""
    document = with_lines(msgspec.to_builtins(rig.MAPPING.source))
    mapping = compiled.restore(document)
    described = e.SourceDescribed(
        "acme", "ABC", "USD", "America/Chicago", columns={"AR_InvoiceDetail": ["ItemCode"]}
    )
    async with open_rig(tmp_path) as made:
        await made.settings()
        activated = e.MappingActivated(mapping.digest, compiled.content(mapping))
        await made.store.append(
            [new("config/mapping", activated), new("config/source/ABC", described)]
        )
        await made.idle()
        yield made


def test_a_line_is_named_by_its_invoice() -> None:
    """From a line's key both its invoice and its row in Sage 100 can be told, and back."""
    assert keys.parents(NAME) == ("invoices/ABC:01-A:0100215-000001-IN",)
    assert keys.detail_of(KEY) == "ABC:0100215-000001-000002"
    assert keys.line_of(keys.detail_of(KEY), KEY.rpartition(":")[0]) == KEY
    assert keys.customer_of(KEY) == "ABC:01-A"


def test_of_two_invoices_of_one_number_the_one_that_has_lines_is_meant() -> None:
    """Number and sequence decide, then the type; another sequence or company is another invoice."""
    found = fanouts.line(
        "ABC:0100215-000001-000002",
        [
            "invoices/ABC:01-A:0100215-000001-CM",
            "invoices/ABC:01-B:0100215-000002-IN",
            "invoices/ABC:01-C:0100215-000001-IN",
        ],
    )
    assert found == ["line_items/ABC:01-C:0100215-000001-IN:000002"]


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "sold"),
    [
        ("3", "2.5", "7.50", ("3", "2.5")),
        ("-3", "2.5", "-7.50", ("-3", "2.5")),
        ("3", "-2.5", "7.50-", ("-3", "2.5")),
        ("3", ".333333", "1.00", ("1", "1.00")),
        ("10", "5", "45.00", ("1", "45.00")),
        ("0", "0", "12.00", ("1", "12.00")),
        ("", "", "-12.00", ("-1", "12.00")),
    ],
)
def test_price_and_quantity_come_to_what_was_charged(
    quantity: str, price: str, amount: str, sold: tuple[str, str]
) -> None:
    """As they are where they make the amount, else one piece; no price is ever negative."""
    row = {"QuantityShipped": quantity, "UnitPrice": price, "ExtensionAmt": amount}
    facts = line.facts(KEY, row)
    made = Decimal(facts["line.quantity"]), Decimal(facts["line.price"])
    assert made == tuple(map(Decimal, sold))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_lines_and_invoices_may_come_in_any_order(desk: Rig, order: tuple[int, ...]) -> None:
    """A line seen before its invoice is found once that is seen, and there is one command."""
    seen = [customer("A"), bill("A", "0100215", "0"), detail("0100215", "000002", "7.00")]
    for index in order:
        await desk.see(seen[index])
        await desk.idle()
    doc = await desk.target(NAME)
    assert doc.state == "pending"
    assert doc.changes["price"] == "7"
    assert [name for name in await desk.targets() if name.startswith("line_items/")] == [NAME]
    links = [name for name in await desk.targets() if name.startswith("associations/line_items:")]
    assert links == [keys.association(NAME, keys.parents(NAME)[0])]


@pytest.mark.parametrize(
    ("row", "kind", "says"),
    [
        (detail("0100215", "000002", "0", ItemType="4", CommentText="Thanks"), "IN", "amount"),
        (detail("0100215", "000002", "-7.00"), "CM", "credit memo"),
    ],
)
async def test_what_is_no_line_item_says_why(desk: Rig, row: Row, kind: str, says: str) -> None:
    """Comments and the lines of credit memos are passed over, with the reason in their history."""
    await desk.see(customer("A"), bill("A", "0100215", "0", kind), row)
    await desk.idle()
    [name] = [name for name in await desk.targets() if name.startswith("line_items/")]
    assert says in (await desk.target(name)).skipped
    assert await desk.events(name) == ["RecordSkipped"]


async def test_a_line_that_changes_is_written_again_and_one_that_goes_stays(desk: Rig) -> None:
    """An amended line is updated; what vanishes from Sage 100 is left as it is in HubSpot."""
    await desk.see(customer("A"), bill("A", "0100215", "0"), detail("0100215", "000002", "7.00"))
    await desk.idle()
    for name in ("companies/ABC:01-A", keys.parents(NAME)[0], NAME):
        await desk.carry_out(name, f"id of {name}")
    await desk.see(detail("0100215", "000002", "8.00"))
    await desk.idle()
    doc = await desk.target(NAME)
    assert doc.changes == {"price": "8", "sage100_unit_price": "8", "sage100_amount": "8.00"}
    await desk.carry_out(NAME, f"id of {NAME}")
    stream = keys.sage_stream("acme", "ABC", "AR_InvoiceDetail", "0100215-000001-000002")
    gone = e.RecordVanished(["0100215", "000001", "000002"], "print", 2, "unknown", "")
    await desk.store.append([new(stream, gone)])
    await desk.idle()
    after = await desk.target(NAME)
    assert (after.state, after.held["price"]) == ("idle", "8")
