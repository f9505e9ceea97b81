"""Undoing: which commands a person means, what can be put back of them, and asking for it.

Choosing reads the log, judging is pure (`projections.undo`), and one read by key tells whether
HubSpot still holds what we wrote; what somebody has changed since is left alone. Asking appends the
request and a pin per record; the projector and the writer do the rest like any other change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from connector import rows
from connector.earlier import remember
from connector.errors import Misconfigured
from connector.hubspot.answer import entries, message_of, text_of
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.errors import HubSpotUnreachable
from connector.hubspot.holds import same, types_of
from connector.hubspot.schema import STREAM as SCHEMA_STREAM
from connector.hubspot.schema import checked
from connector.mappings import PLAN_STREAM
from connector.moments import iso
from connector.new_events import in_the_name_of, new_event
from connector.projector import entries_of
from connector.reports import REPLAY_STREAM
from connector.rounds import orders, round_at
from eventstore import EventStore, Meta, StoredEvent, WrongVersion
from projections import events, keys, ledger
from projections.events import FieldsPinned, UndoRequested
from projections.mapping.compiled import CompiledMapping
from projections.tables import Target
from projections.undo import Left, Pins, Undoing, undoing
from projections.workspace import Workspace

UNDO_STREAM: Final = "audit/undo"
_PAGE: Final = 500
_TRIES: Final = 20
_FOR_EVER: Final = 2**62


class Scope(msgspec.Struct, frozen=True):
    """Which commands: emitted in [first, last], or led to by an event in [cause_first, cause_last].

    `selection`: in words. `open_at`: also those emitted before and carried out after this position.
    `orders`: positions of what people ordered meanwhile: what these led to is not meant.
    """

    selection: str
    first: int = 0
    last: int = _FOR_EVER
    cause_first: int = 0
    cause_last: int = _FOR_EVER
    open_at: int = 0
    orders: frozenset[int] = frozenset()

    def takes(self, position: int, cause: int | None) -> bool:
        """Whether a command emitted at `position` for `cause` is meant."""
        return (
            self.first <= position <= self.last
            and self.cause_first <= (cause or 0) <= self.cause_last
            and cause not in self.orders
        )


class Judged(msgspec.Struct, frozen=True):
    """What the log alone says. `asked`: records of which HubSpot may know what it held before."""

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    asked: dict[str, Undoing]


class UndoReport(msgspec.Struct, frozen=True):
    """What is put back (target to property to ours and the value from before), and what is not."""

    selection: str
    fields: dict[str, Pins]
    left: list[Left]
    requested: bool = False


class UndoWanted(msgspec.Struct, frozen=True):
    """An undo to be asked for: target to property to (the value we wrote, the value from before).

    `lifted`: targets whose pins end.
    """

    selection: str
    fields: dict[str, Pins] = {}
    lifted: list[str] = []
    by: str = ""


# ------------------------------------------------------------ which commands


async def of_round(store: EventStore, position: int | None) -> Scope:
    """What the round of polling at this position led to; None: the newest that led to anything."""
    found = await round_at(store, position)
    if found is None:
        raise Misconfigured(
            "the log has no such run", where="--run", remedy="'last', or a position of the log."
        )
    [commit] = await store.commits([found.first])
    began = iso(commit.recorded_at_us) if commit is not None else "?"
    text = f"the run of {began} (from position {found.first})"
    return Scope(
        text,
        first=found.first,
        cause_first=found.first,
        cause_last=found.last,
        orders=await orders(store, found.first),
    )


async def of_plan(store: EventStore, digest: str) -> Scope:
    """What a plan let go on."""
    stored = [
        event
        for event in await store.history(PLAN_STREAM)
        if isinstance(found := events.decode(event.type, event.data), events.PlanApplied)
        and len(digest) >= 8
        and found.digest.startswith(digest.lower())
    ]
    if not stored:
        raise Misconfigured(f"no plan {digest!r} was ever applied", where="--plan")
    [commit] = await store.commits([stored[-1].position])
    last = commit.last if commit is not None else stored[-1].position
    text = f"plan {digest[:12]}"
    return Scope(text, first=last + 1, cause_last=last, open_at=last)


async def of_replay(store: EventStore, position: int | None) -> Scope:
    """What a replay sent, by the position of its request; None: the newest."""
    stored = await store.history(REPLAY_STREAM)
    asked = stored[-1].position if position is None and stored else position or 0
    [commit] = await store.commits([asked])
    if commit is None or not any(event.position == asked for event in stored):
        raise Misconfigured("the log has no such replay", where="--replay")
    text = f"the replay at position {commit.first}"
    return Scope(text, first=commit.first, cause_first=commit.first, cause_last=commit.last)


async def of_time(store: EventStore, since_us: int, until_us: int | None) -> Scope:
    """What was decided in a time."""
    first = await store.position_at(since_us - 1) + 1
    last = _FOR_EVER if until_us is None else await store.position_at(until_us)
    until = "" if until_us is None else f" until {iso(until_us)}"
    return Scope(f"since {iso(since_us)}{until}", first=first, last=last)


async def chosen(store: EventStore, scope: Scope) -> dict[str, set[int]]:
    """Target to the numbers of its chosen commands."""
    out: dict[str, set[int]] = {}

    def take(event: StoredEvent) -> None:
        name = event.stream.removeprefix("hubspot/")
        out.setdefault(name, set()).add(event.version)

    position = max(0, scope.first - 1)
    while page := await store.read(
        position, types=["CommandEmitted"], upto=scope.last, limit=_PAGE
    ):
        for event in page:
            if scope.takes(event.position, event.cause):
                take(event)
        position = page[-1].position
    if scope.open_at:
        await _open_at(store, scope.open_at, take)
    return out


async def _open_at(store: EventStore, position: int, take: Callable[[StoredEvent], None]) -> None:
    """Commands emitted at or before a position and carried out after it."""
    after = position
    while page := await store.read(after, types=["CommandSucceeded"], limit=_PAGE):
        for stream in dict.fromkeys(event.stream for event in page):
            emitted = None
            for event in await store.history(stream):
                if event.type == "CommandEmitted":
                    emitted = event
                elif event.type == "CommandSucceeded" and event.position > position:
                    if emitted is not None and emitted.position <= position:
                        take(emitted)
                    break
        after = page[-1].position


# ------------------------------------------------------------ what can be put back


async def judge(
    store: EventStore, scope: Scope, mapping: CompiledMapping, only: Sequence[str] = ()
) -> Judged:
    """What the log says can be put back of these commands; `only`: of these targets."""
    made = await _made(store)
    fields: dict[str, Pins] = {}
    left: list[Left] = []
    asked: dict[str, Undoing] = {}
    for name, numbers in sorted((await chosen(store, scope)).items()):
        if only and name not in only:
            continue
        kind = keys.split_target(name)[0]
        stored = await store.history(keys.hubspot_stream(name))
        work = Workspace()
        await rows.load(store, work, {"target": [name]})
        doc = work.get("target", Target, name) or ledger.EMPTY
        found = undoing(name, entries_of(stored), numbers, doc, mapping.objects.get(kind), made)
        if found is not None:
            left += found.left
            if found.fields:
                fields[name] = found.fields
            if found.asked:
                asked[name] = found
    return Judged(scope.selection, fields, left, asked)


async def _made(store: EventStore) -> set[str]:
    """Properties that setup created: "companies.sage100_terms" each."""
    out: set[str] = set()
    for stored in await store.history(SCHEMA_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.SchemaEnsured):
            out.update(event.created)
    return out


async def still_ours(
    store: EventStore, report: Judged, hubspot: HubSpot, mapping: CompiledMapping
) -> UndoReport:
    """What HubSpot holds as we wrote it, and what it held before where the log does not know.

    Raises Unreachable, Refused.
    """
    memory = await remember(store, hubspot, mapping, report.asked)
    fields = memory.fields
    left = report.left + memory.left
    by_kind: dict[str, list[str]] = {}
    for name in report.fields:
        by_kind.setdefault(keys.split_target(name)[0], []).append(name)
    for kind, names in by_kind.items():
        section = mapping.source.objects()[kind]
        types = types_of(section)
        for start in range(0, len(names), BATCH_LIMIT):
            part = names[start : start + BATCH_LIMIT]
            wanted = {prop for name in part for prop in report.fields[name]}
            held = await _read(hubspot, section.hubspot_type, section.key, part, sorted(wanted))
            for name in part:
                values = held.get(keys.split_target(name)[1])
                if values is None:
                    left.append(Left(name, "", "HubSpot has no record with this key any more"))
                    continue
                kept, changed = _compare(name, report.fields[name], values, types)
                left += changed
                if kept:
                    fields[name] = fields.get(name, {}) | kept
    left.sort(key=lambda one: (one.target, one.property))
    return UndoReport(report.selection, dict(sorted(fields.items())), left)


def _compare(
    name: str, pins: Pins, values: Mapping[str, str], types: Mapping[str, str]
) -> tuple[Pins, list[Left]]:
    kept: Pins = {}
    left = []
    for prop, (ours, back) in pins.items():
        value = values.get(prop, "")
        if same(prop, ours, value, types.get(prop, "")):
            kept[prop] = (ours, back)
        else:
            shown = value if len(value) <= 60 else f"{value[:60]}…"
            left.append(Left(name, prop, f"HubSpot does not hold ours any more but {shown!r}"))
    return kept, left


async def _read(
    hubspot: HubSpot, object_type: str, key: str, names: Sequence[str], properties: Sequence[str]
) -> dict[str, dict[str, str]]:
    """External key to the values HubSpot holds."""
    external = [keys.split_target(name)[1] for name in names]
    answer = checked(
        await hubspot.batch_read(object_type, key, external, [key, *properties]), hubspot
    )
    if not answer.ok:
        raise HubSpotUnreachable(
            f"the records cannot be read: {message_of(answer)}", where=hubspot.base_url
        )
    out: dict[str, dict[str, str]] = {}
    for result in entries(answer.body, "results"):
        found = result.get("properties")
        if isinstance(found, dict) and result.get("archived") is not True:
            values = {prop: text_of(value) for prop, value in found.items()}
            out[values.get(key, "")] = values
    return out


# ------------------------------------------------------------ asking for it


def requests(report: UndoReport, by: str) -> list[UndoWanted]:
    """What the report puts back, 500 records each."""
    names = list(report.fields)
    return [
        UndoWanted(
            report.selection, {name: report.fields[name] for name in names[at : at + _PAGE]}, by=by
        )
        for at in range(0, len(names), _PAGE)
    ]


async def pinned_targets(store: EventStore) -> dict[str, list[str]]:
    """Target to its pinned properties, of everything that was ever undone."""
    names: dict[str, None] = {}
    for stored in await store.history(UNDO_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, UndoRequested):
            names.update(dict.fromkeys(event.targets))
    work = Workspace()
    await rows.load(store, work, {"target": names})
    docs = {name: work.get("target", Target, name) for name in names}
    return {name: sorted(doc.pins) for name, doc in docs.items() if doc is not None and doc.pins}


async def request(store: EventStore, asked: UndoWanted) -> None:
    """Append the request, and to each record its pins; the projector does the rest."""
    event = UndoRequested(asked.selection, list(asked.fields), asked.lifted, asked.by)
    meta = in_the_name_of(asked.by)
    commit = await store.append([new_event(UNDO_STREAM, event)], meta=meta)
    for start in range(0, len(asked.fields), _PAGE):
        names = list(asked.fields)[start : start + _PAGE]
        await _pin(store, names, lambda name, _: FieldsPinned(asked.fields[name]), commit.first)
    if asked.lifted:
        await _pin(
            store,
            asked.lifted,
            lambda _, doc: FieldsPinned(lifted=sorted(doc.pins)),
            commit.first,
        )


async def _pin(
    store: EventStore,
    names: Iterable[str],
    event_of: Callable[[str, Target], FieldsPinned],
    cause: int,
) -> None:
    """Append pins to the records that the log knows; again when one of them moves meanwhile."""
    for _ in range(_TRIES):
        work = Workspace()
        await rows.load(store, work, {"target": names})
        new = []
        expect = {}
        for name in names:
            doc = work.get("target", Target, name)
            if doc is None:
                continue
            event = event_of(name, doc)
            stream = keys.hubspot_stream(name)
            expect[stream] = doc.version
            ledger.track(work, name, event, doc.version + 1)
            new.append(msgspec.structs.replace(new_event(stream, event), cause=cause))
        try:
            await store.append(new, expect=expect, also=rows.writes(work), meta=Meta(actor="undo"))
        except WrongVersion:
            continue
        return
    raise RuntimeError("an undo lost every race for its records: a second writer must be at work")
