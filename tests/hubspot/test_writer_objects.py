"""The writer on companies, contacts and invoices: create, update, adopt, fill, hold."""

from __future__ import annotations

from projections import events

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
KEY = "sage100_customer_key"


async def test_a_new_record_is_looked_for_and_then_created(site: Site) -> None:
    """Intent, attempt and outcome stand in the log, each caused by the one before."""
    await site.emit(ACME, name="Acme", phone="555-0100")
    summary = await site.writer().run_until_idle()
    shown = site.portal.one("companies", KEY, "ABC:01-ACME")
    assert (shown["name"], shown["phone"]) == ("Acme", "555-0100")
    assert (summary.succeeded, summary.pending) == (1, 0)
    assert summary.lanes["companies"].created == 1
    assert await site.types(ACME) == ["CommandEmitted", "CommandSent", "CommandSucceeded"]
    stored = await site.store.history(f"hubspot/{ACME}")
    assert [event.cause for event in stored] == [None, stored[0].position, stored[1].position]
    done = (await site.stream(ACME))[-1]
    assert isinstance(done, events.CommandSucceeded)
    assert (done.outcome, done.hubspot_id) == ("created", shown["hs_object_id"])
    assert done.correlation_id
    assert (await site.target(ACME)).held == {"name": "Acme", "phone": "555-0100"}
    assert [call.route for call in site.portal.calls] == [
        "objects.batch.read",
        "objects.batch.upsert",
    ]
    assert await site.books_close()


async def test_a_known_record_is_updated_without_looking(site: Site) -> None:
    """What the ledger knows costs no read."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    site.portal.calls.clear()
    await site.emit(ACME, name="Acme Inc", phone="")
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].updated == 1
    assert site.portal.one("companies", KEY, "ABC:01-ACME")["name"] == "Acme Inc"
    assert [call.route for call in site.portal.calls] == ["objects.batch.update"]


async def test_a_hundred_records_travel_in_one_call(site: Site) -> None:
    """250 commands: three reads and three upserts, no more."""
    await site.emit_many("C", 250)
    summary = await site.writer().run_until_idle()
    assert summary.succeeded == 250
    assert site.portal.count("companies") == 250
    assert site.portal.calls.count(route="objects.batch.read") == 3
    assert site.portal.calls.count(route="objects.batch.upsert") == 3
    assert await site.books_close()


async def test_an_existing_record_is_adopted_not_doubled(site: Site) -> None:
    """A record with our key that we did not know becomes ours; its command waits for a decision."""
    found = site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "ACME!", "phone": "1"})
    await site.emit(ACME, name="Acme", phone="1")
    writer = site.writer()
    summary = await writer.run_until_idle()
    assert (summary.gated, summary.pending) == (1, 1)
    adopted = (await site.stream(ACME))[-1]
    assert isinstance(adopted, events.RecordAdopted)
    assert (adopted.hubspot_id, adopted.rule) == (found, "external key")
    assert adopted.values["name"] == "ACME!"
    assert site.portal.calls.count(route="objects.batch.upsert") == 0
    # The projector compares, finds less to do, and says so.
    await site.emit(ACME, name="Acme")
    await site.projector_reaches_the_end()
    assert (await writer.run_until_idle()).lanes["companies"].updated == 1
    assert site.portal.count("companies") == 1
    assert site.portal.record("companies", found)["name"] == "Acme"  # type: ignore[index]
    assert await site.books_close()


async def test_the_gate_of_an_adopted_record_outlives_the_writer(site: Site) -> None:
    """A new writer, too, waits for the projector before it sends what is older than an adoption."""
    site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "ACME!"})
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    summary = await site.writer().run_until_idle()
    assert summary.gated == 1
    assert site.portal.calls.count(route="objects.batch.upsert") == 0
    await site.projector_reaches_the_end()
    assert (await site.writer().run_until_idle()).lanes["companies"].updated == 1


async def test_the_gate_stays_shut_while_the_decision_is_put_off(site: Site) -> None:
    """The projector may have read the adoption and not decided yet: its list of work says so."""
    site.portal.add("companies", {KEY: "ABC:01-ACME", "name": "ACME!"})
    await site.emit(ACME, name="Acme")
    writer = site.writer()
    await writer.run_until_idle()
    await site.mark_dirty(ACME)
    await site.projector_reaches_the_end()
    assert (await writer.run_until_idle()).gated == 1
    await site.mark_clean(ACME)
    assert (await writer.run_until_idle()).lanes["companies"].updated == 1


async def test_fill_properties_yield_to_what_hubspot_has(site: Site) -> None:
    """A property we may only fill is left alone where HubSpot has a value, and the log keeps it."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    record = site.portal.one("companies", KEY, "ABC:01-ACME")["hs_object_id"]
    site.portal.edit("companies", record, {"domain": "acme.example"})
    await site.emit(ACME, ["domain", "website"], name="Acme 2", domain="x.example", website="w.io")
    await site.writer().run_until_idle()
    shown = site.portal.record("companies", record)
    assert shown is not None
    assert (shown["domain"], shown["website"]) == ("acme.example", "w.io")
    done = (await site.stream(ACME))[-1]
    assert isinstance(done, events.CommandSucceeded)
    assert done.kept == {"domain": "acme.example"}
    assert (await site.target(ACME)).held["domain"] == "acme.example"


async def test_nothing_is_sent_when_hubspot_keeps_all_of_it(site: Site) -> None:
    """A command of filled properties only costs a read and no write."""
    await site.emit(ACME, name="Acme", domain="acme.example")
    await site.writer().run_until_idle()
    site.portal.calls.clear()
    await site.emit(ACME, ["domain"], domain="other.example")
    summary = await site.writer().run_until_idle()
    assert summary.lanes["companies"].found == 1
    assert site.portal.calls.writes == 0
    assert (await site.target(ACME)).held["domain"] == "acme.example"


async def test_a_child_waits_for_its_parent_and_says_for_which(site: Site) -> None:
    """A contact without its company is held; released, it goes."""
    await site.emit(JOE, firstname="Joe")
    writer = site.writer()
    summary = await writer.run_until_idle()
    assert summary.lanes["contacts"].held == 1
    held = (await site.stream(JOE))[-1]
    assert isinstance(held, events.CommandHeld)
    assert held.waiting_for == [ACME]
    assert len(site.portal.calls) == 0
    await site.emit(ACME, name="Acme")
    await writer.run_until_idle()
    await site.release(JOE)
    summary = await writer.run_until_idle()
    assert summary.lanes["contacts"].created == 1
    assert await site.books_close()


async def test_parents_are_written_before_their_children_look_for_them(site: Site) -> None:
    """In one run companies go first, so that nothing has to be held."""
    await site.emit(JOE, firstname="Joe")
    await site.emit("invoices/ABC:01-ACME:1-0-IN", hs_currency="USD", hs_invoice_billable="false")
    await site.emit(ACME, name="Acme")
    summary = await site.writer().run_until_idle()
    assert summary.succeeded == 3
    assert sum(lane.held for lane in summary.lanes.values()) == 0


async def test_keys_that_differ_only_in_case_never_share_a_batch(site: Site) -> None:
    """HubSpot would refuse the whole batch as a duplicate; apart, the second finds the first."""
    await site.emit("companies/ABC:01-abc", name="small")
    await site.emit("companies/ABC:01-ABC", name="large")
    await site.writer().run_until_idle()
    assert site.portal.calls.count(route="objects.batch.read", status=400) == 0
    assert site.portal.calls.count(route="objects.batch.upsert", status=400) == 0
    assert site.portal.calls.count(route="objects.batch.read") == 2
    assert site.portal.calls.count(route="objects.batch.upsert") == 1


async def test_a_batch_stays_below_a_megabyte(site: Site) -> None:
    """Large values make more and smaller batches."""
    for number in range(30):
        await site.emit(f"companies/ABC:01-L{number}", name="L", description="x" * 60_000)
    summary = await site.writer().run_until_idle()
    assert summary.succeeded == 30
    sizes = [
        len(call.body or b"") for call in site.portal.calls if call.route == "objects.batch.upsert"
    ]
    assert len(sizes) == 2
    assert max(sizes) <= 1_000_000
