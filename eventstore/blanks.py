"""What is blank in a log, and whether the log itself says why.

The chain covers a blank event by its digest alone, and whoever blanks one behind the store's back
can work that digest out first. What tells the two apart is the event that every erasure appends, in
its own transaction: it names the streams that were blanked and counts the payloads. So a blank
event is lawful only when such an event comes after it and names its stream. What is open is kept
per stream, however many events it has, and forgotten as soon as it is covered.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .chain import EventRow
from .errors import ChainBroken

ERASURE_STREAM = "audit/erasure"
ERASED_TYPE = "Erased"

_STREAM = ERASURE_STREAM.encode()
_TYPE = ERASED_TYPE.encode()


class _Told(msgspec.Struct, frozen=True):
    """What the event of an erasure says; fields that a newer program added are passed over."""

    streams: list[str]
    blanked: int | None = None


class _Open(msgspec.Struct):
    """The blank events of one stream that nothing has covered yet."""

    first: int
    count: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Told).decode


def encode_erased(streams: list[str], reason: str, blanked: int) -> bytes:
    """The payload of an `Erased` event: which streams, why, and how many payloads were blanked."""
    return _encode({"streams": streams, "reason": reason, "blanked": blanked})


class Blanks:
    """The blank events passed so far that no erasure has covered. Events are passed in order.

    `seen`: whether there was any blank event at all, covered or not.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, _Open] = {}
        self.seen = False

    @property
    def count(self) -> int:
        """How many are not covered."""
        return sum(one.count for one in self._open.values())

    @property
    def first(self) -> int:
        """The position of the first that is not covered; 0 when all are."""
        return min((one.first for one in self._open.values()), default=0)

    def pass_by(self, events: Iterable[EventRow]) -> None:
        """Take note of what is blank, and of erasures.

        Raises ChainBroken where more is blank than an erasure blanked.
        """
        for event in events:
            if event[7] is None:
                self._blank(event[0], event[1] or b"")
            elif event[1] == _STREAM and event[3] == _TYPE:
                self.erased(event[0], event[7])

    def _blank(self, position: int, stream: bytes) -> None:
        self.seen = True
        found = self._open.get(stream)
        if found is None:
            self._open[stream] = _Open(position, 1)
        else:
            found.count += 1

    def erased(self, position: int, data: bytes) -> None:
        """Take note of the erasure recorded at a position. Raises ChainBroken as `pass_by` does.

        It may have blanked more than is blank: what a backup or an old export brought back.
        """
        try:
            told = _decode(data)
        except msgspec.MsgspecError:
            return  # not written by an erasure: it covers nothing
        covered = [self._open.pop(name.encode(), None) for name in set(told.streams)]
        found = [one for one in covered if one is not None]
        count = sum(one.count for one in found)
        if told.blanked is not None and count > told.blanked:
            raise ChainBroken(
                min(one.first for one in found),
                f"from here on {count} events are blank of streams of which the erasure at "
                f"position {position} blanked {told.blanked}",
            )

    def check(self) -> None:
        """Raises ChainBroken with the first position that is blank for no reason, at the end."""
        if self._open:
            raise ChainBroken(self.first, unexplained(self.count))


def unexplained(count: int) -> str:
    """Why so many blank events, none of them covered, are a fault."""
    if count == 1:
        return "it is blank, and no erasure after it names its stream"
    return f"it and {count - 1} more are blank, and no erasure after them names their streams"
