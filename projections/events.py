"""Every event of the log, by its stable name: the vocabulary the whole service speaks.

The names and fields are stored for ever. A new optional field needs nothing (missing ones take
the default); any other change gets a new schema number and an upcaster (`upcasting`), and the
golden file of the old one stays in the tests. Streams:

    sage/{instance}/{company}/{entity}/{key}   what Sage 100 said of one record
    poll/{instance}/{company}/{entity}         passes over one entity
    hubspot/{object}/{external key}            commands to one HubSpot object, and their outcomes
    config/…  audit/…                          settings in force; what operators and the service did
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from projections.command_events import (
    Change,
    CommandEmitted,
    CommandFailed,
    CommandHeld,
    CommandParked,
    CommandReleased,
    CommandSent,
    CommandSucceeded,
    CommandSuperseded,
    FieldsPinned,
    GarbageFound,
    RecordAdopted,
    RecordLost,
    RecordSkipped,
    Withheld,
    WithheldDropped,
)
from projections.deal_events import DealMatched
from projections.drift_events import DriftFound, ReconcileRequested
from projections.erasure_events import RecordErased, TargetErased
from projections.settings_events import (
    AgingDateAdvanced,
    CallsCounted,
    Erased,
    Event,
    LogonReleased,
    MappingActivated,
    MassChangeReleased,
    PlanApplied,
    ReplayRequested,
    SchemaEnsured,
    SourceDescribed,
    TrustRefused,
    UndoRequested,
)
from projections.upcasting import current_schema
from projections.writing_events import LaneHeld, LaneReleased, WritingResumed, WritingStopped

__all__ = [  # what is given on from there
    "AgingDateAdvanced",
    "CallsCounted",
    "Change",
    "CommandEmitted",
    "CommandFailed",
    "CommandHeld",
    "CommandParked",
    "CommandReleased",
    "CommandSent",
    "CommandSucceeded",
    "CommandSuperseded",
    "DealMatched",
    "DriftFound",
    "Erased",
    "Event",
    "FieldsPinned",
    "GarbageFound",
    "LaneHeld",
    "LaneReleased",
    "LogonReleased",
    "MappingActivated",
    "MassChangeReleased",
    "PlanApplied",
    "ReconcileRequested",
    "RecordAdopted",
    "RecordErased",
    "RecordLost",
    "RecordSkipped",
    "ReplayRequested",
    "SchemaEnsured",
    "SourceDescribed",
    "TargetErased",
    "TrustRefused",
    "UndoRequested",
    "Withheld",
    "WithheldDropped",
    "WritingResumed",
    "WritingStopped",
]

Via = Literal["cursor", "sweep"]


# ---------------------------------------------------------------- sage/…


class RecordObserved(Event, frozen=True):
    """Sage 100 showed this row and it differs from what the log held (or is new).

    `row` is the raw row: column to the string Sage holds, empty cells left out.
    `fingerprint` is the hash of the row; `stamp` the row's own "DateUpdated TimeUpdated" text.
    `erased`: what is personal of it was left out, for somebody has asked for that.
    """

    key: list[str]
    row: dict[str, str]
    fingerprint: str
    stamp: str = ""
    via: Via = "cursor"
    erased: bool = False


class RecordVanished(Event, frozen=True):
    """Two complete sweeps in a row did not find this row any more.

    `kind`: what became of it, as far as the log shows, and `evidence` why that is thought;
    `withdrawn` is a row first seen in a pass that was held and gone from the sweep after it.
    """

    key: list[str]
    fingerprint: str
    sweeps: int = 2
    kind: Literal["", "paid", "purged", "renumbered", "withdrawn", "unknown"] = ""
    evidence: str = ""


class RecordReturned(Event, frozen=True):
    """A vanished row is there again; a RecordObserved with its content follows."""

    key: list[str]


# ---------------------------------------------------------------- poll/…


class PollStarted(Event, frozen=True):
    """A pass over one entity begins; `since` is the ChangedSince date asked for, "" for all."""

    via: Via
    since: str = ""


class PollCompleted(Event, frozen=True):
    """A pass reached the end: read = unchanged + observed. `cursor`: where the next one starts."""

    via: Via
    read: int
    unchanged: int
    observed: int
    cursor: str = ""
    pages: int = 0


class SweepCompleted(Event, frozen=True):
    """What a sweep saw beyond its pass: changes the cursor missed, rows absent, rows vanished."""

    missed_by_cursor: int
    absent: int = 0
    vanished: int = 0


class MassChangeHeld(Event, frozen=True):
    """More keys came or went in one pass than a set share: this company's decisions are frozen.

    `known`: keys before the pass; `new`, `absent`: how many it has shown so far; `share`: the
    greater of the two, in percent of `known`. `suspicion`: what it looks like, for a person.
    `since`: events after this position may stem from what was wrong.
    """

    via: Via
    entity: str
    known: int
    new: int
    absent: int
    share: int
    suspicion: str
    since: int = 0


class SourceRewound(Event, frozen=True):
    """Sage 100 shows an earlier state than before; all of this entity is read again next.

    `stamp`, `rows`, `sequence`: the newest stamp, number of rows and highest HeaderSeqNo, before
    and now (a sweep only). `back`: rows whose own stamp went back. `gone`: absent rows stamped
    later than anything that is left.
    """

    via: Via
    stamp: tuple[str, str] = ("", "")
    rows: tuple[int, int] = (0, 0)
    sequence: tuple[str, str] = ("", "")
    back: int = 0
    gone: int = 0


class PollFailed(Event, frozen=True):
    """A pass ended early. Says what, where and what to do; secrets never appear."""

    via: Via
    category: str
    message: str
    remedy: str
    endpoint: str = ""
    wsdl: str = ""
    code: str = ""
    retryable: bool = True
    stopped: bool = False


class PollDeferred(Event, frozen=True):
    """A pass waits: others use Sage 100 (period end, a backup, every seat taken).

    `since` when, and from when on that counts as a failure: "YYYY-MM-DDTHH:MM:SSZ".
    """

    via: Via
    message: str
    since: str
    alarm_at: str
    endpoint: str = ""
    code: str = ""


class PollSkipped(Event, frozen=True):
    """The agent does not serve this entity: its `records` in the log are followed no further.

    Told once, until it is served again or the reason is another one.
    """

    via: Via
    reason: str
    records: int = 0


# Everything above; a class that is defined is a type that is known.
TYPES: Final[dict[str, type[Event]]] = {cls.__name__: cls for cls in Event.__subclasses__()}
SCHEMA: Final = 1  # of every type that has no other one here
SCHEMAS: Final[dict[str, int]] = {name: current_schema(name) for name in TYPES}

_encoder = msgspec.json.Encoder()
_decoders: Final = {name: msgspec.json.Decoder(cls) for name, cls in TYPES.items()}


def type_of(event: Event) -> str:
    """The event's type name in the log."""
    return type(event).__name__


def schema_of(event: Event) -> int:
    """The schema it is written in."""
    return SCHEMAS[type(event).__name__]


def encode(event: Event) -> bytes:
    """The payload bytes for the log."""
    return _encoder.encode(event)


def decode(type_name: str, data: bytes | None) -> Event | None:
    """The payload, or None when it was erased or its type is unknown to this version."""
    decoder = _decoders.get(type_name)
    if decoder is None or data is None:
        return None
    return decoder.decode(data)
