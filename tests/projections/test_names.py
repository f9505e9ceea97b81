"""First and last names out of one free field: people, people with titles, and companies."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import names, values

WORD = st.text(string.ascii_letters, min_size=2, max_size=8).filter(
    lambda word: word.lower() not in names.FORMS | names.ENDINGS | names.SUFFIXES
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jane Doe", ("Jane", "Doe")),
        ("Doe, Jane", ("Jane", "Doe")),
        ("Doe, Jane M.", ("Jane M.", "Doe")),
        ("Doe,Mary Ann L.", ("Mary Ann L.", "Doe")),
        ("van der Berg, Anna", ("Anna", "van der Berg")),
        ("Mary Ann van Dyke", ("Mary Ann van", "Dyke")),
        ("Madonna", ("", "Madonna")),
        ("", ("", "")),
        (" , ", ("", "")),
        ("Doe,", ("", "Doe")),
        ("O\x92Brien, Pat", ("Pat", "O’Brien")),
    ],
)
def test_people(name: str, expected: tuple[str, str]) -> None:
    """The last word is the last name, or what stands before a comma."""
    assert names.person(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jane Doe, MD", ("Jane", "Doe, MD")),
        ("Jane Doe MD", ("Jane", "Doe MD")),
        ("Doe, Jane, M.D., Ph.D.", ("Jane", "Doe, M.D., Ph.D.")),
        ("John Smith Jr.", ("John", "Smith Jr.")),
        ("John Smith, III", ("John", "Smith, III")),
        ("Smith Jr., John Q.", ("John Q.", "Smith Jr.")),
        ("Smith, John Jr.", ("John", "Smith Jr.")),
        ("Doe, Esq.", ("", "Doe, Esq.")),
        ("Jane Doe, Accounts Payable", ("Jane", "Doe, Accounts Payable")),
    ],
)
def test_what_stands_behind_a_name_is_no_first_name(name: str, expected: tuple[str, str]) -> None:
    """A title, a generation or a job stays with the last name: nobody is greeted by it."""
    assert names.person(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "ABC Widgets, Inc.",
        "ABC Widgets Inc",
        "Acme LLC, Receiving",
        "Widgets Inc., The",
        "Smith, Jones and Co",
        "Smith, Jones and Partners",
        "Smith, Jones, Brown",
        "Smith & Jones, P.C.",
        "Aceros Río Grande S.A. de C.V.",
        "Doe Holdings, L.P.",
        "Inc.",
    ],
)
def test_a_company_is_a_last_name(name: str) -> None:
    """A company in the place of a person is not torn apart."""
    assert names.person(name) == ("", name)


@given(st.text(), st.sampled_from(["Inc.", "LLC", "L.L.C.", "Ltd.", "Corp", "Co.", "LP", "P.C."]))
def test_no_form_is_a_first_name(text: str, form: str) -> None:
    """Whatever stands before the form of a company, it has no first name."""
    for name in (f"A {text}, {form}", f"A {text} {form}"):
        assert names.person(name)[0] == ""


@given(WORD, WORD, st.sampled_from(["Jr.", "Sr", "III", "MD", "DDS", "CPA", "Esq."]))
def test_a_suffix_leaves_the_first_name_alone(first: str, last: str, suffix: str) -> None:
    """With a comma or without, forward or in reverse: the same first name, the suffix behind."""
    assert names.person(f"{first} {last}, {suffix}") == (first, f"{last}, {suffix}")
    assert names.person(f"{first} {last} {suffix}") == (first, f"{last} {suffix}")
    assert names.person(f"{last} {suffix}, {first}") == (first, f"{last} {suffix}")
    assert names.person(f"{last}, {first}, {suffix}") == (first, f"{last}, {suffix}")


@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    """Every word that was typed is in one of the two, whatever was typed; and a name has a last."""
    first, last = names.person(text)
    typed = values.text(text).replace(",", " ").split()
    assert sorted(f"{first} {last}".replace(",", " ").split()) == sorted(typed)
    assert bool(last) == bool(typed)
