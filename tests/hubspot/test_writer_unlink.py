"""The writer on links that are to be taken away: none counts as gone that HubSpot does not deny."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.hubspot.answer import Answer
from connector.hubspot.associations import told_links, told_links_of
from connector.hubspot.outcomes import MAX_ATTEMPTS
from connector.sandbox.hubspot import Action, Drop, Empty, Omit, faults
from projections import events, keys

from .rig import Site, a_site
from .test_writer_links import ACME, DEFAULT, contact, linked_contacts

ARCHIVE = "associations.batch.archive"
READ = "associations.batch.read"
ONE = "associations.list"
NO = faults.error(400, "One or more associations are invalid", category="VALIDATION_ERROR")


async def linked(site: Site, count: int) -> list[str]:
    """Associations that HubSpot has, and that are to be taken away now."""
    names = await linked_contacts(site, count)
    await site.writer().run_until_idle()
    assert len(site.portal.associations("contacts", "companies")) == count
    for name in names:
        await site.emit(name, linked="")
    site.portal.calls.clear()
    return names


async def outcomes(site: Site, names: Sequence[str]) -> list[str]:
    """How each ended the last time."""
    ends = [(await site.stream(name))[-1] for name in names]
    assert all(isinstance(one, events.CommandSucceeded) for one in ends)
    return [one.outcome for one in ends if isinstance(one, events.CommandSucceeded)]


def still_linked(site: Site) -> int:
    """How many links HubSpot has."""
    return len(site.portal.associations("contacts", "companies"))


async def test_one_pair_that_hubspot_refuses_does_not_keep_the_others(site: Site) -> None:
    """400 for the batch: it is parted, nine links go, and the one to blame is parked."""
    names = await linked(site, 10)
    bad = (await site.target(contact(7))).hubspot_id
    site.portal.inject(NO, route=ARCHIVE, containing=f'"{bad}"', times=None)
    summary = await site.writer().run_until_idle()
    assert (summary.lanes["associations"].linked, summary.parked) == (9, 1)
    assert (await site.target(names[7])).state == "parked"
    assert still_linked(site) == 1
    assert await site.books_close()


async def test_a_refusal_of_what_is_gone_already_is_no_refusal(site: Site) -> None:
    """400, and yet the link is not there: it is what was wanted."""
    (name,) = await linked(site, 1)
    person, company = (await site.target(name)).hubspot_id.split(">")
    site.portal.dissociate("contacts", person, "companies", company)
    site.portal.inject(NO, route=ARCHIVE)
    await site.writer().run_until_idle()
    assert await outcomes(site, [name]) == ["unlinked"]


@pytest.mark.parametrize(("applied", "outcome"), [(False, "unlinked"), (True, "found")])
@pytest.mark.parametrize(
    "silence", [Omit(inputs="all"), NO, Empty()], ids=["passed over", "refused", "empty"]
)
async def test_a_read_back_that_says_nothing_is_no_proof(
    site: Site, silence: Action, applied: bool, outcome: str
) -> None:
    """A removal of unknown outcome: only what HubSpot denies counts as gone, else it goes again."""
    names = await linked(site, 3)
    site.portal.inject(Drop(applied=applied), route=ARCHIVE)
    site.portal.inject(silence, route=READ, times=1)
    await site.writer().run_until_idle()
    assert await outcomes(site, names) == [outcome] * 3
    assert still_linked(site) == 0
    assert await site.books_close()


async def test_a_success_that_did_nothing_is_not_believed(site: Site) -> None:
    """200 without the work, and a read back that passes it over: asked alone, HubSpot has it."""
    names = await linked(site, 1)
    site.portal.inject(Omit(inputs="all", applied=False), route=ARCHIVE)
    site.portal.inject(Omit(inputs="all"), route=READ)
    await site.writer().run_until_idle()
    failed = (await site.stream(names[0]))[-3]
    assert isinstance(failed, events.CommandFailed)
    assert (failed.category, failed.unknown) == ("unaccounted", False)
    assert await outcomes(site, names) == ["unlinked"]
    assert still_linked(site) == 0


async def test_what_is_never_told_is_never_claimed(site: Site) -> None:
    """Neither together nor alone: tried as often as any, and then a person's."""
    (name,) = await linked(site, 1)
    site.portal.inject(Omit(inputs="all", applied=False), route=ARCHIVE, times=None)
    site.portal.inject(Omit(inputs="all"), route=READ, times=None)
    site.portal.inject(faults.error(404, "resource not found"), route=ONE, times=None)
    await site.writer().run_until_idle()
    parked = (await site.stream(name))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "retries_exhausted"
    assert site.portal.calls.count(route=ARCHIVE) == MAX_ATTEMPTS
    assert still_linked(site) == 1
    assert await site.books_close()


async def test_a_portal_that_says_nothing_of_who_has_no_links_is_asked_for_each(
    tmp_path: Path,
) -> None:
    """Where "none" is silence, the list of one record says it, and the removal is done."""
    async with a_site(tmp_path, unlinked="missing") as site:
        names = await linked(site, 3)
        await site.writer().run_until_idle()
        assert await outcomes(site, names) == ["unlinked"] * 3
        assert site.portal.calls.count(route=ONE) == 3


async def test_a_link_that_is_passed_over_and_not_denied_stays_unknown(site: Site) -> None:
    """Making one: HubSpot silent about it, also when read back; it is read again, then made."""
    (name,) = await linked_contacts(site, 1)
    site.portal.inject(Omit(inputs=(0,), applied=False), route=DEFAULT)
    site.portal.inject(Omit(inputs="all"), route=READ)
    site.portal.inject(faults.error(404, "resource not found"), route=ONE)
    await site.writer().run_until_idle()
    failed = next(one for one in await site.stream(name) if isinstance(one, events.CommandFailed))
    assert failed.unknown
    assert still_linked(site) == 1


async def test_links_of_records_with_many_are_read_to_the_end(site: Site) -> None:
    """A removal from the other side: 1,200 links of one record are more than a page or two."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    company = (await site.target(ACME)).hubspot_id
    for number in range(1200):
        person = site.portal.add("contacts", {"lastname": f"P{number}"})
        site.portal.associate("contacts", person, "companies", company)
    await site.emit("contacts/ABC:01-ACME:LAST", lastname="Last")
    name = keys.association(ACME, "contacts/ABC:01-ACME:LAST")
    await site.emit(name, linked="true")
    await site.writer().run_until_idle()
    await site.emit(name, linked="")
    site.portal.inject(Omit(inputs="all"), route=READ)
    await site.writer().run_until_idle()
    assert await outcomes(site, [name]) == ["unlinked"]
    assert site.portal.calls.count(route=ONE) == 3
    assert still_linked(site) == 1200


def test_only_hubspot_s_word_for_none_is_none() -> None:
    """An error of another kind about a record tells nothing of its links."""
    none = {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
    body = {
        "results": [
            {"from": {"id": "1"}, "to": [{"toObjectId": 5}]},
            {"from": {"id": "2"}, "to": [], "paging": {"next": {"after": "9"}}},
        ],
        "errors": [
            none | {"context": {"fromObjectId": ["3"]}},
            {"category": "INTERNAL_ERROR", "context": {"fromObjectId": ["4"]}},
            "nonsense",
        ],
    }
    told = told_links(Answer(207, body))
    assert (told.pairs, told.whole, told.more) == ({("1", "5")}, {"1", "3"}, [("2", "9")])


def test_an_answer_without_a_list_tells_nothing() -> None:
    """Only a list, were it an empty one, says what a record is linked with."""
    assert told_links_of("1", Answer(200, {"results": []})).whole == {"1"}
    bodies: list[Any] = [{}, {"results": None}, {"results": {"to": []}}, [], None]
    for body in bodies:
        assert told_links_of("1", Answer(200, body)).whole == set()
