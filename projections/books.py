"""The books: what was read, and where every command stands, so that sums can be checked.

Per pass `read = unchanged + observed`, and the RecordObserved events seen in the log between its
start and its end must be as many as it claims. Per HubSpot object `emitted = succeeded + pending
+ held + parked + superseded`. A sum that does not close is shown, not hidden.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from projections import events as e
from projections.folding import Entry, Folding
from projections.tables import Calls, ObjectBook, PassBook

replace = msgspec.structs.replace
CALLS: Final = "all"
_MOST_MISSES: Final = 256  # of hourly sweeps, more than a week of them


def pass_key(stream: str) -> str:
    """`sage/acme/ABC/AR_Customer/01-ABF` (or a poll/… stream) -> `acme/ABC/AR_Customer`."""
    # A record's key, which comes last, has no slash of its own (keys.escape).
    return stream[5 : stream.rindex("/")] if stream.startswith("sage/") else stream[5:]


def count_observed(entry: Entry, into: Folding) -> None:
    """One RecordObserved, in the pass that is open on its entity."""
    key = pass_key(entry.stream)
    into.observed[key] = into.observed.get(key, 0) + 1


def write_observed(into: Folding, only: str = "") -> None:
    """Put what was counted into the books: of one pass, before it starts or ends, or of all."""
    for key in [only] if only else list(into.observed):
        count = into.observed.pop(key, 0)
        if count:
            book = into.work.get("pass_book", PassBook, key) or PassBook()
            seen = book.seen_events + count
            into.work.put("pass_book", key, replace(book, seen_events=seen))


def count_vanished(entry: Entry, into: Folding) -> None:
    """One RecordVanished."""
    key = pass_key(entry.stream)
    book = into.work.get("pass_book", PassBook, key) or PassBook()
    into.work.put("pass_book", key, replace(book, vanished=book.vanished + 1))


def count_blank(entry: Entry, into: Folding) -> None:
    """One event whose payload was erased: it may have been a RecordObserved."""
    key = pass_key(entry.stream)
    book = into.work.get("pass_book", PassBook, key) or PassBook()
    into.work.put("pass_book", key, replace(book, blank=book.blank + 1))


def fold_pass(entry: Entry, into: Folding) -> None:
    """One event of a poll/… stream."""
    key = pass_key(entry.stream)
    write_observed(into, key)
    book = into.work.get("pass_book", PassBook, key) or PassBook()
    match entry.payload:
        case e.PollStarted(via=via):
            book = replace(book, via=via, started=entry.position, error=None)
            book = replace(book, seen_events=0, vanished=0, blank=0)
        case e.PollCompleted() as done:
            closes = (
                done.read == done.unchanged + done.observed
                and book.seen_events <= done.observed <= book.seen_events + book.blank
            )
            book = replace(
                book,
                via=done.via,
                completed=entry.position,
                read=done.read,
                unchanged=done.unchanged,
                observed=done.observed,
                error=None,
                waiting=None,
                skipped="",
                closes=closes,
            )
        case e.SweepCompleted() as swept:
            misses = book.misses
            if swept.missed_by_cursor:
                misses = (*misses, (entry.position, swept.missed_by_cursor))[-_MOST_MISSES:]
            book = replace(book, missed_by_cursor=swept.missed_by_cursor, misses=misses, rewound="")
        case e.SourceRewound() as rewound:
            book = replace(book, rewound=_rewound(rewound))
        case e.PollFailed() as failed:
            error = {
                "category": failed.category,
                "code": failed.code,
                "message": failed.message,
                "remedy": failed.remedy,
                "endpoint": failed.endpoint,
                "wsdl": failed.wsdl,
            }
            book = replace(book, via=failed.via, error=error, waiting=None)
        case e.PollDeferred() as deferred:
            waiting = {
                "code": deferred.code,
                "message": deferred.message,
                "since": deferred.since,
                "alarm_at": deferred.alarm_at,
            }
            book = replace(book, via=deferred.via, error=None, waiting=waiting)
        case e.PollSkipped() as skipped:
            left = f"; its {skipped.records:,} records stay as last read" if skipped.records else ""
            book = replace(book, skipped=skipped.reason + left, error=None, waiting=None)
        case _:
            return
    into.work.put("pass_book", key, book)


def _rewound(event: e.SourceRewound) -> str:
    """In what way the source went back, in words."""
    found = []
    if event.stamp[0]:
        found.append(f"the newest stamp went back from {event.stamp[0]} to {event.stamp[1]}")
    if event.rows[1] < event.rows[0]:
        found.append(f"{event.rows[0]:,} rows became {event.rows[1]:,}")
    if event.back:
        found.append(f"{event.back:,} rows carry an earlier stamp than before")
    if event.gone:
        found.append(f"{event.gone:,} of the newest rows are gone")
    return "; ".join(found)


def fold_command(kind: str, payload: e.Event | None, into: Folding) -> None:
    """One event of a hubspot/{kind}/… stream."""
    book = into.work.get("object_book", ObjectBook, kind) or ObjectBook()
    match payload:
        case e.CommandEmitted():
            book = replace(book, emitted=book.emitted + 1, pending=book.pending + 1)
        case e.CommandSucceeded():
            book = replace(book, succeeded=book.succeeded + 1, pending=book.pending - 1)
        case e.CommandParked():
            book = replace(book, parked=book.parked + 1, pending=book.pending - 1)
        case e.CommandHeld():
            book = replace(book, held=book.held + 1, pending=book.pending - 1)
        case e.CommandReleased():
            book = replace(book, held=book.held - 1, pending=book.pending + 1)
        case e.CommandSuperseded(was=was):
            book = replace(book, superseded=book.superseded + 1)
            match was:
                case "held":
                    book = replace(book, held=book.held - 1)
                case "parked":
                    book = replace(book, parked=book.parked - 1)
                case _:
                    book = replace(book, pending=book.pending - 1)
        case e.RecordAdopted():
            book = replace(book, adopted=book.adopted + 1)
        case e.RecordSkipped():
            book = replace(book, skipped=book.skipped + 1)
        case e.TargetErased():
            book = replace(
                book,
                emitted=book.emitted + payload.emitted,
                succeeded=book.succeeded + payload.succeeded,
                superseded=book.superseded + payload.superseded,
                adopted=book.adopted + payload.adopted,
                skipped=book.skipped + payload.skipped,
            )
        case _:
            return
    into.work.put("object_book", kind, book)


def fold_calls(counted: e.CallsCounted, into: Folding) -> None:
    """HTTP calls of one run."""
    calls = into.work.get("calls_book", Calls, CALLS) or Calls()
    into.work.put(
        "calls_book",
        CALLS,
        replace(
            calls,
            hubspot_calls=calls.hubspot_calls + counted.hubspot_calls,
            hubspot_writes=calls.hubspot_writes + counted.hubspot_writes,
            hubspot_reads=calls.hubspot_reads + counted.hubspot_reads,
            hubspot_429=calls.hubspot_429 + counted.hubspot_429,
            agent_calls=calls.agent_calls + counted.agent_calls,
            **_day(calls if counted.hubspot_daily_left is None else counted),
        ),
    )


def _day(told: e.CallsCounted | Calls) -> dict[str, Any]:
    return {
        "hubspot_daily_limit": told.hubspot_daily_limit,
        "hubspot_daily_left": told.hubspot_daily_left,
        "hubspot_resets_at": told.hubspot_resets_at,
    }


def wants_of_writing(payload: e.Event | None) -> tuple[str, str] | None:
    """Table and key of the row that an event of audit/writing changes; None for any other event."""
    match payload:
        case e.WritingStopped() | e.WritingResumed():
            return "calls_book", CALLS
        case e.LaneHeld() | e.LaneReleased():
            return "object_book", payload.object
        case _:
            return None


def fold_writing(payload: e.Event | None, into: Folding) -> None:
    """One event of audit/writing: what HubSpot does not let us write, why, and since when."""
    match payload:
        case e.WritingStopped() | e.WritingResumed():
            calls = into.work.get("calls_book", Calls, CALLS) or Calls()
            into.work.put("calls_book", CALLS, replace(calls, refused=_refusal(payload)))
        case e.LaneHeld() | e.LaneReleased():
            book = into.work.get("object_book", ObjectBook, payload.object) or ObjectBook()
            into.work.put("object_book", payload.object, replace(book, refused=_refusal(payload)))
        case _:
            pass


def _refusal(payload: e.Event) -> dict[str, str] | None:
    if not isinstance(payload, e.WritingStopped | e.LaneHeld):
        return None
    return {
        "category": payload.category,
        "message": payload.message,
        "remedy": payload.remedy,
        "since": payload.since,
    }


def closes(book: ObjectBook) -> bool:
    """Whether every command is accounted for."""
    return book.emitted == (
        book.succeeded + book.pending + book.held + book.parked + book.superseded
    )
