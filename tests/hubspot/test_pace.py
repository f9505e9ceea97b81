"""The pace: as many batches as use what HubSpot allows, fewer when it is too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.hubspot import pace
from connector.hubspot.pace import FIRST, LEAST, MOST, Meter, Pace
from connector.hubspot.window import Gate

RATES: dict[Gate, float] = {"general": 18.0, "associations": 14.0, "search": 4.0}


class Clock:
    """Seconds that pass by order."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Course:
    """A pace and the batches it is taught by."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pace = Pace(lambda gate: RATES[gate], self.clock)

    def batch(
        self,
        lane: str = "companies",
        took_s: float = 1.0,
        *,
        waited_s: float = 0.0,
        troubled: bool = False,
        **calls: int,
    ) -> None:
        """One batch, alone."""
        with pace.metered(self.clock) as meter:
            for gate, count in (calls or {"general": 2}).items():
                for _ in range(count):
                    pace.let_through(gate, waited_s / count)  # type: ignore[arg-type]
            if troubled:
                pace.met_trouble()
            self.clock.now += took_s
        self.pace.learn(lane, meter)


def test_it_begins_with_few_and_grows_to_what_the_latency_needs() -> None:
    """18 calls a second, two a batch, 3 s a batch: 27 under way, and a quarter more."""
    course = Course()
    assert course.pace.most("companies") == FIRST
    for _ in range(100):
        course.batch(took_s=3.0)
    assert course.pace.most("companies") == 34


def test_where_hubspot_is_quick_few_are_enough() -> None:
    """More would only wait at the gate, and what waits at a gate is no reason for more."""
    course = Course()
    for _ in range(100):
        course.batch(took_s=60.3, waited_s=60.0)
    assert course.pace.most("companies") == FIRST


def test_however_slow_hubspot_is_there_are_never_more_than_the_most() -> None:
    """That bounds what is in memory."""
    course = Course()
    for _ in range(200):
        course.batch(took_s=90.0)
    assert course.pace.most("companies") == MOST


def test_the_narrowest_gate_decides() -> None:
    """A batch of four searches waits for searches: 1 such batch a second is all there can be."""
    course = Course()
    for _ in range(100):
        course.batch(took_s=4.0, general=2, search=4)
    assert course.pace.most("companies") == 5


def test_each_lane_has_its_own_measure() -> None:
    """Slow contacts do not tell how many batches of invoices are of use, and begin few as well."""
    course = Course()
    for _ in range(100):
        course.batch("contacts", took_s=3.4)
    assert course.pace.most("contacts") == 39
    assert course.pace.most("invoices") == FIRST
    course.batch("invoices", took_s=0.7)
    assert course.pace.most("invoices") == 8


def test_trouble_halves_it_once_for_all_that_were_under_way() -> None:
    """Thirty batches that meet one outage are one sign; from then on it grows one a round."""
    course = Course()
    for _ in range(100):
        course.batch(took_s=3.0)
    meters = []
    for _ in range(30):
        with pace.metered(course.clock) as meter:
            pace.let_through("general", 0.0)
            pace.met_trouble()
            meters.append(meter)
    course.clock.now += 1.0
    for meter in meters:
        course.pace.learn("companies", meter)
    assert course.pace.most("companies") == 17
    for _ in range(17):
        course.batch(took_s=3.0)
    assert course.pace.most("companies") == 17  # a round: one more is on its way
    for _ in range(60):
        course.batch(took_s=3.0)
    assert 19 <= course.pace.most("companies") <= 21


@given(
    batches=st.lists(
        st.tuples(st.floats(0, 1000), st.floats(0, 1000), st.booleans(), st.integers(0, 30)),
        max_size=120,
    )
)
def test_it_stays_within_its_bounds(batches: list[tuple[float, float, bool, int]]) -> None:
    """Whatever is measured, at least two and at most so many."""
    course = Course()
    for took_s, waited_s, troubled, calls in batches:
        course.batch(took_s=took_s, waited_s=waited_s, troubled=troubled, general=calls)
        assert LEAST <= course.pace.most("companies") <= MOST
        assert LEAST <= course.pace.most("contacts") <= FIRST


@pytest.mark.parametrize("calls", [{}, {"general": 0}])
def test_a_batch_without_a_call_teaches_nothing(calls: dict[Gate, int]) -> None:
    """Everything in it was held or moved."""
    course = Course()
    meter = Meter(course.clock)
    meter.calls.update(calls)
    course.pace.learn("companies", meter)
    assert course.pace.most("companies") == FIRST
