"""A store, a simulated agent whose clock stands still, and a client between them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.passes import WORK_TABLES
from connector.sage100.retry import Retry
from connector.sandbox.agent import AgentOptions, ManualClock, SimulatedAgent
from connector.secret import Secret
from eventstore import EventStore, Table, open_store
from projections.tables import TABLES
from tests.sage100.wire import NOW, Waits
from tests.sage100.world import World

TABLES_OF_THE_STORE = [*(Table(name, ranked) for name, (_, ranked) in TABLES.items()), *WORK_TABLES]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    """An empty store in a file."""
    async with open_store(f"sqlite:///{tmp_path}/events.db", tables=TABLES_OF_THE_STORE) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """The Sage 100 server's clock."""
    return ManualClock(NOW)


@pytest.fixture
async def sim(clock: ManualClock) -> AsyncIterator[SimulatedAgent]:
    """A small company behind a simulated agent."""
    options = AgentOptions(
        customers=30, invoices=60, vendors=5, details=False, today=NOW.date(), scan_limit=40
    )
    async with SimulatedAgent(options, clock=clock) as agent:
        yield agent


@contextlib.asynccontextmanager
async def connect(
    sim: SimulatedAgent,
    *,
    waits: Waits | None = None,
    columns: dict[str, str] | None = None,
    password: str | None = None,
) -> AsyncIterator[Agent]:
    """A client of the simulated agent, whose waits take no time."""
    credentials = Credentials(
        username=sim.username,
        password=Secret(password or sim.password),
        api_key=Secret(sim.api_key),
    )
    async with Agent(
        sim.endpoint,
        credentials=credentials,
        columns=columns,
        retry=Retry(tries=3),
        waiting=(waits or Waits()).waiting(),
    ) as agent:
        yield agent


@pytest.fixture
async def agent(sim: SimulatedAgent) -> AsyncIterator[Agent]:
    """A client of the simulated agent."""
    async with connect(sim) as client:
        yield client


@pytest.fixture
def world() -> World:
    """Our own clock."""
    return World()
