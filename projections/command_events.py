"""Events of hubspot/…: commands to one HubSpot object, and what became of them.

They are part of `projections.events`, where everybody gets them, and of its promise: names and
fields are stored for ever.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from projections.settings_events import Event

Change = tuple[str | None, str]  # (before, after); before None: not known to be set


class CommandEmitted(Event, frozen=True):
    """HubSpot should change. `command` is this event's own version in its stream: its number.

    `create`: we know of no HubSpot record yet. `fill`: properties to write only where HubSpot's
    are empty. For an association the one pseudo-property is `linked`. `expected`: property to what
    HubSpot must still hold when it is written; one that holds something else by then is left out.
    """

    command: int
    changes: dict[str, Change]
    reason: str
    mapping: str = ""
    create: bool = False
    fill: list[str] = msgspec.field(default_factory=list)
    expected: dict[str, str] = msgspec.field(default_factory=dict)


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
    `overtaken`: properties left out because HubSpot did not hold what was expected there any more,
    with what it held; of a record that was erased neither says what may be personal. `status`: of
    the answer that settled it, 0 where no write was needed.
    """

    command: int
    hubspot_id: str
    outcome: Literal["created", "updated", "linked", "unlinked", "found"]
    batch: str = ""
    correlation_id: str = ""
    kept: dict[str, str] = msgspec.field(default_factory=dict)
    replaced: str = ""
    withheld: dict[str, Withheld] = msgspec.field(default_factory=dict)
    overtaken: dict[str, str] = msgspec.field(default_factory=dict)
    status: int = 0


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


class WithheldDropped(Event, frozen=True):
    """Properties that were left out of a write and that nothing is to be written to any more: the
    mapping gives them no value now, or none that is ours to write.
    """

    properties: list[str]


class RecordAdopted(Event, frozen=True):
    """A HubSpot record that already existed is ours from now on. `values`: what it holds.

    `rule`: by what it was recognised. `unkeyed`: it does not carry our key yet, which the next
    write gives it. `unsaid`: properties of ours that hold something which is not written down,
    for it may be personal data that was erased: they are written again.
    """

    hubspot_id: str
    rule: str
    values: dict[str, str]
    unkeyed: bool = False
    unsaid: list[str] = msgspec.field(default_factory=list)


class RecordLost(Event, frozen=True):
    """The HubSpot record we knew is gone: it is to be created anew, in full."""

    hubspot_id: str
    why: str


class FieldsPinned(Event, frozen=True):
    """An undo: property to (the value we wrote, the value from before), which HubSpot shall hold
    as long as Sage 100 and the mapping give the first. `lifted`: pins that end.
    `expected`: property to what HubSpot must still hold when the value from before is written.
    `alone`: property to the value that is not to be sent; nobody knows what HubSpot holds instead.
    """

    values: dict[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    lifted: list[str] = msgspec.field(default_factory=list)
    expected: dict[str, str] = msgspec.field(default_factory=dict)
    alone: dict[str, str] = msgspec.field(default_factory=dict)


class RecordSkipped(Event, frozen=True):
    """A source record that by rule becomes no HubSpot object, and why."""

    reason: str


class GarbageFound(Event, frozen=True):
    """Cells of the source record that should be amounts are none: what hangs on them is left as
    HubSpot has it. `cells`: column to what it holds; empty: all of them can be read again.
    """

    reason: Literal["NO_NUMBER"]
    cells: dict[str, str] = msgspec.field(default_factory=dict)
