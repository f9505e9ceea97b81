"""What HubSpot still holds of an erased person does not come into the log from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import erasing, erasure_list, mappings, reconcile, repairing, reports
from connector.asking import ask as ask_for
from connector.hubspot.erased import unsaid
from connector.new_events import new_event
from connector.opening import open_hubspot, open_reader, open_writer
from connector.sandbox.agent import maintenance
from eventstore import EventStore, NewEvent
from projections import events, keys, personal
from tests.e2e.site import Site
from tests.e2e.test_erase import KEY, NAMES, ask, assert_gone, files_with, store_file, synced

COMPANY = f"companies/{KEY}"
DOMAIN = "private.example"


async def erase(site: Site) -> str:
    """Erase the customer, bring HubSpot up to date; the company's id there."""
    await ask(site.config(), KEY)
    async with site.app() as app:
        assert (await app.run_once()).complete
    assert files_with(store_file(site.config()).parent, (*NAMES, DOMAIN)) == []
    found: str = site.portal.one("companies", "sage100_customer_key", KEY)["hs_object_id"]
    return found


async def told(store: EventStore, kind: type[events.Event]) -> list[events.Event]:
    """The company's events of one type."""
    stored = await store.history(keys.hubspot_stream(COMPANY))
    payloads = [events.decode(one.type, one.data) for one in stored]
    return [one for one in payloads if isinstance(one, kind)]


@pytest.mark.parametrize("typed", [{}, {"name": NAMES[0], "phone": NAMES[2]}], ids=["", "typed"])
async def test_a_record_found_by_its_id_tells_nothing_of_the_erased(
    tmp_path: Path, typed: dict[str, str]
) -> None:
    """A company that lost its key is taken over without personal values; what is ours of them is
    written again, and what was only filled in stays as HubSpot has it.
    """
    async with synced(tmp_path) as site:
        company = await erase(site)
        site.portal.edit("companies", company, {"sage100_customer_key": "", **typed})
        maintenance.change_customer(site.company, ("01", "ERASED"), {"CreditLimit": "901"})
        async with site.app() as app:
            assert (await app.run_once()).complete
            [adopted] = await told(app.store, events.RecordAdopted)
            assert isinstance(adopted, events.RecordAdopted)
            assert adopted.unsaid == sorted({"name", *typed})
            assert "domain" not in adopted.values
            history = await reports.history(app.store, COMPANY)
            assert any("personal data was erased" in one.moment.text for one in history.moments)
            assert (await app.rebuild(verify=True)).mismatch is None
            assert (await reports.status(app.store))["books_close"]
        after = site.portal.one("companies", "sage100_customer_key", KEY)
        assert (after["name"], after.get("phone"), after["domain"]) == ("01-ERASED", None, DOMAIN)
        assert after["sage100_credit_limit"] == "901.00"
        assert files_with(tmp_path, (*NAMES, DOMAIN)) == []


async def test_drift_of_the_erased_is_put_right_without_being_told(tmp_path: Path) -> None:
    """Somebody types the person in again: a repair empties it, and the log says no value of it."""
    async with synced(tmp_path) as site:
        config = site.config()
        company = await erase(site)
        person = site.portal.one("contacts", "sage100_contact_key", f"{KEY}:AINO")["hs_object_id"]
        limit = {"sage100_credit_limit": "7"}
        site.portal.edit("companies", company, {"name": NAMES[0], "phone": NAMES[2], **limit})
        site.portal.edit("contacts", person, {"lastname": NAMES[4]})
        async with open_reader(config) as store, open_hubspot(config) as hubspot:
            mapping = await mappings.active(store)
            assert mapping is not None
            report = await reconcile.look(store, hubspot, mapping)
        assert await ask_for(config, repairing.request_of(report, "eve"))
        async with site.app() as app:
            assert (await app.run_once()).complete
            [drift] = await told(app.store, events.DriftFound)
            assert isinstance(drift, events.DriftFound)
            assert drift.values == {"sage100_credit_limit": ("500.00", "7")}
            assert (drift.unsaid, list(drift.by)) == (["name", "phone"], list(limit))
            assert (await app.rebuild(verify=True)).mismatch is None
        after = site.portal.one("companies", "sage100_customer_key", KEY)
        assert (after["name"], after.get("phone")) == ("01-ERASED", None)
        assert after["sage100_credit_limit"] == "500.00"
        assert "lastname" not in site.portal.one("contacts", "sage100_contact_key", f"{KEY}:AINO")
        assert files_with(tmp_path, NAMES) == []


async def test_what_a_write_left_as_it_was_is_not_told_of_the_erased(tmp_path: Path) -> None:
    """That HubSpot held something is in the log, and of others also what."""
    kept = {"name": NAMES[0], "sage100_terms": "00"}
    overtaken = {"phone": NAMES[2], "city": ""}
    done = events.CommandSucceeded(1, "7", "updated", kept=kept, overtaken=overtaken)
    async with synced(tmp_path) as site:
        await erase(site)
        async with open_writer(site.config()) as store:
            ours, other = await unsaid(store, [(COMPANY, done), ("companies/ABC:01-ABF", done)])
    assert other == done
    assert isinstance(ours, events.CommandSucceeded)
    assert ours.kept == {"name": personal.ERASED, "sage100_terms": "00"}
    assert ours.overtaken == {"phone": personal.ERASED, "city": ""}


def _came_back(store_version: int) -> list[events.Event]:
    """Events by which earlier versions let values of the erased in."""
    name = {"name": (NAMES[0], "01-ERASED")}
    return [
        events.RecordAdopted("7", "HubSpot id", {"domain": DOMAIN}),
        events.DriftFound({"name": ("01-ERASED", NAMES[0])}),
        events.FieldsPinned(name),
        events.CommandSucceeded(store_version, "7", "updated", kept={"domain": DOMAIN}),
    ]


@pytest.mark.parametrize("number", range(4))
async def test_what_came_back_is_erased_again_once(tmp_path: Path, number: int) -> None:
    """A log into which an earlier version let such a value is not what the list says: the next one
    to open it erases that, and is content then.
    """
    async with synced(tmp_path) as site:
        config = site.config()
        await erase(site)
        async with open_writer(config) as store:
            stream = keys.hubspot_stream(COMPANY)
            version = len(await store.history(stream)) + 1
            event: NewEvent = new_event(stream, _came_back(version)[number])
            await store.append([event])
            listed = await erasure_list.read(store_file(config))
            assert await erasing.outstanding(store, listed) == listed
        async with open_writer(config) as store:
            assert await erasing.outstanding(store, listed) == []
            head = await store.head()
        assert files_with(tmp_path, (*NAMES, DOMAIN)) == []
        async with open_writer(config) as store:
            assert await store.head() == head
        await assert_gone(config)


async def test_what_is_gone_stays_gone_however_often_it_is_erased(tmp_path: Path) -> None:
    """That a record is gone from Sage 100 stands in the erasure alone, once it was erased again."""
    record = f"sage/acme/ABC/AR_Customer/{COMPANY.rpartition(':')[2]}"
    async with synced(tmp_path) as site:
        config = site.config()
        await erase(site)
        gone: list[events.Event] = [events.RecordVanished([], "")]
        for _ in range(2):
            async with open_writer(config) as store:
                stream = keys.hubspot_stream(COMPANY)
                came = _came_back(len(await store.history(stream)) + 1)[0]
                told = [new_event(record, one) for one in gone]
                await store.append([*told, new_event(stream, came)])
                gone = []
            async with open_writer(config) as store:
                newest = (await store.history(record))[-1]
                left = events.decode(newest.type, newest.data)
                assert isinstance(left, events.RecordErased)
                assert left.vanished
