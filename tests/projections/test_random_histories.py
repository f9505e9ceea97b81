"""Whatever happens in whatever order: live state, rebuilt state and replayed state are one."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector import beside
from connector.at_a_moment import fields_at
from connector.log_pages import entries_of
from connector.rebuild import all_tables, rebuild, this_version
from connector.reports import history as history_of
from connector.sage100.passes import WORK_TABLES
from eventstore import EventStore, open_store
from projections import events as e
from projections.folding import Entry
from projections.tables import Target
from projections.workspace import decode
from tests.projections.lives import KINDS, Life
from tests.projections.rig import customer
from tests.projections.witness import Witness, every_position

STEP: Final = st.tuples(st.integers(0, KINDS - 1), st.integers(0, 8))
# Everything that happens seldom, one after the other: two sweeps that miss a code, a vanished
# invoice, a hold with a change under it, a release, an erasure, and a life that goes on after it.
EVENTFUL: Final = [
    *((4, 0), (1, 0), (3, 0), (12, 0), (0, 1), (12, 4), (13, 1), (14, 0), (0, 0), (14, 0)),
    *((7, 0), (15, 0), (0, 4), (1, 2), (7, 0), (13, 4), (9, 0), (12, 8), (15, 1), (7, 0)),
]
SELDOM: Final = {
    *(e.SweepCompleted, e.RecordVanished, e.RecordReturned, e.MassChangeHeld),
    *(e.MassChangeReleased, e.Erased, e.RecordErased, e.TargetErased, type(None)),
}

Held = dict[str, list[tuple[int, dict[str, str]]]]


def ticking() -> Callable[[], int]:
    """A clock that goes on by 5 ms with every look."""
    now = [1_700_000_000_000_000]

    def look() -> int:
        now[0] += 5_000
        return now[0]

    return look


@settings(max_examples=9, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEP, min_size=4, max_size=12),
    st.integers(1, 9),
    st.lists(st.integers(-50, 5_000), max_size=4),
)
@example(EVENTFUL, 4, [])
async def test_live_rebuilt_and_replayed_state_are_one(
    steps: list[tuple[int, int]], page: int, moments: list[int]
) -> None:
    """After each commit the rows are those that the log gives from its first event on; at every
    position it gives the same however it is folded; every record at any time is what it was then;
    and a rebuild finds the same in the end, beside the writer or in its place.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.db"
        tables = [*all_tables(), *WORK_TABLES]
        async with open_store(f"sqlite:///{file}", tables=tables, clock_us=ticking()) as store:
            await store.append([], also=[this_version()])
            witness = Witness(store)
            await witness.begin()
            life = Life(witness, file)
            await life.rig.settings(read=False)
            await life.see("ACME", customer("ACME", City="Oslo", URLAddress="acme.example"))
            await life.rig.idle()
            await life.rig.carry_out_all()
            for what, how in steps:
                await life.happen(what, how)
            await witness.check()
            entries = entries_of(await store.read(0, limit=1_000_000))
            if steps == EVENTFUL:
                assert {type(one.payload) for one in entries} >= SELDOM
            held = _held_at_every_position(entries, page)
            await _same_at_any_time(store, held, witness.times, moments)
            assert (await beside.verify(f"sqlite:///{file}")).differences == []
            report = await rebuild(store, life.rig.projector, verify=False)
            assert (report.compared, report.differences) == (True, [])


def _held_at_every_position(entries: list[Entry], page: int) -> Held:
    """What HubSpot had acknowledged of each record, from which position on."""
    held: Held = {}
    for position, fold in every_position(entries, page):
        stream = entries[position - 1].stream
        name = stream.removeprefix("hubspot/")
        row = fold.rows["target"].get(name)
        if name != stream and row is not None:
            doc: Target = decode("target", row)
            held.setdefault(name, []).append((position, doc.held))
    return held


async def _same_at_any_time(
    store: EventStore, held: Held, times: list[tuple[int, int]], moments: list[int]
) -> None:
    """`history --at` says of every record at any time what its ledger was then: when each of its
    commits was recorded, just before that, and at moments between or outside (ms from the first).
    """
    recorded = sorted(dict(times).items())
    begin = recorded[0][0]
    for name, life in held.items():
        found = await history_of(store, name)
        positions = [position for position, _ in life]
        commits = await store.commits(positions)
        changed = {commit.recorded_at_us for commit in commits if commit is not None}
        asked = changed | {at - 1_000 for at in changed} | {begin + ms * 1_000 for ms in moments}
        for time_us in sorted(asked):
            last = bisect_right(recorded, (time_us // 1_000 * 1_000 + 999, 1 << 62)) - 1
            reached = max((head for _, head in recorded[: last + 1]), default=0)
            number = bisect_right(positions, reached) - 1
            then = life[number][1] if number >= 0 else {}
            fields = await fields_at(store, found, time_us)
            told = {one.field: one.value for one in fields if not one.erased}
            assert told == then, f"{name} at {time_us}"
