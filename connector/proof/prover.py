"""Taking the three sides until they stand still: Sage 100's, ours, and HubSpot's.

They are taken at one position of the log: the source rows, folded anew; the read models; and what
the ledger says HubSpot has acknowledged, or, live, what HubSpot itself answers. Each difference is
itemised with its reason. When the log moved while they were taken they are taken again, until two
takes agree, so that a service at work does not look like a difference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import msgspec

from connector import documents, paging
from connector.hubspot.api import HubSpot
from connector.log_pages import entries_of
from connector.moments import iso
from connector.progress import Progress
from connector.projector import CHECKPOINT
from connector.proof.circumstances import Standing, circumstances
from connector.proof.document import CompanyProof, NoFigures, Proof
from connector.proof.evidence import own_aging, reading
from connector.proof.live import LiveAmounts
from connector.proof.mapped import Mapped, mapped
from connector.rebuild import follow_the_log
from connector.sage100.instance import Instance
from eventstore import Commit, EventStore
from projections import evidence, keys, receivables, tieout
from projections.aging import spans
from projections.evidence import Evidence
from projections.receivables import BUCKETS, DOCUMENTS, NOTHING, Side, SourceRows
from projections.tables import Fanout, OpenItem, Source, SourceRow, Target
from projections.tieout import Tally

_TYPES: Final = tuple({*receivables.TYPES, *evidence.TYPES})
_PAGE: Final = 1_000
_PAGE_EVENTS: Final = 2_000
_MOST_TAKES: Final = 5
_ZERO: Final = Decimal(0)


async def prove(
    store: EventStore,
    companies: Sequence[str],
    progress: Progress,
    hubspot: HubSpot | None = None,
    *,
    instances: Mapping[str, Instance] = MappingProxyType({}),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Proof:
    """Take the sides until they stand still, five times at most; `hubspot`: read it as well.

    `instances`: by company, whose schedules say how old a reading may be.
    Raises NoFigures, what reading HubSpot raises, and the store's own errors.
    """
    if not await follow_the_log(store):
        raise NoFigures
    prover = _Prover(store, companies, progress, LiveAmounts(hubspot))
    found, settled, takes = await _settle(prover)
    time = now()
    found = [
        msgspec.structs.replace(
            one,
            reading=await reading(
                store, prover.evidence, one.company, instances.get(one.company), time
            ),
            own_aging=own_aging(prover.evidence, one.company, prover.owed(one.company)),
        )
        for one in found
    ]
    return prover.proof(found, settled=settled, takes=takes, time=time)


async def _settle(prover: _Prover) -> tuple[list[CompanyProof], bool, int]:
    """The figures, whether they stood still, and how many takes that took."""
    found = before = await prover.take()
    for takes in range(2, _MOST_TAKES + 1):
        if not await prover.has_moved():
            return found, True, takes - 1
        before, found = found, await prover.take()
        if before == found:
            return found, True, takes
    settled = not await prover.has_moved()
    if not settled:
        found = [_seen_moving(one, last) for one, last in zip(found, before, strict=True)]
    return found, settled, _MOST_TAKES


def _seen_moving(found: CompanyProof, before: CompanyProof) -> CompanyProof:
    lines, differences = tieout.seen_moving(found.lines, found.differences, before.differences)
    return msgspec.structs.replace(found, lines=lines, differences=differences)


class _Prover:
    """What is kept from take to take: the folds of the log, and HubSpot's answers."""

    def __init__(
        self,
        store: EventStore,
        companies: Sequence[str],
        progress: Progress,
        live: LiveAmounts,
    ) -> None:
        self._store = store
        self._companies = companies
        self._progress = progress
        self._live = live
        self._rows = SourceRows(frozenset(companies))
        self.evidence = Evidence(frozenset(companies))
        self._folded = 0
        self._head = Commit(1, 0, 0, b"")
        self._standing = Standing()
        self._unread: dict[str, str] = {}  # of the company in hand
        self._half_read = False

    def owed(self, company: str) -> dict[str, Decimal]:
        """What the open items of each customer come to, as Sage 100 shows them."""
        return {key: figures[0] for key, figures in self._rows.side(company).customers.items()}

    def proof(
        self, found: list[CompanyProof], *, settled: bool, takes: int, time: datetime
    ) -> Proof:
        """The document."""
        unexplained = any(line.unexplained for one in found for line in one.lines)
        return Proof(
            ok=settled and not unexplained,
            position=self._head.last,
            hash=self._head.digest.hex(),
            time=iso(int(time.timestamp() * 1_000_000)),
            projected=self._standing.projected,
            live=self._live.asked,
            settled=settled,
            takes=takes,
            companies=found,
        )

    async def has_moved(self) -> bool:
        """Whether the log or the projector has moved since the take began."""
        head = await self._store.head()
        checkpoint = await self._store.checkpoint(CHECKPOINT)
        return (head.last, checkpoint.position) != (self._head.last, self._standing.projected)

    async def take(self) -> list[CompanyProof]:
        """All sides of all companies."""
        self._head = await self._store.head()
        await self._fold(self._head.last)
        self._standing = Standing(
            projected=(await self._store.checkpoint(CHECKPOINT)).position,
            fanouts=[doc async for _, doc in documents.each(self._store, "fanout", Fanout)],
            frozen=frozenset([row.key async for row in paging.each(self._store, "frozen")]),
        )
        kinds = await mapped(self._store)
        return [await self._company(code, kinds) for code in self._companies]

    async def _fold(self, upto: int) -> None:
        """The log up to a position, from where the last take ended."""
        folding = paging.log(self._store, self._folded, types=_TYPES, upto=upto, size=_PAGE_EVENTS)
        async for page in folding:
            for entry in entries_of(page):
                self._rows.fold(entry)
                self.evidence.fold(entry)
            self._folded = page[-1].position
            self._progress.project(self._folded, upto)
        self._folded = upto

    async def _company(self, code: str, kinds: Sequence[Mapped]) -> CompanyProof:
        sage = self._rows.side(code)
        self._unread = sage.unread
        open_items = documents.each(self._store, "open_item", OpenItem, f"{code}:")
        items = {key: item async for key, item in open_items}
        known = documents.each(self._store, "terms", SourceRow, f"{code}:")
        terms = {keys.code_of(key): one.row async for key, one in known}
        source = await documents.one(self._store, "source", Source, code) or Source()
        self._half_read = evidence.RECEIVABLES not in source.read
        ours = receivables.side_of(items, source, terms)
        tally = Tally()
        for key, cell in sorted(sage.unread.items()):
            name, why = keys.target("invoices", key), tieout.unreadable([(key, cell)])
            tally.differ(name, DOCUMENTS, "Sage 100 and ours", _ZERO, _ZERO, why)
        for one in kinds:
            await self._compare(code, one, _amounts(sage, one), _amounts(ours, one), tally)
        return CompanyProof(
            company=code,
            instance=source.instance,
            currency=source.currency,
            as_of=receivables.shown_day(source.as_of),
            customers=len(ours.customers),
            open_items=len(items),
            lines=[tally.line(measure) for one in kinds for measure in one.measures],
            differences=tally.differences,
            buckets=dict(zip(BUCKETS, spans(source.aging_basis, source.aging_limits), strict=True)),
        )

    async def _compare(
        self,
        code: str,
        one: Mapped,
        sage: dict[str, tuple[Decimal, ...]],
        ours: dict[str, tuple[Decimal, ...]],
        tally: Tally,
    ) -> None:
        """One kind of record: the three sides, a page of records at a time."""
        nothing = NOTHING[: len(one.measures)]
        page: dict[str, Target | None] = {}
        done = 0
        async for key, doc in self._ledger(f"{one.kind}/{code}:", {*sage, *ours}):
            page[key] = doc
            if len(page) >= _PAGE:
                await self._compare_page(code, one, page, sage, ours, nothing, tally)
                done += len(page)
                self._progress.write(one.kind, done, 0)
                page = {}
        if page:
            await self._compare_page(code, one, page, sage, ours, nothing, tally)

    async def _ledger(
        self, prefix: str, known: set[str]
    ) -> AsyncIterator[tuple[str, Target | None]]:
        """By external key what the ledger has with this prefix, then the known it has not."""
        left = set(known)
        async for name, doc in documents.each(self._store, "target", Target, prefix):
            key = keys.split_target(name)[1]
            left.discard(key)
            yield key, doc
        for key in sorted(left):
            yield key, None

    async def _compare_page(
        self,
        code: str,
        one: Mapped,
        page: dict[str, Target | None],
        sage: dict[str, tuple[Decimal, ...]],
        ours: dict[str, tuple[Decimal, ...]],
        nothing: tuple[Decimal, ...],
        tally: Tally,
    ) -> None:
        held = {
            key: nothing
            if doc is None
            else tuple(tieout.amount_of(doc.held.get(prop, "")) for prop in one.properties)
            for key, doc in page.items()
        }
        there = await self._live.of(one, page, ours, held)
        differing: list[str] = []
        for key in page:
            sides = [sage.get(key, nothing), ours.get(key, nothing), held[key]]
            sides.append(there[key][1] if key in there else held[key])
            for index, measure in enumerate(one.measures):
                tally.add(measure, sides[0][index], sides[1][index], sides[3][index])
            if any(side != sides[0] for side in sides):
                differing.append(key)
        around = await circumstances(
            self._store,
            self._standing,
            self._rows,
            code,
            one.kind,
            {key: page[key] for key in differing},
            self._unread,
            half_read=self._half_read,
        )
        for key in differing:
            name = keys.target(one.kind, key)
            found = there.get(key, (True, held[key]))
            for index, measure in enumerate(one.measures):
                first, second = sage.get(key, nothing)[index], ours.get(key, nothing)[index]
                third, fourth = held[key][index], found[1][index]
                prop = one.properties[index]
                if first != second:
                    why = tieout.why_not_ours(around[key])
                    tally.differ(name, measure, "Sage 100 and ours", first, second, why)
                if second != third:
                    why = tieout.why_not_written(second, prop, around[key])
                    tally.differ(name, measure, "ours and the ledger", second, third, why)
                if third != fourth:
                    why = tieout.why_not_there(around[key], found[0])
                    tally.differ(name, measure, "the ledger and HubSpot", third, fourth, why)


def _amounts(side: Side, one: Mapped) -> dict[str, tuple[Decimal, ...]]:
    if one.kind == "companies":
        return side.customers
    return {key: (amount,) for key, amount in side.documents.items()}
