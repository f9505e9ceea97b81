"""Random use against a model simple enough to be obviously right."""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore import (
    Checkpoint,
    CheckpointMoved,
    Clear,
    Meta,
    NewEvent,
    Put,
    Remove,
    Row,
    Table,
    Write,
    WrongVersion,
    open_store,
)

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
calm = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=False
)


@calm
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.builds(NewEvent, text, text, st.binary(max_size=300), st.integers(1, 2**31)),
                max_size=5,
            ),
            st.builds(Meta, text, st.none() | text),
        ),
        max_size=8,
    )
)
def test_what_goes_in_comes_out(appends: list[tuple[list[NewEvent], Meta]]) -> None:
    """Any events, bytes and metas come back as given, across a reopening, and the chain holds."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            url = f"sqlite:///{directory}/events.db"
            commits = []
            async with open_store(url) as store:
                for events, meta in appends:
                    commits.append(await store.append(events, meta=meta))
            given_in = [event for events, _ in appends for event in events]
            async with open_store(url) as store:
                stored = await store.read(0)
                assert [
                    NewEvent(e.stream, e.type, e.data or b"", e.schema) for e in stored
                ] == given_in
                assert await store.verify() == len(given_in)
                for commit, (events, meta) in zip(commits, appends, strict=True):
                    assert commit.last - commit.first + 1 == len(events)
                    if events:
                        assert await store.commits([commit.first]) == [commit]
                        assert commit.meta == meta

    asyncio.run(run())


streams = st.sampled_from(["a", "b", "c"])
keys = st.sampled_from(["", "k", "k1", "k2", "l", "é"])
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(Put, st.just("t"), st.lists(st.builds(Row, keys, st.binary(max_size=3)), max_size=3)),
    st.builds(Remove, st.just("t"), st.lists(keys, max_size=2)),
    st.just(Clear("t")),
)


class Step(msgspec.Struct, frozen=True):
    """One append of the model test; `expect` and `was` may be right or wrong."""

    events: list[str]
    expect: dict[str, int]
    moves: tuple[int, int] | None
    also: list[Write]


steps = st.builds(
    Step,
    events=st.lists(streams, max_size=3),
    expect=st.dictionaries(streams, st.integers(0, 4), max_size=2),
    moves=st.none() | st.tuples(st.integers(0, 2), st.integers(0, 2)),
    also=st.lists(writes, max_size=2),
)


class Model:
    """The whole store in four lines of state."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.place = 0
        self.rows: dict[str, bytes] = {}

    def outcome(self, step: Step) -> Any:
        """What the append must give: the kind of refusal, or first and last position."""
        for stream, version in step.expect.items():
            if self.log.count(stream) != version:
                return WrongVersion
        if step.moves and step.moves[0] != self.place:
            return CheckpointMoved
        first = len(self.log) + 1
        self.log += step.events
        self.place = step.moves[1] if step.moves else self.place
        for write in step.also:
            if isinstance(write, Put):
                self.rows |= {row.key: row.value for row in write.rows}
            elif isinstance(write, Remove):
                self.rows = {k: v for k, v in self.rows.items() if k not in write.keys}
            else:
                self.rows = {}
        return (first, len(self.log))


@calm
@given(st.lists(st.lists(steps, min_size=1, max_size=6), max_size=5))
def test_interleaved_appends_match_a_model(waves: list[list[Step]]) -> None:
    """Appends queued at once behave as if each had run alone, in the order they were queued."""

    async def run() -> None:
        model = Model()
        with tempfile.TemporaryDirectory() as directory:
            async with open_store(f"sqlite:///{directory}/events.db", tables=[Table("t")]) as store:
                for wave in waves:
                    results = await asyncio.gather(
                        *(
                            store.append(
                                [NewEvent(stream, "T", b"{}") for stream in step.events],
                                expect=step.expect,
                                checkpoint=Checkpoint("c", step.moves[1], was=step.moves[0])
                                if step.moves
                                else None,
                                also=step.also,
                            )
                            for step in wave
                        ),
                        return_exceptions=True,
                    )
                    for step, result in zip(wave, results, strict=True):
                        wanted = model.outcome(step)
                        if isinstance(wanted, type):
                            assert type(result) is wanted
                        else:
                            assert not isinstance(result, BaseException), result
                            assert (result.first, result.last) == wanted
                assert [e.stream for e in await store.read(0)] == model.log
                assert (await store.checkpoint("c")).position == model.place
                rows = {row.key: row.value for row in await store.scan("t")}
                assert rows == model.rows
                assert await store.verify() == len(model.log)

    asyncio.run(run())
