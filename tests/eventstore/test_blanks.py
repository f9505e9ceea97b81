"""Blank events: lawful when a later erasure names their stream and counted them, else broken."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore import Blanks, ChainBroken, Meta, NewEvent, open_store
from eventstore.blanks import encode_erased
from eventstore.chain import payload_digest

from .conftest import Opener, event


def blank(path: Path, *positions: int) -> None:
    """Blank events as an erasure does, with the digest that the chain covers, but record nothing.

    The triggers are all in place: they let through what an erasure does.
    """
    conn = sqlite3.connect(path)
    try:
        conn.create_function("sealed", 2, payload_digest)
        for position in positions:
            done = conn.execute(
                "UPDATE events SET digest = sealed(salt, data), salt = NULL, data = NULL"
                " WHERE position = ? AND data IS NOT NULL",
                (position,),
            )
            assert done.rowcount == 1
        conn.commit()
    finally:
        conn.close()


async def broken_at(opener: Opener) -> int:
    """Where verify says that the chain is broken."""
    async with opener(read_only=True) as store:
        with pytest.raises(ChainBroken) as raised:
            await store.verify()
    return raised.value.position


async def test_evidence_blanked_in_silence_is_found(opener: Opener, path: Path) -> None:
    """A blank event that no erasure recorded breaks the log there, although every digest holds."""
    async with opener() as store:
        for n in range(5):
            await store.append([event("a"), event(f"b/{n}")])
        head = await store.head()
    blank(path, 4, 7)
    assert await broken_at(opener) == 4
    async with opener() as store:
        assert await store.head() == head
        assert await store.verify(after=8) == 2


async def test_an_erasure_covers_what_was_before_it_only(opener: Opener, path: Path) -> None:
    """What a stream says after its erasure is evidence again, and so is every other stream."""
    async with opener() as store:
        await store.append([event("a"), event("b")])
        await store.erase(["a"], reason="asked", meta=Meta())
        await store.append([event("a")])
        assert await store.verify() == 4
    blank(path, 4)
    assert await broken_at(opener) == 4


async def test_a_later_erasure_does_not_cover_more_than_it_counted(
    opener: Opener, path: Path
) -> None:
    """What was blank already when a stream was erased is not taken for the erasure's doing."""
    async with opener() as store:
        await store.append([event("a"), event("a"), event("b")])
    blank(path, 2)
    async with opener() as store:
        assert (await store.erase(["a", "b"], reason="asked", meta=Meta())).blanked == 2
    assert await broken_at(opener) == 1
    async with opener(read_only=True) as store:
        with pytest.raises(ChainBroken, match="3 events are blank of streams"):
            await store.verify()


async def test_the_record_of_an_erasure_cannot_be_blanked(opener: Opener, path: Path) -> None:
    """Without its payload the record covers nothing: neither itself nor what it was about."""
    async with opener() as store:
        await store.append([event("a"), event("b")])
        await store.erase(["b"], reason="asked", meta=Meta())
    blank(path, 3)
    assert await broken_at(opener) == 2


def test_what_came_back_after_an_erasure_is_no_fault() -> None:
    """An erasure may have counted more than is blank: its own log holds, only too much is in it."""
    blanks = Blanks()
    blanks.pass_by([(1, b"a", 1, b"T", 1, None, None, None, bytes(32))])
    blanks.erased(2, encode_erased(["a", "b"], "asked", 5))
    blanks.check()
    assert (blanks.count, blanks.first, blanks.seen) == (0, 0, True)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"streams":"a"}', b'{"streams":[1]}', b"\xff"])
def test_what_no_erasure_wrote_covers_nothing(data: bytes) -> None:
    """An event in the erasures' place that says no streams explains no blank event."""
    blanks = Blanks()
    blanks.pass_by([(7, b"a", 1, b"T", 1, None, None, None, bytes(32))])
    blanks.erased(8, data)
    with pytest.raises(ChainBroken, match="position 7: it is blank"):
        blanks.check()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 3), min_size=1, max_size=4)),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
async def test_every_lawful_log_verifies_and_no_other(
    steps: list[tuple[bool, list[int]]], chance: Random
) -> None:
    """Appends and erasures in any order verify; any one event blanked besides is named."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        async with open_store(f"sqlite:///{path}") as store:
            await store.append([event("s/0")])
            for is_erasure, streams in steps:
                names = [f"s/{n}" for n in streams]
                if is_erasure:
                    await store.erase(names, reason="asked", meta=Meta(), then=[event(names[0])])
                else:
                    await store.append([NewEvent(name, "T", b"{}") for name in names])
            stored = await store.read(0)
            assert await store.verify() == len(stored)
        left = [one.position for one in stored if one.data is not None]
        if left:
            position = chance.choice(left)
            blank(path, position)
            async with open_store(f"sqlite:///{path}", read_only=True) as store:
                with pytest.raises(ChainBroken) as raised:
                    await store.verify()
            [altered] = [one for one in stored if one.position == position]
            if altered.type != "Erased":
                assert raised.value.position == position
