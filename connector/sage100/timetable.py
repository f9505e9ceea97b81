"""What is due when: the schedules of one instance, as the log says they stand.

Times of the last complete passes come from the checkpoints, so a restart neither forgets a sweep
that fell due meanwhile nor reads everything again at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.sage100.contract import SCHEDULE_OF
from connector.sage100.errors import AgentError
from connector.sage100.instance import GROUPS, Instance
from connector.sage100.passes import Outcome
from connector.sage100.place import Place, place_of
from eventstore.types import EventStore
from projections.events import Via

_AGAIN: Final = timedelta(minutes=5)  # after a failure that may pass; doubled each time
_MAX_DOUBLINGS: Final = 10
_LONGEST_WAIT: Final = timedelta(minutes=30)  # for Sage 100 to be free: exclusive use ends unsaid


class Timetable:
    """Due times of "customers", "invoices", "vendors" and "sweep"; all times are UTC.

    `chance`: from 0 to 1, so that not all who wait for a server come back at once.
    """

    def __init__(
        self,
        instance: Instance,
        due: dict[str, datetime],
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._chance = chance
        self._schedules = instance.schedules()
        self._zone = instance.zone()
        self._due = due
        self._failures = dict.fromkeys(due, 0)

    @classmethod
    async def load(
        cls,
        store: EventStore,
        instance: Instance,
        now: datetime,
        *,
        chance: Callable[[], float] = random.random,
    ) -> Timetable:
        """What never completed, or is under way, is due at once; the rest by its schedule.

        A first sweep waits for its schedule: the first cursor pass reads everything anyway.
        """
        places: dict[str, list[Place]] = {name: [] for name in (*GROUPS, "sweep")}
        for company in instance.companies:
            for entity in instance.entities:
                place = await place_of(store, instance.name, company, entity)
                places[SCHEDULE_OF[entity]].append(place)
                places["sweep"].append(place)
        table = cls(instance, dict.fromkeys(places, now), chance=chance)
        for group in GROUPS:
            done = min(max(place.polled_at_s, place.swept_at_s) for place in places[group])
            if done and not any(place.cursor_pass for place in places[group]):
                table.due(group, after=datetime.fromtimestamp(done, UTC))
        if not any(place.sweep_pass for place in places["sweep"]):
            swept = [place.swept_at_s for place in places["sweep"] if place.swept_at_s]
            done = min(swept, default=int(now.timestamp()))
            table.due("sweep", after=datetime.fromtimestamp(done, UTC))
        return table

    def due(self, name: str, *, after: datetime) -> None:
        """It was done at `after`: set when it is due again."""
        self._due[name] = self._schedules[name].next_due(after, self._zone)

    def hurry(self, now: datetime) -> None:
        """Everything but the sweep is due now."""
        self._due.update(dict.fromkeys(GROUPS, now))

    def ready(self, now: datetime) -> list[str]:
        """What is due."""
        return [name for name, time in self._due.items() if time <= now]

    def next(self) -> datetime:
        """When something is due next."""
        return min(self._due.values())

    def read(
        self, via: Via, names: Sequence[str], outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        """A round has read these: set when they are due again.

        A paused pass stays due; one that failed for a reason that may pass comes due early. A
        complete sweep counts as a pass of every group.
        """
        for name in (*GROUPS, "sweep") if via == "sweep" else names:
            its = [one for one in outcomes if name == "sweep" or SCHEDULE_OF[one.entity] == name]
            errors = [one.error for one in its if one.error is not None]
            paused = any(one.paused for one in its)
            if via == "sweep" and name != "sweep" and (errors or paused):
                continue  # its own pass is due when it was due
            if paused:
                self._due[name] = now
                continue
            self.due(name, after=now)
            if any(error.retryable for error in errors):
                waits = any(one.waiting is not None for one in its)
                again = now + self._back_off(self._failures[name], errors, waits=waits)
                self._due[name] = min(self._due[name], again)
            self._failures[name] = self._failures[name] + 1 if errors else 0

    def _back_off(self, failures: int, errors: Sequence[AgentError], *, waits: bool) -> timedelta:
        """How long to leave the agent alone, never less than it said."""
        told = timedelta(seconds=max(error.retry_after_s or 0.0 for error in errors))
        span: timedelta = _AGAIN * 2 ** min(failures, _MAX_DOUBLINGS)
        if not waits:
            return max(span, told)
        return max(min(span, _LONGEST_WAIT), told) * (1 + self._chance() / 4)
