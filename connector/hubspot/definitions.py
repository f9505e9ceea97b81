"""The portal's live property definitions, and whether a value is one that they allow.

Read when something is to be written, kept for an hour or until another mapping is in force. A
value they do not allow is not sent, for HubSpot would refuse it and the record with it. Since a
person may have changed the portal a moment ago, nothing is left out on the word of definitions
older than some seconds. Limits and formats are those of HubSpot's property API.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final

import msgspec

from connector.hubspot.answer import clean, entries, text_of
from connector.hubspot.api import HubSpot
from connector.hubspot.errors import NoAnswer
from connector.hubspot.properties import definitions
from connector.hubspot.refusal import Blame

TEXT_LIMIT: Final = 65_536  # characters
KEPT_S: Final = 3600.0
SURE_S: Final = 10.0
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EPOCH_MS: Final = re.compile(r"-?\d{1,15}", re.ASCII)
# Python reads more than ISO 8601 has: weeks, no dashes, and offsets to the second.
_CLOCK: Final = re.compile(r"T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Definition(msgspec.Struct, frozen=True):
    """One property. `options`: value to label, None where anything goes. `several`: may be chosen.

    `type`: string, number, date, datetime, enumeration, bool, or what HubSpot adds one day.
    """

    type: str
    writable: bool = True
    options: dict[str, str] | None = None
    several: bool = False


Live = Mapping[str, Definition]


def compiled(raw: Mapping[str, Any]) -> Definition:
    """A definition as HubSpot gives it."""
    metadata = raw.get("modificationMetadata")
    read_only = isinstance(metadata, dict) and metadata.get("readOnlyValue") is True
    kind = text_of(raw.get("type"))
    options = None
    if kind == "enumeration" and raw.get("externalOptions") is not True:
        options = {
            text_of(one.get("value")): text_of(one.get("label")) for one in entries(raw, "options")
        } or None
    return Definition(
        type=kind,
        writable=not read_only and raw.get("calculated") is not True,
        options=options,
        several=text_of(raw.get("fieldType")) == "checkbox",
    )


def objections(properties: Mapping[str, str], live: Live, *, but: str = "") -> list[Blame]:
    """Every value that the portal will refuse, and why; `but` is not looked at (the key)."""
    found = []
    for name, value in properties.items():
        blame = None if name == but else objection(name, value, live)
        if blame is not None:
            found.append(blame)
    return found


def objection(name: str, value: str, live: Live) -> Blame | None:
    """Why the portal will refuse this value; None when nothing speaks against it."""
    definition = live.get(name)
    if definition is None:
        return Blame(name, "PROPERTY_DOESNT_EXIST", f"The portal has no property {name}.")
    if not definition.writable:
        return Blame(name, "READ_ONLY_VALUE", f"HubSpot lets nobody write {name}.")
    if not value:
        return None
    shown = clean(value, 60)
    match definition.type:
        case "number" if not _is_number(value):
            return Blame(name, "INVALID_NUMBER", f"{shown!r} is no number.")
        case "date" | "datetime" if _moment(value) is None:
            return Blame(name, "INVALID_DATE", f"{shown!r} is no date that HubSpot understands.")
        # From 2026-09 on HubSpot cuts it down to its day; what it then holds is not what was sent.
        case "date" if not _is_midnight(value):
            said = f"{shown!r} is a time of day (UTC), and {name} takes a day."
            return Blame(name, "INVALID_DATE", said)
        case "bool" if value.lower() not in {"true", "false"}:
            return Blame(name, "INVALID_BOOLEAN", f"{shown!r} is neither true nor false.")
        case _:
            pass
    if definition.options is not None:
        chosen = value.strip(";").split(";") if definition.several else [value]
        wrong = [one for one in chosen if one not in definition.options]
        if wrong:
            return Blame(name, "INVALID_OPTION", not_offered(wrong[0], definition.options))
    if len(value) > TEXT_LIMIT:
        said = f"The value has {len(value):,} characters, HubSpot takes {TEXT_LIMIT:,}."
        return Blame(name, "VALUE_TOO_LONG", said)
    return None


def not_offered(value: str, options: Mapping[str, str]) -> str:
    """That a choice does not offer this value, and which of its values may be meant."""
    said = f"{clean(value, 60)!r} is not one of the {len(options)} options"
    folded = value.casefold()
    for one, label in options.items():
        if folded == label.casefold():
            return f"{said}; it is the label of the option whose value is {one!r}."
    by_name = {name.casefold(): one for one, label in options.items() for name in (label, one)}
    close = difflib.get_close_matches(folded, by_name, n=1)
    if close:
        one = by_name[close[0]]
        return f"{said}; the nearest is {one!r} ({clean(options[one], 60)})."
    return f"{said}."


class Definitions:
    """The live definitions of one portal, by HubSpot type."""

    def __init__(self, hubspot: HubSpot, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic seconds."""
        self._hubspot = hubspot
        self._clock = clock
        self._kept: dict[str, tuple[float, Live]] = {}
        self._mapping: object = None
        self._reading = asyncio.Lock()

    async def of(self, object_type: str, *, at_most_s: float = KEPT_S) -> Live | None:
        """The definitions, not older than that; None when HubSpot does not show them."""
        async with self._reading:  # who comes meanwhile is answered by the same call
            return await self._of(object_type, at_most_s)

    async def _of(self, object_type: str, at_most_s: float) -> Live | None:
        read_at, live = self._kept.get(object_type, (-float("inf"), None))
        if live is not None and self._clock() - read_at <= at_most_s:
            return live
        try:
            answer = await self._hubspot.read_properties(object_type)
        except NoAnswer:
            return None
        if not answer.ok or not entries(answer.body, "results"):
            return None
        live = {name: compiled(raw) for name, raw in definitions(answer).items()}
        self._kept[object_type] = (self._clock(), live)
        return live

    async def for_writing(
        self, object_type: str, written: Iterable[Mapping[str, str]], mapping: object = None
    ) -> Live | None:
        """The definitions to check these records by; fresh ones when one of them would not pass.

        `mapping`: the one in force, for which the portal may just have been given properties.
        """
        if self._mapping is not mapping:
            self._mapping = mapping
            self._kept.clear()
        live = await self.of(object_type)
        if live is not None and any(objections(one, live) for one in written):
            return await self.of(object_type, at_most_s=SURE_S)
        return live


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


def _is_midnight(value: str) -> bool:
    moment = _moment(value)
    return moment is not None and moment.time() == time_of_day.min


def _moment(value: str) -> datetime | None:
    """The moment in UTC that HubSpot reads out of this; None when it reads none."""
    try:
        if _EPOCH_MS.fullmatch(value):
            return _START + timedelta(milliseconds=int(value))
        if not _DAY.fullmatch(value[:10]) or (value[10:] and not _CLOCK.fullmatch(value[10:])):
            return None
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if value[10:] else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
