"""Settling under whatever comes: nothing is lost, nothing is doubled, and the calls are few."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.hubspot.answer import Answer
from connector.hubspot.culprit import Input
from connector.hubspot.narrowing import Request, following
from connector.hubspot.settle import Refused, settle

from .answers import KEY, accounted, batch, inputs, invalid, refusal, result


def play(given: list[Input], bad: set[str], answer_to: Any) -> tuple[dict[str, Any], int]:
    """Send until nothing is left; outcomes by key, and the calls it took."""
    by_key = {one.key: one for one in given}
    outcomes: dict[str, Any] = {}
    requests = deque([Request(tuple(one.key for one in given))])
    calls = 0
    while requests:
        request = requests.popleft()
        asked = [by_key[key] for key in request.keys]
        calls += 1
        settled = settle(asked, answer_to(asked, bad), KEY)
        assert accounted(asked, settled)
        for outcome in settled.outcomes:
            assert outcome.key not in outcomes
            outcomes[outcome.key] = outcome
        requests.extend(following(request, settled))
    return outcomes, calls


def nameless(asked: Sequence[Input], bad: set[str]) -> Answer:
    """A server that refuses a batch with a bad input and does not say which."""
    if any(one.key in bad for one in asked):
        return refusal("Contact already exists. Existing ID: 51", 409)
    return batch([result(one, "1") for one in asked])


def telling(asked: Sequence[Input], bad: set[str]) -> Answer:
    """A server that refuses a batch and quotes one bad value."""
    for one in asked:
        if one.key in bad:
            return invalid("name", "INVALID_OPTION", f"{one.properties['name']} is no good")
    return batch([result(one, "1") for one in asked])


@given(count=st.integers(1, 100), picks=st.sets(st.integers(0, 99), max_size=6), data=st.data())
def test_bad_records_are_found_in_few_calls(
    count: int, picks: set[int], data: st.DataObject
) -> None:
    """Only the bad ones are refused, in at most 2·log2 n further calls for each of them."""
    server = data.draw(st.sampled_from([nameless, telling]))
    given = inputs(count)
    bad = {given[pick].key for pick in picks if pick < count}
    outcomes, calls = play(given, bad, server)
    assert {key for key, one in outcomes.items() if isinstance(one, Refused)} == bad
    assert outcomes.keys() == {one.key for one in given}
    assert calls <= 1 + len(bad) * 2 * math.log2(max(2, count))


@given(count=st.integers(2, 2_000), data=st.data())
def test_one_bad_record_costs_as_few_calls_as_are_promised(count: int, data: st.DataObject) -> None:
    """Wherever it stands: ⌈log n / log φ⌉ + 1 further calls at most, and never 2·log2 n."""
    given = inputs(count)
    bad = given[data.draw(st.integers(0, count - 1))]
    outcomes, calls = play(given, {bad.key}, nameless)
    assert [key for key, one in outcomes.items() if isinstance(one, Refused)] == [bad.key]
    golden = math.log((1 + math.sqrt(5)) / 2)
    assert calls - 1 <= math.ceil(math.log(count) / golden) + 1
    assert calls - 1 <= 2 * math.log2(count)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(
    "results errors context message category subCategory code id ids properties "
    f"objectWriteTraceId new status propertyName name {KEY}".split()
)
OWNED = (
    "PropertyValueCoordinates{propertyName=name, value=Company 1} on 7. 8 already has that value"
)
TEXTS = st.sampled_from(
    [
        *("t0", "t1", "t99", "ABC:01-C0", "ABC:01-C1", "12", "name", "Company 1", KEY, OWNED),
        *("PROPERTY_DOESNT_EXIST", "CONFLICT", "OBJECT_NOT_FOUND", "RATE_LIMITS"),
        "Duplicate IDs found in batch input: [ABC:01-C0]. IDs must be unique",
        "Contact already exists. Existing ID: 51",
    ]
)
HOSTILE = st.recursive(
    TEXTS | st.integers(-1, 99) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


@given(
    count=st.integers(1, 8),
    status=st.integers(200, 599),
    body=JSON | HOSTILE | st.dictionaries(NAMES, HOSTILE, max_size=6),
)
def test_no_answer_upsets_it(count: int, status: int, body: Any) -> None:
    """Any status with any JSON settles every input exactly once, and never raises."""
    given = inputs(count)
    settled = settle(given, Answer(status, body), KEY)
    assert accounted(given, settled)
    assert all(0 < len(group) < count for group in settled.again)


@given(
    body=st.lists(st.dictionaries(NAMES, HOSTILE, max_size=6), max_size=6), count=st.integers(1, 40)
)
def test_a_server_that_lies_cannot_keep_us_calling(body: list[Any], count: int) -> None:
    """However inconsistent the refusals, a batch of n takes at most 2n - 1 calls."""
    given = inputs(count)
    turns = iter(range(10_000))

    def liar(asked: Sequence[Input], bad: set[str]) -> Answer:
        chosen = body[next(turns) % len(body)] if body else {}
        return Answer(400, chosen)

    _, calls = play(given, set(), liar)
    assert calls <= 2 * count - 1
