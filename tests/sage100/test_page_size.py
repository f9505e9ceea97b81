"""Pages become as large as this agent can serve in good time, and no pass loses a row by it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sage100.agent import Agent, Limits
from connector.sage100.auth import Credentials
from connector.sage100.contract import MAX_LIMIT
from connector.sage100.errors import AgentBusy, AgentError, AgentTimeout, NotTheAgent, TooLarge
from connector.sage100.page_size import FEWEST, TARGET_S, PageSizes
from connector.sage100.retry import Retry
from connector.sandbox.agent import (
    AgentOptions,
    Hold,
    HttpAnswer,
    ManualClock,
    Oversized,
    SimulatedAgent,
)
from connector.secret import Secret
from eventstore import EventStore
from projections import events as e
from tests.sage100.shelf import CALL, logged
from tests.sage100.wire import NOW, Waits
from tests.sage100.world import World, rounds

CUSTOMERS = 1_000


class SharedPace:
    """The simulated server waits on the client's own clock: slow, and yet at once."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits

    def now(self) -> float:
        """Seconds so far."""
        return self._waits.now

    async def sleep(self, delay_s: float) -> None:
        """Let them pass."""
        self._waits.now += max(delay_s, 0.0)


@contextlib.asynccontextmanager
async def site(
    waits: Waits,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> AsyncIterator[tuple[SimulatedAgent, Agent]]:
    """An agent with many customers, as fast as its `conduct` has it, and a client of it."""
    options = AgentOptions(
        customers=CUSTOMERS, invoices=20, vendors=2, details=False, today=NOW.date()
    )
    async with SimulatedAgent(options, clock=ManualClock(NOW), pace=SharedPace(waits)) as sim:
        credentials = Credentials(
            username=sim.username, password=Secret(sim.password), api_key=Secret(sim.api_key)
        )
        async with Agent(
            sim.endpoint,
            credentials=credentials,
            limits=limits,
            retry=Retry(tries=3),
            waiting=waits.waiting(),
        ) as agent:
            yield sim, agent


def asked(sim: SimulatedAgent, entity: str = "AR_Customer") -> list[int]:
    """The Limits of the pages of this entity, in order."""
    pages = [one for one in sim.calls.log if one.operation == "ReadPage" and one.entity == entity]
    return [one.limit or 0 for one in pages]


async def observed(store: EventStore) -> int:
    """How many customers the log holds."""
    found = [
        one for one in await logged(store, e.RecordObserved) if isinstance(one, e.RecordObserved)
    ]
    return sum("CustomerName" in one.row for one in found)


async def test_a_slow_agent_is_asked_for_less_and_a_quick_one_for_more(
    store: EventStore, world: World
) -> None:
    """Halved while pages take too long, grown by quarters when they do not; every row is read."""
    waits = Waits()
    async with site(waits) as (sim, agent):
        held = len(list(sim.company.rows("AR_Customer")))
        sim.conduct.row_delay_s = 0.2  # five rows a second
        its = rounds(agent, store, world)
        first = {one.entity: one for one in await its.run_once(sweep=True)}["AR_Customer"]
        assert (first.completed, first.observed) == (True, held)
        slow = asked(sim)
        assert slow[:2] == [MAX_LIMIT, MAX_LIMIT // 2]
        assert slow[-1] * sim.conduct.row_delay_s <= TARGET_S
        sim.conduct.row_delay_s = 0.001
        second = {one.entity: one for one in await its.run_once(sweep=True)}["AR_Customer"]
        assert (second.completed, second.read, second.unchanged) == (True, held, held)
        quick = asked(sim)[len(slow) :]
        assert quick == sorted(quick)
        assert quick[0] < quick[1] <= quick[0] * 5 // 4
        assert await observed(store) == held


async def test_what_was_found_outlives_a_restart(store: EventStore, world: World) -> None:
    """The next process begins with the page size that this one ended with, entity by entity."""
    waits = Waits()
    async with site(waits) as (sim, agent):
        sim.conduct.row_delay_s = 0.2
        await rounds(agent, store, world).run_once(sweep=True)
        size = agent.pages.rows("AR_Customer")
        assert size < MAX_LIMIT
        assert agent.pages.rows("AP_Vendor") == MAX_LIMIT
    async with site(waits) as (sim, again):
        await rounds(again, store, world).run_once(sweep=True)
        assert asked(sim)[0] == size
        assert asked(sim, "AP_Vendor") == [MAX_LIMIT]


async def test_an_answer_that_is_too_large_is_asked_for_in_parts(
    store: EventStore, world: World
) -> None:
    """The page comes at once in half the size: neither a failed pass nor a lost row."""
    async with site(Waits(), limits=Limits(body_bytes=400_000)) as (sim, agent):
        sim.inject(Oversized(entity="AR_Customer", body_bytes=2_000_000, times=2))
        outcomes = await rounds(agent, store, world).run_once()
        assert all(one.completed for one in outcomes)
        assert asked(sim)[:3] == [500, 250, 125]
        assert await observed(store) == len(list(sim.company.rows("AR_Customer")))


async def test_what_is_too_large_whatever_is_asked_is_not_asked_for_ever() -> None:
    """At the smallest page it is given up, with what to do; sizes never go below it."""
    async with site(Waits(), limits=Limits(body_bytes=100_000)) as (sim, agent):
        sim.inject(Oversized(body_bytes=200_000, times=99))
        with pytest.raises(TooLarge) as failed:
            await agent.read_page("ABC", "AR_Customer", retry=Retry(tries=99, deadline_s=9e9))
        assert asked(sim) == [500, 250, 125, 62, 31, 15, 10]
        assert not failed.value.retryable
        assert "larger than 100000 bytes" in failed.value.what
        assert "smallest page" in failed.value.remedy


async def test_silence_halves_the_next_attempt() -> None:
    """An answer that never came is asked for again in half the size."""
    async with site(Waits(), limits=Limits(idle_s=0.3)) as (sim, agent):
        held = sim.inject(Hold(entity="AR_Customer"))
        page = await agent.read_page("ABC", "AR_Customer")
        held.release()
        assert asked(sim)[-1] == 250
        assert len(page.rows) == 250


async def test_a_gateway_that_gives_up_quickly_says_nothing_about_pages() -> None:
    """502 at once is a service that is down, not a page that is too large."""
    async with site(Waits()) as (sim, agent):
        sim.inject(HttpAnswer(status=502))
        await agent.read_page("ABC", "AR_Customer")
        assert asked(sim) == [500, 500]


@pytest.mark.parametrize(
    ("error", "took_s", "next_size"),
    [
        (AgentTimeout("late", CALL), 0.0, 250),
        (NotTheAgent("gateway", CALL, code="504"), 60.0, 250),
        (NotTheAgent("gateway", CALL, code="504"), 1.0, 500),
        (NotTheAgent("down", CALL, code="503"), 60.0, 500),
        (AgentBusy("in use", CALL, code="SessionBusy"), 30.0, 500),
    ],
    ids=["time-out", "gateway's time-out", "gateway at once", "unavailable", "session busy"],
)
def test_only_what_a_smaller_page_may_help_makes_it_smaller(
    error: AgentError, took_s: float, next_size: int
) -> None:
    """Waiting for a session or for the service to come back is not the page's fault."""
    sizes = PageSizes()
    sizes.failed("AR_Customer", 500, error, took_s)
    assert sizes.rows("AR_Customer") == next_size


def test_no_connection_says_nothing_about_pages() -> None:
    """A time-out before there was a connection leaves the size as it is."""
    error = AgentTimeout("no connection", CALL)
    error.connected = False
    sizes = PageSizes()
    sizes.failed("AR_Customer", 500, error, 20.0)
    assert sizes.rows("AR_Customer") == MAX_LIMIT


def test_a_scan_that_finds_little_is_not_made_smaller() -> None:
    """Few rows after a long look: half the limit would take just as long, twice."""
    sizes = PageSizes()
    sizes.answered("AR_Invoice", 500, 3, 80.0)
    assert sizes.rows("AR_Invoice") == MAX_LIMIT


@given(
    st.lists(
        st.tuples(st.sampled_from(["full", "part", "late", "large"]), st.floats(0, 1_000)),
        max_size=60,
    ),
    st.integers(1, MAX_LIMIT),
)
def test_sizes_stay_within_their_bounds(news: list[tuple[str, float]], most: int) -> None:
    """Whatever an agent does: at least `FEWEST`, at most what the caller allows."""
    sizes = PageSizes()
    for kind, took_s in news:
        rows = sizes.rows("AR_Invoice", most)
        assert min(FEWEST, most) <= rows <= most
        if kind in {"full", "part"}:
            sizes.answered("AR_Invoice", rows, rows if kind == "full" else rows // 3, took_s)
        else:
            error: AgentError = AgentTimeout("late", CALL)
            sizes.failed(
                "AR_Invoice", rows, TooLarge("", CALL) if kind == "large" else error, took_s
            )
    assert 1 <= sizes.rows("AR_Invoice") <= MAX_LIMIT
