"""Where a poller stands in one entity of one company, kept in the log's own checkpoint.

Every page moves the checkpoint in the very append that carries its events and fingerprints, so a
crash anywhere resumes at the page after, with nothing lost and nothing twice. The checkpoint's
position counts its moves; what it means is in `Place`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connector.new_events import done_by, new_event
from eventstore.types import Checkpoint, Commit, EventStore, Meta, NewEvent, Write
from projections import values
from projections.events import Event, Via
from projections.keys import poll_stream

_DAY_DIGITS: Final = 8


class Pass(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pass under way. `after`: the agent's place behind the last page that is in the log.

    `began`: the server's date (YYYYMMDD) at its first answer. `started`: position of its
    PollStarted; `read`, `unchanged`, `observed`, `pages` count since then. For a sweep:
    `generation` marks the rows it saw, `missed` counts what the cursor did not show, and once
    `all_read`, `known_after` is the known key up to which absent rows have been looked for.

    For the breaker: `first` when no pass was ever completed before, `known` keys at its beginning,
    `new` ones (or returned), `fresh` ones absent for the first time, `twins` of the `looked` at
    absent ones that came back under another key, `held` as many as the log says were moved,
    `origin` the log's position before the round. For the watermark: the newest stamp `top` and
    highest HeaderSeqNo `sequence` of the rows read, rows whose stamp went `back`, absent ones
    stamped later than `top` (`newest_gone`), and `seen` rows in all.
    """

    since: str = ""
    after: str = ""
    began: str = ""
    started: int = 0
    read: int = 0
    unchanged: int = 0
    observed: int = 0
    pages: int = 0
    generation: int = 0
    missed: int = 0
    all_read: bool = False
    known_after: str = ""
    absent: int = 0
    vanished: int = 0
    first: bool = False
    known: int = 0
    new: int = 0
    fresh: int = 0
    twins: int = 0
    looked: int = 0
    held: int = 0
    origin: int = 0
    top: str = ""
    sequence: str = ""
    back: int = 0
    newest_gone: int = 0
    seen: int = 0


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """`cursor`: server-local date (YYYYMMDD) from which the next cursor pass reads, "" for all.

    `open`: the pass whose PollStarted is the stream's last. `polled_at_s`, `swept_at_s`: when a
    pass last completed, seconds UTC by our own clock. `known`: keys that are there; `sweeps`: how
    many were completed; `top`, `rows`, `sequence`: newest stamp, rows and highest HeaderSeqNo that
    the last complete reading of everything showed. `reread`: the next pass reads everything.
    `waiting_since_s`: since when Sage 100 has been in use whenever it was asked, seconds UTC.
    `skipped`: why the entity is not read, as the log was told.
    """

    cursor: str = ""
    cursor_pass: Pass | None = None
    sweep_pass: Pass | None = None
    open: Via | None = None
    polled_at_s: int = 0
    swept_at_s: int = 0
    known: int = 0
    sweeps: int = 0
    top: str = ""
    rows: int = 0
    sequence: str = ""
    reread: bool = False
    waiting_since_s: int = 0
    skipped: str = ""

    def running(self, via: Via) -> Pass | None:
        """The pass of this kind that is under way."""
        return self.cursor_pass if via == "cursor" else self.sweep_pass

    def with_pass(self, via: Via, run: Pass | None) -> Place:
        """The same place with another pass of this kind under way, or none."""
        return msgspec.structs.replace(
            self,
            cursor_pass=run if via == "cursor" else self.cursor_pass,
            sweep_pass=run if via == "sweep" else self.sweep_pass,
        )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Place)


def _stored(cursor: bytes | None) -> Place:
    """The place that a checkpoint keeps.

    A cursor that is no day counts as none, and a pass with such days as never begun: an agent's
    clock may have been nonsense, and what was made of it must not stand in the way for ever. One
    that is no place at all is the beginning.
    """
    try:
        place = Place() if cursor is None else _decoder.decode(cursor)
    except msgspec.DecodeError:
        return Place()
    return msgspec.structs.replace(
        place,
        cursor=place.cursor if _is_day(place.cursor) else "",
        cursor_pass=_sound(place.cursor_pass),
        sweep_pass=_sound(place.sweep_pass),
    )


def _sound(run: Pass | None) -> Pass | None:
    return run if run is not None and _is_day(run.since) and _is_day(run.began) else None


def _is_day(text: str) -> bool:
    """Whether this is a day as cursors have it (YYYYMMDD), or "" for none."""
    return not text or (len(text) == _DAY_DIGITS and values.day(text) is not None)


def checkpoint_name(instance: str, company: str, entity: str) -> str:
    """The name of the checkpoint that keeps this place."""
    return f"poll:{instance}:{company}:{entity}"


async def place_of(store: EventStore, instance: str, company: str, entity: str) -> Place:
    """Where the poller stands; the beginning when it never ran."""
    checkpoint = await store.checkpoint(checkpoint_name(instance, company, entity))
    return _stored(checkpoint.cursor)


class Journal:
    """One poller's place while it works: reads it once, then moves it with every append.

    After an append that failed or was cancelled, open a new one: only the log knows what became
    of it.
    """

    def __init__(
        self, store: EventStore, instance: str, stream: str, checkpoint: Checkpoint, place: Place
    ) -> None:
        self._store = store
        self._instance = instance
        self._stream = stream
        self._checkpoint = checkpoint
        self.place = place

    @classmethod
    async def open(cls, store: EventStore, instance: str, company: str, entity: str) -> Journal:
        """The journal of one entity of one company."""
        checkpoint = await store.checkpoint(checkpoint_name(instance, company, entity))
        place = _stored(checkpoint.cursor)
        return cls(store, instance, poll_stream(instance, company, entity), checkpoint, place)

    @property
    def next_move(self) -> int:
        """The number of the checkpoint's next move; no two moves share it."""
        return self._checkpoint.position + 1

    async def write(
        self,
        place: Place,
        passes: Sequence[Event] = (),
        *,
        records: Sequence[NewEvent] = (),
        also: Sequence[Write] = (),
        cause: int = 0,
    ) -> Commit:
        """Append record events, then events of the pass, and stand at `place`: all or nothing."""
        events = [
            *records,
            *(new_event(self._stream, event, cause or None) for event in passes),
        ]
        moved = Checkpoint(
            self._checkpoint.name, self.next_move, self._checkpoint.position, _encoder.encode(place)
        )
        commit = await self._store.append(
            events, checkpoint=moved, also=also, meta=meta_of(self._instance)
        )
        self._checkpoint = msgspec.structs.replace(moved, was=moved.position)
        self.place = place
        return commit


def meta_of(instance: str) -> Meta:
    """Who appends, and under which trace."""
    return done_by(f"poller:{instance}")
