"""Reading what HubSpot holds, for a comparison: batches, halves, patience, and plain refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from connector.errors import Refused, Unreachable
from connector.hubspot.answer import Answer
from connector.hubspot.api import HubSpot
from connector.hubspot.errors import NeverSent, TokenRefused
from connector.hubspot.holdings import read_histories, read_holdings

KEY = "sage100_customer_key"


class Portal:
    """Answers batch/read from a table, after what it was told to answer first."""

    base_url = "https://hubspot.example"

    def __init__(self, first: Sequence[Answer | Exception] = (), bad: str = "") -> None:
        self.first = list(first)
        self.bad = bad
        self.asked: list[int] = []

    async def batch_read(
        self,
        object_type: str,
        id_property: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
    ) -> Answer:
        """The next answer."""
        wanted = ([KEY], ["a"]) if history else ([KEY, "a"], ())
        assert (object_type, id_property, properties, history) == ("companies", KEY, *wanted)
        self.asked.append(len(ids))
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if self.bad in ids:
            return Answer(400, {"message": "no such thing"})
        found = [
            {"id": "1", "properties": {KEY: each, "a": f"value of {each}", "b": "x"}}
            | ({"propertiesWithHistory": {"a": [{"value": each}]}} if history else {})
            for each in ids
            if each != "missing"
        ]
        return Answer(207 if "missing" in ids else 200, {"results": found})


async def read(portal: Portal, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read without ever sleeping."""

    async def no_time(_: float) -> None:
        return None

    return await read_holdings(
        cast("HubSpot", portal), "companies", KEY, keys, ["a"], sleep=no_time
    )


async def test_batches_of_a_hundred() -> None:
    """Many keys are read by hundreds; what is not there is left out."""
    portal = Portal()
    found = await read(portal, [*(f"K{n}" for n in range(230)), "missing"])
    assert portal.asked == [100, 100, 31]
    assert len(found) == 230
    assert found["K7"] == {"a": "value of K7"}


async def test_one_unreadable_key_hides_no_other() -> None:
    """A batch that is refused is halved until the one is alone, which is left out."""
    portal = Portal(bad="K5")
    found = await read(portal, [f"K{n}" for n in range(8)])
    assert sorted(found) == [f"K{n}" for n in range(8) if n != 5]


@pytest.mark.parametrize(
    "trouble",
    [Answer(429), Answer(502), Answer(423), Answer(200), NeverSent("no route")],
    ids=str,
)
async def test_what_passes_is_waited_for(trouble: Answer | Exception) -> None:
    """Limits, locks, failures, lost connections and empty successes are tried again, some times."""
    assert await read(Portal([trouble] * 5), ["K"]) == {"K": {"a": "value of K"}}
    with pytest.raises(Unreachable):
        await read(Portal([trouble] * 6), ["K"])


@pytest.mark.parametrize(("status", "error"), [(401, TokenRefused), (403, Refused), (404, Refused)])
async def test_a_refusal_is_no_empty_portal(status: int, error: type[Exception]) -> None:
    """Who is not let in must not conclude that nothing is there."""
    with pytest.raises(error, match="go away"):
        await read(Portal([Answer(status, {"message": "go away"})]), ["K"])


@pytest.mark.parametrize(
    "results",
    [None, "x", [1, None], [{"id": "1"}], [{"properties": {KEY: "k", "a": "1"}}]],
)
async def test_other_answers_hold_nothing(results: Any) -> None:
    """What is not a record with exactly this key is not taken for one."""
    assert await read(Portal([Answer(200, {"results": results})]), ["K"]) == {}


async def test_histories_are_read_with_the_same_patience() -> None:
    """Fifty records a call, tried again when it passes, and no other's failure hides one."""

    async def no_time(_: float) -> None:
        return None

    portal = Portal([Answer(502), Answer(429)], bad="K5")
    keys = [*(f"K{number}" for number in range(60)), "missing"]
    read_all = read_histories
    found = await read_all(cast("HubSpot", portal), "companies", KEY, keys, ["a"], sleep=no_time)
    assert portal.asked[:3] == [50, 50, 50]
    assert found == {key: {"a": [{"value": key}]} for key in keys if key not in {"K5", "missing"}}
    with pytest.raises(Refused, match="go away"):
        await read_all(
            cast("HubSpot", Portal([Answer(403, {"message": "go away"})])),
            "companies",
            KEY,
            ["K"],
            ["a"],
            sleep=no_time,
        )
