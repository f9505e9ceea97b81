"""What HubSpot held before we wrote, where the log cannot know it: HubSpot's own memory.

A property that we wrote for the first time, or a replay that went over a person's edit: the log has
no value from before, the history of the property has. Our clock and HubSpot's need not agree. So
the newest entry is our doing when it lies beyond half-way between the last thing we knew of the
record and our attempt; and from where it lies, counting back as long as our writing took, begins
what was there before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from connector.hubspot.answer import text_of
from connector.hubspot.api import HISTORY_LIMIT, HubSpot
from connector.hubspot.holdings import read_histories
from connector.hubspot.holds import same, types_of
from eventstore import EventStore
from projections import keys
from projections.mapping.compiled import CompiledMapping
from projections.undo import Asked, Left, Pins, Undoing

_PAGE: Final = 1_000
_SAME: Final = "HubSpot held the same before"
_FORGOTTEN: Final = "what HubSpot held before is neither in the log nor in HubSpot's history"


class Memory(msgspec.Struct, frozen=True):
    """What HubSpot remembers: target to what can be put back, and what cannot be."""

    fields: dict[str, Pins]
    left: list[Left]


async def remember(
    store: EventStore, hubspot: HubSpot, mapping: CompiledMapping, asked: Mapping[str, Undoing]
) -> Memory:
    """Ask HubSpot's histories for the values from before.

    Raises Unreachable, TokenRefused, Refused.
    """
    out = Memory({}, [])
    times = await _times(store, asked)
    by_kind: dict[str, list[str]] = {}
    for name, one in asked.items():
        if name in times:
            by_kind.setdefault(keys.split_target(name)[0], []).append(name)
        else:
            out.left.extend(Left(name, prop, _FORGOTTEN) for prop in one.asked)
    for kind, names in by_kind.items():
        section = mapping.source.objects()[kind]
        types = types_of(section)
        for start in range(0, len(names), HISTORY_LIMIT):
            part = names[start : start + HISTORY_LIMIT]
            wanted = sorted({prop for name in part for prop in asked[name].asked})
            external = [keys.split_target(name)[1] for name in part]
            told = await read_histories(
                hubspot, section.hubspot_type, section.key, external, wanted
            )
            for name in part:
                history = told.get(keys.split_target(name)[1])
                if history is None:
                    out.left.append(Left(name, "", "HubSpot has no record with this key any more"))
                    continue
                _take(name, asked[name].asked, history, times[name], types, out)
    return out


class _Times(NamedTuple):
    """Of our writing one property: from when on a change was our doing, and how long it took."""

    since_s: float
    took_s: float


async def _times(store: EventStore, asked: Mapping[str, Undoing]) -> dict[str, dict[str, _Times]]:
    """Target to property to the times; a property that needed no attempt is left out."""
    every = {one.known for one in asked.values()}
    every.update(at for one in asked.values() for each in one.asked.values() for at in each[1:])
    at_s: dict[int, float] = {}
    wanted = sorted(every - {0})
    for start in range(0, len(wanted), _PAGE):
        part = wanted[start : start + _PAGE]
        for position, commit in zip(part, await store.commits(part), strict=True):
            if commit is not None:
                at_s[position] = commit.recorded_at_us / 1_000_000
    out: dict[str, dict[str, _Times]] = {}
    for name, one in asked.items():
        if one.known in at_s:
            out[name] = {
                prop: _Times((at_s[one.known] + at_s[sent]) / 2, at_s[acked] - at_s[sent])
                for prop, (_, sent, acked) in one.asked.items()
                if sent in at_s and acked in at_s
            }
    return out


def _take(
    name: str,
    asked: Mapping[str, Asked],
    history: Mapping[str, Any],
    times: Mapping[str, _Times],
    types: Mapping[str, str],
    out: Memory,
) -> None:
    unchanged = []
    for prop, (ours, _, _) in sorted(asked.items()):
        values = _values(history.get(prop))
        kind = types.get(prop, "")
        current = values[0][1] if values else ""
        if not same(prop, ours, current, kind):
            shown = current if len(current) <= 60 else f"{current[:60]}…"
            out.left.append(Left(name, prop, f"HubSpot does not hold ours any more but {shown!r}"))
            continue
        when = times.get(prop)
        if when is None or not values or values[0][0] < when.since_s:
            unchanged.append(prop)
            continue
        begun_s = values[0][0] - when.took_s
        before = next((value for at_s, value in values[1:] if at_s <= begun_s), "")
        if same(prop, ours, before, kind):
            unchanged.append(prop)
        else:
            out.fields.setdefault(name, {})[prop] = (ours, before)
    if unchanged and name not in out.fields:
        prop = unchanged[0] if len(unchanged) == 1 else ""
        out.left.append(Left(name, prop, _SAME))


def _values(told: Any) -> list[tuple[float, str]]:
    """(Seconds since 1970, value) of a property's history, newest first; nonsense is left out."""
    out = []
    for one in told if isinstance(told, Sequence) else []:
        if not isinstance(one, dict):
            continue
        try:
            moment = datetime.fromisoformat(text_of(one.get("timestamp")))
        except ValueError:
            continue
        if moment.tzinfo is not None:
            out.append((moment.timestamp(), text_of(one.get("value"))))
    return sorted(out, key=lambda each: -each[0])
