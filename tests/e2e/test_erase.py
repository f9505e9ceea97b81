"""Erasing a person: out of the log and everything made from it, and not in again by any way."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector import erasing, erasure_list, replaying, reports
from connector.archive import export
from connector.config import Config
from connector.erasure_list import Listed
from connector.errors import Misconfigured
from connector.opening import open_reader, open_writer
from connector.sandbox.agent import AgentOptions, maintenance
from eventstore import EventStore
from projections import events
from tests.e2e.site import Site, open_site
from tests.e2e.waiting import LIMIT_S, until

KEY = "ABC:01-ERASED"
NAMES = ("Wilhelmina Quist", "quist@private.example", "555 0177", "Larch Lane", "Jokela, Aino")
SMALL = AgentOptions(seed=71, customers=8, invoices=20, vendors=2)


def enter(site: Site) -> None:
    """A sole proprietor with a contact, as an accountant enters them, and an open invoice."""
    company = site.company
    row = {
        "CustomerName": "Wilhelmina Quist",
        "EmailAddress": "quist@private.example",
        "TelephoneNo": "(312) 555 0177",
        "AddressLine1": "9 Larch Lane",
        "Comment": "Larch Lane, ring twice",
        "CreditLimit": "500",
    }
    maintenance.add_customer(company, ("01", "ERASED"), row)
    person = {"ContactName": "Jokela, Aino", "EmailAddress": "aino.quist@private.example"}
    maintenance.add_contact(company, ("01", "ERASED", "AINO"), person)
    maintenance.add_vendor(company, ("01", "PRIVATE"), {"VendorName": "Otso Vendor"})


@asynccontextmanager
async def synced(folder: Path) -> AsyncIterator[Site]:
    """A site with that customer, in sync."""
    async with open_site(folder, SMALL) as site:
        enter(site)
        async with site.app() as app:
            assert (await app.run_once()).complete
        yield site


def store_file(config: Config) -> Path:
    """Where the store is."""
    assert config.store.file is not None
    return config.store.file


async def ask(config: Config, key: str) -> None:
    """Put a record on the list."""
    async with open_reader(config) as store:
        record = await erasing.record_meant(store, key)
    line = Listed(record, "2026-11-22T09:00:00Z", "Art. 17", "officer")
    await erasure_list.add(store_file(config), [line])


def files_with(folder: Path, texts: Iterator[str] | tuple[str, ...]) -> list[tuple[str, str]]:
    """(file, text) of the files of a store that hold one of these texts."""
    return [
        (path.name, text)
        for path in sorted(folder.glob("events.db*"))
        if path.is_file()
        for text in texts
        if text.encode() in path.read_bytes()
    ]


async def assert_gone(config: Config) -> None:
    """No file of the store holds the person; the chain holds; the models are what the log says."""
    assert files_with(store_file(config).parent, NAMES) == []
    async with open_reader(config) as store:
        assert await store.verify() == (await store.head()).last


async def test_an_erased_person_is_gone_and_does_not_come_back(tmp_path: Path) -> None:
    """Erased from log, models and exports; emptied in HubSpot; no poll or sweep brings it back."""
    async with synced(tmp_path) as site:
        config = site.config()
        assert files_with(tmp_path, NAMES) != []
        before = site.portal.one("companies", "sage100_customer_key", KEY)
        person = site.portal.one("contacts", "sage100_contact_key", f"{KEY}:AINO")
        assert (before["name"], person["lastname"]) == ("Wilhelmina Quist", "Jokela")
        await ask(config, KEY)
        async with site.app() as app:
            await assert_gone(config)
            report = await app.run_once()
            assert report.complete
            assert (await app.rebuild(verify=True)).mismatch is None
            assert (await reports.status(app.store))["books_close"]
        after = site.portal.one("companies", "sage100_customer_key", KEY)
        assert (after["name"], after.get("phone"), after.get("address")) == (
            "01-ERASED",
            None,
            None,
        )
        assert after["sage100_credit_limit"] == before["sage100_credit_limit"]
        assert after["hs_object_id"] == before["hs_object_id"]
        person = site.portal.one("contacts", "sage100_contact_key", f"{KEY}:AINO")
        assert person.keys().isdisjoint(("firstname", "lastname", "email", "company", "phone"))

        writes = site.portal.calls.writes
        change = {"TelephoneNo": "(312) 555 0177", "AddressLine1": "10 Larch Lane"}
        maintenance.change_customer(site.company, ("01", "ERASED"), change)
        maintenance.add_contact(site.company, ("01", "ERASED", "NEW"), {"ContactName": NAMES[4]})
        for sweep in (False, True, True):
            async with site.app() as app:
                assert (await app.run_once(sweep=sweep)).complete
        assert site.portal.calls.writes == writes
        await assert_gone(config)
        async with open_reader(config) as store:
            await export(store, tmp_path / "log.jsonl", lambda *_: None)
            told = await reports.history(store, f"companies/{KEY}")
        assert not any(text in (tmp_path / "log.jsonl").read_text() for text in NAMES)
        assert "Erased" in {each.moment.event for each in told.moments}


async def test_accounting_goes_on_for_the_erased(tmp_path: Path) -> None:
    """A changed credit limit is an accounting fact: it still reaches HubSpot, and nothing else."""
    async with synced(tmp_path) as site:
        await ask(site.config(), KEY)
        async with site.app() as app:
            await app.run_once()
        change = {"CreditLimit": "900", "CustomerName": NAMES[0]}
        maintenance.change_customer(site.company, ("01", "ERASED"), change)
        async with site.app() as app:
            assert (await app.run_once()).complete
        company = site.portal.one("companies", "sage100_customer_key", KEY)
        assert (company["sage100_credit_limit"], company["name"]) == ("900.00", "01-ERASED")
        await assert_gone(site.config())


async def test_a_restored_backup_is_erased_before_anything_else(tmp_path: Path) -> None:
    """Whoever opens a store from before the erasure, even to read, erases it first."""
    async with synced(tmp_path) as site:
        config = site.config()
        file = store_file(config)
        backup = tmp_path / "backup.db"
        shutil.copyfile(file, backup)
        await ask(config, KEY)
        async with site.app() as app:
            assert (await app.run_once()).complete
        held = site.portal.one("companies", "sage100_customer_key", KEY)
        shutil.copyfile(backup, file)
        assert files_with(tmp_path, NAMES) != []
        async with open_reader(config) as store:
            assert not any(
                text.encode() in (event.data or b"")
                for event in await store.history(f"hubspot/companies/{KEY}")
                for text in NAMES
            )
        backup.unlink()
        await assert_gone(config)
        async with site.app() as app:
            report = await app.run_once(sweep=True)
            assert report.complete
            # What is left has the fingerprint of what is let in: nothing of it is news.
            assert sum(one.observed for one in report.passes) == 0
            assert (await app.rebuild(verify=True)).mismatch is None
        assert site.portal.one("companies", "sage100_customer_key", KEY)["name"] == held["name"]
        await assert_gone(config)


async def test_the_running_service_erases(tmp_path: Path) -> None:
    """Asked for beside it, the service rests, erases and goes on polling and writing."""
    async with synced(tmp_path) as site, site.app() as app:
        config = site.config()
        stop = asyncio.Event()
        service = asyncio.create_task(app.run(stop))
        await ask(config, KEY)

        def emptied() -> bool:
            assert not service.done()
            return site.portal.one("companies", "sage100_customer_key", KEY)["name"] == "01-ERASED"

        await until(emptied, "HubSpot does not hold the name any more")
        stop.set()
        async with asyncio.timeout(LIMIT_S):
            await service
        assert files_with(tmp_path, NAMES) == []
        assert await app.store.verify() == (await app.store.head()).last


async def test_what_was_deleted_in_hubspot_is_not_created_again(tmp_path: Path) -> None:
    """A contact deleted there for good stays deleted, and leaves nothing waiting or parked."""
    async with synced(tmp_path) as site:
        person = site.portal.one("contacts", "sage100_contact_key", f"{KEY}:AINO")
        site.portal.archive("contacts", person["hs_object_id"])
        await ask(site.config(), f"{KEY}:AINO")
        async with site.app() as app:
            await app.run_once()
            _, targets = await replaying.select_for_replay(app.store, everything=True)
            await replaying.request_replay(app.store, "all", targets, dry_run=False)
            await app.run_once()
            status = await reports.status(app.store)
        assert site.portal.find("contacts", "sage100_contact_key", f"{KEY}:AINO") == []
        assert [row["held"] + row["parked"] + row["pending"] for row in status["hubspot"]] == [
            0
        ] * 5


async def test_a_crash_between_erasing_and_refolding_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is erased first; when all else did not follow, the next one to open sees to it."""
    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, "ABC:01-PRIVATE")
        with monkeypatch.context() as patched:

            async def fails(*_: object, **__: object) -> None:
                raise RuntimeError("the power went")

            patched.setattr(erasing, "rebuild", fails)
            with pytest.raises(RuntimeError):
                async with open_writer(config):
                    pass
        assert files_with(tmp_path, ("Otso Vendor",)) != []
        async with open_writer(config) as store:
            assert await erasing.enforce(store, store_file(config)) == 0
        assert files_with(tmp_path, ("Otso Vendor",)) == []


async def test_the_list_is_private_and_holds_no_data(tmp_path: Path) -> None:
    """Keys only, readable by its owner; a line that is none stops everything, naming the line."""
    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, KEY)
        path = erasure_list.file_of(store_file(config))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        [line] = [json.loads(each) for each in path.read_text().splitlines()]
        assert line["record"] == "sage/acme/ABC/AR_Customer/01-ERASED"
        path.write_text(path.read_text() + '{"record": "x"')
        with pytest.raises(Misconfigured, match="line 2"):
            async with open_writer(config):
                pass
        await erasure_list.add(store_file(config), [])


@pytest.mark.parametrize(
    "record",
    ["hubspot/companies/ABC:01-A", "sage/acme/ABC", "sage/acme/ABC/AR_Invoice/01-A:1-1-IN"],
)
async def test_only_who_can_be_erased_is_listed(tmp_path: Path, record: str) -> None:
    """A line that a person wrote by hand and nobody could carry out is told, with its number."""
    file = tmp_path / "events.db"
    await erasure_list.add(file, [Listed(record, "2026-11-21T00:00:00Z", "asked for")])
    with pytest.raises(Misconfigured, match=r"line 1.*no stream of a customer, contact or vendor"):
        await erasure_list.read(file)


async def erased_events(store: EventStore) -> list[events.Event]:
    """What the store says of erasures."""
    stored = [events.decode(one.type, one.data) for one in await store.history("audit/erasure")]
    return [one for one in stored if one is not None]


async def test_an_erasure_is_in_the_audit_and_happens_once(tmp_path: Path) -> None:
    """Who, why and which streams are in the log; asking again changes nothing."""
    async with synced(tmp_path) as site:
        config = site.config()
        await ask(config, KEY)
        async with open_writer(config) as store:
            [told] = await erased_events(store)
            [commit] = await store.commits([(await store.history("audit/erasure"))[0].position])
            assert commit is not None
            assert commit.meta.actor == "operator:officer"
            head = await store.head()
        assert isinstance(told, events.Erased)
        assert told.reason == "Art. 17"
        assert f"hubspot/companies/{KEY}" in told.streams
        await ask(config, KEY)
        async with open_writer(config) as store:
            assert await store.head() == head


@pytest.mark.parametrize("key", ["invoices/ABC:01-ABF:1", "nobody", "01-ABF:0"])
async def test_what_cannot_be_erased_is_refused(tmp_path: Path, key: str) -> None:
    """What the log does not know is refused, with the way to find out."""
    async with synced(tmp_path) as site, open_reader(site.config()) as store:
        with pytest.raises(Misconfigured, match="nothing in the log"):
            await erasing.record_meant(store, key)
        rows = await store.scan("target", prefix="invoices/", limit=1)
        with pytest.raises(Misconfigured, match="accounting records are kept"):
            await erasing.record_meant(store, rows[0].key)


async def test_a_link_is_no_record_to_erase(tmp_path: Path) -> None:
    """Its name holds those of two records: taken for a customer's, it would be listed for good."""
    async with synced(tmp_path) as site, open_reader(site.config()) as store:
        [link] = await store.scan("target", prefix="associations/contacts:", limit=1)
        with pytest.raises(Misconfigured, match="is a link between two records"):
            await erasing.record_meant(store, link.key)


async def test_an_id_that_names_several_is_a_person_s_to_choose(tmp_path: Path) -> None:
    """HubSpot ids are unique per kind of object only: an invoice among them hides no other."""
    async with synced(tmp_path) as site, site.app() as app:
        company = site.portal.one("companies", "sage100_customer_key", KEY)["hs_object_id"]
        names = await reports.find(app.store, company)
        assert {name.partition("/")[0] for name in names} >= {"companies", "invoices"}
        with pytest.raises(Misconfigured) as raised:
            await erasing.record_meant(app.store, company)
        assert all(name in raised.value.what for name in names)
        assert "which are kept" in raised.value.remedy
        assert await erasing.record_meant(app.store, f"companies/{KEY}")
