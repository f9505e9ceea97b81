"""Links of which some kinds are left alone: what is free of them, and what it costs to know."""

from __future__ import annotations

import random
from typing import Any

import pytest

from connector import rows
from connector.hubspot import bypass, journal
from connector.hubspot.outbox import Outbox
from connector.hubspot.scopes import Standing, kind_of
from eventstore import Row
from projections import events, keys
from projections.workspace import Workspace

from .rig import Site

TABLE = "outbox_associations"
ENDS = ("companies", "contacts", "deals")
KINDS = [f"invoices > {end}" for end in ENDS]
TO_DEALS = Standing(held=frozenset({"invoices > deals"}))


def link(number: int, end: str) -> str:
    """A link of an invoice with one of these."""
    return keys.association(f"invoices/ABC:01-A:{number:07}-000001-IN", f"{end}/ABC:01-A")


class Counting:
    """A store that counts the rows of the lane that are read."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.read_rows = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def scan(self, table: str, **options: Any) -> list[Row]:
        """Scan, and count."""
        found: list[Row] = await self._store.scan(table, **options)
        self.read_rows += len(found)
        return found


async def move(site: Site, name: str, *told: events.Event) -> None:
    """Events of a target's open command."""
    work = Workspace()
    await rows.load(site.store, work, {"target": [name]})
    await journal.append(site.store, work, [journal.Entry(name, one, None) for one in told])


async def test_links_left_alone_are_read_once_however_often_it_is_looked(site: Site) -> None:
    """Thousands that may not be made: a look costs what has happened since the one before."""
    held = {link(number, "deals"): {"linked": "true"} for number in range(3_000)}
    await site.emit_all(held)
    store: Any = Counting(site.store)
    outbox = Outbox(store, lambda: 1)
    assert await outbox.take("associations", 2_000, TO_DEALS) == []
    assert store.read_rows == 3_000
    for number in range(5):
        await site.emit(link(number, "companies"), linked="true")
        assert await outbox.next_due_us((), TO_DEALS) == 0
        assert await outbox.take("associations", 2_000, TO_DEALS) == [link(number, "companies")]
        assert await outbox.next_due_us((), TO_DEALS) is None
    assert store.read_rows == 3_000


async def test_a_trial_is_found_though_what_was_kept_in_mind_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kind on trial a page is remembered; behind it the lane is read anew."""
    monkeypatch.setattr(bypass, "_PAGE", 2)
    names = [link(number, "deals") for number in range(5)]
    await site.emit_all({name: {"linked": "true"} for name in names})
    outbox = Outbox(site.store, lambda: 1)
    trial = Standing(trial=frozenset({"invoices > deals"}))
    for name in names:
        assert await outbox.take("associations", 1, trial) == [name]
        assert await outbox.take("associations", 1, trial) == []
        await move(site, name, events.CommandHeld(1, ["deals/ABC:01-A"]))
        outbox.give_back("associations", [name])
    assert await outbox.take("associations", 1, trial) == []


async def expected(
    site: Site, now_us: int, taken: set[str], standing: Standing
) -> tuple[set[str], int, int | None]:
    """By the whole lane as it stands: which may be taken, how many of them, the earliest time."""
    busy = {kind_of(name) for name in taken}
    free: list[tuple[int, str]] = []
    for row in await site.store.scan(TABLE, limit=10_000):
        kind = kind_of(row.key)
        if row.key not in taken and kind not in standing.held | (standing.trial & busy):
            free.append((row.rank or 0, row.key))
    due = {name for rank, name in free if rank <= now_us}
    tried = {kind_of(name) for name in due} & standing.trial
    count = len(tried) + sum(kind_of(name) not in standing.trial for name in due)
    return due, count, min((rank for rank, _ in free), default=None)


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_kept_in_mind_is_what_the_lane_holds(
    site: Site, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever happens to links between two looks, both looks find what reading all would find."""
    monkeypatch.setattr(bypass, "_PAGE", 7)
    chance = random.Random(seed)
    now_us = [1]
    outbox = Outbox(site.store, lambda: now_us[0])
    taken: set[str] = set()
    standing = TO_DEALS
    for _ in range(60):
        now_us[0] += 1
        for _ in range(chance.randrange(3)):
            name = link(chance.randrange(12), chance.choice(ENDS))
            if name not in taken:
                await site.emit(name, linked=chance.choice(["true", ""]))
        for name in [name for name in sorted(taken) if chance.random() < 0.5]:
            command = (await site.target(name)).command
            sent = events.CommandSent(command, "b", 1)
            failed = events.CommandFailed(command, "x", "no", now_us[0] + chance.randrange(9), 1)
            done = events.CommandSucceeded(command, "1>2", "linked")
            held = events.CommandHeld(command, ["deals/ABC:01-A"])
            happened = chance.choice([(sent, failed), (sent, done), (held,), ()])
            if happened:
                await move(site, name, *happened)
            outbox.give_back("associations", [name])
            taken.discard(name)
        if chance.random() < 0.15:
            held_kinds = frozenset(chance.sample(KINDS, chance.randrange(1, 3)))
            tried = frozenset(chance.sample(KINDS, 1)) - held_kinds
            standing = Standing(held_kinds, tried)
        limit = chance.randrange(1, 4)
        wanted, count, due_us = await expected(site, now_us[0], taken, standing)
        shown_us = await outbox.next_due_us((), standing)
        if wanted:
            assert shown_us is not None
            assert shown_us <= now_us[0]
        else:
            assert shown_us == due_us
        names = await outbox.take("associations", limit, standing)
        assert len(names) == min(limit, count)
        assert set(names) <= wanted
        on_trial = [kind_of(name) for name in names if kind_of(name) in standing.trial]
        assert len(on_trial) == len(set(on_trial))
        taken.update(names)
