"""The switch for line items: what it adds to the mapping, and what it cannot go with."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.mapping import load_mapping
from connector.errors import Misconfigured
from projections.mapping import compiled
from tests.config.sample import changed, load

TIER = 'tier        = "professional"'
FOLDER = Path(compiled.__file__).parent


def with_settings(tmp_path: Path, *settings: str) -> compiled.CompiledMapping:
    """The mapping that these lines of [hubspot] lead to."""
    return load_mapping(load(tmp_path, changed(TIER, "\n".join([TIER, *settings]))))


def test_without_it_the_mapping_is_the_one_it_was(tmp_path: Path) -> None:
    """Off is the default, and a store's mapping in force stays in force after an update."""
    built_in = compiled.parse((FOLDER / "default.toml").read_text("utf-8"))
    assert with_settings(tmp_path).digest == built_in.digest
    assert with_settings(tmp_path, "line_items = false").digest == built_in.digest
    assert "line_items" not in built_in.objects
    assert "line_items" not in compiled.content(built_in)


def test_with_it_the_mapping_has_line_items(tmp_path: Path) -> None:
    """What is billed is then written once only, and HubSpot's to work out after that."""
    mapping = with_settings(tmp_path, "line_items = true")
    assert list(mapping.objects) == ["companies", "vendors", "contacts", "invoices", "line_items"]
    assert mapping.objects["line_items"].key == "sage100_line_key"
    assert mapping.objects["invoices"].by_property["hs_amount_billed"].owner == "create"
    assert compiled.restore(compiled.content(mapping)).digest == mapping.digest


def test_a_mapping_of_ones_own_needs_the_section(tmp_path: Path) -> None:
    """The switch beside a mapping without [line_items] is refused; with the section it is taken."""
    own = tmp_path / "own.toml"
    own.write_text((FOLDER / "default.toml").read_text("utf-8"), "utf-8")
    with pytest.raises(Misconfigured) as raised:
        with_settings(tmp_path, 'mapping = "own.toml"', "line_items = true")
    assert raised.value.where.endswith("[hubspot] line_items")
    assert "[line_items]" in raised.value.remedy
    lines = (FOLDER / "line_items.toml").read_text("utf-8")
    own.write_text(own.read_text("utf-8") + lines, "utf-8")
    mapping = with_settings(tmp_path, 'mapping = "own.toml"', "line_items = true")
    assert "line_items" in mapping.objects


def test_line_items_need_hubspots_own_invoices(tmp_path: Path) -> None:
    """With invoices as a custom object the switch is refused: HubSpot could not link the two."""
    with pytest.raises(Misconfigured) as raised:
        with_settings(tmp_path, 'invoices = "custom"', "line_items = true")
    assert "native" in raised.value.remedy
