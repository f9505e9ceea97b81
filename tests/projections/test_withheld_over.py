"""When the matter of a value that HubSpot would not take is over though nobody ever wrote it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.hubspot.definitions import Definitions
from connector.rebuild import rebuild, this_version
from connector.second_look import SecondLook
from projections import diff
from projections import events as e
from projections.mapping import compiled
from projections.tables import Target, Withheld
from tests.hubspot.rig import a_client, a_portal
from tests.projections.rig import MAPPING, Rig, bill, customer, new, open_rig

ACME = "companies/ABC:01-ACME"
NO_PROPERTY = e.Withheld("WHOLESALE", "PROPERTY_DOESNT_EXIST", unsent=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with settings told, on a store of this version."""
    async with open_rig(tmp_path) as made:
        await made.store.append([], also=[this_version()])
        await made.settings()
        yield made


def with_rule(**rule: Any) -> compiled.CompiledMapping:
    """The default mapping with one more rule for companies."""
    content = compiled.content(MAPPING)
    content["companies"]["rules"] = [*content["companies"]["rules"], rule]
    return compiled.restore(content)


def without(name: str) -> compiled.CompiledMapping:
    """The default mapping without a rule for companies."""
    content = compiled.content(MAPPING)
    rules = content["companies"]["rules"]
    content["companies"]["rules"] = [one for one in rules if one["property"] != name]
    return compiled.restore(content)


async def put_in_force(desk: Rig, mapping: compiled.CompiledMapping) -> None:
    """Another mapping is activated, and decided by."""
    active = e.MappingActivated(mapping.digest, compiled.content(mapping))
    await desk.store.append([new("config/mapping", active)])
    await desk.idle()


async def written_without(desk: Rig, left_out: dict[str, e.Withheld], **outcome: Any) -> None:
    """HubSpot takes the open command but for these."""
    doc = await desk.target(ACME)
    assert left_out.keys() <= doc.changes.keys()
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    done = e.CommandSucceeded(doc.command, "1", "created", withheld=left_out, **outcome)
    await desk.tell(ACME, done)
    await desk.idle()


async def told(desk: Rig) -> list[e.Event]:
    """What the target's stream says of matters that are over."""
    stored = await desk.store.history(f"hubspot/{ACME}")
    found = [e.decode(one.type, one.data) for one in stored]
    return [one for one in found if isinstance(one, e.WithheldDropped)]


async def test_a_value_of_a_rule_that_is_gone_is_left_out_no_more(desk: Rig) -> None:
    """No mapping asks for it: nothing is listed, a run is complete, and the log says so once."""
    await desk.see(customer("ACME", TelephoneNo="123"))
    await desk.idle()
    await written_without(desk, {"phone": e.Withheld("123", "READ_ONLY_VALUE")})
    assert await desk.store.count("withheld") == 1
    await put_in_force(desk, without("phone"))
    await desk.see(bill("ACME", "0000001", "60"))
    await desk.idle()
    assert (await desk.target(ACME)).withheld == {}
    assert await desk.store.count("withheld") == 0
    assert await told(desk) == [e.WithheldDropped(["phone"])]
    assert (await rebuild(desk.store, desk.projector, verify=True)).differences == []


async def test_a_value_that_the_mapping_gives_no_more_is_not_asked_for_again(desk: Rig) -> None:
    """Sage 100 says what no entry of `values` is for: once the portal has the property nothing is
    sent, however often it is looked.
    """
    rule = {"property": "sage100_kind", "from": "CustomerType", "values": {"D1": "WHOLESALE"}}
    mapping = with_rule(**rule)
    await put_in_force(desk, mapping)
    await desk.see(customer("ACME", CustomerType="D1"))
    await desk.idle()
    await written_without(desk, {"sage100_kind": NO_PROPERTY})
    await desk.see(customer("ACME", CustomerType="ZZ"))
    await desk.idle()
    assert (await desk.target(ACME)).withheld == {}
    async with a_portal() as portal, a_client(portal) as hubspot:
        kind = {"name": "sage100_kind", "label": "k", "type": "string", "fieldType": "text"}
        answer = await hubspot.create_properties("companies", [kind | {"groupName": "sage100"}])
        assert answer.ok
        look = SecondLook(desk.store, hubspot, lambda: mapping.source, Definitions(hubspot))
        assert await look.look() == 0


async def test_what_was_left_out_long_ago_is_asked_for_once(desk: Rig) -> None:
    """An entry that no rule is for any more, in a log of before: the replay that is asked for ends
    the matter.
    """
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    doc = await desk.target(ACME)
    await desk.tell(ACME, e.CommandSent(doc.command, "b", 1))
    left = {"description": NO_PROPERTY}
    await desk.tell(ACME, e.CommandSucceeded(doc.command, "1", "created", withheld=left))
    async with a_portal() as portal, a_client(portal) as hubspot:
        look = SecondLook(desk.store, hubspot, lambda: MAPPING.source, Definitions(hubspot))
        for asked in (1, 0, 0):
            assert await look.look() == asked
            await desk.idle()
            await desk.carry_out_all()
    assert await desk.store.count("withheld") == 0


async def test_what_an_undo_leaves_alone_is_left_out_no_more(desk: Rig) -> None:
    """The value that HubSpot would not take was withdrawn: there is nothing to try again."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await written_without(desk, {"city": e.Withheld("Oslo", "INVALID_OPTION")})
    await desk.tell(ACME, e.FieldsPinned(alone={"city": "Oslo"}))
    await desk.idle()
    assert (await desk.target(ACME)).withheld == {}
    await desk.tell(ACME, e.FieldsPinned(lifted=["city"]))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"city": "Oslo"}


async def test_a_value_that_is_still_to_be_there_stays_left_out(desk: Rig) -> None:
    """Whatever else of the record changes, it is listed until it is written."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await written_without(desk, {"city": e.Withheld("Oslo", "INVALID_OPTION")})
    await desk.see(customer("ACME", City="Oslo", State="NO"))
    await desk.idle()
    await desk.carry_out_all()
    assert (await desk.target(ACME)).withheld.keys() == {"city"}
    assert await told(desk) == []


def test_what_was_left_out_at_creation_is_written_where_hubspot_s_is_empty() -> None:
    """Of a property that goes only with the record: it has not gone yet."""
    companies = with_rule(property="grade", **{"from": "PriceLevel"}, owner="create").objects
    left = {"grade": Withheld("A", "INVALID_OPTION")}
    doc = Target(3, "1", held={"name": "Acme"}, withheld=left)
    again = diff.compare(companies["companies"], {"name": "Acme", "grade": "A"}, doc, force=True)
    assert (again.changes["grade"], again.fill) == ((None, "A"), ["grade"])
    assert diff.outdated(companies["companies"], {"grade": "A"}, doc) == set()
    done = msgspec.structs.replace(doc, held={"grade": "B"})
    assert diff.outdated(companies["companies"], {"grade": "A"}, done) == {"grade"}
    assert diff.outdated(companies["companies"], {}, doc) == {"grade"}
