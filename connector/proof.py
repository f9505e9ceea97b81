"""The AR tie-out: per company code, what Sage 100 says is owed = our figures = HubSpot's, to the
cent.

Three sides are taken at one position of the log: the source rows, folded anew; the read models;
and what the ledger says HubSpot has acknowledged, or, live, what HubSpot itself answers. Each
difference is itemised with its reason. When the log moved while they were taken they are taken
again, until two takes agree, so that a service at work does not look like a difference.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from connector.errors import ConnectorError
from connector.hubspot.api import HubSpot
from connector.hubspot.holdings import read_holdings
from connector.moments import iso
from connector.progress import Progress
from connector.projector import CHECKPOINT, entries_of
from connector.rebuild import follow_the_log
from eventstore import Commit, EventStore
from projections import keys, receivables, tieout
from projections.mapping import compiled
from projections.receivables import DOCUMENTS, EVERYBODY, MEASURES, NOTHING, Side, SourceRows
from projections.tables import (
    FORCED,
    ORDINARY,
    Account,
    ActiveMapping,
    Fanout,
    OpenItem,
    Source,
    SourceRow,
    Target,
)
from projections.tieout import Circumstances, Difference, Line, Tally
from projections.workspace import decode

_PAGE: Final = 1_000
_PAGE_EVENTS: Final = 2_000
_MOST_TAKES: Final = 5


class CompanyProof(msgspec.Struct, frozen=True):
    """The tie-out of one company code. `customers`: who have open items; `as_of`: YYYY-MM-DD."""

    company: str
    instance: str
    currency: str
    as_of: str
    customers: int
    open_items: int
    lines: list[Line]
    differences: list[Difference]


class Proof(msgspec.Struct, frozen=True):
    """The tie-out. `position`, `hash`: of the log, when it was taken; `projected`: how far our side
    was; `settled`: two takes agreed, or nothing moved; `ok`: that, and nothing is unexplained.
    """

    ok: bool
    position: int
    hash: str
    time: str
    projected: int
    live: bool
    settled: bool
    takes: int
    companies: list[CompanyProof]


class _Mapped(msgspec.Struct, frozen=True):
    """Where one kind of record carries its amounts: the property of each measure, "" for none."""

    kind: str
    hubspot_type: str
    key: str
    measures: tuple[str, ...]
    properties: tuple[str, ...]


class NoFigures(ConnectorError):
    """The read models do not follow the log: nothing could be proved by them."""

    category = "proof"
    default_remedy = "'ml-connector rebuild' makes them anew; so does the next run."


async def prove(
    store: EventStore, companies: Sequence[str], progress: Progress, hubspot: HubSpot | None = None
) -> Proof:
    """Take the sides until they stand still, five times at most; `hubspot`: read it as well.

    Raises NoFigures, what reading HubSpot raises, and the store's own errors.
    """
    if not await follow_the_log(store):
        raise NoFigures
    prover = _Prover(store, companies, progress, hubspot)
    found = before = await prover.take()
    for takes in range(2, _MOST_TAKES + 1):
        if not await prover.has_moved():
            return prover.proof(found, settled=True, takes=takes - 1)
        before, found = found, await prover.take()
        if before == found:
            return prover.proof(found, settled=True, takes=takes)
    settled = not await prover.has_moved()
    if not settled:
        found = [_seen_moving(one, last) for one, last in zip(found, before, strict=True)]
    return prover.proof(found, settled=settled, takes=_MOST_TAKES)


def _seen_moving(found: CompanyProof, before: CompanyProof) -> CompanyProof:
    lines, differences = tieout.seen_moving(found.lines, found.differences, before.differences)
    return msgspec.structs.replace(found, lines=lines, differences=differences)


class _Prover:
    """What is kept from take to take: the fold of the source rows, and HubSpot's answers."""

    def __init__(
        self,
        store: EventStore,
        companies: Sequence[str],
        progress: Progress,
        hubspot: HubSpot | None,
    ) -> None:
        self._store = store
        self._companies = companies
        self._progress = progress
        self._hubspot = hubspot
        self._rows = SourceRows(frozenset(companies))
        self._folded = 0
        self._head = Commit(1, 0, 0, b"")
        self._projected = 0
        self._read: dict[str, tuple[int, dict[str, str] | None]] = {}
        self._fanouts: list[Fanout] = []
        self._frozen: set[str] = set()

    def proof(self, found: list[CompanyProof], *, settled: bool, takes: int) -> Proof:
        """The document."""
        unexplained = any(line.unexplained for one in found for line in one.lines)
        return Proof(
            ok=settled and not unexplained,
            position=self._head.last,
            hash=self._head.digest.hex(),
            time=iso(int(datetime.now(UTC).timestamp() * 1_000_000)),
            projected=self._projected,
            live=self._hubspot is not None,
            settled=settled,
            takes=takes,
            companies=found,
        )

    async def has_moved(self) -> bool:
        """Whether the log or the projector has moved since the take began."""
        head = await self._store.head()
        checkpoint = await self._store.checkpoint(CHECKPOINT)
        return (head.last, checkpoint.position) != (self._head.last, self._projected)

    async def take(self) -> list[CompanyProof]:
        """All sides of all companies."""
        self._head = await self._store.head()
        await self._fold(self._head.last)
        self._projected = (await self._store.checkpoint(CHECKPOINT)).position
        self._fanouts = [doc async for _, doc in self._scan("fanout", "")]
        self._frozen = {key async for key, _ in self._scan("frozen", "")}
        mapped = await self._mapped()
        return [await self._company(code, mapped) for code in self._companies]

    async def _fold(self, upto: int) -> None:
        """The source rows up to a position, from where the last take ended."""
        while page := await self._store.read(
            self._folded, types=receivables.TYPES, upto=upto, limit=_PAGE_EVENTS
        ):
            for entry in entries_of(page):
                self._rows.fold(entry)
            self._folded = page[-1].position
            self._progress.project(self._folded, upto)
        self._folded = upto

    async def _mapped(self) -> tuple[_Mapped, _Mapped]:
        rows = (await self._store.rows({"mapping": ["active"]})).get("mapping", {})
        carriers = {
            "companies": MEASURES,
            "invoices": {DOCUMENTS: receivables.DOCUMENT_FACT},
        }
        objects: dict[str, compiled.CompiledObject] = {}
        if "active" in rows:
            active: ActiveMapping = decode("mapping", rows["active"].value)
            objects = compiled.restore(msgspec.json.decode(active.mapping)).objects
        found = []
        for kind, facts in carriers.items():
            one = objects.get(kind)
            written = [rule for rule in one.rules if _is_written(rule)] if one else []
            by_fact = {rule.source: rule.property for rule in reversed(written)}
            found.append(
                _Mapped(
                    kind=kind,
                    hubspot_type=one.hubspot_type if one else kind,
                    key=one.key if one else "",
                    measures=tuple(facts),
                    properties=tuple(by_fact.get(fact, "") for fact in facts.values()),
                )
            )
        return found[0], found[1]

    async def _company(self, code: str, mapped: tuple[_Mapped, _Mapped]) -> CompanyProof:
        sage = self._rows.side(code)
        items: dict[str, OpenItem] = {
            key: doc async for key, doc in self._scan("open_item", f"{code}:")
        }
        terms: dict[str, dict[str, str]] = {}
        async for key, row in self._scan("terms", f"{code}:"):
            known: SourceRow = row
            terms[keys.code_of(key)] = known.row
        stored = (await self._store.rows({"source": [code]})).get("source", {})
        source: Source = decode("source", stored[code].value) if code in stored else Source()
        ours = receivables.side_of(items, source, terms)
        tally = Tally()
        for one in mapped:
            await self._compare(code, one, _amounts(sage, one), _amounts(ours, one), tally)
        return CompanyProof(
            company=code,
            instance=source.instance,
            currency=source.currency,
            as_of=receivables.shown_day(source.as_of),
            customers=len(ours.customers),
            open_items=len(items),
            lines=[tally.line(measure) for one in mapped for measure in one.measures],
            differences=tally.differences,
        )

    async def _compare(
        self,
        code: str,
        one: _Mapped,
        sage: dict[str, tuple[Decimal, ...]],
        ours: dict[str, tuple[Decimal, ...]],
        tally: Tally,
    ) -> None:
        """One kind of record: the three sides, a page of the ledger at a time."""
        nothing = NOTHING[: len(one.measures)]
        left = {key for key in {*sage, *ours} if sage.get(key) or ours.get(key)}
        prefix = f"{one.kind}/{code}:"
        page: dict[str, Target | None] = {}
        done = 0
        async for name, doc in self._scan("target", prefix):
            key = keys.split_target(name)[1]
            left.discard(key)
            page[key] = doc
            if len(page) >= _PAGE:
                await self._compare_page(code, one, page, sage, ours, nothing, tally)
                done += len(page)
                self._progress.write(one.kind, done, 0)
                page = {}
        page |= dict.fromkeys(sorted(left))
        if page:
            await self._compare_page(code, one, page, sage, ours, nothing, tally)

    async def _compare_page(
        self,
        code: str,
        one: _Mapped,
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
        there = await self._live(one, page, ours, held)
        differing: list[str] = []
        for key in page:
            sides = [sage.get(key, nothing), ours.get(key, nothing), held[key]]
            sides.append(there[key][1] if key in there else held[key])
            for index, measure in enumerate(one.measures):
                tally.add(measure, sides[0][index], sides[1][index], sides[3][index])
            if any(side != sides[0] for side in sides):
                differing.append(key)
        around = await self._circumstances(code, one, {key: page[key] for key in differing})
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

    async def _live(
        self,
        one: _Mapped,
        page: dict[str, Target | None],
        ours: dict[str, tuple[Decimal, ...]],
        held: dict[str, tuple[Decimal, ...]],
    ) -> dict[str, tuple[bool, tuple[Decimal, ...]]]:
        """(there at all, amounts) by key, as HubSpot answers; of invoices only what is open.

        Read again in a later take where the log has moved the record since.
        """
        properties = [prop for prop in one.properties if prop]
        if self._hubspot is None or not properties:
            return {}
        versions = {
            key: doc.version
            for key, doc in page.items()
            if doc is not None
            and doc.hubspot_id
            and (one.kind == "companies" or any(held[key]) or any(ours.get(key, ())))
        }
        wanted = [
            key
            for key, version in versions.items()
            if self._read.get(f"{one.kind}/{key}", (-1, None))[0] != version
        ]
        if wanted:
            answers = await read_holdings(
                self._hubspot, one.hubspot_type, one.key, wanted, properties
            )
            for key in wanted:
                self._read[f"{one.kind}/{key}"] = versions[key], answers.get(key)
        out: dict[str, tuple[bool, tuple[Decimal, ...]]] = {}
        for key in versions:
            _, answer = self._read[f"{one.kind}/{key}"]
            values = answer or {}
            out[key] = (
                answer is not None,
                tuple(tieout.amount_of(values.get(prop, "")) for prop in one.properties),
            )
        return out

    async def _circumstances(
        self, code: str, one: _Mapped, page: dict[str, Target | None]
    ) -> dict[str, Circumstances]:
        names = {key: keys.target(one.kind, key) for key in page}
        customers = {key: keys.customer_of(key) for key in page}
        found = await self._store.rows(
            {
                "dirty": [mark + name for name in names.values() for mark in (ORDINARY, FORCED)],
                "deferred": list(names.values()),
                "account": sorted(set(customers.values())),
            }
        )
        listed = {key[2:] for key in found["dirty"]} | found["deferred"].keys()
        accounts: dict[str, Account] = {
            key: decode("account", row.value) for key, row in found["account"].items()
        }
        touched = self._rows.touched
        for_all = touched.get(f"{code}:{EVERYBODY}", 0) > self._projected
        no_day = not self._rows.source(code).as_of
        return {
            key: Circumstances(
                doc=doc,
                account=accounts.get(customers[key]),
                held=code in self._frozen,
                undecided=no_day
                or names[key] in listed
                or tieout.is_spread(self._fanouts, names[key]),
                unprojected=for_all or touched.get(customers[key], 0) > self._projected,
            )
            for key, doc in page.items()
        }

    async def _scan(self, table: str, prefix: str) -> AsyncIterator[tuple[str, Any]]:
        after = ""
        while page := await self._store.scan(table, prefix=prefix, after=after, limit=_PAGE):
            for row in page:
                yield row.key, decode(table, row.value)
            after = page[-1].key


def _is_written(rule: compiled.CompiledRule) -> bool:
    """Whether the rule writes its amount on every change, as an amount."""
    return rule.owner == "sage" and rule.numeric and rule.rank is None


def _amounts(side: Side, one: _Mapped) -> dict[str, tuple[Decimal, ...]]:
    if one.kind == "companies":
        return side.customers
    return {key: (amount,) for key, amount in side.documents.items()}
