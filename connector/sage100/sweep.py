"""A sweep: every row of an entity, to find what stamps did not show and what is gone.

Missed by the cursor. A changed or new row that a sweep finds counts as missed when all its
stamps lie before the running cursor, the date on which the last complete pass began. Either they
lie within the overlap: that pass asked for the row and saw it otherwise, so it changed afterwards
and was not stamped. Or they lie further back: then no cursor pass could have shown it. A row
stamped on the cursor's date or later may have changed since that pass and would be shown by the
next one; so would a row without stamps. Neither counts.

Absent rows. Each page marks the rows it saw, in its own append, with this sweep's generation. At
the end the known keys are gone through page by page, and those without the mark are absent; this
needs no order of keys on the wire and no memory that grows. A row absent from two complete sweeps
in a row, and seen by no pass in between, has vanished. An incomplete sweep says nothing at all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector.sage100.contract import Page
from connector.sage100.passes import (
    SEEN,
    Outcome,
    Reading,
    next_cursor,
    outcome_of,
    read_through,
)
from connector.sage100.place import Journal, Pass, Place
from connector.tracing import tracer
from eventstore.types import NewEvent, Put, Remove, Row, Write
from projections.events import (
    SCHEMA,
    Event,
    PollCompleted,
    RecordObserved,
    RecordVanished,
    SweepCompleted,
    decode,
    encode,
    type_of,
)
from projections.keys import sage_stream
from projections.tables import Fingerprint
from projections.workspace import decode as decode_row
from projections.workspace import encode as encode_row

_SWEEPS_TO_VANISH: Final = 2
_PAGE: Final = 500  # known keys per append


async def sweep(reading: Reading) -> Outcome:
    """Read every row into the log and find the absent ones; resumes an interrupted sweep.

    A failure of the agent is in the log and in the outcome; only the store's errors are raised.
    """
    attributes = {"company": reading.company, "entity": reading.entity, "via": "sweep"}
    with tracer.start_as_current_span("sage100.pass", attributes=attributes):
        journal = await reading.journal()
        run, outcome = await read_through(reading, journal, "sweep", _everything, _all_read)
        if not outcome.completed:
            return outcome
        run = journal.place.sweep_pass or run
        ended = False
        while not ended:
            run, ended = await _look_for_absent(reading, journal, run)
        return outcome_of(reading, "sweep", run, completed=True)


def _everything(cursor: str) -> str:
    return ""


def _all_read(place: Place, run: Pass, page: Page) -> tuple[Place, list[Event]]:
    """Every row is in the log as of the sweep's beginning: the cursor may stand there as well."""
    run = msgspec.structs.replace(run, all_read=True)
    place = msgspec.structs.replace(
        place, cursor=next_cursor(run, page, place.cursor), cursor_pass=None, sweep_pass=run
    )
    return place, []


async def _look_for_absent(reading: Reading, journal: Journal, run: Pass) -> tuple[Pass, bool]:
    """One page of known keys: append what is absent; with the last one, that the sweep is over."""
    store, prefix = reading.store, f"{reading.company}/{reading.entity}/"
    with tracer.start_as_current_span("sage100.absent"):
        known = await store.scan("fingerprint", prefix=prefix, after=run.known_after, limit=_PAGE)
        marks = {}
        if known:
            marks = (await store.rows({SEEN.name: [row.key for row in known]})).get(SEEN.name, {})
        mark = str(run.generation).encode()
        events: list[NewEvent] = []
        puts: list[Row] = []
        absent = 0
        for row in known:
            if row.key in marks and marks[row.key].value == mark:
                continue
            print_: Fingerprint = decode_row("fingerprint", row.value)
            if print_.vanished:
                continue
            absent += 1
            misses = print_.misses + 1
            gone = misses >= _SWEEPS_TO_VANISH
            if gone:
                key = row.key.removeprefix(prefix)
                events.append(await _vanished(reading, key, print_.fingerprint, misses, run))
            after = msgspec.structs.replace(print_, misses=misses, vanished=gone)
            puts.append(Row(row.key, encode_row(after)))
        ended = len(known) < _PAGE
        run = msgspec.structs.replace(
            run,
            known_after=known[-1].key if known else run.known_after,
            absent=run.absent + absent,
            vanished=run.vanished + len(events),
        )
        place, passes = journal.place.with_pass("sweep", run), list[Event]()
        if ended:
            place, passes = _completed(reading, journal.place, run)
        also: list[Write] = []
        if puts:
            also.append(Put("fingerprint", puts))
        if marks:
            also.append(Remove(SEEN.name, list(marks)))
        await journal.write(place, passes, records=events, also=also, cause=run.started)
    return run, ended


def _completed(reading: Reading, place: Place, run: Pass) -> tuple[Place, list[Event]]:
    cursor = place.cursor
    place = msgspec.structs.replace(
        place, sweep_pass=None, open=None, swept_at_s=int(reading.now().timestamp())
    )
    counts = (run.read, run.unchanged, run.observed)
    return place, [
        PollCompleted("sweep", *counts, cursor, run.pages),
        SweepCompleted(run.missed, run.absent, run.vanished),
    ]


async def _vanished(reading: Reading, key: str, digest: str, misses: int, run: Pass) -> NewEvent:
    """The event, with the key's parts as the record was last observed with them."""
    stream = sage_stream(reading.instance, reading.company, reading.entity, key)
    parts = [key]  # all that is left of a record whose events were erased
    for stored in reversed(await reading.store.history(stream)):
        event = decode(stored.type, stored.data)
        if isinstance(event, RecordObserved):
            parts = event.key
            break
    vanished = RecordVanished(parts, digest, misses)
    return NewEvent(stream, type_of(vanished), encode(vanished), SCHEMA, run.started or None)
