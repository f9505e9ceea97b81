"""A first load that breaks off: HubSpot is told no sum of what was read by then."""

from __future__ import annotations

from pathlib import Path

import msgspec

from connector.progress import Silent
from connector.proof import prove
from connector.sandbox.agent.faults import SoapFault
from tests.e2e import holding
from tests.e2e.site import SMALL, open_site

LARGER = msgspec.structs.replace(SMALL, invoices=1_200)
NEVER = SoapFault(
    code="ExternalAccessDisabled",
    operation="ReadPage",
    entity="AR_Invoice",
    after=1,
    times=1_000_000,
)


async def test_no_balance_is_shown_before_all_invoices_are_read(tmp_path: Path) -> None:
    """Invoices of the first page are there, no company has a balance or is called a prospect, the
    tie-out says why; and the next run that comes to the end brings everything.
    """
    async with open_site(tmp_path, LARGER) as site, site.app() as app:
        site.sage100.inject(NEVER)
        assert not (await app.run_once()).complete
        shown = holding.held(site.portal)
        assert 0 < len(shown["invoices"]) < len(site.expectation().invoices)
        companies = shown["companies"].values()
        assert {one.get("sage100_balance", "") for one in companies} == {""}
        assert {one.get("sage100_stage", "") for one in companies} == {"", "customer"}
        [company] = (await prove(app.store, ["ABC"], Silent())).companies
        assert {one.reason for one in company.differences} == {"pending"}

        site.sage100.faults.clear()
        assert (await app.run_once()).complete
        assert holding.differences(site.portal, site.expectation()) == []
        proof = await prove(app.store, ["ABC"], Silent())
        assert (proof.ok, proof.companies[0].differences) == (True, [])
