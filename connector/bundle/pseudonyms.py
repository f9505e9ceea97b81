"""Made-up names, the same for the same name throughout one bundle, and of the same shape.

A text is taken word by word (a run of letters, a run of digits) and each is replaced by a random
one of the same length, capitals where there were capitals; what stands between stays. So a first
name cut out of a full name, or a domain out of an e-mail address, is still cut out of it, and two
records that shared a value still do. Which word became which is chosen at random and written
nowhere. Single letters stay, and so do words that say nothing of anybody, such as "com". Whether
digits are a date nobody can tell from them: that is for who knows where they stand.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Final

from projections import names
from projections.values import FREE_MAIL

_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
# What is somebody's wherever it stands, an e-mail address or digits set as in a telephone number,
# or else single words.
_SPOKEN: Final = re.compile(
    r"(?P<whole>[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*|[+(]?\d(?:[ ()./-]{0,3}\d){6,})|"
    + _WORD.pattern
)
_PLAIN: Final = frozenset(
    {"com", "org", "net", "edu", "gov", "info", "biz", "io", "co", "us", "ca", "uk", "de", "eu"}
    | {"www", "http", "https", "mailto", "true", "false", "example", "test", "invalid"}
    | {label for domain in FREE_MAIL for label in domain.split(".")}
    # By these a name is taken apart: it is to be taken apart alike.
    | names.FORMS
    | names.ENDINGS
    | names.SUFFIXES
    | {"ph"}
)
_TRIES: Final = 200


class Pseudonyms:
    """The words of one bundle. `choose` picks one of a text's letters at random."""

    def __init__(self, choose: Callable[[str], str]) -> None:
        self._choose = choose
        self._of: dict[str, str] = {}
        self._taken: set[str] = set()

    def text(self, value: str) -> str:
        """The text with every word made up."""
        if len(value) <= 1:
            return value
        return _WORD.sub(lambda found: self._word(found.group()), value)

    def words_of(self, value: str) -> str:
        """The text with those words made up that have been met before, and whatever has the form
        of an address, a telephone number or another long number.
        """
        return _SPOKEN.sub(
            lambda found: self.text(found[0]) if found["whole"] else self._known(found[0]), value
        )

    def _known(self, word: str) -> str:
        if word.lower() in self._of or (word.isdigit() and len(word) > 3):
            return self._word(word)
        return word

    def _word(self, word: str) -> str:
        low = word.lower()
        if len(word) == 1 or low in _PLAIN:
            return word
        if len(low) != len(word):
            low = word  # letters that become two when they become small
        if low not in self._of:
            self._of[low] = self._new(low)
        made = self._of[low]
        return "".join(
            new.upper() if old.isupper() else new for old, new in zip(word, made, strict=True)
        )

    def _new(self, word: str) -> str:
        letters = string.digits if word.isdigit() else string.ascii_lowercase
        made = word
        for _ in range(_TRIES):
            made = "".join(self._choose(letters) for _ in word)
            if made not in self._taken and made != word and made not in _PLAIN:
                break
        else:
            # Nearly all words of this length are taken: the first that is free will do.
            size = len(letters)
            for number in range(size ** min(len(word), 4)):
                made = "".join(letters[number // size**place % size] for place in range(len(word)))
                if made not in self._taken:
                    break
        self._taken.add(made)
        return made
