"""A cursor pass: what changed since a date, by Sage 100's own stamps.

Quick and blind: Sage changes rows without stamping them, and the `sweep` finds those. The cursor
is the server-local date on which the pass began; it moves only with the append that completes
the pass, and each pass reaches back by the overlap, since stamps come from several clocks. Rows
that carry an earlier stamp than before tell of a restored backup: the next pass reads everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from connector.sage100.contract import Page
from connector.sage100.passes import Outcome, Reading, next_cursor, read_through
from connector.sage100.place import Pass, Place
from connector.sage100.stamps import TOLERANCE, folds
from connector.tracing import tracer
from projections.events import Event, PollCompleted, SourceRewound

_DAY: Final = timedelta(days=1)
_BACK: Final = 2  # rows whose own stamps went back: one alone may be a clock that was wrong


def since(
    cursor: str, overlap: timedelta, server_time: datetime, zone: ZoneInfo | None = None
) -> str:
    """The ChangedSince of the next pass (YYYYMMDD), "" for all rows when there is no cursor.

    A cursor beyond the server's clock (it was set back, a backup restored) counts as today. Where
    the local clock is set back around then, at the end of daylight saving in `zone`, the overlap
    is two hours at least: rows written afterwards may carry a stamp from before.
    """
    if not cursor:
        return ""
    day = datetime.strptime(cursor, "%Y%m%d")  # noqa: DTZ007 - server-local by contract
    today = datetime.combine(server_time.date(), datetime.min.time())
    day = min(day, today)
    if overlap < TOLERANCE and zone is not None and folds(zone, day - _DAY, server_time + _DAY):
        overlap = TOLERANCE
    return f"{day - overlap:%Y%m%d}"


async def poll(reading: Reading, *, overlap: timedelta, server_time: datetime) -> Outcome:
    """Read what changed into the log; resumes a cursor pass that was interrupted.

    `server_time`: the agent's clock as of its last GetInfo. A failure of the agent is in the log
    and in the outcome; only the store's own errors are raised.
    """

    def close(place: Place, run: Pass, page: Page) -> tuple[Place, list[Event]]:
        cursor = next_cursor(run, page)
        place = msgspec.structs.replace(
            place,
            cursor=cursor,
            cursor_pass=None,
            open=None,
            polled_at_s=int(reading.now().timestamp()),
        )
        counts = (run.read, run.unchanged, run.observed)
        events: list[Event] = [PollCompleted("cursor", *counts, cursor, run.pages)]
        place = msgspec.structs.replace(
            place,
            top=max(run.top, place.top),
            rows=place.known,
            sequence=max(run.sequence, place.sequence),
        )
        if run.back >= _BACK:
            place = msgspec.structs.replace(place, reread=True)
            events.append(SourceRewound("cursor", back=run.back))
        return place, events

    attributes = {"company": reading.company, "entity": reading.entity, "via": "cursor"}
    with tracer.start_as_current_span("sage100.pass", attributes=attributes):
        journal = await reading.journal()
        _, outcome = await read_through(
            reading,
            journal,
            "cursor",
            lambda cursor: since(cursor, overlap, server_time, reading.zone),
            close,
        )
        return outcome
