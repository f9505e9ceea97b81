"""Looking at many records takes as many steps as looking at a few, and holds a page of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from connector import earlier, replaying, reports, undo, undo_judging, undo_scopes
from connector.hubspot.answer import Answer
from connector.hubspot.api import HubSpot
from connector.hubspot.limiter import Limiter
from connector.secret import Secret
from connector.undo_scopes import Scope
from eventstore import EventStore
from projections import events as e
from projections.undo import Asked, Write
from tests.projections.rig import MAPPING, Rig, customer, open_rig


class Counting:
    """A store that counts what it is asked, and how many rows it gave at most at once."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()
        self.most_rows = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        async def counted(*given: Any, **named: Any) -> Any:
            self.asked[name] += 1
            answer = await found(*given, **named)
            if name == "scan":
                self.most_rows = max(self.most_rows, len(answer))
            return answer

        return counted


class Forgetful(HubSpot):
    """A HubSpot that has no record any more."""

    async def batch_read(
        self,
        object_type: str,
        id_property: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
    ) -> Answer:
        """Nothing."""
        return Answer(200, {"results": []})


Look = Callable[[EventStore], Awaitable[Any]]


async def judge(store: EventStore) -> int:
    """Judge everything that was ever written."""
    judged = await undo_judging.judge(store, Scope("all"), MAPPING)
    return len({one.target for one in judged.left if one.target.startswith("companies/")})


async def dead_letters(store: EventStore) -> int:
    """What is parked, and of what something was left out."""
    return len({one.target for one in await reports.parked(store)})


async def replay_parked(store: EventStore) -> int:
    """What a retry would send."""
    return len((await replaying.select_for_replay(store, is_parked=True))[1])


async def replay_all(store: EventStore) -> int:
    """What a replay of a kind would send."""
    return len((await replaying.select_for_replay(store, object_name="companies"))[1])


async def remembered(store: EventStore) -> int:
    """When each record was written, to find in HubSpot's memory what was there before."""
    rows = await store.scan("target", prefix="companies/", limit=10_000)
    asked = {
        row.key: {"city": Asked(None, (Write("x", number, 5, 6),))}
        for number, row in enumerate(rows, start=1)
    }
    hubspot = Forgetful(Secret("t"), Limiter("enterprise"))
    return len((await earlier.remember(store, hubspot, MAPPING, asked)).left)


@pytest.mark.parametrize("look", [judge, dead_letters, replay_parked, replay_all, remembered])
async def test_thirty_records_take_no_more_steps_than_three(tmp_path: Path, look: Look) -> None:
    """Every read is of a page of records, never of one."""
    steps = []
    for count in (3, 30):
        async with open_rig(tmp_path, f"{count}.db") as desk:
            await companies(desk, count)
            store = Counting(desk.store)
            assert await look(store) == count
            steps.append(store.asked)
    assert steps[0] == steps[1]


async def companies(desk: Rig, count: int) -> None:
    """So many companies, each created; then every other parked, the others without a value."""
    await desk.settings()
    await desk.see(*(customer(f"{number:03d}", City="Elgin") for number in range(count)))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(*(customer(f"{number:03d}", City="Rome") for number in range(count)))
    await desk.idle()
    for number in range(count):
        name = f"companies/ABC:01-{number:03d}"
        doc = await desk.target(name)
        await desk.tell(name, e.CommandSent(doc.command, "b", 1))
        if number % 2:
            left = {"city": e.Withheld("Rome", "INVALID_OPTION", "no")}
            done = e.CommandSucceeded(doc.command, doc.hubspot_id, "updated", withheld=left)
            await desk.tell(name, done)
        else:
            await desk.tell(name, e.CommandParked(doc.command, "INVALID_OPTION", "no", "none"))


async def test_a_replay_of_everything_holds_a_page_of_ledgers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and what was skipped by rule is left out."""
    monkeypatch.setattr(replaying, "_PAGE", 10)
    async with open_rig(tmp_path) as desk:
        await companies(desk, 25)
        await desk.tell("invoices/ABC:01-000:0000001-000001-PP", e.RecordSkipped("a prepayment"))
        store = Counting(desk.store)
        words, names = await replaying.select_for_replay(store, everything=True)
        assert words == "all records"
        assert names == sorted(name for name in await desk.targets() if "PP" not in name)
        assert store.most_rows == 10


async def test_what_was_open_when_a_plan_was_applied_is_found_by_its_outcome(
    tmp_path: Path,
) -> None:
    """Of what succeeded after a position, the commands that stand before it, and only these."""
    async with open_rig(tmp_path) as desk:
        await desk.settings()
        await desk.see(customer("A"), customer("B"))
        await desk.idle()
        await desk.carry_out("companies/ABC:01-B", "8")
        position = (await desk.store.head()).last
        emitted = (await desk.target("companies/ABC:01-A")).command
        await desk.carry_out("companies/ABC:01-A", "7")
        await desk.see(customer("A", City="Rome"), customer("B", City="Rome"))
        await desk.idle()
        await desk.carry_out("companies/ABC:01-A", "7")
        await desk.carry_out("companies/ABC:01-B", "8")
        scope = Scope("a plan", first=10**9, open_at=position)
        assert await undo_scopes.chosen(desk.store, scope) == {"companies/ABC:01-A": {emitted}}


async def test_pins_of_many_are_lifted_a_page_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them, in pages of the store's own size."""
    monkeypatch.setattr(undo, "_PAGE", 4)
    async with open_rig(tmp_path) as desk:
        await companies(desk, 9)
        pins = {name: {"city": ("Rome", "Elgin")} for name in await desk.targets()}
        await undo.request(desk.store, undo.UndoWanted("a test", pins))
        pinned = await undo.pinned_targets(desk.store)
        assert pinned == {name: ["city"] for name in pins}
        await undo.request(desk.store, undo.UndoWanted("lifted", lifted=list(pinned)))
        assert await undo.pinned_targets(desk.store) == {}
