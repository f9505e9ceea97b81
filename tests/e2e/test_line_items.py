"""Lines of invoices as line items: an option, and nothing of it where it is off."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from connector import planning, reconcile, reports
from connector.app import App
from connector.checking import check
from connector.config.mapping import load_mapping
from connector.rebuild import rebuild
from connector.sandbox.agent import posting
from connector.sandbox.hubspot import HubSpotOptions, InvoiceRules
from tests.e2e import holding
from tests.e2e.company_rows import Row
from tests.e2e.site import Site, open_site

BUYER = ("01", "ABF")
NO_LINES = {"CM", "PP", "PY", "BF", "BC", "XD"}


def switch(site: Site, *, on: bool) -> Site:
    """The same site, configured with or without line items."""
    text = site.config_path.read_text("utf-8").replace("line_items = true\n", "")
    if on:
        text = text.replace("[hubspot]\n", "[hubspot]\nline_items = true\n")
    site.config_path.write_text(text, "utf-8")
    return site


def charged(site: Site) -> Iterator[tuple[str, str, Row]]:
    """(key of the line, key of its invoice, its row) of every line that is to be in HubSpot."""
    headers = {
        (row["InvoiceNo"], row["HeaderSeqNo"]): row
        for row in site.company.rows("AR_Invoice")
        if row["InvoiceType"] not in NO_LINES
    }
    for row in site.company.rows("AR_InvoiceDetail"):
        header = headers.get((row["InvoiceNo"], row["HeaderSeqNo"]))
        if header is not None and Decimal(row["ExtensionAmt"] or "0"):
            customer = f"{header['ARDivisionNo']}-{header['CustomerNo']}"
            number = f"{row['InvoiceNo']}-{row['HeaderSeqNo']}-{header['InvoiceType']}"
            invoice = f"{site.company.code}:{customer}:{number}"
            yield f"{invoice}:{row['DetailSeqNo']}", invoice, row


def differences(site: Site) -> list[str]:
    """How HubSpot's line items differ from what Sage 100 charged."""
    out: list[str] = []
    items = site.portal.records("line_items")
    shown = {one["sage100_line_key"]: one for one in items.values()}
    if len(shown) != len(items):
        out.append("a line is there twice")
    wanted = {key: (invoice, row) for key, invoice, row in charged(site)}
    out += [f"{key} differs" for key in wanted.keys() ^ shown.keys()]
    for key in wanted.keys() & shown.keys():
        (invoice, row), one = wanted[key], shown[key]
        amount = Decimal(row["ExtensionAmt"])
        if {Decimal(one["amount"]), Decimal(one["sage100_amount"])} != {amount}:
            out.append(f"{key}: {one['amount']}, not {amount}")
        if Decimal(one["sage100_quantity"]) != Decimal(row["QuantityShipped"]):
            out.append(f"{key}: {one['sage100_quantity']}, not {row['QuantityShipped']}")
        if (one["name"], one["hs_sku"]) != (row["ItemCodeDesc"], row["ItemCode"]):
            out.append(f"{key}: {one['name']}")
        if one["sage100_invoice_key"] != invoice:
            out.append(f"{key}: of {one['sage100_invoice_key']}")
    names = {number: one["sage100_line_key"] for number, one in items.items()}
    invoices = {
        number: one["sage100_invoice_key"]
        for number, one in site.portal.records("invoices").items()
    }
    links = {
        (names[line], invoices[invoice])
        for line, invoice in site.portal.associations("line_items", "invoices")
    }
    out += [
        f"link {pair}" for pair in links ^ {(key, invoice) for key, invoice, _ in charged(site)}
    ]
    return out


async def settled(app: App, site: Site) -> None:
    """Nothing is left to write, the books close, and the read models are what the log says."""
    writes = site.portal.calls.writes
    assert (await app.run_once(sweep=True)).complete
    assert site.portal.calls.writes == writes
    assert (await reports.status(app.store))["books_close"]
    assert (await rebuild(app.store, app.projector, verify=True)).mismatch is None
    app.projector.hold = False


async def test_every_line_that_was_charged_is_in_hubspot_once(tmp_path: Path) -> None:
    """Each is linked to its invoice with what was charged for it; a second run writes nothing."""
    async with open_site(tmp_path) as site:
        switch(site, on=True)
        async with site.app() as app:
            assert (await app.run_once()).complete
            assert len(list(charged(site))) > 50
            assert differences(site) == []
            await settled(app, site)
            assert (await reconcile.look(app.store, app.hubspot, app.mapping)).differences == []

            posted = posting.post_invoice(site.company, BUYER, "250")
            assert (await app.run_once()).complete
            assert differences(site) == []
            key = f"ABC:01-ABF:{'-'.join(posted[2:])}:000001"
            told = await reports.history(app.store, key)
            assert told.target == f"line_items/{key}"
            assert "RecordObserved" in {one.moment.event for one in told.moments}
            books = {one["object"]: one for one in (await reports.status(app.store))["hubspot"]}
            assert books["line_items"]["succeeded"] == len(list(charged(site)))
        assert all(line.ok for line in await check(site.config()))


@pytest.mark.parametrize("status", ["guarded", "strict"])
async def test_with_line_items_hubspot_takes_its_own_status(tmp_path: Path, status: str) -> None:
    """What a portal refuses to invoices without lines is sent again once the lines are there."""
    rules = InvoiceRules(status=status)  # type: ignore[arg-type]
    async with open_site(tmp_path, hubspot=HubSpotOptions(invoices=rules)) as site:
        switch(site, on=True)
        async with site.app() as app:
            assert (await app.run_once()).complete
            posted = posting.post_invoice(site.company, BUYER, "250")
            assert (await app.run_once()).complete
            posting.receive_payment(site.company, posted, "250")
            assert (await app.run_once()).complete
            assert differences(site) == []
            lined = {invoice for _, invoice, _ in charged(site)}
            shown = holding.held(site.portal)["invoices"]
            for key, wanted in site.expectation().invoices.items():
                if key in lined:
                    status_of = shown[key]["hs_invoice_status"]
                    assert status_of == wanted.always["hs_invoice_status"], key
            await settled(app, site)


async def test_without_the_option_no_line_is_asked_for(tmp_path: Path) -> None:
    """No call, no row and no record more than ever."""
    async with open_site(tmp_path) as site, site.app() as app:
        assert (await app.run_once(sweep=True)).complete
        assert "AR_InvoiceDetail" not in {call.entity for call in site.sage100.calls.log}
        assert site.portal.count("line_items") == 0
        assert "sage100_line_key" not in site.portal.properties("line_items")
        assert await app.store.count("detail") == 0
        shown = await reports.status(app.store)
        assert "line_items" not in {one["object"] for one in shown["hubspot"]}


async def test_turned_on_later_all_lines_arrive_with_the_plan(tmp_path: Path) -> None:
    """Lines are read at once; the mapping with them comes into force by a plan, as any other."""
    async with open_site(tmp_path) as site:
        async with site.app() as app:
            assert (await app.run_once()).complete
        switch(site, on=True)
        config = site.config()
        assert config.store.file is not None
        async with site.app() as app:
            assert (await app.run_once()).proposed == load_mapping(config).digest
            assert site.portal.count("line_items") == 0
            made = await planning.make(app.store, load_mapping(config), "professional")
            await planning.keep(config.store.file, made)
            kept = await planning.find(config.store.file, made.plan.digest)
            assert (await app.apply(kept, "ann")).complete
            assert differences(site) == []
            await settled(app, site)
        switch(site, on=False)
        async with site.app() as app:
            made = await planning.make(app.store, load_mapping(site.config()), "professional")
            await planning.keep(config.store.file, made)
            kept = await planning.find(config.store.file, made.plan.digest)
            assert (await app.apply(kept, "ann")).complete
            posting.post_invoice(site.company, BUYER, "99")
            lines = site.portal.count("line_items")
            assert (await app.run_once()).complete
            assert site.portal.count("line_items") == lines
            assert (await reconcile.look(app.store, app.hubspot, app.mapping)).missing == []


async def test_an_invoice_made_anew_gets_its_lines_back(tmp_path: Path) -> None:
    """An invoice that somebody deleted in HubSpot comes back with its lines and its status."""
    rules = HubSpotOptions(invoices=InvoiceRules(status="strict"))
    async with open_site(tmp_path, hubspot=rules) as site:
        switch(site, on=True)
        async with site.app() as app:
            posted = posting.post_invoice(site.company, BUYER, "250")
            assert (await app.run_once()).complete
            [shown] = site.portal.find("invoices", "sage100_invoice_no", posted[2])
            site.portal.archive("invoices", shown["hs_object_id"])
            posting.receive_payment(site.company, posted, "250")
            assert (await app.run_once()).complete
            assert differences(site) == []
            again = site.portal.one("invoices", "sage100_invoice_no", posted[2])
            assert again["hs_object_id"] != shown["hs_object_id"]
            assert again["hs_invoice_status"] == "paid"
            await settled(app, site)
