"""Which properties nobody can write, and of which a plan can say nothing."""

from __future__ import annotations

from importlib import resources

from connector.config.mapping import built_in
from connector.sandbox.hubspot import HubSpotOptions
from connector.sandbox.hubspot.catalog import definitions
from projections.mapping import compiled
from projections.unwritable import Unproved, is_read_only, unproved

TYPES = ("companies", "contacts", "invoices", "line_items")


def test_what_is_read_only_is_so_in_the_simulated_portal_too() -> None:
    """Both ends agree: nothing that the portal lets one write counts as read-only, nor the other
    way round.
    """
    for kind in TYPES:
        found = definitions(kind, HubSpotOptions()).properties.values()
        wrong = {one.name for one in found if is_read_only(kind, one.name) is not one.read_only}
        assert wrong <= {"hs_pipeline"}, kind


def test_the_built_in_mappings_leave_nothing_unproved() -> None:
    """Everything they write is created by setup, or HubSpot's own."""
    builtin = built_in().source
    assert list(unproved(builtin, builtin)) == []
    assert not any(
        rule.define is None and is_read_only(section.hubspot_type, rule.property)
        for section in builtin.objects().values()
        for rule in section.rules
    )


def test_a_property_that_another_section_defines_is_proved() -> None:
    """Companies and vendors are one type of HubSpot's: what one of them defines the other has."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    mine = '[[vendors.rules]]\nproperty = "{}"\nfrom = "VendorName"\n\n[contacts]'
    owed = text.replace("[contacts]", mine.format("sage100_balance"), 1)
    other = text.replace("[contacts]", mine.format("favourite_colour"), 1)
    builtin = built_in().source
    assert list(unproved(compiled.parse(owed).source, builtin)) == []
    assert list(unproved(compiled.parse(other).source, builtin)) == [
        Unproved("vendors", "favourite_colour")
    ]
