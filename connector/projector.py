"""The projector's loop: read a page of the log, fold it, decide, and commit it all at once.

All thinking is in `projections`; this module loads the rows a step asks for and appends what it
returns. One append carries commands, rows and checkpoint, so a crash leaves either all of a step
or nothing. Commands are appended with the versions they were decided on: when the writer moved a
target meanwhile, the store refuses and the step is made again from what is true now.

While a round of polling is under way on a company, decisions on it are held back (`held_back`): a
customer's balance is told to HubSpot when its invoices have all been read, not half of them.
Targets of a company that the mass-change breaker has frozen stay on the work list in the same
way, until a person releases it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from connector import paging, rows, tracing
from connector.log_pages import Page, page_after
from connector.new_events import Drafts, done_by
from connector.spread import spread
from eventstore import (
    Checkpoint,
    CheckpointMoved,
    EventStore,
    WrongVersion,
)
from projections import breaker, decide, desire, keys, projection
from projections.folding import Entry, Folding, stronger
from projections.mapping import compiled
from projections.tables import (
    FORCED,
    ORDINARY,
    ActiveMapping,
    Dirty,
)
from projections.workspace import Workspace, decode

CHECKPOINT: Final = "projector"
PAGE_EVENTS: Final = 1_000
PAGE_TARGETS: Final = 400
_LOT_TARGETS: Final = 100
_MAX_TRIES: Final = 20
_MOST_COMPANIES: Final = 10_000


def _parent_prefix(key: str) -> str:
    """What the keys of `waiting` and `blocked` rows begin with: whom they wait for."""
    return key.partition(">")[0] + ">"


class Contended(RuntimeError):
    """A projector step lost every race for its streams: a second writer must be at work."""


class Projector:
    """Folds the log and emits commands. One at a time per store: its checkpoint says so.

    `hold`: decide on nothing at all. `held_back`: companies on which nothing is decided now.
    """

    def __init__(self, store: EventStore, *, page_events: int = PAGE_EVENTS) -> None:
        self._store = store
        self._page_events = page_events
        self._mapping: compiled.CompiledMapping | None = None
        self._ahead: Page | None = None
        self.hold = False
        self.held_back: set[str] = set()

    async def step(self) -> int:
        """Fold the next page; the number of events folded, 0 when the log's end is reached."""
        for _ in range(_MAX_TRIES):
            page = self._ahead or await self._read(await self._store.checkpoint(CHECKPOINT))
            self._ahead = None
            if page is None:
                return 0
            try:
                with tracing.tracer.start_as_current_span(
                    "project", page.context, links=page.links
                ):
                    work, drafts = await self._fold(page.entries)
                    await self._append_and_read_on(work, drafts, page.moved)
            except (WrongVersion, CheckpointMoved):
                self._mapping = None
                continue
            return len(page.entries)
        raise Contended

    async def _read(self, place: Checkpoint) -> Page | None:
        return await page_after(self._store, place, limit=self._page_events)

    async def _append_and_read_on(self, work: Workspace, drafts: Drafts, moved: Checkpoint) -> None:
        """Append, and read the next page while the disk is at work."""
        disk_at_work = asyncio.Event()

        async def read_on() -> Page | None:
            # Not before: the two would wait for the interpreter's lock of one another.
            await disk_at_work.wait()
            return await self._read(moved)

        reading = asyncio.create_task(read_on())
        try:
            await self._append(work, drafts, moved, disk_at_work)
        except BaseException:  # whatever it is, the next page does not follow what stands now
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        self._ahead = await reading

    async def settle(self) -> int:
        """Decide on the next page of dirty targets; how many were decided, 0 when none is left.

        Changes that touch many targets are first spread over these, which may be done while
        decisions are held; deciding is not.
        """
        marked = await spread(self._store)
        if marked or self.hold:
            return marked
        for _ in range(_MAX_TRIES):
            work = Workspace()
            dirty = await self._next_dirty(work)
            mapping = await self._active_mapping(work) if dirty else None
            if mapping is None:
                return 0
            try:
                causes = [mark.cause for mark in dirty.values()]
                context, links = await tracing.origin(self._store, causes)
                with tracing.tracer.start_as_current_span("decide", context, links=links):
                    drafts = Drafts()
                    await self._decide(dirty, work, mapping, drafts)
                    await self._append(work, drafts, None)
            except WrongVersion:
                continue
            return len(dirty)
        raise Contended

    async def run_until_idle(self) -> int:
        """Fold and decide until neither finds anything; the number of events folded."""
        folded = 0
        while True:
            count = await self.step()
            folded += count
            if not count and not await self.settle():
                return folded

    async def _fold(self, entries: list[Entry]) -> tuple[Workspace, Drafts]:
        work, drafts = Workspace(), Drafts()
        await rows.load(self._store, work, projection.wants(entries))
        await rows.load(self._store, work, projection.wants_also(entries, work))
        into = Folding(work)
        projection.fold(entries, into)
        await self._wake_deferred(into)
        await self._unblock(into)
        await self._release(into, drafts)
        dirty = {name: Dirty(position) for name, position in into.dirty.items()} | into.forced
        if work.changed("mapping"):
            self._mapping = None
        mapping = None if self.hold else await self._active_mapping(work)
        barred = await self._barred_companies(work)
        ready: dict[str, Dirty] = {}
        forced: dict[str, Dirty] = {}
        for name, mark in dirty.items():
            if mapping is None or (barred and breaker.group_of(name)[0] in barred):
                if mark.force:
                    forced[FORCED + name] = mark
                else:
                    work.put("dirty", ORDINARY + name, mark)
            else:
                ready[name] = mark
        await rows.load(self._store, work, {"dirty": forced})
        for key, mark in forced.items():
            work.put("dirty", key, stronger(mark, work.get("dirty", Dirty, key)))
        if mapping is not None:
            await self._decide(ready, work, mapping, drafts)
        return work, drafts

    async def _barred_companies(self, work: Workspace) -> set[str]:
        """Companies on which nothing is decided: being polled, or frozen by the breaker."""
        found = await self._store.scan("frozen", limit=_MOST_COMPANIES)
        frozen = {row.key for row in found}
        for company, doc in work.changed("frozen").items():
            if doc is None:
                frozen.discard(company)
            else:
                frozen.add(company)
        return frozen | self.held_back

    async def release_arrived(self) -> None:
        """Let go on whatever waits for targets that exist by now: after a rebuild, which folds
        arrivals without acting on them."""
        position = (await self._store.head()).last
        async for page in paging.pages(self._store, "waiting", size=PAGE_TARGETS):
            into, drafts = Folding(Workspace()), Drafts()
            into.arrived = {row.key.partition(">")[0]: position for row in page}
            await self._release(into, drafts)
            await self._append(into.work, drafts, None)

    async def _wake_deferred(self, into: Folding) -> None:
        """Targets whose attempt has ended and that somebody wanted to decide on meanwhile."""
        if not into.settled:
            return
        await rows.load(self._store, into.work, {"deferred": into.settled})
        for name in into.settled:
            mark = into.work.get("deferred", Dirty, name)
            if mark is None:
                continue
            into.work.remove("deferred", name)
            if mark.force:
                into.force(name, mark)
            else:
                into.dirty.setdefault(name, mark.cause)

    async def _unblock(self, into: Folding) -> None:
        """Parked targets whose way was barred by one of our own records, which has now changed."""
        prefixes = {f"{record}>": position for record, position in into.moved.items()}
        if not prefixes:
            return
        blocked = await rows.find(self._store, into.work, "blocked", prefixes, _parent_prefix)
        for prefix, found in blocked.items():
            for child in found.values():
                into.forced[child.text] = Dirty(
                    prefixes[prefix], "the record in its way has changed"
                )

    async def _release(self, into: Folding, drafts: Drafts) -> None:
        """Held commands whose parents have all arrived."""
        if not into.arrived:
            return
        parents = {f"{name}>": name for name in into.arrived}
        found = await rows.find(self._store, into.work, "waiting", parents, _parent_prefix)
        waiting = {
            parents[prefix]: list(children.values())
            for prefix, children in found.items()
            if children
        }
        if not waiting:
            return
        names = [child.text for children in waiting.values() for child in children]
        await rows.load(self._store, into.work, {"target": decide.waiting_reads(names)})
        drafts.take(decide.release(into.arrived, waiting, into.work))

    async def _decide(
        self,
        dirty: Mapping[str, Dirty],
        work: Workspace,
        mapping: compiled.CompiledMapping,
        drafts: Drafts,
    ) -> None:
        """Decide a lot at a time, each encoded and let go before the next (see Workspace.pack)."""
        if not dirty:
            return
        reads = desire.reads(dirty)
        await rows.load(self._store, work, {**reads.rows, "deferred": dirty})
        dirty = {
            name: stronger(mark, work.get("deferred", Dirty, name)) for name, mark in dirty.items()
        }
        links = {link for name in dirty for link in desire.links(name, work)}
        links.update(name for name in dirty if name.startswith("associations/"))
        ends = {end for link in links for end in keys.ends(keys.split_target(link)[1])}
        await rows.load(self._store, work, {"target": links | ends, "deferred": links})
        known = await self._knowledge(reads, work)
        for lot in paging.parts(dirty.items(), _LOT_TARGETS):
            emissions = decide.decide(dict(lot), work, mapping, known)
            drafts.take(emissions)
            work.pack("target", [keys.target_of(emission.stream) for emission in emissions])

    async def _knowledge(self, reads: desire.Reads, work: Workspace) -> desire.Knowledge:
        """Open items and terms by prefix, with what this very step changed laid over them."""
        items = await rows.find(
            self._store,
            work,
            "open_item",
            reads.open_items,
            lambda key: keys.customer_of(key) + ":",
        )
        terms = await rows.find(
            self._store, work, "terms", reads.terms, lambda key: keys.company_code(key) + ":"
        )
        return desire.Knowledge(
            open_items={prefix[:-1]: list(found.values()) for prefix, found in items.items()},
            terms={
                prefix[:-1]: {keys.code_of(key): doc.row for key, doc in found.items()}
                for prefix, found in terms.items()
            },
        )

    async def _next_dirty(self, work: Workspace) -> dict[str, Dirty]:
        """The next targets to decide on, taken off the work list; barred companies' stay on it."""
        dirty: dict[str, Dirty] = {}
        barred = await self._barred_companies(work)
        after, room = "", PAGE_TARGETS
        while room > 0:
            page = await self._store.scan("dirty", after=after, limit=room)
            for row in page:
                company, group = breaker.group_of(row.key[2:])
                if company in barred:
                    # Over all of the company's targets of this kind at once, however many.
                    after = breaker.end_of(row.key[:2] + group)
                    break
                after, room = row.key, room - 1
                name, mark = row.key[2:], decode("dirty", row.value)
                work.remove("dirty", row.key)
                if name not in dirty or mark.force:
                    dirty[name] = mark
            else:
                break  # the page was taken whole: it is full, or the list is at its end
        return dirty

    async def _active_mapping(self, work: Workspace) -> compiled.CompiledMapping | None:
        """The mapping in force, which this very step may have put in force."""
        if self._mapping is None:
            await rows.load(self._store, work, {"mapping": ["active"]})
            active = work.get("mapping", ActiveMapping, "active")
            if active is not None:
                self._mapping = compiled.restore(msgspec.json.decode(active.mapping))
        return self._mapping

    async def _append(
        self,
        work: Workspace,
        drafts: Drafts,
        moved: Checkpoint | None,
        disk_at_work: asyncio.Event | None = None,
    ) -> None:
        await self._store.append(
            drafts.events,
            expect=drafts.expect,
            checkpoint=moved,
            also=rows.writes(work),
            meta=done_by("projector"),
            meanwhile=disk_at_work,
        )
