"""What a sweep was shown, against all that is known: in any order, in little memory."""

from __future__ import annotations

import asyncio
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.sage100.seen import SEEN, Seen, any_noted, forget_noted, noted
from eventstore import EventStore, Row, open_store

PLACE = "ABC/AR_Customer/"
KEYS = st.text("-0A:b%é\U0001f600", max_size=3)
URL = "sqlite:///{}/e.db"


async def unseen(
    store: EventStore, pages: list[list[str]], known: list[str], chunk: int, generation: int = 7
) -> list[str]:
    """Known keys that none of these pages has shown, asked for in chunks."""
    for move, page in enumerate(pages):
        keys = [PLACE + key for key in page]
        await store.append([], also=[noted(PLACE, generation, move, keys)])
    seen = Seen(store, PLACE, generation)
    rows = [Row(PLACE + key, b"") for key in sorted(known)]
    missing: list[Row] = []
    for start in range(0, len(rows), chunk):
        missing += await seen.missing(rows[start : start + chunk])
    return [row.key.removeprefix(PLACE) for row in missing]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(KEYS, min_size=1, max_size=4), max_size=50),
    st.sets(KEYS, max_size=40),
    st.integers(1, 9),
)
def test_what_no_page_showed_is_missing(
    pages: list[list[str]], known: set[str], chunk: int
) -> None:
    """However the keys fall into pages, and pages overlap, follow in any order or show new keys."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(URL.format(folder), tables=[SEEN]) as store:
                shown = {key for page in pages for key in page}
                found = await unseen(store, pages, list(known), chunk)
                assert found == sorted(known - shown)

    asyncio.run(run())


async def test_pages_in_order_are_in_memory_a_few_at_a_time(store: EventStore) -> None:
    """What lies behind is let go of: memory does not grow with the entity."""
    for move in range(300):
        keys = [f"{PLACE}{move:03}{number}" for number in range(4)]
        await store.append([], also=[noted(PLACE, 7, move, keys)])
    seen = Seen(store, PLACE, 7)
    most = 0
    for move in range(300):
        rows = [Row(f"{PLACE}{move:03}{number}", b"") for number in range(4)]
        assert await seen.missing(rows) == []
        most = max(most, len(seen._pages))
    assert most <= 21


async def test_only_the_sweep_itself_counts(store: EventStore) -> None:
    """Neither another generation nor another entity or company has shown anything to it."""
    for place, generation in ((PLACE, 70), (PLACE, 6), ("ABD/AR_Customer/", 7), ("ABC/AR_C/", 7)):
        await store.append([], also=[noted(place, generation, 1, [place + "01"])])
    assert not await any_noted(store, PLACE, 7)
    assert await unseen(store, [["02"]], ["01", "02"], 5) == ["01"]
    assert await any_noted(store, PLACE, 7)


async def test_all_generations_of_an_entity_are_forgotten_at_once(store: EventStore) -> None:
    """Nothing of a sweep that was given up stays behind, and nothing of others goes."""
    other = "ABC/AR_CustomerContact/"
    for move in range(50):
        await store.append([], also=[noted(PLACE, move % 3, move, [f"{PLACE}{move}"])])
    await store.append([], also=[noted(other, 1, 1, [other + "01"])])
    await forget_noted(store, PLACE)
    assert [row.key for row in await store.scan(SEEN.name)] == [f"{other}1\t01\t1"]
