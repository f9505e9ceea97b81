"""Reading raw Sage 100 cells, by itself: shares nothing with the product, so that it can prove it.

Formats are those of the file layouts: dates YYYYMMDD, decimal text that may lack a leading zero or
end in a minus, flags Y or N, keys whose trailing blanks alone may be cut.
"""

from __future__ import annotations

import calendar
import string
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

COUNTRIES = {"USA": "United States", "CAN": "Canada", "MEX": "Mexico", "": ""}
FREE_MAIL = {"gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "aol.com", "icloud.com"}
_LOCAL = set(string.ascii_letters + string.digits + ".!#$%&'*+/=?^_`{|}~-")
_LABEL = set(string.ascii_letters + string.digits + "-")


def shown(cell: str) -> str:
    """Text with one blank for what nobody can see, C0, C1, and marks of characters lost; a byte of
    Windows-1252 that became a C1 is the character it was.
    """
    visible = ""
    for char in cell:
        meant = char
        if "\x80" <= char <= "\x9f":
            meant = char.encode("latin-1").decode("cp1252", "replace")
        if not (meant < " " or meant in "\x7f\ufffd"):
            visible += meant
        elif not visible.endswith("\0"):
            visible += "\0"
    return visible.replace("\0", " ").strip()


def money(cell: str) -> Decimal:
    """An amount to the cent, thousands apart or not; blank is nothing."""
    text = cell.strip().replace(",", "")
    if text.endswith("-"):
        text = f"-{text[:-1]}"
    return rounded(Decimal(text or "0"), "0.01")


def rounded(value: Decimal, step: str = "1") -> Decimal:
    """Half up to a step."""
    return value.quantize(Decimal(step), ROUND_HALF_UP)


def day(cell: str) -> date | None:
    """A day; None for a blank, for what is no day, and for a date that only means "none"."""
    try:
        found = date(int(cell[:4]), int(cell[4:6]), int(cell[6:8]))
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2100 else None


def shown_day(value: date | None) -> str:
    """As HubSpot shows a date."""
    return value.isoformat() if value else ""


def shown_midnight(value: date | None) -> str:
    """As HubSpot shows a moment that stands for a day."""
    return f"{value.isoformat()}T00:00:00Z" if value else ""


def yes(cell: str) -> str:
    """A flag as HubSpot shows it."""
    return "true" if cell == "Y" else "false"


def mails(cell: str) -> list[str]:
    """The valid addresses of a list, in lower case; of what stands around them nothing."""
    found = []
    for one in cell.translate(dict.fromkeys(map(ord, ';,<>()[]"'), " ")).split():
        pieces = (
            [one] if _is_mail(one) else one.translate(dict.fromkeys(map(ord, "/:|"), " ")).split()
        )
        found += [piece.lower() for piece in pieces if _is_mail(piece)]
    return found


def _is_mail(text: str) -> bool:
    if text.count("@") != 1:
        return False
    local, host = text.split("@")
    labels = host.split(".")
    return (
        0 < len(local) <= 64
        and set(local) <= _LOCAL
        and len(labels) > 1
        and labels[-1].isalpha()
        and all(label and set(label) <= _LABEL and label.strip("-") == label for label in labels)
    )


def domain(url: str, mail: str) -> str:
    """The company's own domain: of its site, else of its first address with a domain of its own."""
    host = url.strip().lower()
    for scheme in ("http://", "https://"):
        host = host.removeprefix(scheme)
    host = host.split("/")[0].removeprefix("www.")
    if "." in host and " " not in host:
        return host
    own = [one.split("@")[1] for one in mails(mail) if one.split("@")[1] not in FREE_MAIL]
    return own[0] if own else ""


def person(name: str) -> tuple[str, str]:
    """First and last name: the last word with the title behind it, or what stands before a comma; a
    company is a last name as a whole.
    """
    words = name.split()
    plain = [word.strip(",").replace(".", "").upper() for word in words]
    if set(plain[1:]) & {"INC", "LLC", "CORP", "LTD", "CV"} or (plain[1:] and plain[-1] == "CO"):
        return "", " ".join(words)
    title = ""
    if plain[1:] and plain[-1] in {"MD", "JR"}:
        *words, title = words
    before, comma, after = " ".join(words).partition(",")
    tail = f",{after}" if comma else ""
    spelled = [word for word in after.split() if len(word.strip(".")) > 1]
    if spelled and " " not in before and len(spelled) <= 2:
        first, last, tail = after.strip(), before, ""
    else:
        first, _, last = before.rpartition(" ")
    return first, f"{last}{tail} {title}".strip()


def telephone(number: str, extension: str) -> str:
    """With its extension, if there is a number at all."""
    number, extension = number.strip(), extension.strip()
    return f"{number} x{extension}" if number and extension else number


def due_date(row: Mapping[str, str], terms: Mapping[str, Mapping[str, str]]) -> date | None:
    """The stored date; where it is blank what the terms give, and without terms the day itself."""
    invoiced = day(row["InvoiceDate"])
    stored = day(row["InvoiceDueDate"])
    rule = terms.get(row["TermsCode"])
    if stored or invoiced is None or rule is None:
        return stored or invoiced
    days, least = int(money(rule["DaysBeforeDue"])), int(money(rule["MinimumDaysAllowedInv"]))
    if rule["DueDateADayOfTheMonth"] != "Y":
        return invoiced + timedelta(days=days)
    month = invoiced.replace(day=1)
    while True:
        length = calendar.monthrange(month.year, month.month)[1]
        candidate = month.replace(day=max(1, min(days, length)))
        if candidate >= max(invoiced, invoiced + timedelta(days=least)):
            return candidate
        month += timedelta(days=length)
