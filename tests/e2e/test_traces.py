"""From a write to HubSpot back to the page of Sage 100 it comes from: one chain of spans."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from tests.e2e.child import ROOT
from tests.e2e.traced import Place, Story

LIMIT_S = 60.0
CUSTOMER = "sage/acme/ABC/AR_Customer/01-ABF"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A second pass over a changed customer and a new invoice, traced."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.traced", str(tmp_path_factory.mktemp("traced"))],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Story)


def behind(story: Story, place: Place) -> dict[Place, str]:
    """A span and every span that led to it, nearest first: place to name."""
    spans = {one.place: one for one in story.spans}
    found: dict[Place, str] = {}
    todo = [place]
    while todo:
        one = todo.pop(0)
        if one not in found and one in spans:
            found[one] = spans[one].name
            todo += spans[one].origins
    return found


def place_of(story: Story, stream: str, type_name: str) -> Place:
    """The span in which the only such event was appended."""
    [event] = [one for one in story.events if (one.stream, one.type) == (stream, type_name)]
    assert event.place is not None
    return event.place


def test_a_change_is_one_trace_from_the_page_to_the_write(story: Story) -> None:
    """The spans that observed a customer, decided on it and wrote it are joined, in that order."""
    target = "hubspot/companies/ABC:01-ABF"
    page = place_of(story, CUSTOMER, "RecordObserved")
    decided = place_of(story, target, "CommandEmitted")
    sent = place_of(story, target, "CommandSent")
    assert [*behind(story, page).values()][:2] == ["sage100.page", "sage100.pass"]
    assert behind(story, decided)[decided] in {"decide", "project"}
    assert behind(story, sent)[sent] == "write"
    assert page in behind(story, decided)
    assert {decided, page} <= behind(story, sent).keys()
    assert place_of(story, target, "CommandSucceeded") == sent


def test_every_command_of_a_pass_leads_back_to_a_page(story: Story) -> None:
    """Whatever was written, a link too, has the page behind it that it goes back to."""
    written = [one for one in story.events if one.type == "CommandSucceeded"]
    assert len(written) >= 4  # company, contact, invoice, links
    for event in written:
        assert event.place is not None
        led = behind(story, event.place)
        assert led[event.place] in {"write", "link"}, event
        assert "sage100.page" in led.values(), event
    invoice = story.invoice
    page = place_of(story, f"sage/acme/ABC/AR_Invoice/{invoice[4:]}", "RecordObserved")
    sent = place_of(story, f"hubspot/invoices/{invoice}", "CommandSent")
    assert page[0] in {trace_id for trace_id, _ in behind(story, sent)}


def test_every_commit_of_a_pass_says_its_span(story: Story) -> None:
    """No record and no command is appended outside of a span that was exported."""
    known = {one.place for one in story.spans}
    kinds = ("sage/", "hubspot/", "poll/")
    outside = [
        one for one in story.events if one.stream.startswith(kinds) and one.place not in known
    ]
    assert outside == []
