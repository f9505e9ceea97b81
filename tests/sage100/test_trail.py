"""Rings are found, whatever leads into them; places that come once are never suspected."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from connector.sage100.trail import Trail


@given(st.integers(0, 200), st.integers(1, 200))
def test_every_ring_is_found_soon(before: int, ring: int) -> None:
    """Within a small multiple of the way there and once round."""
    trail = Trail("")
    places = itertools.chain(range(before), itertools.cycle(range(before, before + ring)))
    steps = next(step for step, place in enumerate(places, 1) if trail.comes_again(f"p{place}"))
    assert before + ring < steps <= 3 * (before + ring) + 3


@given(st.lists(st.text(min_size=1), unique=True))
def test_places_that_come_once_are_no_ring(places: list[str]) -> None:
    """A pass over however many pages goes through."""
    trail = Trail("")
    assert not any(trail.comes_again(place) for place in places)
