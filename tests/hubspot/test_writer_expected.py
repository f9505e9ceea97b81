"""A command may say what HubSpot must still hold: what was changed meanwhile is left alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from connector import rows
from connector.hubspot import journal
from connector.sandbox.hubspot import faults
from projections import events
from projections.events import CommandSucceeded
from projections.workspace import Workspace
from tests.hubspot.rig import Site, a_site

ACME, OTHER = "companies/ABC:01-ACME", "companies/ABC:01-OTHER"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Two companies in HubSpot, in Bergen."""
    async with a_site(tmp_path) as made:
        for name in (ACME, OTHER):
            await made.emit(name, name=name, city="Bergen", zip="1")
        await made.writer().run_until_idle()
        made.portal.calls.clear()
        yield made


async def put_back(site: Site, name: str, expected: Mapping[str, str], **changes: str) -> None:
    """An update as an undo emits it."""
    work = Workspace()
    await rows.load(site.store, work, {"target": [name]})
    doc = journal.target_of(work, name)
    emitted = events.CommandEmitted(
        command=doc.version + 1,
        changes={prop: (doc.held.get(prop), value) for prop, value in changes.items()},
        reason="undo",
        expected=dict(expected),
    )
    await journal.append(site.store, work, [journal.Entry(name, emitted, None)])


def company(site: Site, name: str) -> dict[str, str]:
    """What HubSpot holds of a target."""
    return site.portal.one("companies", "sage100_customer_key", name.partition("/")[2])


async def ended(site: Site, name: str) -> CommandSucceeded:
    """The outcome of the last command."""
    event = (await site.stream(name))[-1]
    assert isinstance(event, CommandSucceeded)
    return event


async def test_what_still_stands_there_is_written(site: Site) -> None:
    """One look, one write, and nothing is told as left out."""
    await put_back(site, ACME, {"city": "Bergen"}, city="Oslo")
    await site.writer().run_until_idle()
    assert company(site, ACME)["city"] == "Oslo"
    done = await ended(site, ACME)
    assert (done.outcome, done.overtaken) == ("updated", {})
    assert (site.portal.calls.reads, site.portal.calls.writes) == (1, 1)


async def test_what_a_person_changed_meanwhile_is_left_out_alone(site: Site) -> None:
    """The other fields of the command are written; the log says what HubSpot held instead."""
    await put_back(site, ACME, {"city": "Bergen", "zip": "1"}, city="Oslo", zip="2", state="NO")
    site.portal.edit("companies", company(site, ACME)["hs_object_id"], {"city": "By Anna"})
    await site.writer().run_until_idle()
    found = company(site, ACME)
    assert (found["city"], found["zip"], found["state"]) == ("By Anna", "2", "NO")
    assert (await ended(site, ACME)).overtaken == {"city": "By Anna"}
    doc = await site.target(ACME)
    assert (doc.held["city"], doc.held["zip"], doc.expected) == ("Bergen", "2", {})
    assert await site.books_close()


async def test_where_nothing_is_left_nothing_is_sent(site: Site) -> None:
    """A look is all it takes; the command has ended."""
    await put_back(site, ACME, {"city": "Bergen"}, city="Oslo")
    site.portal.edit("companies", company(site, ACME)["hs_object_id"], {"city": "By Anna"})
    await site.writer().run_until_idle()
    done = await ended(site, ACME)
    assert (done.outcome, done.overtaken) == ("found", {"city": "By Anna"})
    assert site.portal.calls.writes == 0


async def test_an_attempt_of_unknown_outcome_is_told_from_a_person(site: Site) -> None:
    """What our own lost attempt wrote is no change by somebody else."""
    await put_back(site, ACME, {"city": "Bergen"}, city="Oslo", zip="2")
    site.portal.inject(faults.timed_out(applied=True), route="objects.batch.update")
    await site.writer().run_until_idle()
    assert (await ended(site, ACME)).overtaken == {}
    assert (company(site, ACME)["city"], company(site, ACME)["zip"]) == ("Oslo", "2")


async def test_other_commands_cost_no_look(site: Site) -> None:
    """Only the records of which something is expected are read, in the same batch."""
    await put_back(site, ACME, {"city": "Bergen"}, city="Oslo")
    await site.emit(OTHER, city="Molde")
    await site.writer().run_until_idle()
    reads = [call for call in site.portal.calls if call.route == "objects.batch.read"]
    assert [call.inputs for call in reads] == [1]
    await site.emit(OTHER, city="Moss")
    site.portal.calls.clear()
    await site.writer().run_until_idle()
    assert site.portal.calls.reads == 0


async def test_a_property_that_no_rule_maps_any_more_is_looked_at_too(site: Site) -> None:
    """A plan that added a rule is undone when the rule is gone already."""
    await site.define("companies", "motto")
    record_id = company(site, ACME)["hs_object_id"]
    site.portal.edit("companies", record_id, {"motto": "ours"})
    await put_back(site, ACME, {"motto": "ours"}, motto="theirs")
    await site.writer().run_until_idle()
    assert company(site, ACME)["motto"] == "theirs"
    await put_back(site, ACME, {"motto": "ours"}, motto="again")
    await site.writer().run_until_idle()
    assert company(site, ACME)["motto"] == "theirs"
