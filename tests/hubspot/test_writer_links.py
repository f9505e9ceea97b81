"""The writer on associations: all pairs of a kind in one call, each one accounted for."""

from __future__ import annotations

import asyncio

import pytest

from connector.hubspot.answer import Answer
from connector.hubspot.associations import Link, read_links, settle_links
from connector.hubspot.settle import Refused, Undone, Written
from connector.sandbox.hubspot import Drop, Empty, Hold, Omit, faults
from projections import events, keys
from tests.e2e.waiting import until

from .rig import Site

ACME = "companies/ABC:01-ACME"
DEFAULT = "associations.batch.default"


def contact(number: int) -> str:
    """A contact of Acme."""
    return f"contacts/ABC:01-ACME:N{number}"


async def linked_contacts(site: Site, count: int) -> list[str]:
    """Commands for Acme, so many contacts of it, and their associations; the latter's names."""
    await site.emit(ACME, name="Acme")
    names = []
    for number in range(count):
        await site.emit(contact(number), firstname=f"N{number}")
        names.append(keys.association(contact(number), ACME))
        await site.emit(names[-1], linked="true")
    return names


async def test_associations_go_in_one_call_after_both_ends(site: Site) -> None:
    """Companies, contacts, then all their associations at once; the ledger keeps both ids."""
    names = await linked_contacts(site, 30)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["associations"].linked == 30
    assert len(site.portal.associations("contacts", "companies")) == 30
    assert site.portal.calls.count(route=DEFAULT) == 1
    company = (await site.target(ACME)).hubspot_id
    person = (await site.target(contact(3))).hubspot_id
    doc = await site.target(names[3])
    assert doc.hubspot_id == f"{person}>{company}"
    assert doc.held == {"linked": "true"}
    assert await site.books_close()


async def test_an_association_waits_for_both_ends(site: Site) -> None:
    """It is held, and says for which ends."""
    name = keys.association(contact(1), ACME)
    await site.emit(ACME, name="Acme")
    await site.emit(name, linked="true")
    await site.writer().run_until_idle()
    held = (await site.stream(name))[-1]
    assert isinstance(held, events.CommandHeld)
    assert held.waiting_for == [contact(1)]


async def test_a_success_that_shows_nothing_is_read_back(site: Site) -> None:
    """An empty 200 on associations: what is there counts as linked without another write."""
    await linked_contacts(site, 5)
    site.portal.inject(Empty(), route=DEFAULT)
    site.portal.inject(Omit(inputs=(1, 2)), route=DEFAULT, skip=1)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["associations"].succeeded == 5
    assert len(site.portal.associations("contacts", "companies")) == 5
    assert await site.books_close()


async def test_a_pair_left_out_and_not_carried_out_goes_again(site: Site) -> None:
    """Silence about a pair that is not there either leads to a second attempt, known not to be."""
    names = await linked_contacts(site, 5)
    site.portal.inject(Omit(inputs=(2,), applied=False), route=DEFAULT)
    summary = await site.writer().run_until_idle()
    assert summary.lanes["associations"].linked == 5
    failures = [
        event
        for name in names
        for event in await site.stream(name)
        if isinstance(event, events.CommandFailed)
    ]
    assert [(one.category, one.unknown) for one in failures] == [("unaccounted", False)]


@pytest.mark.parametrize(("applied", "outcome"), [(True, "found"), (False, "linked")])
async def test_a_lost_answer_is_read_before_a_resend(
    site: Site, applied: bool, outcome: str
) -> None:
    """After a dropped connection the associations are read; only missing ones are made again."""
    names = await linked_contacts(site, 3)
    site.portal.inject(Drop(applied=applied), route=DEFAULT)
    await site.writer().run_until_idle()
    for name in names:
        done = (await site.stream(name))[-1]
        assert isinstance(done, events.CommandSucceeded)
        assert done.outcome == outcome
    assert await site.books_close()


async def test_an_end_that_is_gone_is_noted_and_its_pairs_wait_for_it(site: Site) -> None:
    """207 INVALID_IDENTIFIER: the deleted record is lost, its pairs wait, the others are made."""
    names = await linked_contacts(site, 4)
    site.portal.inject(faults.error(503, "later"), route=DEFAULT)
    writer = site.writer(patience=1)
    with pytest.raises(Exception, match="later"):
        await writer.run_until_idle()
    record = (await site.target(contact(2))).hubspot_id
    site.portal.archive("contacts", record)
    summary = await site.writer().run_until_idle()
    lane = summary.lanes["associations"]
    assert (lane.succeeded, lane.parked, lane.held) == (3, 0, 1)
    lost = (await site.stream(contact(2)))[-1]
    assert isinstance(lost, events.RecordLost)
    assert lost.hubspot_id == record
    waiting = (await site.stream(names[2]))[-1]
    assert isinstance(waiting, events.CommandHeld)
    assert waiting.waiting_for == [contact(2)]
    assert await site.books_close()


async def test_a_kind_that_may_not_be_written_does_not_keep_the_others(site: Site) -> None:
    """403 on one pair of object types holds those associations; the others are made."""
    await linked_contacts(site, 2)
    invoice = "invoices/ABC:01-ACME:1-0-IN"
    await site.emit(invoice, hs_currency="USD")
    billed = keys.association(invoice, ACME)
    await site.emit(billed, linked="true")
    site.portal.inject(
        faults.error(403, "no scope", category="MISSING_SCOPES"), route=DEFAULT, object="invoices"
    )
    summary = await site.writer().run_until_idle()
    lane = summary.lanes["associations"]
    assert (lane.linked, lane.parked, summary.pending) == (2, 0, 1)
    assert "no scope" in summary.barred["associations"]
    assert (await site.target(billed)).state == "pending"


def test_two_associations_of_one_pair_are_both_done() -> None:
    """A company that is customer and vendor may be named twice: one result is proof for both."""
    links = [Link("a", ("1", "2")), Link("b", ("1", "2"))]
    shown = {"results": [{"from": {"id": "1"}, "to": {"id": "2"}}]}
    settled = settle_links(links, Answer(200, shown))
    assert [type(one) for one in settled.outcomes] == [Written, Written]


def spec(left: object, right: object, kind: int) -> dict[str, object]:
    """One result of associate/default."""
    return {
        "from": {"id": left},
        "to": {"id": right},
        "associationSpec": {"associationTypeId": kind},
    }


def test_numbers_and_the_other_direction_count() -> None:
    """HubSpot answers ids as numbers here and there, and either direction."""
    links = [Link("a", ("1", "2")), Link("b", ("3", "4"))]
    shown = {"results": [{"fromObjectId": 1, "toObjectId": 2}, spec(4, 3, 280)]}
    settled = settle_links(links, Answer(200, shown))
    assert [type(one) for one in settled.outcomes] == [Written, Written]


def test_the_way_back_of_one_pair_is_not_another_pair() -> None:
    """Ids of two types coincide: (7, 8) both ways does not prove (8, 7)."""
    links = [Link("a", ("7", "8")), Link("b", ("8", "7"))]
    only_a = Answer(200, {"results": [spec("7", "8", 279), spec("8", "7", 280)]})
    assert all(isinstance(one, Undone) for one in settle_links(links, only_a).outcomes)
    both = Answer(
        200,
        {"results": [spec("7", "8", 279), spec("8", "7", 280), spec("8", "7", 279)]},
    )
    assert all(isinstance(one, Written) for one in settle_links(links, both).outcomes)


def test_a_whole_refusal_of_one_pair_is_final_and_of_several_halved() -> None:
    """400 for many pairs is halved; for one it is that pair's."""
    answer = Answer(400, {"status": "error", "message": "bad", "category": "VALIDATION_ERROR"})
    links = [Link(str(number), (str(number), "9")) for number in range(5)]
    assert settle_links(links, answer).again == (("0", "1"), ("2", "3", "4"))
    (outcome,) = settle_links(links[:1], answer).outcomes
    assert isinstance(outcome, Refused)


def test_a_read_back_knows_when_there_is_more() -> None:
    """Linked pairs and the cursor of each record that has further pages."""
    body = {
        "results": [
            {
                "from": {"id": "1"},
                "to": [{"toObjectId": 5}, {"toObjectId": "6"}],
                "paging": {"next": {"after": "6"}},
            }
        ]
    }
    assert read_links(Answer(200, body)) == ({("1", "5"), ("1", "6")}, [("1", "6")])


async def test_an_end_that_is_decided_on_while_it_is_looked_for_is_lost_too(site: Site) -> None:
    """Its ledger moves between the question and the answer: the pair waits, and is not parked."""
    names = await linked_contacts(site, 2)
    site.portal.inject(faults.error(503, "later"), route=DEFAULT)
    with pytest.raises(Exception, match="later"):
        await site.writer(patience=1).run_until_idle()
    site.portal.archive("contacts", (await site.target(contact(1))).hubspot_id)
    held = site.portal.inject(Hold(), route="objects.get", times=1)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(site.writer().run_until_idle())
        await until(lambda: held.hits == 1, "the contact is looked for")
        await site.emit(contact(1), firstname="Meanwhile")
        held.release()
    lane = run.result().lanes["associations"]
    assert (lane.succeeded, lane.parked, lane.held) == (1, 0, 1)
    assert "RecordLost" in await site.types(contact(1))
    waiting = (await site.stream(names[1]))[-1]
    assert isinstance(waiting, events.CommandHeld)


async def test_where_nobody_says_whether_an_end_is_gone_the_pair_is_tried_again(
    site: Site,
) -> None:
    """The look for the deleted contact fails once: of that nothing follows."""
    await linked_contacts(site, 2)
    site.portal.inject(faults.error(503, "later"), route=DEFAULT)
    with pytest.raises(Exception, match="later"):
        await site.writer(patience=1).run_until_idle()
    site.portal.archive("contacts", (await site.target(contact(1))).hubspot_id)
    site.portal.inject(faults.error(502, "gone"), route="objects.get", times=1)
    lane = (await site.writer().run_until_idle()).lanes["associations"]
    assert (lane.succeeded, lane.parked, lane.held) == (1, 0, 1)
    assert "RecordLost" in await site.types(contact(1))


async def test_an_end_that_somebody_else_has_found_lost_is_waited_for(site: Site) -> None:
    """While a pair is under way its contact is noted as lost: the pair waits, and is not parked."""
    names = await linked_contacts(site, 2)
    held = site.portal.inject(Hold(), route=DEFAULT, times=1)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(site.writer().run_until_idle())
        await until(lambda: held.hits == 1, "the pairs are sent")
        record = (await site.target(contact(1))).hubspot_id
        site.portal.archive("contacts", record)
        await site.lose(contact(1), record)
        held.release()
    lane = run.result().lanes["associations"]
    assert (lane.succeeded, lane.parked, lane.held) == (1, 0, 1)
    waiting = (await site.stream(names[1]))[-1]
    assert isinstance(waiting, events.CommandHeld)
    assert await site.books_close()
