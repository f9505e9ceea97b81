"""One page of rows against what the log holds of them: which are news, and what to append.

Pure: rows and known fingerprints in, events and fingerprint rows out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from connector.new_events import new_event
from connector.sage100.contract import Page
from connector.sage100.fingerprint import row_of, stamp_of, stamped_before
from connector.sage100.selection import Selection
from connector.sage100.stamps import went_back
from eventstore.types import NewEvent, Row
from projections.events import (
    Event,
    RecordObserved,
    RecordReturned,
    Via,
)
from projections.keys import record_key, sage_stream
from projections.tables import Fingerprint
from projections.workspace import encode as encode_row


class Origin(msgspec.Struct, frozen=True):
    """Whose rows these are, and in which pass they came. `cause`: position of its PollStarted.

    `erased`: `fingerprint` keys of records that are without their personal cells (`erased`).
    """

    instance: str
    company: str
    via: Via
    cause: int | None = None
    erased: frozenset[str] = frozenset()

    def table_key(self, entity: str, key: str) -> str:
        """The record's key in the `fingerprint` table."""
        return f"{self.company}/{entity}/{key}"


class Observation(msgspec.Struct):
    """What one page comes to: read = unchanged + observed.

    `missed`: changed or new rows whose stamps all lie before the cursor that was asked about.
    `newcomers`: records that were not there before; `back`: how many rows' own stamps went back;
    `again`: keys that a sweep had missed.
    """

    keys: list[str]
    events: list[NewEvent]
    rows: list[Row]
    unchanged: int = 0
    observed: int = 0
    missed: int = 0
    newcomers: list[Record] = []
    back: int = 0
    again: list[str] = []


class Record(msgspec.Struct, frozen=True):
    """One row by name: key parts, the key in the `fingerprint` table, stream, and content."""

    parts: list[str]
    key: str
    stream: str
    row: dict[str, str]
    fingerprint: str


def selected(selection: Selection, page: Page) -> Page:
    """The page with only the columns that were selected: an agent may send more."""
    wanted = frozenset(selection.columns)
    if wanted.issuperset(page.columns):
        return page
    kept = [index for index, column in enumerate(page.columns) if column in wanted]
    columns = tuple(page.columns[index] for index in kept)
    rows = [tuple(row[index] for index in kept) for row in page.rows]
    return msgspec.structs.replace(page, columns=columns, rows=rows)


def records(
    origin: Origin,
    selection: Selection,
    columns: Sequence[str],
    rows: Sequence[tuple[Sequence[str], str]],
) -> list[Record]:
    """Rows under their names, each given with its fingerprint."""
    entity = selection.entity
    places = [columns.index(column) for column in selection.key]
    found = []
    for cells, digest in rows:
        parts = [cells[place].rstrip(" ") for place in places]
        key = record_key(entity, parts)
        stream = sage_stream(origin.instance, origin.company, entity, key)
        row = row_of(columns, cells)
        found.append(Record(parts, origin.table_key(entity, key), stream, row, digest))
    return found


def observe(
    origin: Origin,
    found: list[Record],
    known: Mapping[str, Fingerprint],
    server_time: datetime,
    cursor: str = "",
) -> Observation:
    """What is new in these records. A record that comes twice is compared with its first coming.

    `cursor` (YYYYMMDD): changed or new rows stamped before it count as `missed`. `server_time`:
    the server's local clock when it showed them.
    """
    out = Observation([], [], [])
    latest = dict(known)
    touched: dict[str, Row] = {}
    for record in found:
        out.keys.append(record.key)
        digest = record.fingerprint
        before = latest.get(record.key)
        if before is not None and before.fingerprint == digest and not before.vanished:
            out.unchanged += 1
            continue
        out.observed += 1
        out.missed += stamped_before(record.row, cursor)
        if before is None or before.vanished:
            out.newcomers.append(record)
        elif went_back(before.stamp, record.row, server_time):
            out.back += 1
        if before is not None and before.vanished:
            out.events.append(_event(origin, record, RecordReturned(record.parts)))
        out.events.append(_event(origin, record, _observed(origin, record)))
        latest[record.key] = Fingerprint(digest, stamp_of(record.row))
        touched[record.key] = Row(record.key, encode_row(latest[record.key]))
    out.rows.extend(touched.values())
    return out


def _observed(origin: Origin, record: Record) -> RecordObserved:
    stamp = stamp_of(record.row)
    erased = record.key in origin.erased
    return RecordObserved(record.parts, record.row, record.fingerprint, stamp, origin.via, erased)


def _event(origin: Origin, record: Record, event: Event) -> NewEvent:
    return new_event(record.stream, event, origin.cause)
