"""Which day it is at the site: the log is told when it begins, whatever becomes of the reading.

What is owed is aged by that day, and a day begins in quiet hours too, between two rounds that are
far apart, and while a log-on is refused.

Our own clock may be wrong, and one wrong day would age everything. So no day is told that the
agent's clock contradicts by more than a day; and a day that was told out of a wrong future is taken
back by the first one on which both clocks agree.

Between two rounds the agent's clock is known by the seconds that passed since it was heard. Where
they do not fit our own clock, either that was set or the machine stood still uncounted, as a paused
virtual one does: the next round tells which. When none comes about for a day, what was heard is
dropped, and the day goes by our own clock, as before the first round.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from connector.sage100.instance import Instance
from connector.sage100.place import meta_of
from connector.sage100.source import Latest, aging_event, aging_stream, source_stream
from eventstore.types import EventStore, NewEvent
from projections.events import AgingDateAdvanced

log: Final = logging.getLogger(__name__)

_TOLERATED: Final = timedelta(days=1)  # between clocks: a day may begin here and there at odds
_APART: Final = timedelta(hours=1)  # more than any clock drifts between two rounds
_PATIENCE_S: Final = 86_400.0  # for a round: quiet hours are shorter
_LOOK_S: Final = 300.0  # the wall clock may be set meanwhile
_LEAST_S: Final = 0.1


def since_boot() -> float:
    """Seconds that only measure; those of a suspended machine count, where the system counts them.

    time.monotonic() leaves them out on Linux, and a day that began meanwhile would be contradicted.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class _Heard(NamedTuple):
    """The agent's clock, server-local, and both of ours when it was heard."""

    theirs: datetime
    ours: datetime
    at_s: float


class SiteDay:
    """The calendar of one instance. `now` gives aware times, `clock` seconds that only measure."""

    def __init__(
        self,
        store: EventStore,
        instance: Instance,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self._store = store
        self._name = instance.name
        self._companies = instance.companies
        self._zone = instance.zone()
        self._now = now
        self._clock = clock
        self._latest = Latest(store)
        self._telling = asyncio.Lock()  # a round and the calendar may tell at once
        self._heard: _Heard | None = None
        self._apart_since_s: float | None = None
        self._doubted = False

    def hear(self, server_time: datetime) -> None:
        """The agent's clock as it told it just now: server-local, without offset."""
        self._heard = _Heard(server_time, self._now(), self._clock())
        self._apart_since_s = None

    async def tell(self, *companies: str) -> None:
        """Log the day for these companies, or for all that were ever described, if it is news."""
        async with self._telling:
            today, theirs = self._now().astimezone(self._zone).date(), self._theirs()
            if self._contradicted(today, theirs):
                return
            news: list[NewEvent] = []
            for company in companies or await self._described():
                last = await self._latest.of(aging_stream(company))
                told = last.date if isinstance(last, AgingDateAdvanced) else ""
                if is_news(today, theirs, told):
                    if told > today.isoformat():
                        log.warning("%s: as-of day %s was wrong, it is %s", company, told, today)
                    news.append(aging_event(company, today))
            if news:
                await self._store.append(news, meta=meta_of(self._name))

    def wait_s(self) -> float:
        """How long until the site's next midnight, or until a look at whether clocks were set."""
        local = self._now().astimezone(self._zone)
        following = datetime.combine(local.date() + timedelta(days=1), datetime.min.time())
        midnight = following.replace(tzinfo=self._zone).astimezone(UTC)
        return min(max((midnight - local).total_seconds(), _LEAST_S), _LOOK_S)

    async def _described(self) -> Sequence[str]:
        return [
            company
            for company in self._companies
            if await self._latest.of(source_stream(company)) is not None
        ]

    def _theirs(self) -> date | None:
        """The day on the agent's calendar by now, None when it never told, or too long ago."""
        if self._heard is not None and self._is_outdated(self._heard):
            self._heard = self._apart_since_s = None
            log.info("%s: the agent's clock was not heard for a day: ours is taken", self._name)
        if self._heard is None:
            return None
        passed = timedelta(seconds=self._clock() - self._heard.at_s)
        return (self._heard.theirs + passed).date()

    def _is_outdated(self, heard: _Heard) -> bool:
        """Whether our clocks went apart since then, and no round came to tell which is right."""
        clock_s = self._clock()
        passed = timedelta(seconds=clock_s - heard.at_s)
        if abs(self._now() - heard.ours - passed) <= _APART:
            self._apart_since_s = None
            return False
        if self._apart_since_s is None:
            self._apart_since_s = clock_s
        return clock_s - self._apart_since_s >= _PATIENCE_S

    def _contradicted(self, today: date, theirs: date | None) -> bool:
        doubted, before = theirs is not None and abs(today - theirs) > _TOLERATED, self._doubted
        self._doubted = doubted
        if doubted and not before:
            log.warning(
                "%s: our clock says %s, the agent's %s: the as-of day stays as it is; let both "
                "machines take their time from one source (NTP)",
                self._name,
                today,
                theirs,
            )
        return doubted


def is_news(today: date, theirs: date | None, told: str) -> bool:
    """Whether the log is to hear of `today`. `theirs`: the agent's day, which does not contradict;
    `told` (YYYY-MM-DD, "" for none): the day it heard of last.

    A day never goes back by so little as clocks differ, nor at all by our own clock alone.
    """
    if told < today.isoformat():
        return True
    if theirs is None:
        return False
    return date.fromisoformat(told) - max(today, theirs) > _TOLERATED
