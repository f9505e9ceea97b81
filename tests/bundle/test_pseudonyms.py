"""Made-up names: one for one, of the same shape, and never the real ones."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.bundle.pseudonyms import Pseudonyms
from projections import names as names_of
from projections import values

WORDS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,-@/'", max_size=40
)


def names(seed: int) -> Pseudonyms:
    """Pseudonyms by a chance that can be had again."""
    return Pseudonyms(Random(seed).choice)


@given(WORDS, st.integers(0, 99))
def test_a_text_keeps_its_shape(text: str, seed: int) -> None:
    """Length, capitals, digits and everything between words stay where they are."""
    made = names(seed).text(text)
    assert len(made) == len(text)
    for old, new in zip(text, made, strict=True):
        assert old.isdigit() == new.isdigit()
        assert old.isupper() == new.isupper()
        assert old.isalpha() == new.isalpha() or not old.isalpha()
        if not old.isalnum():
            assert new == old


@given(st.lists(WORDS, max_size=20), st.integers(0, 99))
def test_the_same_is_the_same_and_another_is_another(texts: list[str], seed: int) -> None:
    """Two texts become one only when they differ by nothing that can be told after lowering."""
    made = names(seed)
    out = {text: made.text(text) for text in texts}
    assert {text: made.text(text) for text in texts} == out
    lowered = {text.lower() for text in texts}
    assert len({one.lower() for one in out.values()}) == len(lowered)


@given(st.permutations([f"{number:02}" for number in range(100)]), st.integers(60, 100))
def test_short_words_do_not_run_out(every: list[str], count: int) -> None:
    """Nearly all two-digit numbers in one bundle still become as many different ones."""
    made = names(1)
    numbers = every[:count]
    assert len({made.text(number) for number in numbers}) == len(numbers)


def test_what_is_derived_is_derived_from_the_made_up() -> None:
    """First names, domains and lower-cased addresses come out as those of the real text would."""
    made = names(3)
    for name in ("Doe, Jane", "Quill Tools, Inc.", "Jane Doe, Ph.D.", "Smith, John A. Jr."):
        first, last = names_of.person(name)
        assert names_of.person(made.text(name)) == (made.text(first), made.text(last))
    mail = "Jane.Doe@Acme-Tools.com"
    assert values.domain("", made.text(mail)) == made.text(values.domain("", mail))
    assert values.domain("", made.text("jane@gmail.com")) == ""
    assert made.text(mail.lower()) == made.text(mail).lower()


def test_single_letters_stay_and_names_and_digits_do_not() -> None:
    """A word of a name is never its own disguise, and digits are nobody's date by their look."""
    made = names(4)
    assert [made.text(text) for text in ("Y", "")] == ["Y", ""]
    for digits in ("20261122", "2026-11-22"):
        assert made.text(digits) != digits
    assert "Quill" not in made.text("Quill & Daughters")
    assert made.text("\u0130brahim") != "\u0130brahim"
    assert re.fullmatch(r"no \w{5} for \d{7}, twice", made.words_of("no Quill for 4711000, twice"))


@pytest.mark.parametrize(
    ("said", "private"),
    [
        ("Contact jane.o'hara@private.example exists.", ["jane", "hara", "private"]),
        ("call (312) 555-0177 or +49 30 90 18 20, ext. 5", ["312", "555", "0177", "90 18"]),
        ("invalid: ann@bo-co.net", ["ann", "bo"]),
        ("20231105 is no date here, nor is 2026-11-22", ["20231105", "2026"]),
    ],
)
def test_addresses_and_telephones_are_made_up_wherever_they_stand(
    said: str, private: list[str]
) -> None:
    """Also in words that were met nowhere else; what stands around them is left to be read."""
    told = names(5).words_of(said)
    assert [one for one in private if one in told] == []
    assert len(told) == len(said)
    around = {"Contact", "exists", "call", "or", "ext", "invalid", "is", "no", "date"}
    assert {word for word in around if word in said} == {word for word in around if word in told}


def test_an_address_in_a_message_is_the_one_of_the_row() -> None:
    """What a message says of an address or number that a column holds, it still says."""
    made = names(6)
    mail, phone = "jane@acme.example", "(312) 555-0177"
    row = made.text(mail), made.text(phone)
    told = made.words_of(f"{mail} and {phone} are taken")
    assert told == f"{row[0]} and {row[1]} are taken"
