"""Property values: what each type takes, what is stored for it, and how it is refused.

One `Field` per live definition, compiled once, so a batch of 100 records costs a dictionary look-up
and at most one small function per value. Dates follow the version asked for: before 2026-09 a
time that is not midnight UTC is refused, from then on it is cut down to its day with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from .property import Property
from .refusals import Invalid

MAX_TEXT = 65_536
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)\Z", re.ASCII)
_EPOCH = re.compile(r"-?\d{1,15}\Z", re.ASCII)
_EMAIL = re.compile(
    r"[^@\s,;<>()\[\]\"]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z0-9-]{2,}\Z", re.IGNORECASE
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_FROM = 10**11
"""An epoch number nearer to zero than this is taken for seconds where seconds are forgiven."""


class BadValueError(ValueError):
    """A value its type does not take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Warned(msgspec.Struct, frozen=True):
    """A date that was cut down: property, as sent, as stored."""

    name: str
    raw: str
    stored: str

    def body(self) -> dict[str, Any]:
        """The record's `warnings` entry."""
        return {
            "category": "PROPERTY_VALUE_NORMALIZED",
            "message": f"The value of property {self.name} was normalized to {self.stored}.",
            "context": {
                "propertyName": [self.name],
                "rawValue": [self.raw],
                "normalizedValue": [self.stored],
            },
        }


Check = Callable[[str, "list[tuple[str, str]] | None"], str]
"""Value and, where dates are forgiven, the list that takes (raw, stored); gives what is stored."""


class Field(msgspec.Struct, frozen=True):
    """A definition made ready for checking values."""

    name: str
    read_only: bool
    unique: bool
    check: Check | None
    multiple: bool = False
    day: bool = False


def compile_field(definition: Property) -> Field:
    """Make `definition` ready for checking."""
    check: Check | None = None
    if definition.name == "email" and definition.hubspot_defined:
        check = _email
    elif definition.type == "number":
        check = _number
    elif definition.type == "date":
        check = _date
    elif definition.type == "datetime":
        check = _datetime
    elif definition.type in ("enumeration", "bool") and not definition.external_options:
        check = _choice(definition)
    return Field(
        definition.name,
        definition.read_only,
        bool(definition.has_unique_value),
        check,
        definition.type == "enumeration" and definition.field_type == "checkbox",
        definition.type == "date",
    )


def text(value: str | float | bool) -> str:
    """The string HubSpot stores for a JSON scalar that should have been a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value}"


def check_values(
    fields: dict[str, Field],
    sent: dict[str, Any],
    *,
    forgive_dates: bool,
) -> tuple[dict[str, str], list[Invalid], list[Warned]]:
    """Check `sent`; gives what is stored ("" clears), what is wrong, and what was cut down."""
    clean: dict[str, str] = {}
    wrong: list[Invalid] = []
    warned: list[Warned] = []
    for name, raw in sent.items():
        value = raw if type(raw) is str else text(raw)
        field = fields.get(name)
        if field is None or field.read_only or len(value) > MAX_TEXT:
            wrong.append(_unwritable(name, field, value))
            continue
        if not value or field.check is None:
            clean[name] = value
            continue
        cut: list[tuple[str, str]] | None = [] if forgive_dates and field.day else None
        try:
            clean[name] = field.check(value, cut)
        except BadValueError as refused:
            wrong.append(Invalid(name, refused.code, str(refused)))
        if cut:
            warned.extend(Warned(name, before, after) for before, after in cut)
    return clean, wrong, warned


def _unwritable(name: str, field: Field | None, value: str) -> Invalid:
    if field is None:
        return Invalid(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if field.read_only:
        message = f'"{name}" is a read only property; its value cannot be set.'
        return Invalid(name, "READ_ONLY_VALUE", message)
    message = (
        f"The value of {name} is {len(value)} characters long; at most {MAX_TEXT} are allowed."
    )
    return Invalid(name, "VALUE_TOO_LONG", message)


def _number(value: str, _cut: object) -> str:
    if not _NUMBER.match(value):
        raise BadValueError("INVALID_INTEGER", f"{value} was not a valid number.")
    return value


def _email(value: str, _cut: object) -> str:
    if not _EMAIL.match(value):
        raise BadValueError("INVALID_EMAIL", f"Email address {value} is invalid")
    return value.lower()


def _choice(definition: Property) -> Check:
    options = definition.options or ()
    allowed = {one.value: one.value for one in options}
    listed = ", ".join(f'label: "{one.label}" value: "{one.value}"' for one in options)
    multiple = definition.type == "enumeration" and definition.field_type == "checkbox"

    def check(value: str, _cut: object) -> str:
        stored = allowed.get(value)
        if stored is not None:
            return stored
        if multiple and all(part in allowed for part in value.removeprefix(";").split(";")):
            return value
        raise BadValueError(
            "INVALID_OPTION", f"{value} was not one of the allowed options: [{listed}]"
        )

    return check


def _moment(value: str) -> datetime | None:
    """The moment `value` names: epoch milliseconds, a day, or ISO 8601 with its offset."""
    try:
        if _EPOCH.match(value):
            return _START + timedelta(milliseconds=int(value))
        if _DAY.match(value):
            return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
        return datetime.fromisoformat(value).astimezone(UTC) if _ISO.match(value) else None
    except (ValueError, OverflowError):
        return None


def _date(value: str, cut: list[tuple[str, str]] | None) -> str:
    if _DAY.match(value) and _moment(value) is not None:
        return value
    moment = _moment(value)
    if moment is None:
        raise BadValueError("INVALID_DATE", f"{value} was not a valid date.")
    if cut is not None and _EPOCH.match(value) and abs(int(value)) < SECONDS_FROM and value != "0":
        moment = _START + timedelta(seconds=int(value))
    stored = moment.date().isoformat()
    midnight = moment.hour == moment.minute == moment.second == moment.microsecond == 0
    if cut is None:
        if not midnight:
            clock = f"{moment.hour}:{moment.minute}:{moment.second}.{moment.microsecond // 1000}"
            raise BadValueError("INVALID_DATE", f"{value} is at {clock} UTC, not midnight!")
    elif not midnight or (_EPOCH.match(value) and abs(int(value)) < SECONDS_FROM):
        cut.append((value, stored))
    return stored


def _datetime(value: str, _cut: object) -> str:
    return _iso_of(value)


@lru_cache(maxsize=4096)
def _iso_of(value: str) -> str:
    moment = _moment(value)
    if moment is None:
        raise BadValueError("INVALID_LONG", f"{value} was not a valid long.")
    return iso(moment)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, with milliseconds only where there are some."""
    timespec = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
