"""What became of a record that vanished, as far as the log shows: paid, purged, renumbered.

Sage 100 leaves no trace of a deletion. What can be told is told from the record's last row, from
the payments on it and from records that appeared when it went; it is a finding with its evidence,
not a fact, and nothing in HubSpot depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from connector.sage100.likeness import likenesses, twins
from eventstore.types import EventStore, StoredEvent
from projections import invoice, values
from projections.events import RecordErased, RecordObserved, RecordVanished, decode
from projections.keys import bill_of, external_key, sage_stream, sequence_of

_MOST_PAYMENTS: Final = 500
# How each transaction of AR_Payment lowers what is open. Signs differ from site to site for
# receipts and credits, which only ever lower it; an adjustment's sign is its meaning.
_LOWERING: Final = frozenset({"P", "C"})
_ADJUSTMENT: Final = "A"


class LastSeen(msgspec.Struct, frozen=True):
    """A known record as the log last has it. `first`: position of its first event."""

    key: str
    parts: list[str]
    row: dict[str, str]
    first: int


class Where(msgspec.Struct, frozen=True):
    """Whose record it is."""

    store: EventStore
    instance: str
    company: str
    entity: str

    @property
    def place(self) -> str:
        """What the keys of its `fingerprint` rows begin with."""
        return f"{self.company}/{self.entity}/"


async def last_seen(where: Where, key: str) -> LastSeen:
    """The record's last row; what is left of it when it was erased."""
    stream = sage_stream(where.instance, where.company, where.entity, key)
    history = await where.store.history(stream)
    first = history[0].position if history else 0
    for stored in reversed(history):
        event = decode(stored.type, stored.data)
        if isinstance(event, RecordObserved | RecordErased):
            return LastSeen(key, event.key, event.row, first)
    return LastSeen(key, [key], {}, first)


async def twins_of(
    where: Where, gone: Sequence[LastSeen], sweeps: int
) -> list[tuple[str, str, str] | None]:
    """The newcomer that each of these records may have become (`likeness.twins`)."""
    asked = [likenesses(where.place, where.entity, one.row) for one in gone]
    return await twins(where.store, asked, sweeps)


async def told(
    where: Where,
    one: LastSeen,
    twin: tuple[str, str, str] | None,
    *,
    fingerprint: str,
    sweeps: int,
) -> RecordVanished:
    """The event, with the kind of going and its evidence."""
    if twin is not None:
        kind, evidence = "renumbered", f"{twin[1]} appeared with the same {twin[2]}"
    elif where.entity == "AR_Invoice" and one.row:
        kind, evidence = await _invoice(where, one)
    else:
        kind, evidence = "unknown", ""
    return RecordVanished(one.parts, fingerprint, sweeps, kind, evidence)  # type: ignore[arg-type]


def withdrawn(one: LastSeen, fingerprint: str) -> RecordVanished:
    """A record first seen in what was held, and gone from the first complete sweep after it."""
    evidence = "first seen in the pass that was held, and not in the complete one after it"
    return RecordVanished(one.parts, fingerprint, 1, "withdrawn", evidence)


async def _invoice(where: Where, one: LastSeen) -> tuple[str, str]:
    garbage = invoice.unread(one.row).get("Balance")
    if garbage is not None:
        return "unknown", f"its balance was {garbage!r}, no number, when last seen"
    balance = invoice.balance(one.row)
    if balance == 0:
        dated = values.day(one.row.get("InvoiceDate", ""))
        of = f" of {dated.isoformat()}" if dated is not None else ""
        return "purged", f"the invoice{of} was closed when last seen; its history was removed"
    total = invoice.total(one.row) - values.amount(one.row.get("RetentionAmt", ""))
    settled = await _settled(where, one.key)
    last = f"its balance was {values.money(balance)} when last seen"
    if 0 < total <= settled:
        paid = f"payments and credits of {values.money(settled)} cover {values.money(total)}"
        return "paid", f"{paid}; {last}"
    return "unknown", f"{last}, payments and credits come to {values.money(settled)}"


async def _settled(where: Where, key: str) -> Decimal:
    """What the log's AR_Payment rows have taken off this invoice.

    A number may be used again: payments count that were posted to this history row, or name none.
    """
    external = external_key(where.company, key)
    posted_to = {"", sequence_of(external)}
    _, _, bill = bill_of(external).partition(":")
    prefix = sage_stream(where.instance, where.company, "AR_Payment", f"{bill}:")
    settled = Decimal(0)
    for stream in await where.store.streams(prefix, limit=_MOST_PAYMENTS):
        row = _newest(await where.store.history(stream))
        if row.get("InvoiceHistoryHeaderSeqNo", "").strip() not in posted_to:
            continue
        amount = values.amount(row.get("TransactionAmt", ""))
        kind = row.get("TransactionType", "")
        if kind in _LOWERING:
            settled += abs(amount)
        elif kind == _ADJUSTMENT:
            settled -= amount
    return settled


def _newest(history: Sequence[StoredEvent]) -> Mapping[str, str]:
    for stored in reversed(history):
        event = decode(stored.type, stored.data)
        if isinstance(event, RecordObserved):
            return event.row
    return {}
