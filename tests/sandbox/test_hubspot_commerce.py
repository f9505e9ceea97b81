"""Invoices and line items: what a status needs, what may be deleted, what HubSpot works out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions, InvoiceRules

from .hubspot_api import KEY, VERSIONS, Answered, Api, serving

INVOICES = "/crm/objects/V/invoices"


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def made(api: Api, **properties: str) -> Answered:
    """A new invoice in dollars."""
    body = {"properties": {"hs_currency": "USD"} | properties, "associations": []}
    return await api.call("POST", INVOICES, body)


async def changed(api: Api, invoice: str, **properties: str) -> Answered:
    """A change of an invoice."""
    return await api.call("PATCH", f"{INVOICES}/{invoice}", {"properties": properties})


async def associated(api: Api, from_type: str, a: str, to_type: str, b: str) -> Answered:
    """One pair, by the default type."""
    pair = {"from": {"id": a}, "to": {"id": b}}
    path = f"/crm/associations/V/{from_type}/{to_type}/batch/associate/default"
    return await api.call("POST", path, {"inputs": [pair]})


async def line(api: Api, price: str, **more: str) -> str:
    """A new line item; gives its id."""
    inputs = [{"properties": {"price": price} | more, "associations": []}]
    answer = await api.batch("create", inputs, "line_items")
    assert answer.status == 201, answer.text
    found: str = answer.results[0]["id"]
    return found


NOT_BILLED = {"hs_invoice_billable": "false"}


@pytest.mark.parametrize("status", ["draft", "open", "paid", "voided"])
async def test_documented_a_non_billable_invoice_takes_any_status(api: Api, status: str) -> None:
    """By the documentation nothing is validated: any status at once, and any other later."""
    invoice = await made(api, **NOT_BILLED, hs_invoice_status=status)
    later = [
        (await changed(api, invoice.body["id"], hs_invoice_status=one)).status
        for one in ("open", "paid", "voided", "open", "draft")
    ]

    assert invoice.status == 201
    assert later == [200] * 5


@pytest.mark.parametrize(("strictness", "created"), [("guarded", 201), ("strict", 400)])
async def test_a_strict_portal_wants_line_items(strictness: Any, created: int) -> None:
    """Opening or paying without a line item fails and names INVOICE_TO_LINE_ITEM."""
    rules = InvoiceRules(status=strictness)
    async with serving(options=HubSpotOptions(limits=None, invoices=rules)) as api:
        at_once = await made(api, **NOT_BILLED, hs_invoice_status="open")
        draft = (await made(api, **NOT_BILLED)).body["id"]
        refused = await changed(api, draft, hs_invoice_status="paid", hs_title="T")
        plain = await changed(api, draft, hs_title="T")
        voided = await changed(api, draft, hs_invoice_status="voided")
        await associated(api, "invoices", draft, "line_items", await line(api, "5"))
        done = await changed(api, draft, hs_invoice_status="paid")

    assert (at_once.status, refused.status, done.status) == (created, 400, 200)
    assert "INVOICE_TO_LINE_ITEM" in refused.body["message"]
    assert (plain.status, voided.status) == (200, 200)


async def test_a_billable_invoice_opens_with_contact_and_line_item_only(api: Api) -> None:
    """A billable draft needs both; then it can be voided, but not paid, through the API."""
    invoice = (await made(api)).body["id"]
    bare = await changed(api, invoice, hs_invoice_status="open")
    contact = api.portal.add("contacts", {"email": "a@x.test"})
    await associated(api, "invoices", invoice, "contacts", contact)
    half = await changed(api, invoice, hs_invoice_status="open")
    await associated(api, "invoices", invoice, "line_items", await line(api, "5"))
    opened = await changed(api, invoice, hs_invoice_status="open")
    paid = await changed(api, invoice, hs_invoice_status="paid")
    voided = await changed(api, invoice, hs_invoice_status="voided")
    back = await changed(api, invoice, hs_invoice_status="open")

    assert [one.status for one in (bare, half, opened, paid, voided, back)] == [
        400,
        400,
        200,
        400,
        200,
        400,
    ]
    assert "INVOICE_TO_CONTACT, INVOICE_TO_LINE_ITEM" in bare.body["message"]
    assert half.body["message"].endswith("missing: INVOICE_TO_LINE_ITEM")


async def test_billable_is_settled_when_an_invoice_is_made(api: Api) -> None:
    """hs_invoice_billable cannot be changed; sending it again does no harm."""
    invoice = (await made(api, **NOT_BILLED)).body["id"]

    same = await changed(api, invoice, hs_invoice_billable="false")
    other = await changed(api, invoice, hs_invoice_billable="true")

    assert (same.status, other.status) == (200, 400)


@pytest.mark.parametrize(
    ("status", "delete_open", "deleted"),
    [
        ("draft", False, True),
        ("open", False, False),
        ("open", True, True),
        ("paid", True, False),
        ("voided", True, False),
    ],
)
async def test_only_drafts_are_deleted(status: str, delete_open: bool, deleted: bool) -> None:
    """Paid and voided invoices stay; open ones go only if the account says so."""
    rules = InvoiceRules(delete_open=delete_open)
    async with serving(options=HubSpotOptions(limits=None, invoices=rules)) as api:
        first, second = [
            (await made(api, **NOT_BILLED, hs_invoice_status=status)).body["id"] for _ in "ab"
        ]
        single = await api.call("DELETE", f"{INVOICES}/{first}")
        batch = await api.batch("archive", [{"id": second}], "invoices")

    code = 204 if deleted else 400
    assert (single.status, batch.status) == (code, code)
    assert api.portal.count("invoices") == (0 if deleted else 2)


async def test_amounts_follow_what_is_billed(api: Api) -> None:
    """Without line items the balance is what is billed, less what is paid."""
    invoice = (await made(api, **NOT_BILLED, hs_amount_billed="120.50")).body["id"]
    open_balance = api.portal.records("invoices")[invoice]["hs_balance_due"]
    await changed(api, invoice, hs_invoice_status="paid")
    paid = api.portal.records("invoices")[invoice]
    await changed(api, invoice, hs_invoice_status="voided")
    voided = api.portal.records("invoices")[invoice]
    written = await changed(api, invoice, hs_balance_due="1")

    assert open_balance == "120.5"
    assert (paid["hs_balance_due"], paid["hs_amount_paid"]) == ("0", "120.5")
    assert paid["hs_amount_billed_in_company_currency"] == "120.5"
    assert voided["hs_balance_due"] == "0"
    assert (written.status, written.body["errors"][0]["code"]) == (400, "READ_ONLY_VALUE")


async def test_line_items_decide_the_totals(api: Api) -> None:
    """As soon as there are line items their sum is billed, whatever is sent, and follows them."""
    invoice = (await made(api, **NOT_BILLED, hs_amount_billed="1")).body["id"]
    lines = [await line(api, "10", quantity="3"), await line(api, "2.5", quantity="2")]
    totals = []
    for one in lines:
        await associated(api, "invoices", invoice, "line_items", one)
        totals.append(api.portal.records("invoices")[invoice]["hs_amount_billed"])
    await changed(api, invoice, hs_amount_billed="7")
    totals.append(api.portal.records("invoices")[invoice]["hs_amount_billed"])
    await api.batch("update", [{"id": lines[0], "properties": {"quantity": "1"}}], "line_items")
    totals.append(api.portal.records("invoices")[invoice]["hs_amount_billed"])

    assert totals == ["30", "35", "35", "15"]
    assert api.portal.records("invoices")[invoice]["hs_subtotal"] == "15"


async def test_a_portal_may_count_the_first_line_only() -> None:
    """`totals="first"`: of line items attached afterwards only the first one counts."""
    rules = InvoiceRules(totals="first")
    async with serving(options=HubSpotOptions(limits=None, invoices=rules)) as api:
        invoice = (await made(api, **NOT_BILLED)).body["id"]
        for price in ("10", "20"):
            await associated(api, "invoices", invoice, "line_items", await line(api, price))

    assert api.portal.records("invoices")[invoice]["hs_amount_billed"] == "10"


async def test_the_amount_may_come_late() -> None:
    """`amount="late"`: what is billed reads 0 after the creation, until it is sent again."""
    rules = InvoiceRules(amount="late")
    async with serving(options=HubSpotOptions(limits=None, invoices=rules)) as api:
        invoice = (await made(api, **NOT_BILLED, hs_amount_billed="9")).body["id"]
        first = api.portal.records("invoices")[invoice]["hs_amount_billed"]
        await changed(api, invoice, hs_amount_billed="9")
        second = api.portal.records("invoices")[invoice]["hs_amount_billed"]

    assert (first, second) == ("0", "9")


async def test_a_line_item_works_out_its_amount(api: Api) -> None:
    """The amount is price times quantity, less the discount; it cannot be written."""
    item = await line(api, "10", quantity="3", discount="1")
    refused = await api.batch("create", [{"properties": {"amount": "1"}}], "line_items")
    negative = await api.batch("create", [{"properties": {"price": "-1"}}], "line_items")

    assert api.portal.records("line_items")[item]["amount"] == "27"
    assert (refused.status, refused.body["errors"][0]["code"]) == (400, "READ_ONLY_VALUE")
    assert (negative.status, negative.body["errors"][0]["code"]) == (400, "INVALID_PRICE")


async def test_a_line_item_has_one_parent(api: Api) -> None:
    """A line item of a deal cannot go on an invoice as well; the same pair again is fine."""
    deal = api.portal.add("deals", {"dealname": "D"})
    invoice = (await made(api, **NOT_BILLED)).body["id"]
    item = await line(api, "10")

    first = await associated(api, "deals", deal, "line_items", item)
    again = await associated(api, "line_items", item, "deals", deal)
    second = await associated(api, "invoices", invoice, "line_items", item)
    inline = await api.call(
        "POST",
        INVOICES,
        {
            "properties": {"hs_currency": "USD"},
            "associations": [
                {
                    "to": {"id": item},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 409}],
                }
            ],
        },
    )

    assert (first.status, again.status, second.status, inline.status) == (200, 200, 207, 400)
    assert second.errors[0]["context"]["id"] == [item]
    assert api.portal.associations("invoices", "line_items") == set()


async def test_an_invoice_may_bring_its_line_items(api: Api) -> None:
    """A create with inline line items is billed by them."""
    item = await line(api, "10", quantity="2")
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 409}

    answer = await api.batch(
        "create",
        [
            {
                "properties": {"hs_currency": "USD", "hs_invoice_status": "open"} | NOT_BILLED,
                "associations": [{"to": {"id": item}, "types": [spec]}],
            }
        ],
        "invoices",
    )

    invoice = api.portal.records("invoices")[answer.results[0]["id"]]
    assert (answer.status, invoice["hs_amount_billed"]) == (201, "20")


async def test_a_batch_that_fails_takes_its_associations_back(api: Api) -> None:
    """An untraced batch with one bad input leaves neither records nor associations."""
    contact = api.portal.add("contacts", {"email": "a@x.test"})
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 177}
    await api.upsert({"K": {"hs_currency": "USD"}}, kind="invoices")
    good = {
        "properties": {"hs_currency": "USD"},
        "associations": [{"to": {"id": contact}, "types": [spec]}],
    }

    answer = await api.batch(
        "create",
        [good, {"properties": {"hs_currency": "USD", KEY: "K"}, "associations": []}],
        "invoices",
    )

    assert answer.status == 400
    assert api.portal.associations("invoices", "contacts") == set()


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        ("0.1", "3", "0.3"),
        ("10.50", "", "10.5"),
        ("1e2", "2", "200"),
        (".5", "2", "1"),
        ("100", "0", "0"),
        ("1234567890123456789", "10", "12345678901234567890"),
        ("19.99", "-1", "-19.99"),
    ],
)
async def test_amounts_are_exact(api: Api, price: str, quantity: str, amount: str) -> None:
    """Amounts are worked out in decimals and shown without exponent or zeros at the end."""
    item = await line(api, price, quantity=quantity)

    assert api.portal.records("line_items")[item]["amount"] == amount
