"""Every event of the log, by its stable name: the vocabulary the whole service speaks.

The names and fields are stored for ever. A new optional field needs nothing (missing ones take
the default); any other change gets a new schema number and an upcaster, and the golden file of
the old one stays in the tests. Streams:

    sage/{instance}/{company}/{entity}/{key}   what Sage 100 said of one record
    poll/{instance}/{company}/{entity}         passes over one entity
    hubspot/{object}/{external key}            commands to one HubSpot object, and their outcomes
    config/…  audit/…                          settings in force; what operators and the service did
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from projections.deal_events import DealMatched
from projections.drift_events import DriftFound, ReconcileRequested
from projections.erasure_events import RecordErased, TargetErased
from projections.settings_events import (
    AgingDateAdvanced,
    CallsCounted,
    Erased,
    Event,
    MappingActivated,
    MassChangeReleased,
    PlanApplied,
    ReplayRequested,
    SchemaEnsured,
    SourceDescribed,
    TrustRefused,
    UndoRequested,
)

__all__ = [  # what is given on from there
    "AgingDateAdvanced",
    "CallsCounted",
    "DealMatched",
    "DriftFound",
    "Erased",
    "Event",
    "MappingActivated",
    "MassChangeReleased",
    "PlanApplied",
    "ReconcileRequested",
    "RecordErased",
    "ReplayRequested",
    "SchemaEnsured",
    "SourceDescribed",
    "TargetErased",
    "TrustRefused",
    "UndoRequested",
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


# ---------------------------------------------------------------- hubspot/…

Change = tuple[str | None, str]  # (before, after); before None: not known to be set


class CommandEmitted(Event, frozen=True):
    """HubSpot should change. `command` is this event's own version in its stream: its number.

    `create`: we know of no HubSpot record yet. `fill`: properties to write only where HubSpot's
    are empty. For an association the one pseudo-property is `linked`.
    """

    command: int
    changes: dict[str, Change]
    reason: str
    mapping: str = ""
    create: bool = False
    fill: list[str] = msgspec.field(default_factory=list)


class CommandSent(Event, frozen=True):
    """An attempt leaves now, in HTTP batch `batch`. In the log before a byte of it goes out."""

    command: int
    batch: str
    attempt: int


class Withheld(msgspec.Struct, frozen=True, omit_defaults=True):
    """A property left out of a write, and why HubSpot would not have it.

    `owner`: the HubSpot id of the record that has the value, when one has. `unsent`: it was not
    even sent, because the portal's own definitions do not allow it.
    """

    value: str
    reason: str
    message: str = ""
    advice: str = ""
    owner: str = ""
    unsent: bool = False


class CommandSucceeded(Event, frozen=True):
    """HubSpot holds it. `outcome`: created, updated, linked, unlinked, found (read back).

    `kept`: properties left as HubSpot had them, with HubSpot's value (ownership `fill`).
    `replaced`: the HubSpot id the log knew until now, when another record stands in its place:
    it was gone and this one was created, or people merged it into this one.
    `withheld`: properties that could not be written and were left out, so that the rest could be.
    """

    command: int
    hubspot_id: str
    outcome: Literal["created", "updated", "linked", "unlinked", "found"]
    batch: str = ""
    correlation_id: str = ""
    kept: dict[str, str] = msgspec.field(default_factory=dict)
    replaced: str = ""
    withheld: dict[str, Withheld] = msgspec.field(default_factory=dict)


class CommandFailed(Event, frozen=True):
    """An attempt failed and will be made again at `retry_at_us` (µs UTC).

    `unknown`: it may have been carried out (time-out, lost connection, 5xx): read before resending.
    """

    command: int
    category: str
    message: str
    retry_at_us: int
    attempt: int
    unknown: bool = False
    status: int = 0
    batch: str = ""
    correlation_id: str = ""


class CommandParked(Event, frozen=True):
    """Nobody will try this again until the record changes or a person replays it.

    `owner`: the HubSpot id of the record in the way, when one is; if it is one of ours, a change
    of it lets this one try again.
    """

    command: int
    reason: str
    message: str
    advice: str
    status: int = 0
    batch: str = ""
    correlation_id: str = ""
    owner: str = ""


class CommandSuperseded(Event, frozen=True):
    """An open command not carried out: a newer one absorbs it (`by`), or nothing is left to do.

    `was`: where the command stood until now, so that the books need no memory.
    """

    command: int
    was: Literal["pending", "held", "parked"]
    by: int | None = None
    reason: str = ""


class CommandHeld(Event, frozen=True):
    """The command waits for these targets ("companies/ABC:01-ABF") to exist in HubSpot."""

    command: int
    waiting_for: list[str]


class CommandReleased(Event, frozen=True):
    """What it waited for has arrived: the command goes on by itself."""

    command: int
    because: str


class RecordAdopted(Event, frozen=True):
    """A HubSpot record that already existed is ours from now on. `values`: what it holds.

    `rule`: by what it was recognised. `unkeyed`: it does not carry our key yet, which the next
    write gives it.
    """

    hubspot_id: str
    rule: str
    values: dict[str, str]
    unkeyed: bool = False


class RecordLost(Event, frozen=True):
    """The HubSpot record we knew is gone: it is to be created anew, in full."""

    hubspot_id: str
    why: str


class FieldsPinned(Event, frozen=True):
    """An undo: property to (the value we wrote, the value from before), which HubSpot shall hold
    as long as Sage 100 and the mapping give the first. `lifted`: pins that end.
    """

    values: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    lifted: list[str] = msgspec.field(default_factory=list)


class RecordSkipped(Event, frozen=True):
    """A source record that by rule becomes no HubSpot object, and why."""

    reason: str


# Everything above; a class that is defined is a type that is known.
TYPES: Final[dict[str, type[Event]]] = {cls.__name__: cls for cls in Event.__subclasses__()}
SCHEMA: Final = 1  # of every type so far

_encoder = msgspec.json.Encoder()
_decoders: Final = {name: msgspec.json.Decoder(cls) for name, cls in TYPES.items()}


def type_of(event: Event) -> str:
    """The event's type name in the log."""
    return type(event).__name__


def encode(event: Event) -> bytes:
    """The payload bytes for the log."""
    return _encoder.encode(event)


def decode(type_name: str, data: bytes | None) -> Event | None:
    """The payload, or None when it was erased or its type is unknown to this version."""
    decoder = _decoders.get(type_name)
    if decoder is None or data is None:
        return None
    return decoder.decode(data)
