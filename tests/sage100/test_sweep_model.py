"""Sweeps against a model: whatever comes and goes, absences and vanishings are those of it."""

from __future__ import annotations

import asyncio
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.sage100.sweep import sweep
from eventstore import EventStore, open_store
from tests.sage100.conftest import TABLES_OF_THE_STORE
from tests.sage100.shelf import Shelf, check_books, contents, known, misses

ALL = [f"{number:02}" for number in range(12)]
CODES = st.sampled_from(ALL)
WORLDS = st.lists(
    st.dictionaries(CODES, st.sampled_from(["one", "two"]), max_size=12), min_size=1, max_size=7
)


@settings(max_examples=25, deadline=None)
@given(WORLDS, st.integers(1, 5), st.just(sorted(ALL)) | st.permutations(ALL))
def test_sweeps_agree_with_a_model_of_what_is_there(
    worlds: list[dict[str, str]], limit: int, order: list[str]
) -> None:
    """Whatever comes and goes between sweeps, absences and vanishings are those of the model, in
    whatever order of keys the agent shows its rows."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/e.db"
            async with open_store(url, tables=TABLES_OF_THE_STORE) as store:
                await follow(store, worlds, limit, order)

    asyncio.run(run())


async def follow(
    store: EventStore, worlds: list[dict[str, str]], limit: int, order: list[str]
) -> None:
    """Sweep world after world, and keep the model beside it."""
    shelf = Shelf(limit=limit)
    shelf.rank = {key: f"{place:02}" for place, key in enumerate(order)}.__getitem__
    counts: dict[str, int] = {}
    for world in worlds:
        shelf.rows = {key: (text, "20260101", "8.5") for key, text in world.items()}
        outcome = await sweep(shelf.reading(store))
        absent = [key for key, count in counts.items() if key not in world and count < 2]
        for key in absent:
            counts[key] += 1
        vanished = sum(counts[key] == 2 for key in absent)
        counts |= dict.fromkeys(world, 0)
        assert (outcome.absent, outcome.vanished) == (len(absent), vanished)
        there = {key for key, count in counts.items() if count < 2}
        assert set(await contents(store)) == there
        assert await misses(store) == {key: 1 for key, count in counts.items() if count == 1}
        vanished_now = {key for key, one in (await known(store)).items() if one.vanished}
        assert vanished_now == counts.keys() - there
    await check_books(store)
