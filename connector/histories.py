"""One record's life with what led to it, read from the log.

Its own two streams are the life: what Sage 100 showed and what HubSpot was told. Whatever led to
one of these events is told too, and what led to that, be it an event of another record, a pass, the
as-of day or a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import documents, paging
from connector.finding import Choice, choices, meant
from connector.log_pages import entries_of
from connector.moments import iso
from eventstore import EventStore, StoredEvent
from projections import events, keys, ledger, timeline
from projections.columns import ENTITY_OF
from projections.tables import Source, Target

_PAGE: Final = 500


class HistoryMoment(msgspec.Struct, frozen=True):
    """One moment of a record's life, with its time (ISO 8601, UTC) and trace."""

    time: str
    trace: str
    moment: timeline.Moment


class History(msgspec.Struct, frozen=True):
    """A record's life, or, when the key names several records, the choices.

    `named`: the choices with their names and what they are.
    """

    key: str
    target: str = ""
    hubspot_id: str = ""
    state: str = ""
    choices: list[str] = []
    moments: list[HistoryMoment] = []
    named: list[Choice] = []


async def history(store: EventStore, key: str) -> History:
    """The timeline of the record that `key` names, if need be by a part of its name; choices when
    it names several.
    """
    names = await meant(store, key)
    if len(names) != 1:
        return History(key, choices=names, named=await choices(store, names))
    name = names[0]
    stored = await store.history(keys.hubspot_stream(name))
    source = await source_stream(store, name)
    stored += await store.history(source) if source else []
    own = {keys.hubspot_stream(name), source}
    stored += await _causes(store, stored)
    doc = await documents.one(store, "target", Target, name) or ledger.EMPTY
    return History(
        key,
        target=name,
        hubspot_id=doc.hubspot_id,
        state=doc.state,
        moments=await _moments(store, stored, own),
    )


async def source_stream(store: EventStore, name: str) -> str:
    """The stream of the source record that a target shows; "" where it shows none."""
    kind, external = keys.split_target(name)
    code, _, record = external.partition(":")
    source = await documents.one(store, "source", Source, code)
    if kind not in ENTITY_OF or source is None:
        return ""
    if kind == "line_items":
        record = keys.detail_of(external).partition(":")[2]
    return keys.sage_stream(source.instance, code, ENTITY_OF[kind], record)


async def _causes(store: EventStore, stored: Sequence[StoredEvent]) -> list[StoredEvent]:
    """What led to these events, and what to that; each once."""
    known = {event.position for event in stored}
    out: list[StoredEvent] = []
    wanted = sorted({event.cause for event in stored if event.cause} - known)
    while wanted:
        found = [one for at in wanted for one in await store.read(at - 1, limit=1)]
        out += found
        known.update(wanted)
        wanted = sorted({event.cause for event in found if event.cause} - known)
    return out


async def _before(
    store: EventStore, stored: Sequence[StoredEvent], own: set[str]
) -> dict[int, Mapping[str, str]]:
    """Position of another source record's event to the row as it was until then."""
    wanted = [
        event
        for event in stored
        if event.stream.startswith("sage/") and event.stream not in own and event.version > 1
    ]
    out: dict[int, Mapping[str, str]] = {}
    for part in paging.parts(wanted, _PAGE):
        lives = await store.histories({event.stream for event in part})
        for event in part:
            for older in reversed(lives[event.stream]):
                payload = events.decode(older.type, older.data)
                shown = isinstance(payload, events.RecordObserved | events.RecordErased)
                if older.position < event.position and shown:
                    out[event.position] = payload.row  # type: ignore[union-attr]
                    break
    return out


async def _moments(
    store: EventStore, stored: Sequence[StoredEvent], own: set[str]
) -> list[HistoryMoment]:
    causes = {event.position: event.cause for event in stored}
    before = await _before(store, stored, own)
    moments = timeline.tell(entries_of(stored), causes, own, before)
    commits = await paging.commits(store, [moment.position for moment in moments])
    out: list[HistoryMoment] = []
    for moment, commit in zip(moments, commits, strict=True):
        parent = (commit.meta.traceparent or "") if commit else ""
        trace_id = parent.split("-")[1] if parent.count("-") == 3 else ""
        out.append(HistoryMoment(iso(commit.recorded_at_us) if commit else "", trace_id, moment))
    return _with_erasures(out)


def _with_erasures(told: list[HistoryMoment]) -> list[HistoryMoment]:
    """Of what was erased, also when that was."""
    out: list[HistoryMoment] = []
    erased: dict[str, str] = {}
    for one in reversed(told):
        if one.moment.event in {"RecordErased", "TargetErased"}:
            erased[one.moment.stream] = one.time
        elif one.moment.event == timeline.ERASED and one.moment.stream in erased:
            text = f"{one.moment.text} on {erased[one.moment.stream]}"
            moment = msgspec.structs.replace(one.moment, text=text)
            one = msgspec.structs.replace(one, moment=moment)
        out.append(one)
    return out[::-1]
