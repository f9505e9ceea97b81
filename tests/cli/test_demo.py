"""The demonstration shows what it claims, on both ends' own count."""

from __future__ import annotations

import pytest

from tests.cli.command import inside


def test_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """A full sync, a day's work, a sweep, a pass with nothing to do: the books close."""
    ended = inside(capsys, "demo", "--customers", 20, "--invoices", 40, "--json")
    assert ended.code == 0, ended.err
    story = ended.json()
    assert story["books_close"] is True
    _, first, second, sweep, idle = story["passes"]
    assert first["hubspot_calls"] > second["hubspot_calls"] > 0
    assert sweep["hubspot_calls"] > 0, "the import without a stamp is found by the sweep"
    assert idle["hubspot_calls"] == 0
    assert story["hubspot"]["invoices"] == story["sage100"]["AR_Invoice"] == 41
    assert story["hubspot"]["companies"] == 20 + story["sage100"]["AP_Vendor"]
    assert story["status"]["http"]["hubspot_calls"] == sum(
        each["hubspot_calls"] for each in story["passes"]
    )
    assert any("(312) 555-0142" in str(each) for each in story["history"]["moments"])


def test_it_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is what a stranger takes away."""
    ended = inside(capsys, "demo", "--customers", 5, "--invoices", 5)
    assert ended.code == 0
    assert ended.out.splitlines()[-1].startswith("HubSpot now holds what Sage 100 says")
    assert "The books close" in ended.out
    assert "'ml-connector init' begins with your own" in ended.err
    shown = ("talked to over HTTP", "people worked in Sage 100", "as 'history ABC:", "as 'status'")
    places = [ended.out.index(words) for words in shown]
    assert places == sorted(places), "told in the order in which it happened"
