"""The mapping: data that is checked as a whole before anything depends on it."""

from __future__ import annotations

from importlib import resources

import msgspec
import pytest

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
        ('from = "CustomerName"', 'from = "aging.blance"', "did you mean 'aging.balance'"),
        ('transform = "country"', 'transform = "county"', "did you mean 'country'"),
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
