"""A customer's life as it may go: in Sage 100, in HubSpot, and at the hands of operators."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from connector import breaker, erasing, erasure_list, mappings, planning
from connector.erasure_list import Listed
from connector.projector import Projector
from connector.sage100.poller import poll
from connector.sage100.sweep import sweep
from eventstore import Put, Row
from projections import events as e
from projections import keys, personal, source
from projections.mapping import compiled
from projections.tables import Fingerprint
from projections.workspace import encode
from tests.projections import rig as rigs
from tests.projections.rig import MAPPING, Rig, bill, contact, customer, new, payment
from tests.projections.witness import Witness
from tests.sage100.shelf import Shelf

CUSTOMERS: Final = ("ACME", "BETA")
KINDS: Final = 17
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
_VANISHED: Final = ("", "withdrawn", "paid")


class Life:
    """A rig, and everything that may happen to it, each step told by a number."""

    def __init__(self, store: Witness, file: Path) -> None:
        self.store = store
        self.rig = Rig(store)
        self.shelf = Shelf()
        self.shelf.fill(4)
        self.erased: set[str] = set()
        self._file = file
        self._day = 0
        self._seen: dict[str, list[rigs.Row]] = {}

    async def happen(self, what: int, how: int) -> None:
        """One thing that happens: in Sage 100, in HubSpot, or at an operator's hands."""
        someone = CUSTOMERS[how % 2]
        name = f"companies/ABC:01-{someone}"
        match what % KINDS:
            case 0:
                city = ("Oslo", "Bergen", "")[how % 3]
                await self.see(someone, customer(someone, City=city, TermsCode=f"0{how % 2}"))
            case 1:
                await self.see(someone, _invoice(someone, how))
            case 2:
                await self.see(someone, contact(someone, "JOE", ContactName=f"Joe {how % 3}"))
            case 3:
                await self.see(someone, payment(someone, "0000001", "20260102", f"{how % 9}"))
            case 4:
                self.shelf.rows[f"0{how % 2}"] = (f"Net {how}", "20261122", "9.5")
                reading = self.shelf.reading(self.store)
                await poll(reading, overlap=timedelta(days=1), server_time=self.shelf.time)
            case 5:
                self._day += 1
                advanced = e.AgingDateAdvanced("ABC", f"2026-07-{self._day:02}")
                await self.store.append([new("config/aging/ABC", advanced)])
            case 6:
                mapping = (MAPPING, LOUDER)[how % 2]
                activated = e.MappingActivated(mapping.digest, compiled.content(mapping))
                await self.store.append([new(planning.MAPPING_STREAM, activated)])
            case 7:
                await self.rig.carry_out_all()
            case 8:
                await self.refuse(name, how)
            case 9:
                request = e.ReplayRequested([name], "by hand")
                await self.store.append([new("audit/replay", request)])
            case 10:
                await self.undo(name)
            case 11:
                await self.lose_or_adopt(name, how)
            case 12:
                await self.sweep(how)
            case 13:
                await self.vanish(someone, how)
            case 14:
                await self.hold_or_release()
            case 15:
                await self.erase(someone)
            case _:
                await self.rig.read_through(source.ADDED_UP[how % 3])
        planned = await self.plan()
        await self.rig.idle()
        assert planned == await self.open()

    async def see(self, someone: str, *rows: rigs.Row) -> None:
        """Sage 100 shows rows of a customer, of which nothing personal is let in once erased."""
        self._seen.setdefault(someone, []).extend(rows)
        if someone not in self.erased:
            await self.rig.see(*rows)
            return
        for entity, parts, row in rows:
            key = keys.record_key(entity, parts)
            left = personal.kept(entity, key, row) if entity in personal.KEPT else row
            seen = e.RecordObserved(parts, left, f"{hash(str(left)):x}", erased=left is not row)
            print_ = Row(
                source.fingerprint_key("ABC", entity, key), encode(Fingerprint(seen.fingerprint))
            )
            stream = keys.sage_stream("acme", "ABC", entity, key)
            await self.store.append([new(stream, seen)], also=[Put("fingerprint", [print_])])

    async def sweep(self, how: int) -> None:
        """The poller sweeps the terms codes: one may have gone or be back, or all be as before."""
        code = f"0{2 + how % 2}"
        if how < 3:
            self.shelf.rows.pop(code, None)
        elif how > 6:
            self.shelf.rows[code] = ("back again", "20260101", "8.5")
        await sweep(self.shelf.reading(self.store))

    async def vanish(self, someone: str, how: int) -> None:
        """Something of the customer's that was seen is gone, for one reason or another."""
        rows = self._seen.get(someone, [])
        if not rows:
            return
        entity, parts, _ = rows[how % len(rows)]
        key = keys.record_key(entity, parts)
        place = source.fingerprint_key("ABC", entity, key)
        found = (await self.store.rows({"fingerprint": [place]}))["fingerprint"]
        if place not in found:
            return
        print_ = f"{how:x}"
        gone = e.RecordVanished(parts, print_, kind=_VANISHED[how % 3])
        row = Row(place, encode(Fingerprint(print_, vanished=True)))
        stream = keys.sage_stream("acme", "ABC", entity, key)
        await self.store.append([new(stream, gone)], also=[Put("fingerprint", [row])])

    async def hold_or_release(self) -> None:
        """The breaker holds the company, or a person releases it."""
        found = await breaker.find(self.store, "ABC")
        if found is not None:
            released = e.MassChangeReleased("ABC", found.position, "eve")
            await breaker.release(self.store, released)
        else:
            held = e.MassChangeHeld("sweep", "AR_Customer", 100, 40, 0, 40, "a flood")
            await self.store.append([new("poll/acme/ABC/AR_Customer", held)])

    async def erase(self, someone: str) -> None:
        """The customer's personal data is erased, with all that follows from it."""
        if someone in self.erased:
            return
        self.erased.add(someone)
        record = f"sage/acme/ABC/AR_Customer/01-{someone}"
        listed = Listed(record, "2026-11-22T09:00:00Z", "asked")
        await erasure_list.add(self._file, [listed])
        await erasing.enforce(self.store, self._file)
        await self.store.begin()
        self.rig.projector = Projector(self.store)

    async def plan(self) -> dict[str, dict[str, str]]:
        """What a plan says will be written or stays parked, by record."""
        active = await mappings.active(self.store)
        assert active is not None
        made = await planning.make(self.store, active, "free", everything=True)
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
                withheld={"city": left_out}
                if doc.changes.keys() - doc.expected >= {"city"}
                else {},
                overtaken=dict.fromkeys(doc.expected, "Theirs"),
            )
        await self.rig.tell(name, outcome)

    async def undo(self, name: str) -> None:
        """The city is put back to what it was, or follows Sage 100 again."""
        doc = await self.rig.target(name)
        if doc.pins:
            await self.rig.tell(name, e.FieldsPinned(lifted=sorted(doc.pins)))
        elif doc.state in {"pending", "held", "parked"} and not doc.unknown:
            await self.rig.tell(name, e.FieldsPinned(alone=dict(doc.changes)))
        elif doc.held.get("city"):
            city = doc.held["city"]
            await self.rig.tell(
                name, e.FieldsPinned({"city": (city, "Before")}, expected={"city": city})
            )

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


def _invoice(someone: str, how: int) -> rigs.Row:
    """An invoice as it is seen now: paid or not, purged of its history, bought by another."""
    balance = ("5", "0", "7.5", "1,000.00-", "?")[how % 5]
    bought = {"SoldToCustomerNo": CUSTOMERS[how % 3 % 2]} if how % 4 else {}
    sequence = "000000" if how > 5 else "000001"
    return bill(someone, f"000000{how % 3}", balance, sequence=sequence, **bought)
