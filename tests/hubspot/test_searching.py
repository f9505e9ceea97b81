"""Searching for many values at once: what is not seen is told, and never taken for all there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.hubspot import searching
from connector.hubspot.answer import Answer
from connector.hubspot.api import SEARCH_BODY_LIMIT, SEARCH_LIMIT, HubSpot
from connector.hubspot.limiter import Limiter
from connector.hubspot.refusal import Why
from connector.hubspot.searching import Hits, search
from connector.sandbox.hubspot import faults
from connector.secret import Secret

from .rig import Site

PAGE = 3
MOST = 6


class Index(HubSpot):
    """An index of records, one value each, that gives pages of three."""

    def __init__(self, records: Sequence[str], *, counts: bool) -> None:
        super().__init__(Secret("t"), Limiter("enterprise"))
        self.records = records
        self.counts = counts
        self.asked: list[Sequence[str]] = []

    async def search(
        self,
        object_type: str,
        property_name: str,
        values: Sequence[str],
        properties: Sequence[str],
        after: str = "",
    ) -> Answer:
        """A page of the records with these values, in the order they stand in."""
        self.asked.append(values)
        found = [(number, value) for number, value in enumerate(self.records) if value in values]
        start = int(after or "0")
        results = [
            {"id": str(number), "properties": {property_name: value}}
            for number, value in found[start : start + PAGE]
        ]
        body: dict[str, object] = {"results": results}
        if self.counts:
            body["total"] = len(found)
        if start + PAGE < len(found):
            body["paging"] = {"next": {"after": str(start + PAGE)}}
        return Answer(200, body)


async def at_once(call: Callable[[], Awaitable[Answer]]) -> Answer | None:
    """Make the call."""
    return await call()


VALUES = st.sampled_from([f"v{number}" for number in range(12)])


@given(
    records=st.lists(VALUES, max_size=40), asked=st.sets(VALUES, min_size=1), counts=st.booleans()
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_value_is_seen_whole_or_told(
    monkeypatch: pytest.MonkeyPatch, records: list[str], asked: set[str], counts: bool
) -> None:
    """Each value's records are all there, once each, or there are more of it than are looked at."""
    monkeypatch.setattr(searching, "MOST", MOST)
    monkeypatch.setattr(searching, "SEARCH_PAGE", PAGE)
    index = Index(records, counts=counts)
    hits = await search(index, "companies", "domain", sorted(asked), ["domain"], at_once)
    assert isinstance(hits, Hits)
    held = Counter(one for one in records if one in asked)
    shown = Counter(one["properties"]["domain"] for one in hits.results)
    assert {one for one, count in held.items() if count > MOST} == hits.more
    assert {one: shown[one] for one in asked - hits.more} == {
        one: held[one] for one in asked - hits.more
    }
    assert all(shown[one] > 1 for one in hits.more)
    assert len({one["id"] for one in hits.results}) == len(hits.results)


@given(
    sizes=st.lists(st.integers(0, 200) | st.integers(0, 3_200), min_size=1, max_size=150),
    letter=st.sampled_from(["a", "é", "\U0001f600", '"', "\\", "\n"]),
    properties=st.lists(st.integers(1, 40).map(lambda size: "p" * size), max_size=12),
)
async def test_no_search_is_longer_than_hubspot_takes(
    sizes: list[int], letter: str, properties: list[str]
) -> None:
    """A hundred values and 3,000 characters a call; a value too long for any is told as unseen."""
    index = Index([], counts=True)
    values = [f"{number}{letter * size}" for number, size in enumerate(sizes)]
    hits = await search(index, "0-2", "p" * 100, values, properties, at_once)
    assert isinstance(hits, Hits)
    asked = [one for part in index.asked for one in part]
    assert sorted([*asked, *hits.more]) == sorted(values)
    assert all(len(part) <= SEARCH_LIMIT for part in index.asked)
    bodies = [len(msgspec.json.encode([*part, *properties]).decode()) for part in index.asked]
    assert all(length + 250 <= SEARCH_BODY_LIMIT for length in bodies)


async def test_a_refusal_is_given_back_with_its_reason(site: Site) -> None:
    """Why HubSpot will not search is for the caller to tell."""
    site.portal.inject(faults.error(400, "no such thing"), route="objects.search")
    why = await search(site.hubspot, "companies", "domain", ["a"], ["domain"], at_once)
    assert isinstance(why, Why)
    assert why.message == "no such thing"
