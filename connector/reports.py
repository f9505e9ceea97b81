"""What the log and its read models say, for status, history and parked. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from connector import breaker, documents, paging, withheld
from connector.finding import find
from connector.histories import History, HistoryMoment, history
from connector.moments import iso
from connector.projector import CHECKPOINT
from eventstore import EventStore, StoredEvent
from projections import books, events, keys
from projections.tables import LANES, OPTIONAL, Calls, ObjectBook, PassBook
from projections.workspace import decode

__all__ = [  # with what is given on from there
    "History",
    "HistoryMoment",
    "ParkedItem",
    "find",
    "history",
    "parked",
    "status",
]

_BEHIND: Final = 20
_LETTERS: Final = 500  # looked at in one step
_SOME: Final = 5
_BLIND_SPOT: Final = timedelta(days=7)


class ParkedItem(msgspec.Struct, frozen=True):
    """One dead letter: what HubSpot said and what to do about it.

    `waiting`: how many commands are held behind it, of which `behind` names some. `field`: the
    property that alone was left out, with its `value`; "" where it is the whole record.
    """

    target: str
    reason: str
    message: str
    advice: str
    status: int
    correlation_id: str
    since: str
    waiting: int
    behind: tuple[str, ...] = ()
    field: str = ""
    value: str = ""


def _refused(lane: str, found: Mapping[str, ObjectBook]) -> dict[str, str] | None:
    """Why the token may not write this lane, or of associations some pair of lanes."""
    if lane in found and found[lane].refused is not None:
        return found[lane].refused
    pairs = [(kind, book.refused) for kind, book in found.items() if book.refused is not None]
    for pair, refused in pairs if lane == "associations" else []:
        if pair not in LANES:
            return {**refused, "message": f"{pair}: {refused['message']}"}
    return None


async def status(store: EventStore, *, now: datetime | None = None) -> dict[str, Any]:
    """The books as one document (interface: `status --json`); `now` (aware): the present, UTC."""
    head = await store.head()
    checkpoint = await store.checkpoint(CHECKPOINT)
    passes = [one async for one in documents.each(store, "pass_book", PassBook)]
    found = {kind: book async for kind, book in documents.each(store, "object_book", ObjectBook)}
    calls = await documents.one(store, "calls_book", Calls, books.CALLS) or Calls()
    commits = await store.commits([book.completed for _, book in passes])
    week_us = int(((now or datetime.now(UTC)) - _BLIND_SPOT).timestamp() * 1_000_000)
    sage = []
    for (name, book), commit in zip(passes, commits, strict=True):
        instance, company, entity = name.split("/", 2)
        sage.append(
            {
                "instance": instance,
                "company": company,
                "entity": entity,
                "last_pass": iso(commit.recorded_at_us) if commit is not None else None,
                "via": book.via,
                "read": book.read,
                "unchanged": book.unchanged,
                "observed": book.observed,
                "vanished": book.vanished,
                "missed_by_cursor": book.missed_by_cursor,
                "missed_7_days": await _missed_since(store, book, week_us),
                "rewound": book.rewound,
                "error": book.error,
                "waiting": book.waiting,
                "skipped": book.skipped,
                "closes": book.closes,
            }
        )
    hubspot = []
    for lane in LANES:
        if lane in OPTIONAL and lane not in found:
            continue
        entry = found.get(lane, ObjectBook())
        count = await store.count("withheld", prefix=f"{lane}/")
        row = {"object": lane, **msgspec.structs.asdict(entry), "withheld": count}
        del row["refused"]
        hubspot.append({**row, "error": _refused(lane, found) if entry.pending else None})
    http = msgspec.structs.asdict(calls)
    return {
        "log": {
            "head": head.last,
            "hash": head.digest.hex(),
            "projected": checkpoint.position,
        },
        "books_close": all(book.closes for _, book in passes)
        and all(books.closes(entry) for entry in found.values()),
        "unreadable": {
            "records": await store.count("garbage"),
            "some": {
                row.key: decode("garbage", row.value).text
                for row in await store.scan("garbage", limit=_SOME)
            },
        },
        "held": [msgspec.structs.asdict(one) for one in await breaker.held(store)],
        "sage100": sage,
        "hubspot": hubspot,
        "hubspot_error": http.pop("refused"),
        "deals": {
            what: await store.count("deal", prefix=f"{what}/")
            for what in ("linked", "several", "none")
        },
        "http": http,
    }


async def _missed_since(store: EventStore, book: PassBook, time_us: int) -> int:
    """The blind spot: changes that sweeps since then found and the cursor had not shown."""
    commits = await store.commits([position for position, _ in book.misses])
    return sum(
        count
        for (_, count), commit in zip(book.misses, commits, strict=True)
        if commit is not None and commit.recorded_at_us >= time_us
    )


async def parked(store: EventStore, *, reason: str = "") -> list[ParkedItem]:
    """The dead letters, ordered by reason and target, each with what waits behind it.

    Whole records, and single properties of records that were written without them.
    """
    out = await _without(store, await withheld.left_out(store, reason))
    async for page in paging.pages(store, "parked", size=_LETTERS):
        names = [row.key for row in page if reason in {"", decode("parked", row.value).text}]
        out += await _whole(store, names)
    return sorted(out, key=lambda item: (item.reason, item.target, item.field))


async def _whole(store: EventStore, names: Sequence[str]) -> list[ParkedItem]:
    """Records parked as a whole, some hundreds in a few steps."""
    histories = await store.histories([keys.hubspot_stream(name) for name in names])
    letters: dict[str, tuple[StoredEvent, events.CommandParked]] = {}
    for name in names:
        for event in reversed(histories[keys.hubspot_stream(name)]):
            payload = events.decode(event.type, event.data)
            if isinstance(payload, events.CommandParked):
                letters[name] = (event, payload)
                break
    since = await _times(store, [event.position for event, _ in letters.values()])
    prefixes = [f"{name}>" for name in letters]
    behind = await store.scan_many("waiting", prefixes, limit=_BEHIND)
    waiting = await store.counts("waiting", prefixes)
    return [
        ParkedItem(
            target=name,
            reason=letter.reason,
            message=letter.message,
            advice=letter.advice,
            status=letter.status,
            correlation_id=letter.correlation_id,
            since=since[event.position],
            waiting=waiting[f"{name}>"],
            behind=tuple(decode("waiting", row.value).text for row in behind[f"{name}>"]),
        )
        for name, (event, letter) in letters.items()
    ]


async def _without(store: EventStore, left_out: Sequence[withheld.LeftOut]) -> list[ParkedItem]:
    """Single properties that were left out."""
    since = await _times(store, [one.event.position for one in left_out])
    return [
        ParkedItem(
            target=one.target,
            reason=one.what.reason,
            message=one.what.message,
            advice=one.what.advice,
            status=0,
            correlation_id=one.correlation_id,
            since=since[one.event.position],
            waiting=0,
            field=one.field,
            value=one.what.value,
        )
        for one in left_out
    ]


async def _times(store: EventStore, positions: Sequence[int]) -> dict[int, str]:
    """Position to when it was recorded (ISO 8601, UTC), "" where nothing was."""
    return {
        position: iso(commit.recorded_at_us) if commit is not None else ""
        for position, commit in zip(positions, await paging.commits(store, positions), strict=True)
    }
