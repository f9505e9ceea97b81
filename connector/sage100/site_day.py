"""Which day it is at the site: the log is told when it begins, whatever becomes of the reading.

What is owed is aged by that day, and a day begins in quiet hours too, between two rounds that are
far apart, and while a log-on is refused.

Our own clock may be wrong, and one wrong day would age everything. So no day is told that the
agent's clock contradicts by more than a day; and a day that was told out of a wrong future is taken
back by the first one on which both clocks agree.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from connector.sage100.instance import Instance
from connector.sage100.place import meta_of
from connector.sage100.source import Latest, aging_event, aging_stream, source_stream
from eventstore.types import EventStore, NewEvent
from projections.events import AgingDateAdvanced

log: Final = logging.getLogger(__name__)

_TOLERATED: Final = timedelta(days=1)  # between clocks: a day may begin here and there at odds
_LOOK_S: Final = 300.0  # the wall clock may be set meanwhile
_LEAST_S: Final = 0.1


class SiteDay:
    """The calendar of one instance. `now` gives aware times, `clock` seconds that only measure."""

    def __init__(
        self,
        store: EventStore,
        instance: Instance,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._name = instance.name
        self._companies = instance.companies
        self._zone = instance.zone()
        self._now = now
        self._clock = clock
        self._latest = Latest(store)
        self._telling = asyncio.Lock()  # a round and the calendar may tell at once
        self._heard: tuple[datetime, float] | None = None  # the agent's clock, and ours then
        self._doubted = False

    def hear(self, server_time: datetime) -> None:
        """The agent's clock as it told it just now: server-local, without offset."""
        self._heard = (server_time, self._clock())

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
        """The day on the agent's calendar by now, None when it never told."""
        if self._heard is None:
            return None
        server_time, at = self._heard
        return (server_time + timedelta(seconds=self._clock() - at)).date()

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
