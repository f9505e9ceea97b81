"""National accounts from end to end: who bought is shown, linked and a customer; who pays owes."""

from __future__ import annotations

from pathlib import Path

from connector import reports
from connector.progress import Silent
from connector.proof import prove
from connector.sandbox.agent import arrangements, maintenance
from tests.e2e import holding
from tests.e2e.site import open_site

HEAD, BRANCH, SHOP = ("01", "HEADQ"), ("02", "BRANCH"), ("02", "SHOP")


async def test_who_bought_and_who_pays_both_have_the_invoice(tmp_path: Path) -> None:
    """A branch is a customer by what headquarters pay; another branch takes its place; and a buyer
    that Sage 100 shows only later is linked then.
    """
    async with open_site(tmp_path) as site, site.app() as app:
        for key, name in ((HEAD, "Headquarters"), (BRANCH, "Branch"), (SHOP, "Shop")):
            maintenance.add_customer(site.company, key, {"CustomerName": name})
        invoice = arrangements.national_invoice(site.company, HEAD, BRANCH, "300")
        later = arrangements.national_invoice(site.company, HEAD, BRANCH, "20")
        unknown = {"SoldToDivisionNo": "02", "SoldToCustomerNo": "LATER"}
        site.company.update("AR_Invoice", later, unknown)
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
        shown = holding.held(site.portal)["companies"]
        assert shown["ABC:02-BRANCH"]["lifecyclestage"] == "customer"
        assert shown["ABC:02-SHOP"]["lifecyclestage"] == "lead"
        status = await reports.status(app.store)
        assert [row["held"] for row in status["hubspot"] if row["object"] == "associations"] == [1]

        before = holding.held(site.portal)
        maintenance.change(site.company, "AR_Invoice", invoice, {"SoldToCustomerNo": "SHOP"})
        maintenance.add_customer(site.company, ("02", "LATER"), {"CustomerName": "Later"})
        assert (await app.run_once()).complete
        found = holding.differences(site.portal, site.expectation(), before=before)
        # HubSpot lets no stage go back; ours does.
        assert found == ["companies/ABC:02-BRANCH lifecyclestage: 'customer', not 'lead'"]
        proof = await prove(app.store, ["ABC"], Silent())
        assert (proof.ok, proof.companies[0].differences) == (True, [])
