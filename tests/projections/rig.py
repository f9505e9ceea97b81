"""A projector on a real store, fed by hand: what the projection tests stand on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Literal

from connector import rows
from connector.projector import Projector
from connector.rebuild import all_tables
from eventstore import EventStore, NewEvent, Put, open_store
from eventstore import Row as StoreRow
from projections import events as e
from projections import keys, ledger, source
from projections.mapping import compiled
from projections.tables import Fingerprint, Target
from projections.workspace import Workspace, decode, encode

MAPPING = compiled.parse(
    (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
)

Row = tuple[str, list[str], dict[str, str]]
Gone = Literal["withdrawn", "purged", "unknown"]


def new(stream: str, payload: e.Event) -> NewEvent:
    """An event ready to append."""
    return NewEvent(stream, e.type_of(payload), e.encode(payload))


def customer(number: str, **cells: str) -> Row:
    """An AR_Customer row of division 01."""
    return "AR_Customer", ["01", number], {"CustomerName": f"Customer {number}", **cells}


def contact(number: str, code: str, **cells: str) -> Row:
    """An AR_CustomerContact row."""
    return "AR_CustomerContact", ["01", number, code], {"ContactCode": code, **cells}


def terms(code: str, **cells: str) -> Row:
    """An AR_TermsCode row."""
    return "AR_TermsCode", [code], cells


def bill(
    number: str,
    invoice: str,
    balance: str,
    kind: str = "IN",
    sequence: str = "000001",
    **cells: str,
) -> Row:
    """An AR_Invoice row with a history row, open when it has a balance."""
    row = {
        "InvoiceNo": invoice,
        "HeaderSeqNo": sequence,
        "InvoiceType": kind,
        "NonTaxableAmt": "100.00",
        "Balance": balance,
        "IsOpen": "Y" if balance not in {"0", ""} else "N",
        **cells,
    }
    return "AR_Invoice", ["01", number, invoice, sequence, kind], row


def payment(number: str, invoice: str, day: str, amount: str, kind: str = "IN") -> Row:
    """An AR_Payment row."""
    row = {"TransactionType": "P", "PaymentDate": day, "TransactionAmt": amount}
    return "AR_Payment", ["01", number, invoice, kind, day, "000001"], row


class Rig:
    """A store, a projector, and the shortest way to say what Sage 100 or HubSpot does."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.projector = Projector(store)

    async def settings(self, as_of: str = "2026-06-30", *, read: bool = True) -> None:
        """The settings that any projecting needs; `read`: first passes have come to their end."""
        described = e.SourceDescribed(
            "acme", "ABC", "USD", "America/Chicago", aging_limits=[30, 60, 90, 120]
        )
        await self.store.append(
            [
                new(
                    "config/mapping", e.MappingActivated(MAPPING.digest, compiled.content(MAPPING))
                ),
                new("config/source/ABC", described),
                new("config/aging/ABC", e.AgingDateAdvanced("ABC", as_of)),
            ]
        )
        for entity in source.ADDED_UP if read else ():
            await self.read_through(entity)

    async def read_through(self, entity: str, company: str = "ABC") -> None:
        """A pass over all of an entity comes to its end, with nothing that was not seen before."""
        passed = [e.PollStarted("cursor"), e.PollCompleted("cursor", 0, 0, 0)]
        stream = keys.poll_stream("acme", company, entity)
        await self.store.append([new(stream, one) for one in passed])

    async def see(self, *observed: Row) -> None:
        """Sage 100 shows these rows, and a poller appends them with its fingerprints."""
        new_events, prints = [], []
        for entity, parts, row in observed:
            key = keys.record_key(entity, parts)
            seen = e.RecordObserved(parts, row, f"{hash(str(row)):x}")
            new_events.append(new(keys.sage_stream("acme", "ABC", entity, key), seen))
            mark = encode(Fingerprint(seen.fingerprint))
            prints.append(StoreRow(source.fingerprint_key("ABC", entity, key), mark))
        await self.store.append(new_events, also=[Put("fingerprint", prints)])

    async def lose(self, *gone: Row, kind: Gone = "unknown") -> None:
        """Complete sweeps do not find these rows any more, and the poller says so."""
        new_events, prints = [], []
        for entity, parts, _ in gone:
            key = keys.record_key(entity, parts)
            lost = e.RecordVanished(parts, "", 2, kind)
            new_events.append(new(keys.sage_stream("acme", "ABC", entity, key), lost))
            mark = encode(Fingerprint("", vanished=True))
            prints.append(StoreRow(source.fingerprint_key("ABC", entity, key), mark))
        await self.store.append(new_events, also=[Put("fingerprint", prints)])

    async def idle(self) -> None:
        """Fold and decide until nothing is left to do."""
        await self.projector.run_until_idle()

    async def tell(self, name: str, payload: e.Event) -> None:
        """Append an event to a target's stream with its rows, as the writer does."""
        work = Workspace()
        await rows.load(self.store, work, {"target": [name]})
        before = work.get("target", Target, name) or ledger.EMPTY
        ledger.track(work, name, payload, before.version + 1)
        stream = keys.hubspot_stream(name)
        await self.store.append(
            [new(stream, payload)], expect={stream: before.version}, also=rows.writes(work)
        )

    async def carry_out(self, name: str, hubspot_id: str) -> None:
        """HubSpot does what the open command of this target says."""
        doc = await self.target(name)
        await self.tell(name, e.CommandSent(doc.command, "batch", doc.attempt + 1))
        outcome = "updated" if doc.hubspot_id else "created"
        await self.tell(name, e.CommandSucceeded(doc.command, hubspot_id, outcome))  # type: ignore[arg-type]

    async def carry_out_all(self) -> None:
        """HubSpot does everything that is pending, parents first."""
        for lane in ("companies", "vendors", "contacts", "invoices", "associations"):
            for row in await self.store.due(f"outbox_{lane}", upto=2**62, limit=10_000):
                ids = f"id of {row.key}"
                if lane == "associations":
                    ends = [await self.target(end) for end in keys.parents(row.key)]
                    ids = ">".join(end.hubspot_id for end in ends)
                await self.carry_out(row.key, ids)

    async def target(self, name: str) -> Target:
        """The ledger of a target."""
        found = (await self.store.rows({"target": [name]})).get("target", {})
        doc: Target = decode("target", found[name].value) if name in found else Target()
        return doc

    async def targets(self) -> dict[str, Target]:
        """Every target."""
        return {
            row.key: decode("target", row.value)
            for row in await self.store.scan("target", limit=100_000)
        }

    async def events(self, name: str) -> list[str]:
        """The types of a target's events."""
        return [event.type for event in await self.store.history(keys.hubspot_stream(name))]


@contextlib.asynccontextmanager
async def open_rig(folder: Path, name: str = "events.db") -> AsyncIterator[Rig]:
    """A rig on a fresh store in `folder`, settings not yet told."""
    async with open_store(f"sqlite:///{folder / name}", tables=all_tables()) as store:
        yield Rig(store)
