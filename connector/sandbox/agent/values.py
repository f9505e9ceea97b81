"""How Sage 100 writes things down: text, amounts, dates and times as the strings of its files.

Sage 100 knows no null and no types on the wire; every cell is text in Windows-1252. This module
turns Python values into that text and back, in one place, so that the seeded data and every later
change speak the same dialect. Amounts are whole cents inside the simulator: sums stay exact.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from connector.sandbox.agent.errors import ModelError

REPLACEMENT = "\ufffd"
# XML 1.0, section 2.2: every character outside this set is forbidden, even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What an agent makes of Windows-1252's own letters when it takes them for Latin-1 (U+0092 for ’).
# Five of them are honest: bytes that Windows-1252 leaves undefined and Windows decodes to these.
_CONTROLS = frozenset(map(chr, range(0x80, 0xA0)))
_TICKS_PER_HOUR = 100_000  # five decimals of an hour, 36 ms each


def clean(text: str) -> str:
    """The text as the agent serves it: trailing blanks cut, XML-forbidden characters replaced.

    Raises ModelError for a character that neither Windows-1252 nor Latin-1 has: Sage 100 could
    never have held it, nor could an agent have made it of a byte.
    """
    if not text.isascii() or not text.isprintable():
        text = xml_text(text)
        for character in text:
            if character in _CONTROLS or character == REPLACEMENT:
                continue
            try:
                character.encode("cp1252")
            except UnicodeEncodeError:
                raise ModelError(
                    f"{character!r} is not in Windows-1252, so no Sage 100 cell can hold it"
                ) from None
    return text.rstrip(" ")


def xml_text(text: str) -> str:
    """The text with every character that XML 1.0 forbids replaced by U+FFFD."""
    return _FORBIDDEN.sub(REPLACEMENT, text)


def amount(cents: int) -> str:
    """Cents as STR() prints a number: no padding, `1250` → `12.5`, `50` → `.5`, `-50` → `-.5`."""
    if not cents:
        return "0"
    whole, rest = divmod(abs(cents), 100)
    text = str(whole) if whole else ""
    if rest:
        text += f".{rest:02d}".rstrip("0")
    return "-" + text if cents < 0 else text


def masked(cents: int) -> str:
    """Cents through a print mask, `#,###.00-`: `-123450` → `1,234.50-` (reference 1.2)."""
    whole, rest = divmod(abs(cents), 100)
    return f"{whole:,}.{rest:02d}" + ("-" if cents < 0 else "")


def number(text: str) -> Decimal:
    """Any number Sage 100 writes: blank, `.5`, `-.5`, `1,212.50-`. ModelError when it is none."""
    raw = text.strip().replace(",", "")
    if raw.endswith("-"):
        raw = "-" + raw[:-1]
    try:
        value = Decimal(raw or "0")
    except InvalidOperation:
        raise ModelError(f"{text!r} is no number; give decimal text such as 1234.50") from None
    if not value.is_finite():
        raise ModelError(f"{text!r} is no finite number")
    return value


def cents(value: str | Decimal | int) -> int:
    """An amount in whole cents. ModelError when it is no number or finer than a cent."""
    exact = number(str(value)) * 100
    if exact != exact.to_integral_value():
        raise ModelError(f"{value!r} is not an amount in whole cents")
    return int(exact)


def day(value: date) -> str:
    """A date as `YYYYMMDD`."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def parse_day(text: str) -> date | None:
    """`YYYYMMDD` back to a date; None for blanks and for what is no day of the calendar."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def hours(ticks: int) -> str:
    """Ticks of 0.00001 h as decimal hours without padding: `849238` → `8.49238`."""
    whole, rest = divmod(ticks, _TICKS_PER_HOUR)
    return f"{whole}.{rest:05d}".rstrip("0") if rest else str(whole)


def ticks(moment: datetime) -> int:
    """The time of day in ticks of 0.00001 h (36 ms), cut off, never rounded into the next day."""
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return (seconds * 1_000_000 + moment.microsecond) // 36_000


def stamp(moment: datetime) -> tuple[str, str]:
    """The two cells of a Date…/Time… pair for a server-local moment."""
    return day(moment), hours(ticks(moment))
