"""A record's slice of the log, about somebody else, comes to the same end when it is played."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from connector import bundle as bundles
from connector import undo
from connector.bundle import Bundle
from connector.bundle.pseudonyms import Pseudonyms
from connector.cli.reproduce import played
from connector.errors import Misconfigured
from connector.opening import open_reader
from connector.sandbox.agent import AgentOptions, arrangements, maintenance, posting
from projections import events, keys
from tests.e2e import test_deals
from tests.e2e.site import Site, open_site
from tests.e2e.test_erase import ask
from tests.e2e.test_line_items import charged, switch

OPTIONS = AgentOptions(seed=81, customers=10, invoices=60, vendors=3)
KEY = "ABC:01-ABF"


@asynccontextmanager
async def with_a_past(folder: Path) -> AsyncIterator[Site]:
    """A site whose customers have been changed, invoiced and paid, over three passes."""
    async with open_site(folder, OPTIONS) as site:
        maintenance.change_customer(
            site.company,
            ("01", "ABF"),
            {
                "ContactCode": "ZOERILDA",
                "TelephoneExt": "12",
                "URLAddress": "www.quillfeather.example",
            },
        )
        person = {
            "ContactName": "Quillfeather, Zoerilda",
            "EmailAddress": "Zoerilda@quillfeather.example",
        }
        maintenance.add_contact(site.company, ("01", "ABF", "ZOERILDA"), person)
        async with site.app() as app:
            assert (await app.run_once()).complete
        for amount in ("500", "80.25"):
            posted = posting.post_invoice(site.company, ("01", "ABF"), amount)
        posting.receive_payment(site.company, posted, "12.50")
        async with site.app() as app:
            assert (await app.run_once()).complete
        change = {"CustomerName": "Quillfeather & Daughters", "AddressLine1": "7 Plume Court"}
        maintenance.change_customer(site.company, ("01", "ABF"), change)
        async with site.app() as app:
            assert (await app.run_once(sweep=True)).complete
        yield site


async def bundled(site: Site, key: str) -> Bundle:
    """The bundle of one record, disguised."""
    async with open_reader(site.config()) as store:
        found = await bundles.collect(store, key)
    return bundles.disguise(found, Pseudonyms(secrets.choice))


async def test_a_bundle_comes_to_the_same_end(tmp_path: Path) -> None:
    """Customer, contacts, invoices and links end as they did, and the file can be read again."""
    async with with_a_past(tmp_path) as site:
        made = await bundled(site, KEY)
        assert bundles.write(tmp_path / "b.json", made) > 1_000
        assert stat.S_IMODE((tmp_path / "b.json").stat().st_mode) == 0o600
        again = bundles.read(tmp_path / "b.json")
        report = await played(again)
        assert report.differences == []
        assert report.targets > 5
        assert report.values > 100
        assert report.inputs > 5


def test_a_bundle_is_written_through_nobody_s_link(tmp_path: Path) -> None:
    """A draft that lies there already is neither followed nor taken over with its mode."""
    victim, path = tmp_path / "victim", tmp_path / "b.json"
    victim.write_text("precious")
    trap = path.with_name(f"{path.name}.{os.getpid()}.draft")
    empty = Bundle(made_by="test", key="k", head=1, events=[])
    for lay in (lambda: trap.symlink_to(victim), lambda: trap.write_text("open to all")):
        lay()
        bundles.write(path, empty)
        assert (path.is_symlink(), stat.S_IMODE(path.stat().st_mode)) == (False, 0o600)
        assert bundles.read(path) == empty
    assert victim.read_text() == "precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.json", "victim"]


async def test_an_undo_is_played_too(tmp_path: Path) -> None:
    """A field that a person put back is at the old value in the end, pinned as it was."""
    async with with_a_past(tmp_path) as site:
        pins = {"name": ("Quillfeather & Daughters", "As It Was")}
        asked = undo.UndoWanted("a test", {f"companies/{KEY}": pins})
        async with site.app() as app:
            await undo.request(app.store, asked)
            assert (await app.run_once()).complete
        assert site.portal.one("companies", "sage100_customer_key", KEY)["name"] == "As It Was"
        made = await bundled(site, KEY)
        assert "FieldsPinned" in {event.type for event in made.events}
        assert (await played(made)).differences == []


async def test_who_bought_and_who_paid_go_together(tmp_path: Path) -> None:
    """A customer whose one invoice another pays: it is a customer by that, and linked to it."""
    async with with_a_past(tmp_path) as site:
        maintenance.add_customer(site.company, ("02", "BUYS"), {"CustomerName": "Buys"})
        arrangements.national_invoice(site.company, ("01", "ABF"), ("02", "BUYS"), "70")
        async with site.app() as app:
            assert (await app.run_once()).complete
        for key in ("ABC:02-BUYS", KEY):
            made = await bundled(site, key)
            linked = [one for one in made.events if one.stream.startswith("hubspot/associations/")]
            assert linked
            assert (await played(made)).differences == []


async def test_a_vendor_stands_alone(tmp_path: Path) -> None:
    """A vendor's bundle holds no customer, and comes to the same end."""
    async with with_a_past(tmp_path) as site:
        row = next(iter(site.company.rows("AP_Vendor")))
        made = await bundled(site, f"ABC:{row['APDivisionNo']}-{row['VendorNo']}")
        assert not any("AR_Customer/" in event.stream for event in made.events)
        assert (await played(made)).differences == []


async def test_nobody_can_be_told_from_a_bundle(tmp_path: Path) -> None:
    """No name, number, key, address or id of the record is in it; amounts and dates are."""
    async with with_a_past(tmp_path) as site:
        made = await bundled(site, KEY)
        text = msgspec.json.encode(made).decode().lower()
        row = next(
            row
            for row in site.company.rows("AR_Customer")
            if (row["ARDivisionNo"], row["CustomerNo"]) == ("01", "ABF")
        )
        private = ["quillfeather", "zoerilda", "plume court", "01-abf", "/acme/", "abc:"]
        private += [row["AddressLine2"].lower(), row["TelephoneNo"].lower()]
        invoices = list(site.company.rows("AR_Invoice", "01", "ABF"))
        private += [each["InvoiceNo"] for each in invoices]
        company = site.portal.one("companies", "sage100_customer_key", KEY)
        private.append(f'"{company["hs_object_id"]}"')
        assert [word for word in private if word and word in text] == []
        assert any(each["Balance"] in text for each in invoices if each["Balance"].strip("0."))
        for secret in site.env.values():
            assert secret.lower() not in text


async def test_what_is_typed_where_an_amount_should_be_is_made_up(tmp_path: Path) -> None:
    """Amounts, days and codes are shown as they are; a sentence in their place is somebody's."""
    async with with_a_past(tmp_path) as site:
        posted = posting.post_invoice(site.company, ("01", "ABF"), "500")
        garbage = {"Balance": "ask Zoerilda", "InvoiceDueDate": "when Zoerilda pays"}
        site.company.update("AR_Invoice", posted, garbage)
        async with site.app() as app:
            await app.run_once()
        made = await bundled(site, KEY)
        assert "zoerilda" not in msgspec.json.encode(made).decode().lower()
        assert (await played(made)).differences == []


async def test_the_same_name_is_the_same_and_another_is_another(tmp_path: Path) -> None:
    """Within a bundle a value has one disguise, in rows, keys and commands; a new bundle others."""
    async with with_a_past(tmp_path) as site:
        one, other = await bundled(site, KEY), await bundled(site, KEY)
        assert one.key != other.key
        rows = [
            payload.row
            for event in one.events
            if isinstance(payload := bundles.payload_of(event), events.RecordObserved)
            and event.stream.endswith(f"/AR_Customer/{one.key.partition(':')[2]}")
        ]
        numbers = {row["CustomerNo"] for row in rows}
        assert len(numbers) == 1
        assert one.key.endswith(f":01-{numbers.pop()}")
        named = {row["CustomerName"] for row in rows}
        told = {
            payload.changes["name"][1]
            for event in one.events
            if isinstance(payload := bundles.payload_of(event), events.CommandEmitted)
            and event.stream == f"hubspot/{one.key}"
            and "name" in payload.changes
        }
        assert told == named


async def test_what_ends_otherwise_is_told(tmp_path: Path) -> None:
    """A value that the bundle's log holds and playing does not bring about is named."""
    async with with_a_past(tmp_path) as site:
        made = await bundled(site, KEY)
        altered = []
        for event in made.events:
            payload = bundles.payload_of(event)
            mine = event.stream == f"hubspot/{made.key}"
            if mine and isinstance(payload, events.CommandEmitted) and "name" in payload.changes:
                changes = payload.changes | {"name": (None, "Somebody Else")}
                payload = msgspec.structs.replace(payload, changes=changes)
                event = msgspec.structs.replace(event, data=msgspec.Raw(events.encode(payload)))
            altered.append(event)
        report = await played(msgspec.structs.replace(made, events=altered))
        assert [(one.target, one.what, one.recorded) for one in report.differences] == [
            (made.key, "name", "Somebody Else")
        ]


async def test_a_record_found_in_hubspot_is_found_again(tmp_path: Path) -> None:
    """What was adopted is put into the simulated HubSpot first, with the values it had."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            await app.setup()
        values = {"name": "Typed in by hand", "sage100_customer_key": KEY, "domain": "own.example"}
        site.portal.add("companies", values)
        async with site.app() as app:
            assert (await app.run_once()).complete
        made = await bundled(site, KEY)
        assert [one.object_type for one in bundles.seeds(made)] == ["companies"]
        assert (await played(made)).differences == []


async def test_the_lines_of_invoices_are_in_it(tmp_path: Path) -> None:
    """Lines that are kept as line items are taken, disguised and compared like all else."""
    async with open_site(tmp_path, OPTIONS) as site:
        switch(site, on=True)
        async with site.app() as app:
            assert (await app.run_once()).complete
        posting.post_invoice(site.company, ("01", "ABF"), "250")
        async with site.app() as app:
            assert (await app.run_once()).complete
        made = await bundled(site, KEY)
        rows = [
            payload.row
            for event in made.events
            if isinstance(payload := bundles.payload_of(event), events.RecordObserved)
            and "/AR_InvoiceDetail/" in event.stream
        ]
        ours = {key for key, invoice, _ in charged(site) if invoice.startswith(f"{KEY}:")}
        items = {event.stream for event in made.events if "hubspot/line_items/" in event.stream}
        assert len(items) >= len(ours) > 0  # lines that become none are told there too
        assert any("associations/line_items:" in event.stream for event in made.events)
        text = msgspec.json.encode(made).decode()
        lines = [row for key, _, row in charged(site) if key in ours]
        private = {row[name] for row in lines for name in ("ItemCode", "ItemCodeDesc", "InvoiceNo")}
        # Of a few digits only, chance may make the same ones up within others.
        assert [word for word in private if len(word) > 5 and word in text] == []
        assert {row["ExtensionAmt"] for row in lines} <= {row["ExtensionAmt"] for row in rows}
        assert {row["InvoiceNo"] for row in rows}.isdisjoint(private)
        report = await played(made)
        assert report.differences == []
        assert report.targets >= 2 * len(ours)
        # Lines that come to another amount are told.
        other = [
            msgspec.structs.replace(
                event,
                data=msgspec.Raw(
                    bytes(event.data).replace(b'"ExtensionAmt":"', b'"ExtensionAmt":"7')
                ),
            )
            if "/AR_InvoiceDetail/" in event.stream
            else event
            for event in made.events
        ]
        told = await played(msgspec.structs.replace(made, events=other))
        assert {one.target.partition("/")[0] for one in told.differences} == {"line_items"}


@pytest.mark.parametrize("key", ["ABC:01-ABF", "ABC:01-ABF:ZOERILDA"])
async def test_an_erased_record_begins_with_what_was_left(tmp_path: Path, key: str) -> None:
    """What was in HubSpot when its past was erased is there when the rest is played, and ends as
    it did; that is so whether something has happened since or not.
    """
    async with with_a_past(tmp_path) as site:
        config = site.config()
        await ask(config, key)
        for limit in ("", "900"):
            if limit:
                change = {"CreditLimit": limit, "CustomerName": "Quillfeather Again"}
                maintenance.change_customer(site.company, ("01", "ABF"), change)
            async with site.app() as app:
                assert (await app.run_once()).complete
            made = await bundled(site, KEY)
            erased = [one for one in made.events if one.type == "TargetErased"]
            assert erased
            assert {one.target for one in bundles.seeds(made)} == {
                one.stream.removeprefix("hubspot/") for one in erased
            }
            report = await played(made)
            assert report.differences == []
            assert report.targets > 5


async def test_what_the_simulated_portal_does_not_take_is_left_out(tmp_path: Path) -> None:
    """A value found in the real HubSpot that is none of an option here costs that value only."""
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            await app.setup()
        site.portal.add("companies", {"name": "By hand", "sage100_customer_key": KEY})
        async with site.app() as app:
            assert (await app.run_once()).complete
        made = await bundled(site, KEY)
        altered = []
        for event in made.events:
            payload = bundles.payload_of(event)
            if isinstance(payload, events.RecordAdopted):
                values = payload.values | {"lifecyclestage": "bogus", "numberofemployees": "many"}
                payload = msgspec.structs.replace(payload, values=values)
                event = msgspec.structs.replace(event, data=msgspec.Raw(events.encode(payload)))
            altered.append(event)
        report = await played(msgspec.structs.replace(made, events=altered))
        assert {one.target for one in report.differences} <= {made.key}
        assert {one.what for one in report.differences} <= {"lifecyclestage", "numberofemployees"}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": "other"}'])
async def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file of another kind is named, not played."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="no bundle"):
        bundles.read(path)
    async with open_site(tmp_path, OPTIONS) as site:
        async with site.app() as app:
            await app.setup()
        async with open_reader(site.config()) as store:
            with pytest.raises(Misconfigured, match="not known"):
                await bundles.collect(store, "nobody")


async def test_the_deal_of_an_invoice_is_played_too(tmp_path: Path) -> None:
    """A deal that an invoice was linked to is there, under another id, and is linked again."""
    async with test_deals.a_site(tmp_path) as site:
        async with site.app() as app:
            test_deals.deal(site, "SO-1001")
            test_deals.invoice(site, SalesOrderNo="SO-1001")
            assert (await app.run_once()).complete
            [(_, deal)] = test_deals.linked(site)
        key = keys.external_key("ABC", "-".join(test_deals.BUYER))
        made = await bundled(site, key)
        assert any(">deals:" in event.stream for event in made.events)
        text = msgspec.json.encode(made).decode()
        assert (f'"{deal}"' in text, "SO-1001" in text) == (False, False)
        assert (await played(made)).differences == []
