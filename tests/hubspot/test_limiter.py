"""The limiter: never more than the limit in any window, nearly all of it used, and fair."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.hubspot.limiter import Limiter
from connector.sandbox.hubspot import HubSpotOptions
from connector.sandbox.hubspot.limiter import Limiter as Portal

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
    assert most_in_any_window(arrived, WINDOW_S) <= 98


@settings(deadline=None, max_examples=25)
@given(
    calls=st.lists(
        st.tuples(st.floats(0, 1.5), st.floats(0, 4), st.floats(0, 1)), min_size=1, max_size=300
    ),
    workers=st.integers(1, 60),
)
async def test_a_call_that_hubspot_worked_on_counts_from_before_the_work(
    calls: list[tuple[float, float, float]], workers: int
) -> None:
    """Wherever on its way there HubSpot counted it, no 10 s see more calls than the limit."""
    time = VirtualTime()
    gates = limiter(time)
    arrived: list[float] = []
    left = list(calls) * (1 + 300 // len(calls))

    async def worker() -> None:
        while left:
            way_s, works_s, when = left.pop()
            async with gates.slot("general") as place:
                await time.sleep(way_s * when)
                arrived.append(time.now)
                await time.sleep(way_s * (1 - when) + works_s)
                place.worked_s = works_s

    await time.run(*[asyncio.create_task(worker()) for _ in range(workers)])
    assert most_in_any_window(arrived, WINDOW_S) <= 98


async def test_slow_calls_use_the_limit_as_quick_ones_do() -> None:
    """What HubSpot says it worked does not lengthen the window: 95 % with calls of 1.7 s."""
    time = VirtualTime()
    gates = limiter(time, "professional")
    let_through: list[float] = []

    async def worker() -> None:
        for _ in range(30):
            async with gates.slot("general") as place:
                let_through.append(time.now)
                await time.sleep(1.7)
                place.worked_s = 1.68

    await time.run(*[asyncio.create_task(worker()) for _ in range(40)])
    used = sum(1 for when in let_through if when < let_through[0] + 60.0)
    assert used >= 0.95 * 190 * 6


async def test_more_work_than_the_call_took_is_not_believed() -> None:
    """Whatever an answer says, a call counts no earlier than it was let through."""
    time = VirtualTime()
    gates = limiter(time)
    for _ in range(98):
        async with gates.slot("general") as place:
            place.worked_s = 1e9
    assert gates.state().gates[0].used == 98


@pytest.mark.parametrize(
    ("tier", "gate", "limit"),
    [
        ("free", "general", 98),
        ("professional", "general", 186),
        ("free", "associations", 98),
        ("enterprise", "associations", 147),
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

    await time.run(*[asyncio.create_task(call()) for _ in range(98)])
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
    assert gates.state().gates[0].limit == 245
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


async def test_what_was_ours_when_the_call_left_is_nobody_else_s() -> None:
    """HubSpot may have looked when the call came: what of ours has run out since is no stranger."""
    time = VirtualTime()
    gates = limiter(time)
    headers = {"x-hubspot-ratelimit-max": "100", "x-hubspot-ratelimit-remaining": "49"}
    for _ in range(50):
        async with gates.slot("general"):
            pass
    time.now += 9.0
    async with gates.slot("general") as place:
        time.now += 1.5  # the fifty no longer count
        gates.learn("general", headers, place)
    assert gates.state().gates[0].used == 1


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
        ("TEN_SECONDLY_ROLLING", None, 10.03),
        ("You have reached your ten_secondly_rolling limit.", None, 10.03),
        ("You have reached your secondly limit.", None, 1.0),
        ("SECONDLY", None, 1.0),
        ("TEN_SECONDLY_ROLLING", 3.0, 3.0),
        ("something new", None, 10.03),
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


async def test_nobody_starts_while_everything_allowed_is_on_its_way() -> None:
    """With as many calls unanswered as the limit allows, the next one waits for an answer."""
    time = VirtualTime()
    gates = limiter(time)
    let_go = asyncio.Event()

    async def slow() -> None:
        async with gates.slot("general"):
            await let_go.wait()

    slow_calls = [asyncio.create_task(slow()) for _ in range(98)]
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
    assert time.now - 1_000.0 == pytest.approx(10.03)


@pytest.mark.parametrize("tier", ["free", "professional"])
@pytest.mark.parametrize("takes_s", [0.02, 0.1, 0.2])
async def test_a_first_load_uses_what_the_portal_allows_and_is_never_refused(
    tier: str, takes_s: float
) -> None:
    """Of the calls the portal allows a first load makes 95 % or more, and not one gets a 429."""
    time = VirtualTime()
    gates = limiter(time, "free")  # what the portal allows is learnt
    options = HubSpotOptions(tier=tier)  # type: ignore[arg-type]
    limits = options.effective_limits()
    assert limits is not None
    # Where the portal's day is long, so that none ends meanwhile.
    portal = Portal(limits, clock=time.clock, now=time.clock, timezone="Etc/UTC")
    refusals = 0
    counted: list[float] = []

    async def worker(calls: int) -> None:
        nonlocal refusals
        for number in range(calls):
            async with gates.slot("general"):
                # The portal counts a call sometime on its way.
                await time.sleep(takes_s * (number % 3) / 2)
                refusals += portal.take("general") is not None
                counted.append(time.now)
                headers = portal.headers("general")
                await time.sleep(takes_s * (2 - number % 3) / 2)
                gates.learn("general", {name.lower(): one for name, one in headers.items()})

    minute = limits.burst * 6
    workers = 8
    await time.run(*[asyncio.create_task(worker(2 * minute // workers)) for _ in range(workers)])
    assert refusals == 0
    began = counted[0]
    used = sum(1 for when in counted if when < began + 60.0)
    assert used >= 0.95 * minute


async def test_after_a_429_less_is_used_and_by_and_by_more_again() -> None:
    """A gate that was refused lets fewer calls through, and one per cent more each window."""
    time = VirtualTime()
    gates = limiter(time)
    gates.refused("general", "TEN_SECONDLY_ROLLING", None)
    gates.refused("general", "TEN_SECONDLY_ROLLING", None)  # of a call that was under way too
    assert gates.state().gates[0].limit == 88
    limits = []
    for _ in range(20):
        time.now += 10.1
        limits.append(gates.state().gates[0].limit)
    assert limits == sorted(limits)
    assert limits[1] < limits[-1] == 98


async def test_the_association_limit_follows_what_the_headers_say_of_the_account() -> None:
    """The association gate has no headers: the general limit tells the account's edition."""
    gates = limiter(VirtualTime())
    for most, links in (("190", 147), ("250", 196), ("100", 98)):
        gates.learn("general", {"x-hubspot-ratelimit-max": most})
        assert gates.state().gates[1].limit == links


def test_of_five_searches_a_second_one_is_left_to_others() -> None:
    """Search is the whole account's; four a second are ours."""
    assert limiter(VirtualTime()).state().gates[2].limit == 4
