"""A cell of Sage 100 that should be an amount and is none, from the agent to HubSpot and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from connector import reports
from connector.cli import status as status_command
from connector.progress import Silent
from connector.proof import prove
from connector.sandbox.agent import maintenance, posting
from tests.e2e import holding
from tests.e2e.site import open_site

ABF = ("01", "ABF")


async def test_what_cannot_be_read_is_left_told_and_listed(tmp_path: Path) -> None:
    """HubSpot keeps balance, status and aging as they were; status, history and proof name the
    cell; masks with thousands are amounts; and once it is corrected everything is right.
    """
    async with open_site(tmp_path) as site, site.app() as app:
        invoice = posting.post_invoice(
            site.company, ABF, "1250.50", invoice_date=site.today() - timedelta(days=70)
        )
        maintenance.set_raw(site.company, "AR_Invoice", invoice, "Balance", "1,250.50")
        assert (await app.run_once()).complete
        first = site.expectation()
        assert holding.differences(site.portal, first) == []
        maintenance.set_raw(site.company, "AR_Invoice", invoice, "Balance", "1,25O.50")
        await app.run_once(sweep=True)
        assert holding.differences(site.portal, first) == []
        key = f"ABC:01-ABF:{invoice[2]}-000001-IN"
        status = await reports.status(app.store)
        [heading, line] = status_command.unreadable_lines(status)
        assert "1 invoices" in heading
        assert line == f"  invoices/{key}: Balance '1,25O.50'"
        assert status["books_close"]
        moments = (await reports.history(app.store, key)).moments
        assert "GarbageFound" in [one.moment.event for one in moments]
        proof = await prove(app.store, ["ABC"], Silent())
        [listed] = [
            one for one in proof.companies[0].differences if one.between == "Sage 100 and ours"
        ]
        assert (listed.record, listed.reason) == (f"invoices/{key}", "unreadable")
        maintenance.set_raw(site.company, "AR_Invoice", invoice, "Balance", "(1,250.50)")
        assert (await app.run_once(sweep=True)).complete
        maintenance.set_raw(site.company, "AR_Invoice", invoice, "Balance", "1250.50-")
        assert holding.differences(site.portal, site.expectation()) == []
        assert (await reports.status(app.store))["unreadable"]["records"] == 0
