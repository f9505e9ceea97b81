"""Which deal an invoice belongs to: the one that carries its sales order or customer PO number.

Deals are HubSpot's: nothing is written to them but the link. They are searched for, a hundred
numbers a call, and what the index says is read again before it counts, since the index lags. One
deal is linked; of several none is chosen and none at all is no error: both are told, and looked for
again now and then, as deals appear and change. Invoices are looked at when they have been written;
the log says where the last look ended, and that is never beyond what was told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from connector import paging, rows
from connector.hubspot.allowance import as_backfill
from connector.hubspot.answer import Answer, message_of, text_of
from connector.hubspot.api import HubSpot
from connector.hubspot.errors import NoAnswer
from connector.hubspot.refusal import Why
from connector.hubspot.rereading import reread
from connector.hubspot.searching import search
from connector.keeping import every
from connector.new_events import done_by, new_event
from eventstore import Checkpoint, EventStore, NewEvent, WrongVersion
from projections import events, keys, ledger
from projections.tables import Bill, Target
from projections.workspace import Workspace, decode

Number = Literal["sales_order", "customer_po"]

CHECKPOINT: Final = "deals"
EVERY_S: Final = 600.0
AGAIN: Final = 5_000  # invoices that one look asks again about
_PAGE: Final = 1_000
_CHUNK: Final = 500
_TRIES: Final = 20
_CANDIDATES: Final = 10  # told of several
_RULE: Final = "the number of an invoice"
_log: Final = logging.getLogger(__name__)


class DealRule(msgspec.Struct, frozen=True):
    """`property`: of the deal, "" for no links; `number`: what of the invoice it holds."""

    property: str = ""
    number: Number = "sales_order"


class _Shown(NamedTuple):
    """Number (folded) to the ids of the deals that carry it. `more`: numbers of yet other deals."""

    deals: Mapping[str, Sequence[str]]
    more: frozenset[str]


class _Stopped(Exception):
    """HubSpot cannot be asked now; the message says why."""


class Deals:
    """The looks of one store."""

    def __init__(
        self,
        store: EventStore,
        hubspot: HubSpot,
        rule: DealRule,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds."""
        self._store = store
        self._hubspot = hubspot
        self._rule = rule
        self._clock = clock
        self._again_after = ""

    async def look(self, *, again: bool = True) -> int:
        """Look for the deals of invoices written since the last look, and (`again`) of a page of
        the others; of how many something new was told.
        """
        if not self._rule.property:
            return 0
        changed = 0
        try:
            with as_backfill():
                while True:
                    place = await self._store.checkpoint(CHECKPOINT)
                    page = await self._store.read(
                        place.position, types=["CommandSucceeded"], limit=_PAGE
                    )
                    if not page:
                        break
                    names = [one.stream.removeprefix("hubspot/") for one in page]
                    changed += await self._match(dict.fromkeys(names))
                    moved = Checkpoint(CHECKPOINT, page[-1].position, place.position)
                    await self._store.append([], checkpoint=moved, meta=done_by("deals"))
                if again:
                    known, after = await self._known()
                    changed += await self._match(known)
                    self._again_after = after
        except (_Stopped, NoAnswer) as problem:
            _log.warning("invoices are not linked to deals for now: %s", problem)
        return changed

    async def keep(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop`."""
        await every(EVERY_S, self.look, stop, what="looking for deals", clock=self._clock)

    async def _known(self) -> tuple[list[str], str]:
        """The next invoices that were looked at before, going round and round; where they end."""
        names: list[str] = []
        after = self._again_after
        while len(names) < AGAIN:
            page = await self._store.scan("deal", after=after, limit=_PAGE)
            names += [row.key.partition("/")[2] for row in page]
            after = page[-1].key if len(page) == _PAGE else ""
            if not after:
                break
        return names, after

    async def _match(self, names: Iterable[str]) -> int:
        """Look for the deals of these; of how many something new was told."""
        invoices = [name for name in names if name.startswith("invoices/")]
        changed = 0
        for part in paging.parts(invoices, _CHUNK):
            numbers = await self._numbers(part)
            work = Workspace()
            await rows.load(self._store, work, {"target": part})
            held = {doc.deal for name in part if (doc := work.get("target", Target, name))}
            wanted = {one for group in numbers.values() for one in group}
            changed += await self._tell(numbers, await self._deals(wanted, held - {""}))
        return changed

    async def _numbers(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The numbers of each invoice; several where it bills several orders."""
        bills = {name: keys.bill_of(keys.split_target(name)[1]) for name in names}
        found = (await self._store.rows({"bill": list(dict.fromkeys(bills.values()))}))["bill"]
        numbers = {}
        for name, bill_key in bills.items():
            bill: Bill = decode("bill", found[bill_key].value) if bill_key in found else Bill()
            sequence = keys.sequence_of(keys.split_target(name)[1])
            row = bill.rows.get(sequence, {})
            if self._rule.number == "customer_po":
                given = [row.get("CustomerPONo", "").strip()]
            else:
                given = [row.get("SalesOrderNo", ""), *row.get("AppliedSalesOrderNos", "").split()]
            numbers[name] = list(dict.fromkeys(one.strip() for one in given if one.strip()))
        return numbers

    async def _deals(self, numbers: set[str], held: set[str]) -> _Shown:
        """The deals that carry these numbers now; `held`: ids known already."""
        name = self._rule.property
        wanted = sorted({number.lower() for number in numbers})
        hits = await search(self._hubspot, "deals", name, wanted, [name], _answered)
        if hits is None or isinstance(hits, Why):
            raise _Stopped("no answer" if hits is None else hits.message)
        ids = held | {text_of(one.get("id")) for one in hits.results} - {""}
        again = await reread(self._hubspot, "deals", sorted(ids), [name], _answered)
        if again is None or again.unsaid:
            why = "no answer" if again is None else next(iter(again.unsaid.values())).message
            raise _Stopped(why)
        deals: dict[str, list[str]] = defaultdict(list)
        for deal in again.found.values():
            deals[deal.values.get(name, "").strip().casefold()].append(deal.hubspot_id)
        return _Shown(deals, frozenset(one.casefold() for one in hits.more))

    async def _tell(self, numbers: Mapping[str, Sequence[str]], shown: _Shown) -> int:
        """Append what is news, on each invoice as it stands then; of how many there was some."""
        for _ in range(_TRIES):
            work = Workspace()
            await rows.load(self._store, work, {"target": numbers})
            found = {
                name: event
                for name, group in numbers.items()
                if (doc := work.get("target", Target, name)) is not None
                and doc.hubspot_id
                and (event := _news(doc, group, shown)) is not None
            }
            if not found:
                return 0
            new: list[NewEvent] = []
            expect: dict[str, int] = {}
            deals = {event.deal: f"deals/{event.deal}" for event in found.values() if event.deal}
            await rows.load(self._store, work, {"target": deals.values()})
            for deal, name in deals.items():
                if not ledger.exists_in_hubspot(work.get("target", Target, name)):
                    _add(name, events.RecordAdopted(deal, _RULE, {}), work, new, expect)
            for name, event in found.items():
                _add(name, event, work, new, expect)
            try:
                await self._store.append(
                    new, expect=expect, also=rows.writes(work), meta=done_by("deals")
                )
            except WrongVersion:
                continue  # one of them moved meanwhile: all are told on what they are now
            return len(found)
        raise _Stopped("the invoices lost every race: a second writer must be at work")


def _add(
    name: str, event: events.Event, work: Workspace, new: list[NewEvent], expect: dict[str, int]
) -> None:
    doc = work.get("target", Target, name) or ledger.EMPTY
    stream = keys.hubspot_stream(name)
    expect[stream] = doc.version
    ledger.track(work, name, event, doc.version + 1)
    new.append(new_event(stream, event))


def _news(doc: Target, numbers: Sequence[str], shown: _Shown) -> events.DealMatched | None:
    """What is to be told of one invoice; None when nothing has changed."""
    folded = [number.casefold() for number in numbers]
    found = sorted({one for number in folded for one in shown.deals.get(number, ())})
    number = " ".join(numbers)
    several = len(found) > 1 or not shown.more.isdisjoint(folded)
    candidates = found[:_CANDIDATES] if several else []
    # A second deal of that number is told, and parts nobody.
    deal = doc.deal if doc.deal in found else "" if several or not found else found[0]
    if (deal, tuple(candidates), number) == (doc.deal, doc.deals, doc.number):
        return None
    former = doc.deal if doc.deal != deal else ""
    return events.DealMatched(deal, number, candidates, former)


async def _answered(call: Callable[[], Awaitable[Answer]]) -> Answer:
    answer = await call()
    if answer.ok and not isinstance(answer.body, dict):
        raise _Stopped(message_of(answer))
    return answer
