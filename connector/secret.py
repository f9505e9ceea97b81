"""A value that must never be seen: passwords, keys, tokens.

Every text form of a `Secret` is the same three dots, so a secret that ends up in a log line, an
error, an event or a debugger's view shows nothing. Only `reveal()` hands the value out, which
makes every place that does so easy to find.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

HIDDEN: Final = "•••"


class Secret:
    """Text that shows itself only through `reveal()`; not empty, compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("a secret must not be empty")
        self._value = value

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
