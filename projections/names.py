"""First and last name from the one free field in which Sage 100 keeps a person, or a company.

People type "Doe, Jane M.", "Jane Doe, MD" and "ABC Widgets, Inc." into it. What says how a company
is constituted makes the whole a last name; what stands behind a name (Jr., MD) stays with the last
name, for nobody is greeted by it. Nothing that was typed is lost but commas and blanks.
"""

from __future__ import annotations

from typing import Final

from projections import values

# Wherever one of these stands behind another word, it is a company.
FORMS: Final = frozenset(
    {"inc", "incorporated", "llc", "llp", "lllp", "pllc", "plc", "ltd", "limited", "corp"}
    | {"corporation", "gmbh", "cv"}
)
# These are words of other names too: they make a company where something ends with them.
ENDINGS: Final = frozenset({"co", "company", "lp", "pc"})
SUFFIXES: Final = frozenset(
    {"jr", "sr", "ii", "iii", "iv", "md", "dds", "dmd", "dvm", "phd", "cpa", "esq", "rn", "mba"}
    | {"jd"}
)


def person(name: str) -> tuple[str, str]:
    """First and last name; a single word is a last name, and so is a company.

    "Doe, Jane" is read as last, first; so is "Doe, Mary Ann L.", but no longer list of names.
    """
    pieces = (" ".join(piece.split()) for piece in values.text(name).split(","))
    parts = [piece for piece in pieces if piece]
    if not parts:
        return "", ""
    if _is_company(parts):
        return "", ", ".join(parts)
    behind: list[str] = []
    while len(parts) > 1 and all(_is_suffix(word) for word in parts[-1].split()):
        behind.insert(0, parts.pop())
    if len(parts) == 1:
        first, last = _in_order(parts[0])
    elif len(parts) == 2 and _is_reversed(*parts):
        given, suffixes = _cut(parts[1])
        first, last = given, " ".join([parts[0], *suffixes])
    elif len(parts) == 2:
        first, last = _in_order(parts[0])
        last = f"{last}, {parts[1]}"
    else:
        first, last = "", ", ".join(parts)
    return first, ", ".join([last, *behind])


def _bare(word: str) -> str:
    return word.replace(".", "").lower()


def _is_suffix(word: str) -> bool:
    return _bare(word) in SUFFIXES


def _is_company(parts: list[str]) -> bool:
    words = [_bare(word) for part in parts for word in part.split()]
    ends = [_bare(part.split()[-1]) for part in parts]
    if len(parts[0].split()) == 1:
        ends = ends[1:]  # a first word is a name, whatever it looks like
    return not FORMS.isdisjoint(words[1:]) or not ENDINGS.isdisjoint(ends)


def _cut(text: str) -> tuple[str, list[str]]:
    """A name without the suffixes it ends with, and these; its first word is none of them."""
    words = text.split()
    suffixes: list[str] = []
    while len(words) > 1 and _is_suffix(words[-1]):
        suffixes.insert(0, words.pop())
    return " ".join(words), suffixes


def _in_order(text: str) -> tuple[str, str]:
    name, suffixes = _cut(text)
    first, _, last = name.rpartition(" ")
    return first, " ".join([last, *suffixes])


def _is_reversed(last: str, rest: str) -> bool:
    """Whether "last, rest" is a last name before a first: one word, or two and any initials."""
    given = _cut(rest)[0].split()
    if len(given) == 1:
        return True
    spelled = [word for word in given if len(_bare(word)) > 1]
    return len(_cut(last)[0].split()) == 1 and len(spelled) <= 2
