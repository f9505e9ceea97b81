"""A bill is owed once: receivables, aging and tie-out are right after the very next pass."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from connector.app import App
from connector.progress import Silent
from connector.proof import prove
from connector.sandbox.agent import period_end, posting, stamps
from tests.e2e import holding
from tests.e2e.receivables import open_balance
from tests.e2e.site import Site, open_site

ABF = ("01", "ABF")
SHOWN = ("sage100_balance", "sage100_aging_", "sage100_oldest_due_date")


async def ties(site: Site, app: App) -> None:
    """Companies and invoices add up to Sage 100's receivables, aging is right, and `proof` says so;
    and nothing of it needs a sweep more.
    """
    owed = open_balance(site.rows())
    assert holding.balance(site.portal, "invoices") == owed
    assert holding.balance(site.portal, "companies") == owed
    shown = holding.held(site.portal)["companies"]
    for key, expected in site.expectation().companies.items():
        for name, want in expected.always.items():
            if name.startswith(SHOWN):
                assert holding.same(want, shown[key].get(name, "")), f"{key} {name}"
    proof = await prove(app.store, ["ABC"], Silent())
    assert (proof.ok, [one.differences for one in proof.companies]) == (True, [[]])
    assert proof.companies[0].lines[0].sage == owed


async def test_a_number_used_again_is_owed_once(tmp_path: Path) -> None:
    """The older invoice was paid by jobs that stamp nothing: the cursor shows the new one alone."""
    async with open_site(tmp_path) as site, site.app() as app:
        posted = site.today() - timedelta(days=70)
        old = posting.post_invoice(site.company, ABF, "100", invoice_date=posted)
        stamps.restamp(site.company, "AR_Invoice", datetime(2020, 1, 1), [old])
        assert (await app.run_once()).complete
        first, before = site.expectation(), holding.held(site.portal)
        posting.receive_payment(site.company, old, "100", stamp=False)
        assert old in period_end.period_end(site.company).items
        posting.post_invoice(site.company, ABF, "70", invoice_no=old[2])
        assert (await app.run_once()).complete
        await ties(site, app)
        key = f"ABC:01-ABF:{old[2]}-000001-IN"
        assert holding.held(site.portal)["invoices"][key]["sage100_status"] == "gone"
        assert (await app.run_once(sweep=True)).complete
        await ties(site, app)
        expected = site.expectation()
        assert holding.differences(site.portal, expected, before=before, left=first) == []


async def test_an_open_invoice_whose_history_is_purged_is_owed_once(tmp_path: Path) -> None:
    """Its key changes from 000001 to 000000; the old one is not owed from the next sweep on."""
    async with open_site(tmp_path) as site, site.app() as app:
        posted = site.today() - timedelta(days=1_000)  # nothing else is that old
        old = posting.post_invoice(site.company, ABF, "100", invoice_date=posted)
        assert (await app.run_once()).complete
        owed = open_balance(site.rows())
        gone = period_end.purge_history(site.company, posted)
        assert gone == [old]
        assert open_balance(site.rows()) == owed
        key = f"ABC:01-ABF:{old[2]}-%s-IN"
        for _ in range(3):  # the rows that went are missed once, then found to be gone
            await app.run_once(sweep=True)
            await ties(site, app)
            shown = holding.held(site.portal)["invoices"]
            left, new = shown[key % "000001"], shown[key % "000000"]
            assert (left["sage100_status"], Decimal(left["sage100_balance"])) == (
                "gone",
                Decimal(0),
            )
            assert (new["sage100_status"], Decimal(new["sage100_balance"])) == (
                "open",
                Decimal(100),
            )
