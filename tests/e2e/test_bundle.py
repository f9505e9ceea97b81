"""A record's slice of the log, about somebody else, comes to the same end when it is played."""

from __future__ import annotations

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
from connector.sandbox.agent import AgentOptions, maintenance, posting
from projections import events
from tests.e2e.site import Site, open_site

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


def test_what_is_not_known_to_be_harmless_is_made_up() -> None:
    """Fields nobody thought of, of whatever form, show nothing; of messages only what is known."""
    events_ = [
        (
            "hubspot/contacts/ABC:01-QUILLER:ZOERILDA",
            events.DriftFound({}, {"phone": "zoerilda@hereabouts.example"}),
        ),
        (
            "hubspot/contacts/ABC:01-QUILLER:ZOERILDA",
            events.CommandFailed(
                1, "lost", "no answer for 4711999", 5, 1, correlation_id="abcdef-77"
            ),
        ),
        ("hubspot/deals/4711999", events.DealMatched("4711999", "SO-8812", ["88123"])),
    ]
    made = bundles.disguise(
        Bundle(
            made_by="test",
            key="companies/ABC:01-QUILLER",
            head=9,
            events=[
                bundles.BundleEvent(
                    number, stream, 1, events.type_of(one), 7, msgspec.Raw(events.encode(one))
                )
                for number, (stream, one) in enumerate(events_, 1)
            ],
        ),
        Pseudonyms(secrets.choice),
    )
    text = msgspec.json.encode(made).decode().lower()
    private = ("zoerilda", "quiller", "abc:", "4711999", "so-8812", "88123", "hereabouts", "abcdef")
    assert [word for word in private if word in text] == []
    assert "no answer for" in text


async def test_the_same_name_is_the_same_and_another_is_another(tmp_path: Path) -> None:
    """Within a bundle a value has one disguise, in rows, keys and commands; a new bundle others."""
    async with with_a_past(tmp_path) as site:
        one, other = await bundled(site, KEY), await bundled(site, KEY)
        assert one.key != other.key
        rows = [
            payload.row
            for event in one.events
            if isinstance(payload := bundles.payload_of(event), events.RecordObserved)
            and "/AR_Customer/" in event.stream
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
            if isinstance(payload, events.CommandEmitted) and "name" in payload.changes:
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
        assert [one.object_type for one in bundles.adoptions(made)] == ["companies"]
        assert (await played(made)).differences == []


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
