"""The limiter: never more than the limit in any window, nearly all of it used, and fair."""

from __future__ import annotations

import asyncio
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.hubspot.errors import DailyLimitReached
from connector.hubspot.limiter import Limiter

from .virtual_time import VirtualTime

WINDOW_S = 10.0


def limiter(time: VirtualTime, tier: str = "free") -> Limiter:
    """A limiter on virtual time."""
    return Limiter(tier, clock=time.clock, sleep=time.sleep)  # type: ignore[arg-type]


def most_in_any_window(grants: list[float], window_s: float) -> int:
    """The largest number of grants in any closed window of this length."""
    return max(sum(1 for other in grants if start <= other <= start + window_s) for start in grants)


@settings(deadline=None, max_examples=25)
@given(
    bursts=st.lists(
        st.tuples(st.floats(0, 15), st.integers(1, 120), st.floats(0, 12)), min_size=1, max_size=5
    )
)
async def test_no_window_holds_more_than_the_limit(bursts: list[tuple[float, int, float]]) -> None:
    """However calls come and however long they take, no 10 s see more of them than the limit."""
    time = VirtualTime()
    gates = limiter(time)
    arrived: list[float] = []

    async def call(takes_s: float) -> None:
        async with gates.slot("general"):
            await time.sleep(takes_s)
            # Worst case: HubSpot counts the call as late as its answer.
            arrived.append(time.now)

    async def arrivals() -> None:
        calls = []
        for pause_s, count, takes_s in bursts:
            await time.sleep(pause_s)
            calls += [
                asyncio.create_task(call(takes_s * (index % 3) / 2)) for index in range(count)
            ]
        await asyncio.gather(*calls)

    await time.run(asyncio.create_task(arrivals()))
    assert most_in_any_window(arrived, WINDOW_S) <= 90


@pytest.mark.parametrize(
    ("tier", "gate", "limit"),
    [
        ("free", "general", 90),
        ("professional", "general", 171),
        ("free", "associations", 90),
        ("enterprise", "associations", 135),
    ],
)
async def test_nearly_all_of_the_limit_is_used(tier: str, gate: str, limit: int) -> None:
    """A steady stream of calls gets at least 95 % of the limit through."""
    time = VirtualTime()
    gates = limiter(time, tier)
    began = time.now
    windows = 6

    async def worker() -> None:
        for _ in range(limit * windows // 10):
            async with gates.slot(gate):  # type: ignore[arg-type]
                await time.sleep(0.01)

    await time.run(*[asyncio.create_task(worker()) for _ in range(10)])
    calls = limit * windows // 10 * 10
    # The first window's worth goes at once: what counts is the pace after it.
    assert calls - limit >= 0.95 * limit * (time.now - began) / WINDOW_S


async def test_who_waits_is_served_in_order() -> None:
    """Waiting is first come, first served."""
    time = VirtualTime()
    gates = limiter(time)
    served: list[int] = []

    async def call(number: int) -> None:
        async with gates.slot("general"):
            served.append(number)

    await time.run(*[asyncio.create_task(call(number)) for number in range(200)])
    assert served == list(range(200))


async def test_who_gives_up_takes_no_place() -> None:
    """A cancelled wait neither counts nor blocks those behind it."""
    time = VirtualTime()
    gates = limiter(time)

    async def call() -> None:
        async with gates.slot("general"):
            pass

    await time.run(*[asyncio.create_task(call()) for _ in range(90)])
    waiting = [asyncio.create_task(call()) for _ in range(20)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in waiting[:10]:
        task.cancel()
    await time.run(*waiting[10:])
    assert all(task.cancelled() for task in waiting[:10])
    assert gates.state().gates[0].used == 10
    assert gates.state().gates[0].waiting == 0


async def test_the_limit_is_learnt_from_the_headers() -> None:
    """HubSpot's own figure replaces the configured tier's, with the same share kept back."""
    time = VirtualTime()
    gates = limiter(time)
    gates.learn("general", {"x-hubspot-ratelimit-max": "250"})
    assert gates.state().gates[0].limit == 225
    gates.learn(
        "general",
        {"x-hubspot-ratelimit-daily": "250000", "x-hubspot-ratelimit-daily-remaining": "249000"},
    )
    assert (gates.state().daily_limit, gates.state().daily_left) == (250_000, 249_000)


async def test_other_users_of_the_credential_are_seen() -> None:
    """Calls that HubSpot counts and that are not ours take places of the window."""
    time = VirtualTime()
    gates = limiter(time)
    gates.learn(
        "general", {"x-hubspot-ratelimit-max": "100", "x-hubspot-ratelimit-remaining": "30"}
    )
    assert gates.state().gates[0].used == 70


@pytest.mark.parametrize(
    "headers",
    [
        {"x-hubspot-ratelimit-max": "0"},
        {"x-hubspot-ratelimit-max": "-5"},
        {"x-hubspot-ratelimit-max": "٣"},
        {"x-hubspot-ratelimit-max": "9" * 5000},
        {"x-hubspot-ratelimit-max": "many"},
        {"x-hubspot-ratelimit-interval-milliseconds": "0"},
    ],
)
async def test_absurd_headers_change_nothing(headers: dict[str, str]) -> None:
    """Header values that are no sane limit are ignored."""
    gates = limiter(VirtualTime())
    before = gates.state()
    gates.learn("general", headers)
    assert gates.state() == before


@pytest.mark.parametrize(
    ("reason", "retry_after_s", "pause_s"),
    [
        ("TEN_SECONDLY_ROLLING", None, 10.2),
        ("You have reached your ten_secondly_rolling limit.", None, 10.2),
        ("You have reached your secondly limit.", None, 1.0),
        ("SECONDLY", None, 1.0),
        ("TEN_SECONDLY_ROLLING", 3.0, 3.0),
        ("something new", None, 10.2),
    ],
)
async def test_a_429_shuts_the_gate_for_everyone(
    reason: str, retry_after_s: float | None, pause_s: float
) -> None:
    """After a 429 nobody passes that gate until its window, or what HubSpot asked for, is over."""
    time = VirtualTime()
    gates = limiter(time)
    began = time.now
    assert gates.refused("general", reason, retry_after_s) == pytest.approx(pause_s)
    passed: list[float] = []

    async def call(gate: str) -> None:
        async with gates.slot(gate):  # type: ignore[arg-type]
            passed.append(time.now)

    await time.run(*[asyncio.create_task(call("general")) for _ in range(3)])
    assert all(when - began == pytest.approx(pause_s) for when in passed)


async def test_a_429_leaves_the_other_gates_open() -> None:
    """Associations go on while the general gate is shut."""
    time = VirtualTime()
    gates = limiter(time)
    gates.refused("general", "TEN_SECONDLY_ROLLING", None)
    async with gates.slot("associations"):
        assert time.now == 1_000.0


async def test_the_day_s_limit_is_told_and_ends_at_the_portal_s_midnight() -> None:
    """When the day's calls are used up callers are told at once how long, not kept waiting."""
    time = VirtualTime()

    def wall(zone: tzinfo) -> datetime:
        # The night in which clocks go back: that day has 25 hours.
        return datetime(2026, 11, 1, 0, 30, tzinfo=zone)

    gates = Limiter("free", clock=time.clock, sleep=time.sleep, wall=wall)
    gates.portal_zone = ZoneInfo("America/Chicago")
    assert gates.refused("general", "DAILY", None) == (24.5 * 3600) + 60
    with pytest.raises(DailyLimitReached) as told:
        async with gates.slot("general"):
            pass
    assert told.value.resets_in_s == (24.5 * 3600) + 60
    async with gates.slot("associations"):
        pass  # their day is counted apart


async def test_without_a_known_midnight_it_asks_again_hourly() -> None:
    """A portal whose time zone is unknown is tried again after an hour."""
    gates = limiter(VirtualTime())
    assert gates.refused("general", "You have reached your daily limit.", 30.0) == 3600.0


async def test_nobody_starts_while_everything_allowed_is_on_its_way() -> None:
    """With as many calls unanswered as the limit allows, the next one waits for an answer."""
    time = VirtualTime()
    gates = limiter(time)
    let_go = asyncio.Event()

    async def slow() -> None:
        async with gates.slot("general"):
            await let_go.wait()

    slow_calls = [asyncio.create_task(slow()) for _ in range(90)]
    for _ in range(10):
        await asyncio.sleep(0)

    async def late() -> None:
        async with gates.slot("general"):
            pass

    waiting = asyncio.create_task(late())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    let_go.set()
    await time.run(*slow_calls, waiting)
    assert time.now - 1_000.0 == pytest.approx(10.2)
