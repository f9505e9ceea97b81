"""What the log knows of a refused token or scope: told once, since when, and when it is over."""

from __future__ import annotations

import msgspec
import pytest

from connector.hubspot.errors import TokenRefused
from connector.hubspot.permission import STREAM
from projections import books, events
from projections.folding import Folding
from projections.tables import Calls, ObjectBook
from projections.workspace import Workspace

from .rig import Site

ACME = "companies/ABC:01-ACME"
JOE = "contacts/ABC:01-ACME:JOE"
COMPANIES = ("crm.objects.companies.read", "crm.objects.companies.write")
CONTACTS = ("crm.objects.contacts.read", "crm.objects.contacts.write")


async def told(site: Site) -> list[events.Event]:
    """Everything in the stream."""
    stored = await site.store.history(STREAM)
    found = [events.decode(event.type, event.data) for event in stored]
    return [event for event in found if event is not None]


def accept(site: Site, token: str) -> None:
    """HubSpot accepts this token from now on."""
    site.portal.options = msgspec.structs.replace(site.portal.options, token=token)


async def test_a_refused_token_is_told_once_however_often_it_is_tried(site: Site) -> None:
    """Since when, in HubSpot's words, with the remedy; a later start adds nothing."""
    good = site.portal.options.token
    await site.emit(ACME, name="Acme")
    accept(site, "pat-na1-another")
    for now_us in (1_764_230_400_000_000, 1_764_240_400_000_000):
        with pytest.raises(TokenRefused):
            await site.writer(now_us=lambda now_us=now_us: now_us).run_until_idle()  # type: ignore[misc]
    [stopped] = await told(site)
    assert isinstance(stopped, events.WritingStopped)
    assert stopped.since == "2025-11-27T08:00:00Z"
    assert "Issue a new token" in stopped.remedy
    assert stopped.endpoint == site.portal.base_url
    accept(site, good)
    assert (await site.writer().run_until_idle()).succeeded == 1
    assert [type(event).__name__ for event in await told(site)] == [
        "WritingStopped",
        "WritingResumed",
    ]


async def test_a_missing_scope_is_told_once_and_so_is_its_end(site: Site) -> None:
    """Over writers and runs: one LaneHeld while it lasts, one LaneReleased when it is over."""
    await site.emit(ACME, name="Acme")
    for number in range(3):
        await site.emit(f"contacts/ABC:01-ACME:N{number}", firstname="Joe")
    site.grant(*COMPANIES)
    for _ in range(2):
        assert "contacts" in (await site.writer().run_until_idle()).barred
    [held] = await told(site)
    assert isinstance(held, events.LaneHeld)
    assert (held.object, held.category) == ("contacts", "missing_scope")
    assert "crm.objects.contacts" in held.remedy
    site.grant(*COMPANIES, *CONTACTS)
    assert (await site.writer().run_until_idle()).pending == 0
    assert [type(event).__name__ for event in await told(site)] == ["LaneHeld", "LaneReleased"]


async def test_a_mapping_without_a_section_is_no_refusal_of_hubspot_s(site: Site) -> None:
    """What the mapping does not know waits for the projector, and HubSpot has said nothing."""
    await site.emit("line_items/ABC:01-ACME:0000001-000001-IN:000001", name="Widget")
    await site.emit("invoices/ABC:01-ACME:0000001-000001-IN", hs_number="1")
    await site.writer().run_until_idle()
    assert await told(site) == []


def test_the_books_show_a_refusal_until_it_is_over() -> None:
    """Each event sets or clears one row, and calls that are counted meanwhile leave it."""
    into = Folding(Workspace())
    into.work.load({"calls_book": [books.CALLS], "object_book": ["contacts"]}, {})

    def refused() -> tuple[object, object]:
        calls = into.work.get("calls_book", Calls, books.CALLS) or Calls()
        book = into.work.get("object_book", ObjectBook, "contacts") or ObjectBook()
        return calls.refused, book.refused

    books.fold_writing(
        events.WritingStopped("unauthorised", "no", "renew", "T1", "https://h"), into
    )
    books.fold_calls(events.CallsCounted(hubspot_calls=1), into)
    books.fold_writing(events.LaneHeld("contacts", "missing_scope", "no", "grant", "T2"), into)
    books.fold_command("contacts", events.CommandEmitted(1, {}, "test"), into)
    said = {"category": "unauthorised", "message": "no", "remedy": "renew", "since": "T1"}
    held = {"category": "missing_scope", "message": "no", "remedy": "grant", "since": "T2"}
    assert refused() == (said, held)
    books.fold_writing(events.WritingResumed(), into)
    books.fold_writing(events.LaneReleased("contacts"), into)
    assert refused() == (None, None)
