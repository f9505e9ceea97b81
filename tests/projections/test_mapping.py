"""The mapping: data that is checked as a whole before anything depends on it."""

from __future__ import annotations

import re
from importlib import resources

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.mapping import compiled, transforms

DEFAULT = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")


def test_the_default_mapping_survives_the_log() -> None:
    """A mapping stored in an event comes back with the same digest."""
    mapping = compiled.parse(DEFAULT)
    stored = msgspec.json.decode(msgspec.json.encode(compiled.content(mapping)))
    assert compiled.restore(stored).digest == mapping.digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('from = "CustomerName"', 'from = "aging.blance"', 'did you mean "aging.balance"'),
        ('transform = "country"', 'transform = "county"', 'did you mean "country"'),
        ('property = "phone"', 'property = "Phone!"', "no HubSpot property name"),
        ('property = "city"', 'property = "state"', "mapped twice"),
        ('\nowner = "fill"', '\nowner = "nobody"', "nobody"),
        ('property = "zip"', 'propert = "zip"', "propert"),
        ("version = 1", "version = ", "not valid TOML"),
    ],
)
def test_a_bad_mapping_is_refused(old: str, new: str, says: str) -> None:
    """The message names the place and, where there is one, the nearest valid name."""
    with pytest.raises(compiled.MappingError, match=r"my\.toml") as caught:
        compiled.parse(DEFAULT.replace(old, new, 1), origin="my.toml")
    assert says in str(caught.value)


def misfit(rule: str = "", section: str = "", top: str = "") -> compiled.MappingError:
    """What is wrong with a mapping that has these lines more: in a rule, a section, the file."""
    text = DEFAULT.replace("version = 1", f"version = 1\n{top}", 1)
    text = text.replace(
        'key = "sage100_customer_key"', f'key = "sage100_customer_key"\n{section}', 1
    )
    text = text.replace('property = "phone"', f'property = "phone"\n{rule}', 1)
    with pytest.raises(compiled.MappingError) as caught:
        compiled.parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ('ownr = "sage"', 'unknown key "ownr": did you mean "owner"?'),
        ("zzz = 1", 'unknown key "zzz": expected one of define, explicit, forward, from, owner'),
        ('owner = "sgae"', 'owner: expected "sage" or "create" or "fill", found \'sgae\''),
        ("transform = 5", "transform: expected a text, found 5"),
        ('transform = "flags"', 'transform: there is no transform "flags": did you mean "flag"?'),
        ('forward = "abc"', "forward: expected a list, found 'abc'"),
        ('explicit = "yes"', "explicit: expected true or false, found 'yes'"),
        ("values = { A = 1 }", "values.A: expected a text, found 1"),
        ('define = "text"', "define: expected a table, found 'text'"),
        ('define = { type = "date" }', 'define: the key "label" is missing'),
        ('define = { label = "L", type = "strng" }', "define.type: expected "),
        ('define = { label = "L", lable = "L" }', 'unknown key "lable": did you mean "label"?'),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_of_its_property(rule: str, says: str) -> None:
    """Section, property and key, what is expected there, and the nearest valid name."""
    problem = misfit(rule=rule)
    assert problem.what.startswith('[companies] property "phone"')
    assert says in problem.what
    assert problem.path[:2] == ("companies", "rules")


def test_what_is_wrong_outside_of_rules() -> None:
    """A section's own keys, the file's own, and what is missing are named as such."""
    assert misfit(section='key_lable = "x"').what == (
        '[companies]: unknown key "key_lable": did you mean "key_label"?'
    )
    assert misfit(top='compnies = "x"').what == (
        'unknown key "compnies": did you mean "companies"?'
    )
    for text, says in (
        ("version = 2", "[version]: expected 1, found 2"),
        ("", 'the key "version" is missing'),
        ("version = 1\ncompanies = 5", "[companies]: expected a table, found 5"),
    ):
        with pytest.raises(compiled.MappingError) as caught:
            compiled.parse(text)
        assert caught.value.what == says


def test_a_rule_without_a_property_is_counted() -> None:
    """Where no name can be given the rule is told by its place."""
    with pytest.raises(compiled.MappingError) as caught:
        compiled.parse(DEFAULT.replace('property = "zip"', 'propert = "zip"', 1))
    assert re.match(r'\[companies\] rule \d+: unknown key "propert"', caught.value.what)


# What a value holds is quoted; a path of msgspec's ("$.rules[...]") would be in other words.
NO_PATH = st.characters(exclude_characters="$")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(NO_PATH, max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "companies", "vendors", "rules", "property", "from", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_a_file_holds_is_refused_in_words(document: object) -> None:
    """No document that is none of a mapping ends in anything but a MappingError with words."""
    content = document if isinstance(document, dict) else {"companies": document}
    with pytest.raises(compiled.MappingError) as caught:
        compiled.restore(content)
    assert caught.value.what
    assert "$" not in caught.value.what
    assert "Object" not in caught.value.what


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("text", "  Café\x00 Ñ  ", "Café  Ñ"),
        ("money", "1234.5-", "-1234.50"),
        ("money", "", ""),
        ("money", "abc", None),
        ("money", "0", "0.00"),
        ("integer", "2.5", "3"),
        ("number", "100.00", "100"),
        ("number", "0", "0"),
        ("date", "20261122", "2026-11-22"),
        ("date", "17530101", ""),
        ("datetime", "20261122", "2026-11-22T00:00:00Z"),
        ("flag", "Y", "true"),
        ("flag", "", "false"),
        ("country", "MEX", "Mexico"),
        ("country", "XXZ", "XXZ"),
        ("country", "", ""),
        ("email", "A@X.com;b@y.com", "a@x.com"),
        ("key", "  00A ", "  00A"),
    ],
)
def test_transforms(name: str, cell: str, expected: str | None) -> None:
    """A value sets, "" clears, None leaves alone; zero is a value."""
    assert transforms.TRANSFORMS[name](cell) == expected


def test_a_column_the_agent_does_not_serve_is_left_alone() -> None:
    """Unknown is not empty: an older Sage 100 without the column clears nothing."""
    companies = compiled.parse(DEFAULT).objects["companies"]
    row = {"CustomerName": "Acme"}
    assert "phone" not in companies.shape(row, {}, ("CustomerName",))
    assert companies.shape(row, {}, ("CustomerName", "TelephoneNo"))["phone"] == ""
    assert companies.shape(row, {}, ())["phone"] == ""
