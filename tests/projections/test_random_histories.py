"""Whatever happens in whatever order: live state, rebuilt state and replayed state are one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import mappings, planning
from connector.cli.history import fields_at
from connector.projector import entries_of
from connector.rebuild import all_tables, rebuild, this_version
from connector.reports import history as history_of
from eventstore import EventStore, open_store
from projections import asof, projection
from projections import events as e
from projections.folding import Entry, Folding
from projections.mapping import compiled
from projections.tables import TABLES, WORK_LISTS, Target
from projections.workspace import Workspace, decode
from tests.projections.rig import MAPPING, Rig, bill, contact, customer, new, payment, terms

CUSTOMERS: Final = ("ACME", "BETA")
LOUDER: Final = compiled.restore(
    {
        **compiled.content(MAPPING),
        "companies": {
            **compiled.content(MAPPING)["companies"],
            "rules": [
                {**rule, "transform": "upper"} if rule["property"] == "name" else rule
                for rule in compiled.content(MAPPING)["companies"]["rules"]
            ],
        },
    }
)

Rows = dict[str, dict[str, bytes]]


class Life:
    """A rig, and everything that may happen to it, each step told by a number."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.day = 0

    async def happen(self, what: int, how: int) -> None:
        """One thing that happens: in Sage 100, in HubSpot, or at an operator's hands."""
        someone = CUSTOMERS[how % 2]
        name = f"companies/ABC:01-{someone}"
        match what % 12:
            case 0:
                city = ("Oslo", "Bergen", "")[how % 3]
                await self.rig.see(customer(someone, City=city, TermsCode=f"0{how % 2}"))
            case 1:
                await self.rig.see(bill(someone, f"000000{how % 3}", ("5", "0", "7.5")[how % 3]))
            case 2:
                await self.rig.see(contact(someone, "JOE", ContactName=f"Joe {how % 3}"))
            case 3:
                await self.rig.see(payment(someone, "0000001", "20260102", f"{how % 9}"))
            case 4:
                await self.rig.see(terms(f"0{how % 2}", TermsCodeDesc=f"Net {how}"))
            case 5:
                self.day += 1
                advanced = e.AgingDateAdvanced("ABC", f"2026-07-{self.day:02}")
                await self.rig.store.append([new("config/aging/ABC", advanced)])
            case 6:
                mapping = (MAPPING, LOUDER)[how % 2]
                activated = e.MappingActivated(mapping.digest, compiled.content(mapping))
                await self.rig.store.append([new(planning.MAPPING_STREAM, activated)])
            case 7:
                await self.rig.carry_out_all()
            case 8:
                await self.refuse(name, how)
            case 9:
                request = e.ReplayRequested([name], "by hand")
                await self.rig.store.append([new("audit/replay", request)])
            case 10:
                await self.undo(name)
            case _:
                await self.lose_or_adopt(name, how)
        planned = await self.plan()
        await self.rig.idle()
        assert planned == await self.open()

    async def plan(self) -> dict[str, dict[str, str]]:
        """What a plan says will be written or stays parked, by record."""
        active = await mappings.active(self.rig.store)
        assert active is not None
        made = await planning.make(self.rig.store, active, "free", everything=True)
        return {
            one.target: {name: after for name, (_, after) in one.fields.items()}
            for one in made.changes
            if one.act != "link"
        }

    async def open(self) -> dict[str, dict[str, str]]:
        """What is to be written or parked, by record."""
        return {
            name: doc.changes
            for name, doc in (await self.rig.targets()).items()
            if doc.state != "idle" and not name.startswith("associations/")
        }

    async def refuse(self, name: str, how: int) -> None:
        """HubSpot does not take the open command, or nobody knows whether it did."""
        doc = await self.rig.target(name)
        if doc.state != "pending":
            return
        await self.rig.tell(name, e.CommandSent(doc.command, "b", doc.attempt + 1))
        outcome: e.Event = e.CommandParked(doc.command, "REFUSED", "no", "none")
        if how % 3 == 1:
            outcome = e.CommandFailed(doc.command, "timeout", "?", 0, doc.attempt + 1, unknown=True)
        elif how % 3 == 2:
            left_out = e.Withheld(doc.changes.get("city", ""), "INVALID")
            outcome = e.CommandSucceeded(
                doc.command,
                doc.hubspot_id or f"id of {name}",
                "updated" if doc.hubspot_id else "created",
                kept={"domain": "kept.example"},
                withheld={"city": left_out} if "city" in doc.changes else {},
            )
        await self.rig.tell(name, outcome)

    async def undo(self, name: str) -> None:
        """The city is put back to what it was, or follows Sage 100 again."""
        doc = await self.rig.target(name)
        if doc.pins:
            await self.rig.tell(name, e.FieldsPinned(lifted=sorted(doc.pins)))
        elif doc.held.get("city"):
            await self.rig.tell(name, e.FieldsPinned({"city": (doc.held["city"], "Before")}))

    async def lose_or_adopt(self, name: str, how: int) -> None:
        """The record is gone from HubSpot, or turns out to have been there all the time."""
        doc = await self.rig.target(name)
        if not doc.version or doc.state == "sent":
            return
        if doc.hubspot_id and how % 2:
            await self.rig.tell(name, e.RecordLost(doc.hubspot_id, "deleted"))
        else:
            values = {"city": "Elsewhere", "domain": "there.example"}
            await self.rig.tell(name, e.RecordAdopted("77", "external key", values))


async def rows_of(store: EventStore) -> Rows:
    """Every row that is a fold of the log."""
    return {
        table: {row.key: row.value for row in await store.scan(table, limit=100_000)}
        for table in TABLES
        if table not in WORK_LISTS
    }


def folded(entries: list[Entry], page: int) -> Rows:
    """The same rows, folded from these entries alone in pages of so many."""
    rows: Rows = {table: {} for table in TABLES}
    for start in range(0, len(entries), page):
        part = entries[start : start + page]
        work = Workspace()
        wanted = projection.wants(part, ledger_too=True)
        work.load(wanted, rows)
        projection.fold(part, Folding(work), ledger_too=True)
        for change in work.changes():
            rows[change.table] |= {key: value for key, value, _ in change.puts}
            for key in change.removes:
                rows[change.table].pop(key, None)
    return {table: found for table, found in rows.items() if table not in WORK_LISTS}


def ticking() -> Callable[[], int]:
    """A clock that goes on by 5 ms with every look."""
    now = [1_700_000_000_000_000]

    def look() -> int:
        now[0] += 5_000
        return now[0]

    return look


STEP: Final = st.tuples(st.integers(0, 11), st.integers(0, 8))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, min_size=4, max_size=12), st.integers(1, 9))
async def test_live_rebuilt_and_replayed_state_are_one(
    steps: list[tuple[int, int]], page: int
) -> None:
    """After each step the rows are those that the log gives from its first event on; every record
    at any time is what it was then; and a rebuild finds the same in the end."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'events.db'}"
        async with open_store(url, tables=all_tables(), clock_us=ticking()) as store:
            await store.append([], also=[this_version()])
            life = Life(Rig(store))
            await life.rig.settings()
            await life.rig.see(customer("ACME", City="Oslo", URLAddress="acme.example"))
            await life.rig.idle()
            await life.rig.carry_out_all()
            seen: list[tuple[int, Rows, int]] = []
            for what, how in steps:
                await life.happen(what, how)
                head = await store.head()
                seen.append((head.last, await rows_of(store), head.recorded_at_us))
            entries = entries_of(await store.read(0, limit=100_000))
            for position, live, time_us in seen:
                replayed = folded(entries[:position], page)
                assert replayed == live, f"at position {position}"
                await _same_in_history(store, live, time_us)
            _same_at_every_position(entries, page)
            report = await rebuild(store, life.rig.projector, verify=True)
            assert report.mismatch is None


def _same_at_every_position(entries: list[Entry], page: int) -> None:
    """Folded in pages or event by event, and one record alone or all of them: the same ledger."""
    one_by_one: Rows = {}
    streams: dict[str, list[Entry]] = {}
    for count, entry in enumerate(entries, start=1):
        if not entry.stream.startswith("hubspot/"):
            continue
        streams.setdefault(entry.stream, []).append(entry)
        if count % page:
            continue
        one_by_one = folded(entries[:count], count)
        for stream, alone in streams.items():
            name = stream.removeprefix("hubspot/")
            assert decode("target", one_by_one["target"][name]) == asof.target_at(alone)


async def _same_in_history(store: EventStore, live: Rows, time_us: int) -> None:
    """`history --at` says of every record what its ledger was at that time."""
    for name, value in live["target"].items():
        doc: Target = decode("target", value)
        found = await history_of(store, name)
        fields = await fields_at(store, found, time_us)
        assert {one.field: one.value for one in fields} == doc.held
        assert all(one.because for one in fields)
