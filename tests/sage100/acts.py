"""What the rows of the table of faults do to the simulated agent, and how they undo it."""

from __future__ import annotations

from typing import Any

from connector.sandbox.agent import Capacity
from connector.sandbox.agent.faults import AnyFault
from connector.sandbox.agent.pace import ManualPace
from tests.sage100.fault import Act
from tests.sage100.room import Room

ALL: dict[str, Any] = {"times": 9_999}


def injected(fault: AnyFault) -> Act:
    """Script this fault."""
    return lambda room: room.sim.inject(fault)


def cleared(room: Room) -> None:
    """End every scripted fault."""
    room.sim.faults.clear()


def conduct(**switches: Any) -> Act:
    """Let the agent or its site behave so."""

    def switch(room: Room) -> None:
        for name, value in switches.items():
            setattr(room.sim.conduct, name, value)

    return switch


def sleeps(room: Room) -> None:
    """IIS has stopped the application pool: the next request wakes it, which takes its time."""
    sessions = room.sim.sessions
    sessions.capacity = Capacity(cold_start_s=30.0)
    sessions.restart()


def time_passes(seconds: float) -> Act:
    """The agent's own waits come to their end."""

    async def let(room: Room) -> None:
        pace_of(room).advance(seconds)
        if room.sim._gap is not None:
            await room.sim._gap

    return let


def pace_of(room: Room) -> ManualPace:
    """The agent's waits, in the test's hand."""
    pace = room.sim.sessions.pace
    assert isinstance(pace, ManualPace)
    return pace
