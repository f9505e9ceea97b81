"""A sweep: every row of an entity, to find what stamps did not show and what is gone.

Missed by the cursor. A changed or new row that a sweep finds counts as missed when all its
stamps lie before the running cursor, the date on which the last complete pass began. Either they
lie within the overlap: that pass asked for the row and saw it otherwise, so it changed afterwards
and was not stamped. Or they lie further back: then no cursor pass could have shown it. A row
stamped on the cursor's date or later may have changed since that pass and would be shown by the
next one; so would a row without stamps. Neither counts.

Absent rows. Each page notes the rows it saw, in its own append (see `seen`). At the end the known
keys are gone through page by page, and those that no page has noted are absent. A row absent from
two complete sweeps in a row, and seen by no pass in between, has vanished. An incomplete sweep
says nothing at all. While the breaker holds the company, what was first seen since needs only one:
it never was.
"""

from __future__ import annotations

from typing import Final

import msgspec

from connector.new_events import new_event
from connector.sage100 import absent, breaker
from connector.sage100.absent import ABSENT
from connector.sage100.contract import Page
from connector.sage100.likeness import NEWCOMERS, forget
from connector.sage100.passes import (
    Outcome,
    Reading,
    hold,
    next_cursor,
    outcome_of,
    read_through,
)
from connector.sage100.place import Journal, Pass, Place
from connector.sage100.seen import Seen, forget_noted
from connector.sage100.stamps import later
from connector.sage100.vanished import LastSeen, Where, last_seen, told, twins_of, withdrawn
from connector.tracing import tracer
from eventstore.types import NewEvent, Put, Remove, Row, Write
from projections.events import (
    Event,
    PollCompleted,
    RecordVanished,
    SweepCompleted,
)
from projections.keys import sage_stream
from projections.tables import Fingerprint, Frozen
from projections.workspace import decode as decode_row
from projections.workspace import encode as encode_row

_SWEEPS_TO_VANISH: Final = 2
_PAGE: Final = 2_000  # known keys per append
_LOOKED_AT: Final = 500  # newly absent rows of a sweep whose likes are looked for


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
        where = Where(reading.store, reading.instance, reading.company, reading.entity)
        seen = Seen(reading.store, where.place, run.generation)
        ended = False
        while not ended:
            run, ended = await _look_for_absent(reading, journal, run, where, seen)
        await forget_noted(reading.store, where.place)
        await forget(reading.store, where.place, journal.place.sweeps)
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


class _Absent(msgspec.Struct):
    """One page of known keys: those without this sweep's mark, and what is to be done about it.

    `gone`: rows of `fingerprint`, of records that have vanished; `missed`: rows of `absent`.
    """

    gone: list[Row] = []
    missed: list[Row] = []
    events: list[NewEvent] = []
    taken: list[str] = []
    count: int = 0
    fresh: int = 0
    newest_gone: int = 0
    looked: int = 0
    twins: int = 0


async def _look_for_absent(
    reading: Reading, journal: Journal, run: Pass, where: Where, seen: Seen
) -> tuple[Pass, bool]:
    """One page of known keys: append what is absent; with the last one, that the sweep is over.

    A page without absent ones leaves no trace: after a crash it is gone through again.
    """
    store = reading.store
    with tracer.start_as_current_span("sage100.absent"):
        known = await store.scan(
            "fingerprint", prefix=where.place, after=run.known_after, limit=_PAGE
        )
        missing = await seen.missing(known)
        found = await _absent(where, run, missing, journal.place.sweeps)
        ended = len(known) < _PAGE
        run = msgspec.structs.replace(
            run,
            known_after=known[-1].key if known else run.known_after,
            absent=run.absent + found.count,
            vanished=run.vanished + len(found.events),
            fresh=run.fresh + found.fresh,
            newest_gone=run.newest_gone + found.newest_gone,
            looked=run.looked + found.looked,
            twins=run.twins + found.twins,
        )
        if not found.gone and not found.missed and not ended:
            return run, False
        stands = msgspec.structs.replace(
            journal.place, known=max(journal.place.known - len(found.events), 0)
        )
        if ended:
            place, passes = _completed(reading, stands, run)
        else:
            run, passes = hold(reading, "sweep", run, ends=False)
            place = stands.with_pass("sweep", run)
        also: list[Write] = []
        if found.gone:
            also.append(Put("fingerprint", found.gone))
            also.append(Remove(ABSENT.name, [row.key for row in found.gone]))
        if found.missed:
            also.append(Put(ABSENT.name, found.missed))
        if found.taken:
            also.append(Remove(NEWCOMERS.name, found.taken))
        await journal.write(place, passes, records=found.events, also=also, cause=run.started)
    return run, ended


async def _absent(where: Where, run: Pass, missing: list[Row], sweeps: int) -> _Absent:
    """What is to be done about the records of one page that the sweep did not see."""
    out = _Absent()
    frozen = await _frozen(where)
    missed = await absent.misses(where.store, [row.key for row in missing])
    going: list[tuple[LastSeen, Row, Fingerprint, int]] = []
    looked: list[LastSeen] = []
    for row in missing:
        print_: Fingerprint = decode_row("fingerprint", row.value)
        if print_.vanished:
            continue
        out.count += 1
        out.newest_gone += later(print_.stamp, run.top)
        misses = missed.get(row.key, 0) + 1
        known: LastSeen | None = None
        if misses >= _SWEEPS_TO_VANISH or frozen is not None:
            known = await last_seen(where, row.key.removeprefix(where.place))
        if misses >= _SWEEPS_TO_VANISH and known is not None:
            going.append((known, row, print_, misses))
            continue
        if frozen is not None and known is not None and known.first > frozen.since:
            _vanish(where, run, out, row, withdrawn(known, print_.fingerprint))
            continue
        out.fresh += 1
        if run.looked + len(looked) < _LOOKED_AT:
            looked.append(known or await last_seen(where, row.key.removeprefix(where.place)))
        out.missed.append(absent.missed(row.key, misses))
    out.looked = len(looked)
    out.twins = sum(one is not None for one in await twins_of(where, looked, sweeps))
    found = await twins_of(where, [one for one, *_ in going], sweeps)
    for (known, row, print_, misses), twin in zip(going, found, strict=True):
        event = await told(where, known, twin, fingerprint=print_.fingerprint, sweeps=misses)
        if twin is not None:
            out.taken.append(twin[0])
        _vanish(where, run, out, row, event)
    return out


def _vanish(where: Where, run: Pass, out: _Absent, row: Row, event: RecordVanished) -> None:
    stream = sage_stream(
        where.instance, where.company, where.entity, row.key.removeprefix(where.place)
    )
    out.events.append(new_event(stream, event, run.started or None))
    after = Fingerprint(event.fingerprint, vanished=True)
    out.gone.append(Row(row.key, encode_row(after)))


async def _frozen(where: Where) -> Frozen | None:
    """The hold under which the company stands, as far as it is folded."""
    rows = (await where.store.rows({"frozen": [where.company]})).get("frozen", {})
    return decode_row("frozen", rows[where.company].value) if rows else None


def _completed(reading: Reading, place: Place, run: Pass) -> tuple[Place, list[Event]]:
    """The sweep is over: what it saw is what the next one is compared with."""
    cursor = place.cursor
    rewound = breaker.rewind(run, (place.top, place.rows, place.sequence), run.seen)
    run, held = hold(reading, "sweep", run, ends=True, rewound=rewound)
    place = msgspec.structs.replace(
        place,
        sweep_pass=None,
        open=None,
        swept_at_s=int(reading.now().timestamp()),
        sweeps=place.sweeps + 1,
        top=run.top,
        rows=run.seen,
        sequence=run.sequence,
        reread=rewound is not None,
    )
    counts = (run.read, run.unchanged, run.observed)
    return place, [
        PollCompleted("sweep", *counts, cursor, run.pages),
        SweepCompleted(run.missed, run.absent, run.vanished),
        *([rewound] if rewound is not None else []),
        *held,
    ]
