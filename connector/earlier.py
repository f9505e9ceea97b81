"""What HubSpot held before we wrote, by its own memory: the histories of the properties.

The log says what HubSpot had acknowledged. A person may have typed something else since, which an
undo must not forget for what the log believes. So every property is asked about, 50 records a
call; whether it still holds what we wrote is read off the same answer. Where its history does not
go back far enough, the log's word counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from connector import paging
from connector.hubspot.answer import text_of
from connector.hubspot.api import HISTORY_LIMIT, HubSpot
from connector.hubspot.holdings import read_histories
from connector.hubspot.holds import same, types_of
from eventstore import EventStore
from projections import keys, remembered
from projections.mapping.compiled import CompiledMapping
from projections.remembered import Attempt, Entry
from projections.undo import Asked, Left, Pins

_MOST_TOLD: Final = 20  # values that a history gives: one as long may have begun earlier
# HubSpot's names for ways that no app goes; what came in any other way may be ours.
_NEVER_OURS: Final = frozenset(
    {"AUTOMATION_PLATFORM", "CALCULATED", "CRM_UI", "CRM_UI_BULK_ACTION", "FORM", "IMPORT"}
    | {"MOBILE_ANDROID", "MOBILE_IOS"}
)
_SHOWN: Final = 60  # characters of a value
_SAME: Final = "HubSpot held the same before"
_GONE: Final = "HubSpot has no record with this key any more"
_FORGOTTEN: Final = "what HubSpot held before is neither in the log nor in HubSpot's history"

Questions = Mapping[str, Mapping[str, Asked]]  # target -> property -> how it was written


class Memory(msgspec.Struct, frozen=True):
    """What HubSpot remembers: target to what can be put back, and what cannot be."""

    fields: dict[str, Pins]
    left: list[Left]


async def remember(
    store: EventStore, hubspot: HubSpot, mapping: CompiledMapping, asked: Questions
) -> Memory:
    """What HubSpot held before, of the properties in which it still holds ours.

    Raises Unreachable, TokenRefused, Refused.
    """
    out = Memory({}, [])
    times = await _times(store, asked)
    by_kind: dict[str, list[str]] = {}
    for name in asked:
        by_kind.setdefault(keys.split_target(name)[0], []).append(name)
    for kind, names in by_kind.items():
        section = mapping.source.objects()[kind]
        types = types_of(section)
        for part in paging.parts(names, HISTORY_LIMIT):
            wanted = sorted({prop for name in part for prop in asked[name]})
            external = [keys.split_target(name)[1] for name in part]
            told = await read_histories(
                hubspot, section.hubspot_type, section.key, external, wanted
            )
            for name in part:
                history = told.get(keys.split_target(name)[1])
                if history is None:
                    out.left.append(Left(name, "", _GONE))
                else:
                    _take(name, asked[name], history, times, types, out)
    out.left.sort(key=lambda one: (one.target, one.property))
    return msgspec.structs.replace(out, fields=dict(sorted(out.fields.items())))


async def _times(store: EventStore, asked: Questions) -> dict[int, float]:
    """Position to when it was recorded (seconds since 1970), of all that the questions name."""
    positions = {
        position
        for properties in asked.values()
        for one in properties.values()
        for write in one.writes
        for position in write[1:]
    }
    out: dict[int, float] = {}
    wanted = sorted(positions - {0})
    for position, commit in zip(wanted, await paging.commits(store, wanted), strict=True):
        if commit is not None:
            out[position] = commit.recorded_at_us / 1_000_000
    return out


def _take(
    name: str,
    asked: Mapping[str, Asked],
    histories: Mapping[str, Any],
    times: Mapping[int, float],
    types: Mapping[str, str],
    out: Memory,
) -> None:
    """Add what the histories of one record's properties say."""
    unchanged = []
    for prop, one in sorted(asked.items()):
        history = _entries(histories.get(prop))
        kind = types.get(prop, "")

        def alike(left: str, right: str, prop: str = prop, kind: str = kind) -> bool:
            return same(prop, left, right, kind)

        current = history[0].value if history else ""
        if not alike(one.ours, current):
            shown = current if len(current) <= _SHOWN else f"{current[:_SHOWN]}…"
            why = f"HubSpot does not hold ours any more but {shown!r}"
            why += ", as an undo has found already" if one.overtaken else ""
            out.left.append(Left(name, prop, why))
            continue
        back = remembered.before(history, _attempts(one, times), alike)
        if back is None:
            begun_later = len(history) >= _MOST_TOLD and one.before is None
            back = None if begun_later else one.before or ""
        if back is None:
            out.left.append(Left(name, prop, _FORGOTTEN))
        elif not alike(one.ours, back):
            out.fields.setdefault(name, {})[prop] = (one.ours, back)
        elif one.before is None or alike(one.ours, one.before):
            unchanged.append(prop)
        else:  # the log expected something else
            out.left.append(Left(name, prop, _SAME))
    if unchanged and name not in out.fields:
        prop = unchanged[0] if len(unchanged) == 1 else ""
        out.left.append(Left(name, prop, _SAME))


def _attempts(one: Asked, times: Mapping[int, float]) -> list[Attempt]:
    """How a property was written; what needed no attempt changed nothing."""
    return [
        Attempt(write.value, times.get(write.known), times[write.sent], times[write.acked])
        for write in one.writes
        if write.sent in times and write.acked in times
    ]


def _entries(told: Any) -> list[Entry]:
    """A property's history, newest first; nonsense is left out."""
    out = []
    for one in told if isinstance(told, Sequence) else []:
        if not isinstance(one, dict):
            continue
        try:
            moment = datetime.fromisoformat(text_of(one.get("timestamp")))
        except ValueError:
            continue
        if moment.tzinfo is not None:
            by_others = text_of(one.get("sourceType")) in _NEVER_OURS
            out.append(Entry(moment.timestamp(), text_of(one.get("value")), by_others))
    return sorted(out, key=lambda each: -each.at_s)
