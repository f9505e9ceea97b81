"""Native invoices as portals have them: HubSpot's status is best effort, the rest is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.sandbox.hubspot import Answer, HubSpotOptions, InvoiceRules
from connector.sandbox.hubspot import SimulatedHubSpot as Portal
from projections.events import CommandSucceeded

from .rig import Site, Untraced, a_client, a_site

COMPANY = "companies/ABC:01-ABF"
INVOICE = "invoices/ABC:01-ABF:0100215-000001-IN"
OTHER = "invoices/ABC:01-ABF:0100216-000001-IN"


async def emit(site: Site, name: str, status: str, balance: str) -> None:
    """A command as the default mapping makes it, in short."""
    await site.emit(
        name,
        hs_currency="USD",
        hs_invoice_billable="false",
        hs_invoice_status=status,
        sage100_status=status if status != "voided" else "void",
        sage100_balance=balance,
    )


async def with_company(site: Site) -> None:
    """A company for the invoices."""
    await site.emit(COMPANY, name="ABF")
    await site.writer().run_until_idle()


def shown(portal: Portal, name: str) -> dict[str, str]:
    """An invoice in the portal."""
    return portal.one("invoices", "sage100_invoice_key", name.partition("/")[2])


@pytest.mark.parametrize("kind", ["traced", "untraced"])
async def test_a_portal_that_wants_line_items_gets_everything_but_the_status(
    tmp_path: Path, kind: str
) -> None:
    """The Sage 100 status and balance are written; HubSpot's own status stays a draft, unasked."""
    async with a_site(tmp_path, invoices=InvoiceRules(status="strict")) as site:
        await with_company(site)
        if kind == "untraced":
            async with a_client(site.portal, kind=Untraced) as hubspot:
                site.hubspot = hubspot
                await emit(site, INVOICE, "open", "100")
                await emit(site, OTHER, "voided", "0")
                await site.writer().run_until_idle()
        else:
            await emit(site, INVOICE, "open", "100")
            await emit(site, OTHER, "voided", "0")
            await site.writer().run_until_idle()
        one = shown(site.portal, INVOICE)
        assert (one["hs_invoice_status"], one["sage100_status"]) == ("draft", "open")
        assert one["sage100_balance"] == "100"
        assert shown(site.portal, OTHER)["sage100_status"] == "void"
        assert await site.store.count("parked") == 0
        assert await site.store.count("withheld") == 0, "nobody is asked to do anything"
        done = (await site.stream(INVOICE))[-1]
        assert isinstance(done, CommandSucceeded)
        assert done.withheld["hs_invoice_status"].reason == "INVOICE_TO_LINE_ITEM"
        assert await site.books_close()


async def test_a_status_that_can_be_set_at_first_and_not_changed_later(tmp_path: Path) -> None:
    """Created open, HubSpot refuses to call it paid: the payment is in our own properties."""
    async with a_site(tmp_path, invoices=InvoiceRules(status="guarded")) as site:
        await with_company(site)
        await emit(site, INVOICE, "open", "100")
        await site.writer().run_until_idle()
        assert shown(site.portal, INVOICE)["hs_invoice_status"] == "open"
        await emit(site, INVOICE, "paid", "0")
        await site.writer().run_until_idle()
        one = shown(site.portal, INVOICE)
        assert (one["hs_invoice_status"], one["sage100_status"]) == ("open", "paid")
        assert one["sage100_balance"] == "0"
        target = await site.target(INVOICE)
        assert target.held["hs_invoice_status"] == "open"
        assert await site.store.count("parked") == 0


async def test_a_step_that_hubspot_does_not_allow_costs_the_status_alone(site: Site) -> None:
    """A paid invoice that HubSpot does not open again: the rest of the change is written."""
    await with_company(site)
    await emit(site, INVOICE, "paid", "0")
    await site.writer().run_until_idle()
    refusal = {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": "An invoice cannot go from status paid to open this way.",
    }
    site.portal.inject(Answer(status=400, body=refusal), route="objects.batch.update")
    await emit(site, INVOICE, "open", "5")
    await site.writer().run_until_idle()
    one = shown(site.portal, INVOICE)
    assert (one["hs_invoice_status"], one["sage100_balance"]) == ("paid", "5")
    assert await site.store.count("parked") == 0


async def test_an_invoice_is_voided_and_never_deleted(site: Site) -> None:
    """What is gone from Sage 100 stays in HubSpot, as voided; no call deletes anything."""
    await with_company(site)
    await emit(site, INVOICE, "open", "100")
    await site.writer().run_until_idle()
    await emit(site, INVOICE, "voided", "0")
    await site.writer().run_until_idle()
    assert shown(site.portal, INVOICE)["hs_invoice_status"] == "voided"
    assert not [
        one for one in site.portal.calls if "archive" in one.route or one.method == "DELETE"
    ]


async def test_without_the_invoices_scope_everything_else_flows(tmp_path: Path) -> None:
    """A token that may not write invoices: they wait, and go on when the scope is granted."""
    async with a_site(tmp_path) as site:
        await with_company(site)
        kinds = ("companies", "contacts")
        site.grant(*(f"crm.objects.{one}.{act}" for one in kinds for act in ("read", "write")))
        await emit(site, INVOICE, "open", "100")
        await site.emit("contacts/ABC:01-ABF:JOE", lastname="Joe")
        summary = await site.writer().run_until_idle()
        assert summary.lanes["contacts"].created == 1
        assert "scope" in summary.barred["invoices"]
        assert await site.store.count("outbox_invoices") == 1
        site.portal.options = HubSpotOptions(limits=None, keep_bodies=True)
        assert (await site.writer().run_until_idle()).lanes["invoices"].created == 1
