"""Which deal an invoice belongs to: the one that carries its sales order or customer PO number.

Deals are HubSpot's: nothing is written to them but the link. They are searched for, a hundred
numbers a call, and what the index says is read again before it counts, since the index lags. One
deal is linked; of several none is chosen and none at all is no error: both are told, and looked for
again now and then, as deals appear and change. Invoices are looked at when they have been written,
so the log says where the last look ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from connector import rows
from connector.hubspot.allowance import as_backfill
from connector.hubspot.answer import Answer, entries, message_of, text_of
from connector.hubspot.api import BATCH_LIMIT, SEARCH_LIMIT, HubSpot
from connector.hubspot.errors import NoAnswer
from eventstore import Checkpoint, EventStore, Meta, NewEvent, WrongVersion
from projections import events, keys, ledger
from projections.tables import Bill, Target
from projections.workspace import Workspace, decode

Number = Literal["sales_order", "customer_po"]

CHECKPOINT: Final = "deals"
EVERY_S: Final = 600.0
AGAIN: Final = 5_000  # invoices that one look asks again about
_LOOK_S: Final = 5.0
_PAGE: Final = 1_000
_CHUNK: Final = 500
_MOST_PAGES: Final = 10  # of one search
_CHARACTERS: Final = 2_500  # of numbers in one search; its whole body may have 3,000
_CANDIDATES: Final = 10  # told of several
_RULE: Final = "the number of an invoice"
_log: Final = logging.getLogger(__name__)


class DealRule(msgspec.Struct, frozen=True):
    """`property`: of the deal, "" for no links; `number`: what of the invoice it holds."""

    property: str = ""
    number: Number = "sales_order"


class _Stopped(Exception):
    """HubSpot cannot be asked now; the message says why."""


class Deals:
    """The looks of one store. `changed`: how many invoices the last look had news of."""

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
        the others; how many have another deal than before.
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
                    await self._store.append([], checkpoint=moved, meta=Meta(actor="deals"))
                if again:
                    changed += await self._match(await self._known())
        except (_Stopped, NoAnswer) as problem:
            _log.warning("invoices are not linked to deals for now: %s", problem)
        return changed

    async def keep(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop`."""
        due_s = self._clock()
        while not stop.is_set():
            if self._clock() >= due_s:
                due_s = self._clock() + EVERY_S
                await self.look()
            try:
                async with asyncio.timeout(_LOOK_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _known(self) -> list[str]:
        """The next invoices that were looked at before, going round and round."""
        names: list[str] = []
        while len(names) < AGAIN:
            page = await self._store.scan("deal", after=self._again_after, limit=_PAGE)
            names += [row.key.partition("/")[2] for row in page]
            self._again_after = page[-1].key if len(page) == _PAGE else ""
            if not self._again_after:
                break
        return names

    async def _match(self, names: Iterable[str]) -> int:
        """Look for the deals of these; how many have another one than before."""
        invoices = [name for name in names if name.startswith("invoices/")]
        changed = 0
        for start in range(0, len(invoices), _CHUNK):
            part = invoices[start : start + _CHUNK]
            numbers = await self._numbers(part)
            work = Workspace()
            await rows.load(self._store, work, {"target": part})
            docs = {name: work.get("target", Target, name) or ledger.EMPTY for name in part}
            held = {doc.deal for doc in docs.values() if doc.deal}
            deals = await self._deals({one for group in numbers.values() for one in group}, held)
            found = {
                name: event
                for name, doc in docs.items()
                if doc.hubspot_id and (event := _news(doc, numbers[name], deals)) is not None
            }
            changed += len(found)
            await self._tell(found)
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

    async def _deals(self, numbers: set[str], held: set[str]) -> dict[str, list[str]]:
        """Number (folded) to the ids of the deals that carry it; `held`: ids known already."""
        ids = set(held)
        for part in _parts(sorted({number.lower() for number in numbers})):
            ids |= await self._search(part)
        out: dict[str, list[str]] = defaultdict(list)
        ordered = sorted(ids)
        for start in range(0, len(ordered), BATCH_LIMIT):
            answer = _checked(
                await self._hubspot.batch_read(
                    "deals", "", ordered[start : start + BATCH_LIMIT], [self._rule.property]
                )
            )
            for deal in entries(answer.body, "results"):
                properties = deal.get("properties")
                if isinstance(properties, dict) and deal.get("archived") is not True:
                    number = text_of(properties.get(self._rule.property)).strip().casefold()
                    out[number].append(text_of(deal.get("id")))
        return out

    async def _search(self, numbers: Sequence[str]) -> set[str]:
        ids: set[str] = set()
        after = ""
        for _ in range(_MOST_PAGES):
            answer = _checked(
                await self._hubspot.search(
                    "deals", self._rule.property, numbers, [self._rule.property], after
                )
            )
            ids.update(text_of(one.get("id")) for one in entries(answer.body, "results"))
            after = _next_page(answer)
            if not after:
                break
        return ids - {""}

    async def _tell(self, found: Mapping[str, events.DealMatched]) -> None:
        """Append what is news, unless an invoice moved meanwhile: the next look tells then."""
        new: list[NewEvent] = []
        expect: dict[str, int] = {}
        work = Workspace()
        deals = {event.deal: f"deals/{event.deal}" for event in found.values() if event.deal}
        await rows.load(self._store, work, {"target": [*found, *deals.values()]})
        for deal, name in deals.items():
            if not ledger.exists_in_hubspot(work.get("target", Target, name)):
                self._add(name, events.RecordAdopted(deal, _RULE, {}), work, new, expect)
        for name, event in found.items():
            self._add(name, event, work, new, expect)
        if new:
            try:
                await self._store.append(
                    new, expect=expect, also=rows.writes(work), meta=Meta(actor="deals")
                )
            except WrongVersion:
                _log.info("invoices moved while their deals were looked for: they are next time")

    def _add(
        self,
        name: str,
        event: events.Event,
        work: Workspace,
        new: list[NewEvent],
        expect: dict[str, int],
    ) -> None:
        doc = work.get("target", Target, name) or ledger.EMPTY
        stream = keys.hubspot_stream(name)
        expect[stream] = doc.version
        ledger.track(work, name, event, doc.version + 1)
        new.append(NewEvent(stream, events.type_of(event), events.encode(event), events.SCHEMA))


def _news(
    doc: Target, numbers: Sequence[str], deals: Mapping[str, Sequence[str]]
) -> events.DealMatched | None:
    """What is to be told of one invoice; None when nothing has changed."""
    found = sorted({one for number in numbers for one in deals.get(number.casefold(), ())})
    number = " ".join(numbers)
    candidates = found[:_CANDIDATES] if len(found) > 1 else []
    # A second deal of that number is told, and parts nobody.
    deal = doc.deal if doc.deal in found else found[0] if len(found) == 1 else ""
    if (deal, tuple(candidates), number) == (doc.deal, doc.deals, doc.number):
        return None
    former = doc.deal if doc.deal != deal else ""
    return events.DealMatched(deal, number, candidates, former)


def _checked(answer: Answer) -> Answer:
    if not answer.ok:
        raise _Stopped(message_of(answer))
    return answer


def _next_page(answer: Answer) -> str:
    paging = answer.body.get("paging") if isinstance(answer.body, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    return text_of(following.get("after")) if isinstance(following, dict) else ""


def _parts(numbers: Sequence[str]) -> list[list[str]]:
    out: list[list[str]] = []
    used = 0
    for number in numbers:
        size = len(msgspec.json.encode(number).decode()) + 1
        if size > _CHARACTERS:
            continue
        if not out or len(out[-1]) == SEARCH_LIMIT or used + size > _CHARACTERS:
            out.append([])
            used = 0
        out[-1].append(number)
        used += size
    return out
