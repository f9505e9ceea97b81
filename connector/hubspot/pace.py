"""How many batches are under way at once: as many as it takes to use what HubSpot allows.

By Little's law that is the batches which the gates let through in a second, times the seconds that
one is worked on with waiting at the gates left out; and some more, so that no place stays empty.
Both are measured lane by lane and smoothed. It begins with few and adds one for each batch that
went well, which doubles them each round. HubSpot's 423, 429, 5xx or silence halves them, and from
then on one is added a round. However slow HubSpot is there are never more than `MOST`: that bounds
memory.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from connector.hubspot.window import Gate

FIRST: Final = 4
LEAST: Final = 2
MOST: Final = 48
SLACK: Final = 1.25
_SMOOTH: Final = 0.3  # weight of the newest batch


class Meter:
    """What one batch took: calls by gate, seconds in all and of them waiting, and trouble met."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.calls: Counter[Gate] = Counter()
        self.waited_s = 0.0
        self.troubled = False
        self.began = clock()
        self._clock = clock

    @property
    def worked_s(self) -> float:
        """Seconds until now without waiting at gates."""
        return max(0.0, self._clock() - self.began - self.waited_s)


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered(clock: Callable[[], float]) -> Iterator[Meter]:
    """Measure the calls made in here."""
    meter = Meter(clock)
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def let_through(gate: Gate, waited_s: float) -> None:
    """A call has got its place."""
    meter = _meter.get()
    if meter is not None:
        meter.calls[gate] += 1
        meter.waited_s += waited_s


def met_trouble() -> None:
    """HubSpot finds it too much, or does not answer."""
    meter = _meter.get()
    if meter is not None:
        meter.troubled = True


class Pace:
    """The number of batches of one writer. `rate`: calls a second that a gate lets through."""

    def __init__(self, rate: Callable[[Gate], float], clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._size = float(FIRST)
        self._calm = math.inf  # up to here it is doubled each round
        self._halved = -math.inf  # when, by the clock
        self._needed: dict[str, float] = {}

    def most(self, lane: str) -> int:
        """How many batches may be under way while this lane's are started."""
        needed = self._needed.get(lane)
        enough = FIRST if needed is None else math.ceil(needed * SLACK)
        return max(LEAST, min(int(self._size), enough, MOST))

    def learn(self, lane: str, meter: Meter) -> None:
        """A batch has ended."""
        if meter.troubled:
            if meter.began >= self._halved:  # once for all that were under way together
                self._size = max(float(LEAST), self._size / 2)
                self._calm, self._halved = self._size, self._clock()
            return
        calls = {gate: count for gate, count in meter.calls.items() if count > 0}
        if not calls:
            return
        batches_per_s = min(self._rate(gate) / count for gate, count in calls.items())
        needed = batches_per_s * meter.worked_s
        before = self._needed.get(lane, needed)
        self._needed[lane] = before + _SMOOTH * (needed - before)
        if self._size < min(MOST, self._needed[lane] * SLACK):
            self._size += 1.0 if self._size < self._calm else 1.0 / self._size
