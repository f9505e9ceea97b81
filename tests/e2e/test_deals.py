"""Invoices and deals: linked by the number they share, never by a guess, and parted again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from connector import reports
from connector.app import App
from connector.sandbox.agent import maintenance, posting
from connector.sandbox.hubspot import faults
from tests.e2e import holding
from tests.e2e.site import Site, open_site

BUYER = ("01", "ABF")


@asynccontextmanager
async def a_site(folder: Path, matches: str = "sales_order") -> AsyncIterator[Site]:
    """Both ends, the deals' property, and a configuration that names it."""
    async with open_site(folder) as site:
        text = site.config_path.read_text("utf-8")
        text += f'\n[hubspot.deals]\nproperty = "erp_number"\nmatches = "{matches}"\n'
        site.config_path.write_text(text, "utf-8")
        async with site.app() as app:
            body = {"name": "erp_number", "label": "ERP", "type": "string", "fieldType": "text"}
            answer = await app.hubspot.create_properties(
                "deals", [body | {"groupName": "dealinformation"}]
            )
            assert answer.ok
        yield site


def deal(site: Site, number: str) -> str:
    """A deal that sales people made."""
    return site.portal.add(
        "deals",
        {
            "dealname": f"Deal {number}",
            "pipeline": "default",
            "dealstage": "closedwon",
            "erp_number": number,
        },
    )


def invoice(site: Site, **fields: str) -> str:
    """An invoice posted in Sage 100; its number."""
    return posting.post_invoice(site.company, BUYER, "10", fields=fields)[2]


def linked(site: Site) -> set[tuple[str, str]]:
    """Pairs of invoice number and deal id in HubSpot."""
    numbers = {
        record_id: values["hs_number"]
        for record_id, values in site.portal.records("invoices").items()
    }
    pairs = site.portal.associations("invoices", "deals")
    return {(numbers[left], right) for left, right in pairs}


async def book(app: App) -> dict[str, int]:
    """What status says of deals."""
    status = await reports.status(app.store)
    assert status["books_close"]
    found: dict[str, int] = status["deals"]
    return found


async def test_an_invoice_is_linked_to_the_one_deal_of_its_order(tmp_path: Path) -> None:
    """By its order number, a hundred a search; several deals and none are told, not guessed."""
    async with a_site(tmp_path) as site, site.app() as app:
        one = deal(site, "SO-1001")
        deal(site, "SO-1002")
        deal(site, "SO-1002")
        sure = invoice(site, SalesOrderNo="SO-1001")
        invoice(site, SalesOrderNo="SO-1002")
        invoice(site, SalesOrderNo="SO-1003")
        assert (await app.run_once()).complete
        assert linked(site) == {(sure, one)}
        told = await book(app)
        assert (told["linked"], told["several"]) == (1, 1)
        assert told["none"] >= 1
        assert site.portal.calls.count(route="objects.search") <= 4
        # Nothing but links was written for it: the rest is as without any deals.
        assert holding.differences(site.portal, site.expectation()) == ["3 deals, not 0"]


async def test_an_invoice_of_several_orders_is_linked_when_one_deal_is_behind_them(
    tmp_path: Path,
) -> None:
    """Of the orders an invoice bills each may have a deal: one deal is linked, two are told."""
    async with a_site(tmp_path) as site, site.app() as app:
        one = deal(site, "SO-21")
        deal(site, "SO-31")
        deal(site, "SO-32")
        sure = invoice(site, SalesOrderNo="SO-20", AppliedSalesOrderNos="SO-20 SO-21")
        invoice(site, SalesOrderNo="SO-31", AppliedSalesOrderNos="SO-31 SO-32")
        assert (await app.run_once()).complete
        assert linked(site) == {(sure, one)}
        assert (await book(app))["several"] == 1


async def test_a_deal_that_appears_later_is_found_then(tmp_path: Path) -> None:
    """What has none is looked for again, and a second one of its number parts nobody."""
    async with a_site(tmp_path, "customer_po") as site, site.app() as app:
        number = invoice(site, CustomerPONo="Po 77")
        assert (await app.run_once()).complete
        assert linked(site) == set()
        found = deal(site, "PO 77")
        assert (await app.run_once()).complete
        assert linked(site) == {(number, found)}
        deal(site, "po 77")
        assert (await app.run_once()).complete
        assert linked(site) == {(number, found)}
        assert (await book(app))["several"] == 1


async def test_the_link_goes_when_the_numbers_part(tmp_path: Path) -> None:
    """Another order number on the invoice, or on the deal: the link moves, or is taken away."""
    async with a_site(tmp_path) as site, site.app() as app:
        one, two = deal(site, "SO-1"), deal(site, "SO-2")
        key = posting.post_invoice(site.company, BUYER, "10", fields={"SalesOrderNo": "SO-1"})
        assert (await app.run_once()).complete
        assert linked(site) == {(key[2], one)}
        maintenance.change(site.company, "AR_Invoice", key, {"SalesOrderNo": "SO-2"})
        assert (await app.run_once()).complete
        assert linked(site) == {(key[2], two)}
        site.portal.edit("deals", two, {"erp_number": "another"})
        assert (await app.run_once()).complete
        assert linked(site) == set()
        site.portal.edit("deals", two, {"erp_number": "SO-2"})
        assert (await app.run_once()).complete
        assert linked(site) == {(key[2], two)}
        await book(app)
        report = await app.rebuild(verify=True)
        assert report.mismatch is None, "the log alone gives the same"


async def test_a_deleted_deal_leaves_no_command_behind(tmp_path: Path) -> None:
    """A deal that people delete is let go of; nothing stays parked for it."""
    async with a_site(tmp_path) as site, site.app() as app:
        found = deal(site, "SO-1")
        invoice(site, SalesOrderNo="SO-1")
        assert (await app.run_once()).complete
        site.portal.archive("deals", found)
        await app.run_once()
        assert (await app.run_once()).complete
        assert (await book(app))["linked"] == 0
        assert await app.store.count("parked") == 0


async def test_a_removal_of_unknown_outcome_is_found_out_by_reading(tmp_path: Path) -> None:
    """The answer to taking a link away is lost: it is read back, and the books close."""
    async with a_site(tmp_path) as site, site.app() as app:
        found = deal(site, "SO-1")
        invoice(site, SalesOrderNo="SO-1")
        assert (await app.run_once()).complete
        site.portal.edit("deals", found, {"erp_number": ""})
        site.portal.inject(faults.Drop(applied=True), route="associations.batch.archive")
        assert (await app.run_once()).complete
        assert linked(site) == set()
        await book(app)


async def test_without_the_deals_scope_everything_else_flows(tmp_path: Path) -> None:
    """Deals that cannot be searched keep nothing from being written; later they are found."""
    async with a_site(tmp_path) as site, site.app() as app:
        found = deal(site, "SO-1")
        number = invoice(site, SalesOrderNo="SO-1")
        refusal = faults.error(403, "scopes", category="MISSING_SCOPES")
        injected = site.portal.inject(refusal, object="deals", times=None)
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == ["1 deals, not 0"]
        assert linked(site) == set()
        injected.cancel()
        assert (await app.run_once()).complete
        assert linked(site) == {(number, found)}


async def test_a_search_index_that_lags_parts_nobody(tmp_path: Path) -> None:
    """What the index does not show any more, or not yet, is read before it counts."""
    async with a_site(tmp_path) as site, site.app() as app:
        found = deal(site, "SO-1")
        number = invoice(site, SalesOrderNo="SO-1")
        assert (await app.run_once()).complete
        empty = faults.Answer(status=200, body={"total": 0, "results": []})
        site.portal.inject(empty, route="objects.search", object="deals", times=None)
        assert (await app.run_once()).complete
        assert linked(site) == {(number, found)}


async def test_nothing_is_asked_without_a_property(tmp_path: Path) -> None:
    """Unless a deal property is configured no call concerns deals."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once()).complete
        assert not [call for call in site.portal.calls if call.object == "deals"]
        assert msgspec.structs.asdict(app.config.hubspot.deals)["property"] == ""
