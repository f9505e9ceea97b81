"""Which columns of a mapping nobody serves: by what agents have said, else by the file layouts."""

from __future__ import annotations

import pytest

from connector.sandbox.agent.layouts import ENTITIES
from projections import layouts
from projections.mapping import compiled
from tests.projections.rig import MAPPING

RULES = """\
version = 1
[companies]
hubspot_type = "companies"
key = "k"
key_label = "K"
group = "g"
group_label = "G"
[[companies.rules]]
property = "phone"
from = "{column}"
[vendors]
hubspot_type = "companies"
key = "k"
key_label = "K"
group = "g"
group_label = "G"
rules = []
[contacts]
hubspot_type = "contacts"
key = "k"
key_label = "K"
group = "g"
group_label = "G"
rules = []
[invoices]
hubspot_type = "invoices"
key = "k"
key_label = "K"
group = "g"
group_label = "G"
rules = []
"""


def found(column: str, *served: str) -> list[layouts.Unserved]:
    """What is found of a mapping with this one column."""
    mapping = compiled.parse(RULES.format(column=column))
    told = {"AR_Customer": served} if served else {}
    return list(layouts.unserved(mapping.source, told))


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_the_simulated_agent_serves_the_documented_columns(entity: str) -> None:
    """Both lists were made from the same file layouts, each for itself; they agree."""
    assert layouts.LAYOUTS[entity] == set(ENTITIES[entity].names)


def test_the_built_in_mapping_names_documented_columns() -> None:
    """Nobody is warned of what we ship."""
    assert list(layouts.unserved(MAPPING.source, {})) == []


def test_a_mistyped_column_is_found_before_any_agent_was_asked() -> None:
    """Without an agent's word the documented names count, and a site's own are let pass."""
    [one] = found("TelephonNo")
    assert (one.object, one.property, one.column, one.entity) == (
        "companies",
        "phone",
        "TelephonNo",
        "AR_Customer",
    )
    assert not one.told
    assert "TelephoneNo" in one.known
    for fine in ("TelephoneNo", "UDF_REGION", "ARMC_234_CODE", "aging.balance"):
        assert found(fine) == []


def test_what_an_agent_serves_is_the_last_word() -> None:
    """An agent that serves more is believed; a documented or own column that it lacks is found."""
    assert found("Region", "CustomerNo", "Region") == []
    assert found("UDF_REGION", "CustomerNo", "UDF_REGION") == []
    for missing in ("UDF_REGION", "TelephoneNo"):
        [one] = found(missing, "CustomerNo", "Region")
        assert (one.column, one.told) == (missing, True)
        assert one.known == {"CustomerNo", "Region"}
