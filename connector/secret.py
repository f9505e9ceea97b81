"""A value that must never be seen: passwords, keys, tokens.

Every text form of a `Secret` is the same three dots, so a secret that ends up in a log line, an
error, an event or a debugger's view shows nothing. Only `reveal()` hands the value out, which
makes every place that does so easy to find.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn
from unicodedata import category

from connector.errors import ConnectorError

HIDDEN: Final = "•••"


class Secret:
    """Text that shows itself only through `reveal()`; not empty, compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("a secret must not be empty")
        self._value = value

    @property
    def is_there(self) -> bool:
        """Whether it can be revealed."""
        return True

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


class AbsentSecret(Secret):
    """One that could not be had, for work that does not need it; else `reveal()` says why."""

    __slots__ = ("_why",)

    def __init__(self, why: ConnectorError) -> None:
        super().__init__(HIDDEN)
        self._why = why

    @property
    def is_there(self) -> bool:
        """It is not."""
        return False

    def reveal(self) -> NoReturn:
        """Raise why it could not be had."""
        raise self._why


def control_character(value: str) -> int:
    """The place of the first control character (line breaks are some), from 1; 0 for none."""
    return next((place for place, one in enumerate(value, 1) if category(one) == "Cc"), 0)


def unfit_for_a_header(value: str) -> str:
    """Why this text cannot travel in an HTTP header, repeating none of it; "" when it can."""
    place = control_character(value)
    if place:
        return f"holds a line break or another control character (at place {place})"
    if value.strip() != value:
        return "holds blanks before or behind it"
    if not value.isascii():
        place = next(place for place, one in enumerate(value, 1) if not one.isascii())
        return f"holds a letter or sign that no key or token has (at place {place})"
    return ""
