"""What a Sage 100 cell means: dates, times, numbers, flags, names, addresses.

Every cell arrives as the string Sage 100 holds (reference: sage100 section 4). These functions
never raise on data: what cannot be read is None, and the caller decides what that means. There
is no null in Sage 100, so an empty cell and a zero are both ordinary values.
"""

from __future__ import annotations

import functools
import re
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_NUMBER: Final = re.compile(r"([+-]?)([1-9]\d{0,2}(?:,\d{3}){1,6}|\d{0,20})(?:\.(\d{0,12}))?(-?)")
_BRACKETED: Final = re.compile(r"\([\d,.]{1,40}\)", re.ASCII)
_UNDEFINED: Final = {0x81, 0x8D, 0x8F, 0x90, 0x9D}  # in Windows-1252
REPLACEMENT: Final = "\ufffd"  # what the agent writes for bytes that are no text
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f�]+")
# Letters and marks of Windows-1252 that an agent took for Latin-1, where they are no text.
_MISREAD: Final = {
    code: bytes([code]).decode("cp1252") for code in set(range(0x80, 0xA0)) - _UNDEFINED
}
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_SCHEME: Final = re.compile(r"^[a-z]+://")
_BETWEEN: Final = re.compile(r"[;,<>()\[\]\"\s]+")
# What may stand between addresses or before one, and in an odd one too: mailto:a@x.com?subject=…
_WITHIN: Final = re.compile(r"[/:|#?&=\\]+")
CENT: Final = Decimal("0.01")

# Years outside are sentinels (0001, 1753, 1899) or garbage; sage100 section 4.
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2100

# Mail providers whose domain says nothing about the company.
FREE_MAIL: Final = frozenset(
    {"gmail.com", "googlemail.com", "yahoo.com", "yahoo.ca", "outlook.com", "hotmail.com"}
    | {"live.com", "msn.com", "aol.com", "icloud.com", "me.com", "mac.com", "comcast.net"}
    | {"verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net", "charter.net"}
    | {"earthlink.net", "proton.me", "protonmail.com", "gmx.com", "mail.com", "zoho.com"}
)


def text(cell: str) -> str:
    """Without control characters, the agent's replacement marks and padding.

    What was misread as Latin-1 is put right: O’Brien has his apostrophe back.
    """
    # Printable text, by far the most, needs no search; U+FFFD counts as printable.
    if cell.isprintable() and REPLACEMENT not in cell:
        return cell.strip()
    return _CONTROL.sub(" ", cell.translate(_MISREAD)).strip()


@functools.lru_cache(maxsize=8192)
def day(cell: str) -> date | None:
    """A calendar day from YYYYMMDD (or YYYY-MM-DD); None for blank, sentinel and garbage."""
    found = _DATE.fullmatch(cell.strip())
    if found is None:
        return None
    year, month, number = (int(part) for part in found.groups())
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        return date(year, month, number)
    except ValueError:
        return None


def moment(date_cell: str, time_cell: str) -> datetime | None:
    """A naive server-local moment from a date and decimal hours ("8.49238" is 08:29:32.568).

    An unreadable or blank time gives the start of the day: the caller widens its window.
    """
    when = day(date_cell)
    if when is None:
        return None
    start = datetime(when.year, when.month, when.day)  # noqa: DTZ001 - Sage stamps carry no zone
    hours = number(time_cell) if time_cell.strip() else None
    if hours is None or not 0 <= hours < 24:
        return start
    return start + timedelta(microseconds=int(hours * 3_600_000_000))


@functools.lru_cache(maxsize=8192)
def number(cell: str) -> Decimal | None:
    """A decimal; `.5`, `-.5`, `1234.50-`, `1,234.50-` and `(12.50)` occur, the last three being
    print masks. Blank is None, garbage is None.
    """
    cell = cell.strip()
    found = _NUMBER.fullmatch(cell)
    if found is None:
        inner = number(cell[1:-1]) if _BRACKETED.fullmatch(cell) else None
        return None if inner is None else -inner
    sign, whole, fraction, trailing = found.groups()
    if not whole and not fraction:
        return None
    if sign and trailing:
        return None
    value = Decimal(f"{whole.replace(',', '') or '0'}.{fraction or '0'}")
    return -value if sign == "-" or trailing else value


def amount(cell: str) -> Decimal:
    """A money amount; blank and garbage count as nothing: where that matters, ask `is_garbage`."""
    return number(cell) or Decimal(0)


def is_garbage(cell: str) -> bool:
    """Whether a cell that should be a number holds something that is none; blank is not that."""
    return number(cell) is None and cell.strip() != ""


def money(value: Decimal) -> str:
    """Two decimals, half up, no exponent, never "-0.00"."""
    cents = value.quantize(CENT, rounding=ROUND_HALF_UP)
    return "0.00" if cents == 0 else f"{cents:f}"


def flag(cell: str) -> bool:
    """Y is true; N, blank and anything else is false."""
    return cell.strip().upper() == "Y"


def emails(cell: str) -> list[str]:
    """The valid addresses of a field that may hold several, in order, whatever stands around them:
    `Joe <joe@abc.com>`, `mailto:joe@abc.com`, `a@x.com/b@y.com`.
    """
    if _EMAIL.fullmatch(cell):  # one, by far the most
        return [cell]
    found: list[str] = []
    for part in _BETWEEN.split(cell) if "@" in cell else ():
        if _EMAIL.fullmatch(part):
            found.append(part)
        else:
            within = (one.strip("'.") for one in _WITHIN.split(part))
            found.extend(one for one in within if _EMAIL.fullmatch(one))
    return found


def domain(url_cell: str, email_cell: str) -> str:
    """The company's web domain: from its URL, else from its first e-mail that is not free mail."""
    if url_cell:
        host = _SCHEME.sub("", url_cell.strip().lower()).split("/")[0].split("?")[0]
        host = host.rpartition("@")[2].partition(":")[0].removeprefix("www.")
        if _HOST.fullmatch(host):
            return host
    for address in emails(email_cell):
        host = address.rpartition("@")[2].lower()
        if host not in FREE_MAIL:
            return host
    return ""
