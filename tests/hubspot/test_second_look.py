"""Trying again what HubSpot would not take: which records, and which are passed over."""

from __future__ import annotations

import msgspec

from connector import rows
from connector.hubspot import journal
from connector.hubspot.definitions import Definitions
from connector.replaying import REPLAY_STREAM
from connector.sandbox.hubspot import Omit
from connector.second_look import SecondLook
from projections import events
from projections.workspace import Workspace

from .rig import MAPPING, Site

LINE = "line_items/ABC:01-ACME:0000001-000001-IN:000001"
OTHER_LINE = "line_items/ABC:01-ACME:0000001-000001-IN:000002"
JOE = "contacts/ABC:01-ACME:JOE"


def looks(site: Site) -> SecondLook:
    """The looks with the default mapping, which knows no line items."""
    definitions = Definitions(site.hubspot)
    return SecondLook(site.store, site.hubspot, lambda: MAPPING.source, definitions)


async def tell(site: Site, name: str, *told: events.Event) -> None:
    """Outcomes of a target's open command."""
    work = Workspace()
    await rows.load(site.store, work, {"target": [name]})
    doc = journal.target_of(work, name)
    entries = [events.CommandSent(doc.command, "b", 1), *told]
    await journal.append(site.store, work, [journal.Entry(name, one, None) for one in entries])


async def without_address(site: Site, owner: str) -> None:
    """A contact that was written without the address that `owner` has."""
    await site.emit(JOE, lastname="Joe", email="joe@acme.example")
    left = events.Withheld("joe@acme.example", "CONFLICT", owner=owner)
    await tell(site, JOE, events.CommandSucceeded(1, "77", "created", withheld={"email": left}))


async def replayed(site: Site) -> list[str]:
    """Whatever was asked for."""
    stored = await site.store.history(REPLAY_STREAM)
    asked = [msgspec.json.decode(one.data or b"{}") for one in stored]
    return [name for one in asked for name in one["targets"]]


async def test_what_the_mapping_does_not_know_any_more_is_passed_over(site: Site) -> None:
    """Line items were switched off while one was parked and one was without a value."""
    await site.emit(LINE, hs_sku="A")
    await tell(site, LINE, events.CommandParked(1, "CONFLICT", "taken", "", owner="51"))
    await site.emit(OTHER_LINE, hs_sku="A")
    left = events.Withheld("A", "CONFLICTING_UNIQUE_VALUE", owner="51")
    await tell(
        site, OTHER_LINE, events.CommandSucceeded(1, "9", "created", withheld={"hs_sku": left})
    )
    assert await looks(site).look() == 0
    assert not site.portal.calls
    owner = site.portal.add("contacts", {"email": "other@acme.example"})
    await without_address(site, owner)
    assert await looks(site).look() == 1
    assert await replayed(site) == [JOE]


async def test_an_owner_that_an_answer_passes_over_has_not_let_go(site: Site) -> None:
    """Silence is no news: the record in the way is read by itself before anything is sent again."""
    owner = site.portal.add("contacts", {"email": "joe@acme.example"})
    await without_address(site, owner)
    site.portal.inject(Omit(inputs="all"), route="objects.batch.read")
    assert await looks(site).look() == 0
    site.portal.archive("contacts", owner)
    assert await looks(site).look() == 1
