"""Drift: what HubSpot holds, compared with what the log says it acknowledged.

Read by key, a hundred records a call, up to a budget of calls; who changed what is read off the
histories of the records that differ, and of no others. Looking changes nothing: `repairing` asks
for what was found to be put right.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from connector import paging
from connector.errors import Refused
from connector.hubspot.allowance import as_backfill
from connector.hubspot.answer import message_of
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.associations import read_links
from connector.hubspot.authors import CALCULATED, authors
from connector.hubspot.holdings import read_holdings
from connector.hubspot.holds import same, types_of
from eventstore import EventStore, Row
from projections import drift, keys
from projections.mapping.compiled import CompiledMapping
from projections.tables import LANES, Target
from projections.workspace import decode

CALLS: Final = 1_000  # of one look, when nothing else is said
_PAGE: Final = 500
_LINKS: Final = 1_000  # records whose links one call reads


class Difference(msgspec.Struct, frozen=True):
    """One property that HubSpot holds otherwise. `by`: who did that; `stays`: why it is left."""

    target: str
    property: str
    ours: str
    theirs: str
    by: str = ""
    stays: str = ""


class ReconcileReport(msgspec.Struct, frozen=True):
    """What a look found. `missing`: records and links that HubSpot does not have.

    `more`: the last one looked at when the budget of calls was used up, "" when all were read.
    `unreadable`: HubSpot object to why it could not be read.
    """

    records: int
    links: int
    calls: int
    differences: list[Difference]
    missing: list[str]
    more: str = ""
    unreadable: dict[str, str] = {}
    requested: bool = False

    @property
    def to_repair(self) -> list[Difference]:
        """The differences that are ours to put right."""
        return [one for one in self.differences if not one.stays]


class _Look:
    """One look under way."""

    def __init__(
        self, store: EventStore, hubspot: HubSpot, mapping: CompiledMapping, calls: int
    ) -> None:
        self._store = store
        self._hubspot = hubspot
        self._mapping = mapping
        self._first = hubspot.calls.total
        self._most = calls
        self.records = self.links = 0
        self.differences: list[Difference] = []
        self.missing: list[str] = []
        self.unreadable: dict[str, str] = {}

    @property
    def calls(self) -> int:
        """Calls made so far."""
        return self._hubspot.calls.total - self._first

    async def look(self, lanes: Sequence[str], only: Sequence[str], after: str) -> str:
        """Compare the records of these lanes; the last one if the calls did not do, or ""."""
        last = ""
        for lane in lanes:
            if lane != "associations" and lane not in self._mapping.objects:
                continue  # kept by an earlier mapping
            page_size = _LINKS if lane == "associations" else BATCH_LIMIT
            try:
                async with aclosing(self._pages(lane, only, after, page_size)) as pages:
                    async for page in pages:
                        if self.calls >= self._most:
                            return last or after
                        end = next(reversed(page))
                        if lane == "associations":
                            last = await self._links(page)
                        else:
                            await self._objects(lane, page)
                            last = end
                        if last != end:
                            return last
            except Refused as problem:
                if problem.category == "unauthorised":
                    raise
                self.unreadable[lane] = problem.what
        return ""

    async def _pages(
        self, lane: str, only: Sequence[str], after: str, size: int
    ) -> AsyncGenerator[dict[str, Target], None]:
        """Records of a lane that HubSpot has and nothing is under way for, by name."""
        waiting: dict[str, Target] = {}
        prefix = f"{lane}/"
        place = after if after.startswith(prefix) else ""
        if after and not place and after.partition("/")[0] in LANES[LANES.index(lane) + 1 :]:
            return  # the look goes on in a later lane
        async for page in self._rows(prefix, only, place):
            for row in page:
                doc: Target = decode("target", row.value)
                if doc.state == "idle" and doc.hubspot_id:
                    waiting[row.key] = doc
                    if len(waiting) == size:
                        yield waiting
                        waiting = {}
        if waiting:
            yield waiting

    async def _rows(
        self, prefix: str, only: Sequence[str], after: str
    ) -> AsyncIterator[Collection[Row]]:
        """A lane's rows behind this one, in their order; of `only`, where records were named."""
        if not only:
            async for page in paging.pages(self._store, "target", prefix, after=after):
                yield page
            return
        named = sorted(name for name in set(only) if name.startswith(prefix) and name > after)
        for part in paging.parts(named, _PAGE):
            found = (await self._store.rows({"target": part})).get("target", {})
            yield [found[name] for name in part if name in found]

    async def _objects(self, lane: str, docs: Mapping[str, Target]) -> None:
        mapping = self._mapping.objects[lane]
        kinds = types_of(self._mapping.source.objects()[lane])
        by_key = {keys.split_target(name)[1]: doc for name, doc in docs.items()}
        held = await read_holdings(
            self._hubspot,
            mapping.hubspot_type,
            mapping.key,
            list(by_key),
            list(mapping.by_property),
        )
        self.records += len(docs)
        found: dict[str, list[drift.Drift]] = {}
        for key, doc in by_key.items():
            if key not in held:
                self.missing.append(f"{lane}/{key}")
                continue
            differs = drift.drifts(
                mapping, doc, held[key], lambda name, a, b: same(name, a, b, kinds.get(name, ""))
            )
            if differs:
                found[key] = differs
        wanted = {key: [one.property for one in differs] for key, differs in found.items()}
        who = await authors(self._hubspot, mapping.hubspot_type, mapping.key, wanted)
        for key, differs in found.items():
            for one in differs:
                author = who.get(key, {}).get(one.property)
                stays = one.stays
                if author is not None and author.way == CALCULATED:
                    stays = "HubSpot works it out by itself"
                self.differences.append(
                    Difference(
                        target=f"{lane}/{key}",
                        property=one.property,
                        ours=one.ours,
                        theirs=one.theirs,
                        by="" if author is None else str(author),
                        stays=stays,
                    )
                )

    async def _links(self, docs: Mapping[str, Target]) -> str:
        """Which of these links HubSpot does not have; the last one that was looked at.

        A record of many links takes a call for each page of them. What the calls do not reach is
        left for the next look, but for the first record, so that every look gets on.
        """
        groups: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
        for name, doc in docs.items():
            left, _, right = doc.hubspot_id.partition(">")
            if right and doc.held.get("linked") == "true":
                ends = keys.ends(keys.split_target(name)[1])
                kinds = keys.split_target(ends[0])[0], keys.split_target(ends[1])[0]
                groups.setdefault(kinds, {})[name] = (left, right)
        there: set[str] = set()
        unread: set[str] = set()
        first = next((left for group in groups.values() for left, _ in group.values()), "")
        for kinds, group in groups.items():
            shown, left_over = await self._read_links(kinds, set(group.values()), first)
            there.update(name for name, pair in group.items() if pair in shown)
            unread.update(name for name, (left, _) in group.items() if left in left_over)
            first = ""
        looked_at = ""
        for name in docs:
            if name in unread:
                break
            looked_at = name
            if any(name in group for group in groups.values()):
                self.links += 1
                self.missing += [] if name in there else [name]
        return looked_at

    async def _read_links(
        self, kinds: tuple[str, str], wanted: set[tuple[str, str]], first: str
    ) -> tuple[set[tuple[str, str]], set[str]]:
        """Those of the wanted pairs that are there, and the records not read to their end.

        The record `first` is read to its end whatever it costs.
        """
        one, other = kinds
        there: set[tuple[str, str]] = set()
        todo = [(left, "") for left in sorted({left for left, _ in wanted})]
        while todo:
            most = _LINKS if self.calls < self._most else 0
            asked = todo[:most] or [place for place in todo if place[0] == first]
            if not asked:
                break
            answer = await self._hubspot.read_associations(
                self._type(one), self._type(other), asked
            )
            if not answer.ok or not isinstance(answer.body, dict):
                raise Refused(message_of(answer), where=f"HubSpot links {one} to {other}")
            found, more = read_links(answer)
            there |= found & wanted
            done = set(asked)
            todo = [place for place in todo if place not in done] + more
        return there, {left for left, _ in todo}

    def _type(self, kind: str) -> str:
        section = self._mapping.objects.get(kind)
        return kind if section is None else section.hubspot_type


async def look(
    store: EventStore,
    hubspot: HubSpot,
    mapping: CompiledMapping,
    *,
    only: Sequence[str] = (),
    lanes: Sequence[str] = LANES,
    after: str = "",
    calls: int = CALLS,
) -> ReconcileReport:
    """Compare what HubSpot holds with the ledger. Raises Unreachable, TokenRefused.

    `only`: these targets; `after`: go on behind this one; `calls`: the most to make, to a page.
    """
    one = _Look(store, hubspot, mapping, calls)
    with as_backfill():
        more = await one.look(lanes, only, after)
    return ReconcileReport(
        records=one.records,
        links=one.links,
        calls=one.calls,
        differences=one.differences,
        missing=one.missing,
        more=more,
        unreadable=one.unreadable,
    )
