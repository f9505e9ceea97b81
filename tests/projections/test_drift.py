"""Drift: what counts as a difference, and which differences are ours to put right."""

from __future__ import annotations

from importlib.resources import files

import pytest

from projections import ledger
from projections.drift import drifts
from projections.events import DriftFound
from projections.mapping import compiled
from projections.tables import Target, Withheld

MAPPING = compiled.parse(files("projections.mapping").joinpath("default.toml").read_text())
COMPANIES = MAPPING.objects["companies"]


def plain(_: str, one: str, other: str) -> bool:
    """Values are the same when they are."""
    return one == other


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "drift"),
    [
        ("phone", "1", "2", "ours"),  # Sage 100's
        ("phone", "1", "", "ours"),
        ("phone", "1", "1", ""),
        ("domain", "a.example", "b.example", ""),  # only filled: theirs
        ("domain", "a.example", "", "ours"),  # … unless it was emptied
        ("type", "PROSPECT", "PARTNER", ""),  # only when created
        ("lifecyclestage", "customer", "evangelist", "HubSpot lets it move forward only"),
        ("lifecyclestage", "customer", "lead", "ours"),
        ("no_longer_mapped", "1", "2", ""),
    ],
)
def test_ownership_decides(name: str, ours: str, theirs: str, drift: str) -> None:
    """What is ours is put right; what people own, or HubSpot does not let go back, is not."""
    doc = Target(version=3, hubspot_id="1", held={name: ours})
    shown = {name: theirs} if theirs else {}
    found = drifts(COMPANIES, doc, shown, plain)
    assert [one.stays or "ours" for one in found] == ([drift] if drift else [])


def test_a_value_that_hubspot_does_not_take_is_not_sent_for_drift() -> None:
    """What was left out of a write for a reason is left out still."""
    doc = Target(
        version=3,
        hubspot_id="1",
        held={"phone": "1"},
        withheld={"phone": Withheld("1", "INVALID_OPTION")},
    )
    [one] = drifts(COMPANIES, doc, {"phone": "2"}, plain)
    assert one.stays == "HubSpot does not take our value"


def test_the_ledger_holds_what_hubspot_shows() -> None:
    """After drift the ledger says what HubSpot holds, so that the next decision is made on it."""
    before = Target(version=3, hubspot_id="1", held={"phone": "1", "city": "Chicago"})
    event = DriftFound({"phone": ("1", "2"), "city": ("Chicago", "")})
    after = ledger.evolve(before, event, 4)
    assert after.held == {"phone": "2", "city": ""}
    assert (after.version, after.state) == (4, "idle")
