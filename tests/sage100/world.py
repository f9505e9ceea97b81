"""One instance in the test's own time: rounds whose clock moves only when they idle."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.sage100.agent import Agent
from connector.sage100.instance import Instance
from connector.sage100.rounds import Rounds
from eventstore import EventStore
from projections import events as e
from tests.sage100.shelf import logged

UTC_NOW = datetime(2026, 11, 22, 15, 15, 2, tzinfo=UTC)  # 09:15:02 in Chicago


class World:
    """Our own clock, which only idling moves on."""

    def __init__(self) -> None:
        self.now = UTC_NOW
        self.rounds: list[tuple[str, datetime]] = []
        self.until = UTC_NOW
        self.chance = 0.0
        self.idled_s = 0.0

    def time(self) -> datetime:
        """Now."""
        return self.now

    def clock(self) -> float:
        """Seconds that have passed, whatever the wall clock was set to."""
        return self.idled_s

    def on_round(self, what: str) -> None:
        """Note when rounds start and end."""
        self.rounds.append((what, self.now))

    async def idle(self, stop: asyncio.Event, seconds: float) -> None:
        """Let the time pass; when the test is over, say stop."""
        self.now += timedelta(seconds=max(seconds, 1))
        self.idled_s += max(seconds, 1)
        if self.now >= self.until:
            stop.set()
        await asyncio.sleep(0)

    @property
    def starts(self) -> list[str]:
        """When rounds started, local time of the site."""
        zone = instance("").zone()
        return [f"{at.astimezone(zone):%d %H:%M}" for what, at in self.rounds if what == "started"]


def instance(endpoint: str, **more: Any) -> Instance:
    """The instance that the simulated agent serves."""
    usual = {
        "name": "acme",
        "endpoint": endpoint,
        "companies": ("ABC",),
        "timezone": "America/Chicago",
        "currency": {"ABC": "USD", "XYZ": "USD"},
    }
    return Instance(**{**usual, **more})


def rounds(agent: Agent, store: EventStore, world: World, **more: Any) -> Rounds:
    """Rounds of the instance, in the test's own time."""
    return Rounds(
        agent,
        store,
        instance(agent.endpoint, **more),
        on_round=world.on_round,
        now=world.time,
        clock=world.clock,
        idle=world.idle,
        chance=lambda: world.chance,
    )


async def failures(store: EventStore) -> list[e.PollFailed]:
    """Every PollFailed."""
    return [one for one in await logged(store, e.PollFailed) if isinstance(one, e.PollFailed)]
