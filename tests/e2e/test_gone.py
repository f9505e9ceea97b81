"""What left Sage 100 while HubSpot would not have it is not made there afterwards."""

from __future__ import annotations

from pathlib import Path

from connector import reports
from connector.sandbox.agent import maintenance, posting
from tests.e2e import holding
from tests.e2e.site import open_site

STRANGER = ("01", "STRANGER")


async def test_what_was_parked_and_held_goes_with_its_source(tmp_path: Path) -> None:
    """A customer that HubSpot refuses, its contact and its invoice: once they are gone from Sage
    100 nothing waits for them any more, and nothing of them arrives when HubSpot would take it.
    """
    async with open_site(tmp_path) as site, site.app() as app:
        site.portal.poison("companies", "ABC:01-STRANGER", "no")
        maintenance.add_customer(site.company, STRANGER, {"CustomerName": "Stranger"})
        maintenance.add_contact(site.company, (*STRANGER, "ANN"), {"ContactName": "Ann"})
        invoice = posting.post_invoice(site.company, STRANGER, "99")
        await app.run_once()
        [item] = await reports.parked(app.store)
        assert (item.target, item.waiting > 0) == ("companies/ABC:01-STRANGER", True)
        for entity in ("AR_Payment", "AR_InvoiceDetail", "AR_CustomerSalesHistory"):
            for row in list(site.company.rows(entity)):
                layout = site.company.table(entity).entity
                if row.get("CustomerNo") == STRANGER[1] or row.get("InvoiceNo") == invoice[2]:
                    maintenance.remove(site.company, entity, [row[part] for part in layout.key])
        maintenance.remove(site.company, "AR_Invoice", invoice)
        maintenance.remove(site.company, "AR_CustomerContact", (*STRANGER, "ANN"))
        maintenance.remove(site.company, "AR_Customer", STRANGER)
        for _ in range(2):
            await app.run_once(sweep=True)
        site.portal.cure("companies", "ABC:01-STRANGER")
        report = await app.run_once(sweep=True)
        assert report.complete, report
        assert holding.differences(site.portal, site.expectation()) == []
        status = await reports.status(app.store)
        assert status["books_close"]
        waiting = [(row["parked"], row["held"], row["pending"]) for row in status["hubspot"]]
        assert set(waiting) == {(0, 0, 0)}
