"""How `[hubspot.matching]` is read: nothing is recognised unless it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.matching import match_rules
from connector.config.unsupported import refuse_unsupported
from connector.errors import Misconfigured
from connector.hubspot.matching import MatchRules
from tests.config.sample import SECOND_AGENT, TEXT, load, only_problem

ALL = """
[hubspot.matching]
customer_number = "propose"
customer_number_property = "erp_customer_number"
email = "adopt"
domain = "propose"
name = "off"
"""


def test_left_out_every_rule_is_off(tmp_path: Path) -> None:
    """An existing record of somebody else's is not touched."""
    assert match_rules(load(tmp_path)) == MatchRules()


def test_every_rule_can_be_set(tmp_path: Path) -> None:
    """Each by itself; with two companies a customer number alone identifies nobody."""
    rules = MatchRules(
        customer_number="propose",
        customer_number_property="erp_customer_number",
        email="adopt",
        domain="propose",
    )
    assert match_rules(load(tmp_path, TEXT + ALL)) == rules
    both = match_rules(load(tmp_path, TEXT + ALL + SECOND_AGENT))
    assert both.several_companies


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('email = "yes"', "hubspot.matching.email"),
        ('customer_number_property = "ERP No"', "hubspot.matching.customer_number_property"),
        ('mail = "adopt"', "hubspot.matching.mail"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, line: str, key: str) -> None:
    """The key is named, as anywhere in the file."""
    assert only_problem(tmp_path, f"{TEXT}\n[hubspot.matching]\n{line}\n").key == key


def test_a_customer_number_needs_a_property(tmp_path: Path) -> None:
    """Without one the rule would silently do nothing."""
    config = load(tmp_path, f'{TEXT}\n[hubspot.matching]\ncustomer_number = "adopt"\n')
    with pytest.raises(Misconfigured, match="customer number") as raised:
        refuse_unsupported(config)
    assert "customer_number_property" in raised.value.remedy
