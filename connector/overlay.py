"""A store as it would be: reads of the real one, with everything appended kept in memory instead.

The projector works on it as on any store, so what it would decide is decided by the very code that
decides in earnest, and nothing is written. Reads of the log end at the head the overlay was made
at. Appended events are forgotten once a checkpoint has passed them; rows stay. One caller at a
time: it checks checkpoints, and believes the versions it is told.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from eventstore import (
    Checkpoint,
    CheckpointMoved,
    Commit,
    Erasure,
    EventStore,
    HeadMoved,
    Meta,
    NewEvent,
    Put,
    Remove,
    Row,
    SealedCommit,
    StoredEvent,
    StoreReadOnly,
    Write,
)

_HIGHEST: Final = "\U0010ffff"
_FOR_EVER: Final = 2**62  # µs


class _Layer:
    """The rows of one table that differ from the store's; None is a row removed."""

    def __init__(self) -> None:
        self.rows: dict[str, Row | None] = {}
        self._touched: list[str] = []
        self._live: list[str] = []

    def set(self, key: str, row: Row | None) -> None:
        known = key in self.rows
        was_live = known and self.rows[key] is not None
        self.rows[key] = row
        if not known:
            insort(self._touched, key)
        if row is not None and not was_live:
            insort(self._live, key)
        elif row is None and was_live:
            del self._live[bisect_left(self._live, key)]

    def touched(self, prefix: str) -> list[str]:
        first, last = _range(self._touched, prefix)
        return self._touched[first:last]

    def live(self, prefix: str, after: str) -> Iterator[Row]:
        first, last = _range(self._live, prefix)
        for index in range(max(first, bisect_right(self._live, after)), last):
            row = self.rows[self._live[index]]
            if row is not None:
                yield row


def _range(keys: list[str], prefix: str) -> tuple[int, int]:
    if not prefix:
        return 0, len(keys)
    return bisect_left(keys, prefix), bisect_right(keys, prefix + _HIGHEST)


class Overlay:
    """An `EventStore` whose appends change nothing beneath it."""

    def __init__(self, base: EventStore, head: Commit) -> None:
        """`head`: the commit of `base` at which the log ends for this overlay."""
        self._base = base
        self._floor = head.last
        self._head = head
        self._log: deque[StoredEvent] = deque()
        self._layers: dict[str, _Layer] = {}
        self._checkpoints: dict[str, Checkpoint] = {}

    # ------------------------------------------------------------ writing

    async def append(
        self,
        events: Sequence[NewEvent],
        *,
        expect: Mapping[str, int] | None = None,
        expect_head: int | None = None,
        checkpoint: Checkpoint | None = None,
        also: Sequence[Write] = (),
        meta: Meta = Meta(),  # noqa: B008 - frozen
        meanwhile: asyncio.Event | None = None,
    ) -> Commit:
        """Keep events, rows and checkpoint in memory. Raises CheckpointMoved, HeadMoved."""
        if expect_head is not None and expect_head != self._head.last:
            raise HeadMoved(expect_head, self._head.last)
        if checkpoint is not None:
            stands = (await self.checkpoint(checkpoint.name)).position
            if stands != checkpoint.was:
                raise CheckpointMoved(checkpoint.name, checkpoint.was, stands)
        versions = dict(expect or {})
        for stream in {event.stream for event in events} - versions.keys():
            stored = await self.history(stream)
            versions[stream] = stored[-1].version if stored else 0
        first = last = self._head.last + 1
        for last, event in enumerate(events, start=first):
            versions[event.stream] += 1
            place = (last, event.stream, versions[event.stream])
            self._log.append(StoredEvent(*place, event.type, event.schema, event.cause, event.data))
        self._write(also)
        if meanwhile is not None:
            meanwhile.set()
        if checkpoint is not None:
            self._checkpoints[checkpoint.name] = checkpoint
            while self._log and self._log[0].position <= checkpoint.position:
                self._log.popleft()
        if not events:
            return Commit(first, first - 1, self._head.recorded_at_us, self._head.digest, meta)
        self._head = Commit(first, last, self._head.recorded_at_us, self._head.digest, meta)
        return self._head

    def _write(self, also: Sequence[Write]) -> None:
        for write in also:
            layer = self._layers.setdefault(write.table, _Layer())
            if isinstance(write, Put):
                for row in write.rows:
                    layer.set(row.key, row)
            elif isinstance(write, Remove):
                for key in write.keys:
                    layer.set(key, None)
            else:
                raise StoreReadOnly("tables are neither cleared nor adopted in a store as-if")

    async def erase(
        self,
        streams: Sequence[str],
        *,
        reason: str,
        meta: Meta,
        then: Sequence[NewEvent] = (),
        also: Sequence[Write] = (),
    ) -> Erasure:
        """Refuse: nothing is erased as-if. Raises StoreReadOnly."""
        raise StoreReadOnly("nothing is erased in a store as-if")

    async def compact(self, *, again: bool = False) -> None:
        """Refuse: there is no file. Raises StoreReadOnly."""
        raise StoreReadOnly("a store as-if has no file")

    # ------------------------------------------------------------ the log

    async def read(
        self,
        after: int,
        *,
        types: Collection[str] = (),
        upto: int | None = None,
        limit: int = 500,
    ) -> list[StoredEvent]:
        """Events of the store up to the overlay's floor, then those appended here."""
        out: list[StoredEvent] = []
        end = self._head.last if upto is None else upto
        if after < self._floor:
            floor = min(end, self._floor)
            out = await self._base.read(after, types=types, upto=floor, limit=limit)
        for event in self._log:
            if len(out) >= limit or event.position > end:
                break
            if event.position > after and (not types or event.type in types):
                out.append(event)
        return out

    async def history(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> list[StoredEvent]:
        """Events of one stream, those appended here included."""
        end = self._head.last if upto is None else upto
        found = await self._base.history(stream, after=after, upto=min(end, self._floor))
        return found + [
            event
            for event in self._log
            if event.stream == stream and event.version > after and event.position <= end
        ]

    async def histories(self, streams: Collection[str]) -> dict[str, list[StoredEvent]]:
        """All events of each stream, those appended here included."""
        return {stream: await self.history(stream) for stream in streams}

    async def follow(
        self, after: int, *, types: Collection[str] = (), limit: int = 500
    ) -> AsyncIterator[list[StoredEvent]]:
        """What there is, once: nothing more comes."""
        while page := await self.read(after, types=types, limit=limit):
            yield page
            after = page[-1].position

    async def wait(self, after: int, timeout_s: float) -> bool:
        """Say whether there is something; nothing more comes, so nothing is waited for."""
        return self._head.last > after

    async def streams(self, prefix: str, *, after: str = "", limit: int = 500) -> list[str]:
        """Stream names of the store beneath."""
        return await self._base.streams(prefix, after=after, limit=limit)

    async def locate(self, places: Sequence[tuple[str, int]]) -> list[int | None]:
        """Positions of (stream, version) pairs."""
        here = {(event.stream, event.version): event.position for event in self._log}
        found = await self._base.locate(places)
        return [
            position if position is not None else here.get(place)
            for place, position in zip(places, found, strict=True)
        ]

    async def commits(self, positions: Sequence[int]) -> list[Commit | None]:
        """Commits of the store beneath; None for what was appended here."""
        return await self._base.commits(positions)

    async def position_at(self, time_us: int) -> int:
        """The last position recorded at or before this time."""
        return min(await self._base.position_at(time_us), self._floor)

    async def head(self) -> Commit:
        """The newest commit, here or beneath."""
        return self._head

    async def sealed(
        self, after: int, *, upto: int | None = None, limit: int = 1_000
    ) -> list[SealedCommit]:
        """Commits of the store beneath as the chain covers them."""
        return await self._base.sealed(after, upto=upto, limit=limit)

    async def restore(self, commits: Sequence[SealedCommit]) -> Commit:
        """Refuse: nothing is chained as-if. Raises StoreReadOnly."""
        raise StoreReadOnly("no log is restored into a store as-if")

    async def verify(self, *, after: int = 0, told: Callable[[int], None] | None = None) -> int:
        """Check the chain of the store beneath."""
        return await self._base.verify(after=after, told=told)

    async def aclose(self) -> None:
        """Leave the store beneath open: it is not ours."""

    async def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint as moved here, else that of the store."""
        moved = self._checkpoints.get(name)
        if moved is None:
            return await self._base.checkpoint(name)
        return msgspec.structs.replace(moved, was=moved.position)

    # ------------------------------------------------------------ rows

    async def rows(self, keys: Mapping[str, Collection[str]]) -> dict[str, dict[str, Row]]:
        """Rows by key, those put here first."""
        out: dict[str, dict[str, Row]] = {table: {} for table in keys}
        beneath: dict[str, list[str]] = {}
        for table, names in keys.items():
            over = self._layer(table).rows
            beneath[table] = [key for key in names if key not in over]
            out[table] = {key: row for key in names if (row := over.get(key)) is not None}
        for table, found in (await self._base.rows(beneath)).items():
            out[table] |= found
        return out

    async def scan(
        self, table: str, *, prefix: str = "", after: str = "", limit: int = 500
    ) -> list[Row]:
        """Rows by prefix, ascending, as laid over each other."""
        layer = self._layer(table)
        found: list[Row] = []
        start = after
        while len(found) < limit:
            page = await self._base.scan(table, prefix=prefix, after=start, limit=limit)
            found += [row for row in page if row.key not in layer.rows]
            if len(page) < limit:
                break
            start = page[-1].key
        for count, row in enumerate(layer.live(prefix, after)):
            if count == limit:
                break
            found.append(row)
        return sorted(found, key=lambda row: row.key)[:limit]

    async def scan_many(
        self, table: str, prefixes: Collection[str], *, limit: int | None = None
    ) -> dict[str, list[Row]]:
        """All rows of each prefix, or so many."""
        layer = self._layer(table)
        out = {}
        for prefix, found in (await self._base.scan_many(table, prefixes)).items():
            if layer.touched(prefix):
                kept = [row for row in found if row.key not in layer.rows]
                found = sorted([*kept, *layer.live(prefix, "")], key=lambda row: row.key)
            out[prefix] = found[:limit]
        return out

    async def due(self, table: str, *, upto: int, limit: int = 100) -> list[Row]:
        """Rows of a ranked table with rank <= upto, by (rank, key)."""
        layer = self._layer(table)
        found = await self._base.due(table, upto=upto, limit=limit + len(layer.rows))
        kept = [row for row in found if row.key not in layer.rows]
        kept += [row for row in layer.live("", "") if row.rank is not None and row.rank <= upto]
        return sorted(kept, key=lambda row: (row.rank or 0, row.key))[:limit]

    async def next_rank(self, table: str) -> int | None:
        """The lowest rank in a ranked table."""
        found = await self.due(table, upto=_FOR_EVER, limit=1)
        return found[0].rank if found else None

    async def count(self, table: str, *, prefix: str = "") -> int:
        """How many rows have this key prefix."""
        touched = self._layer(table).touched(prefix)
        beneath = (await self._base.rows({table: touched})).get(table, {}) if touched else {}
        here = sum(1 for _ in self._layer(table).live(prefix, ""))
        return await self._base.count(table, prefix=prefix) - len(beneath) + here

    async def counts(self, table: str, prefixes: Collection[str]) -> dict[str, int]:
        """How many rows have each prefix."""
        return {prefix: await self.count(table, prefix=prefix) for prefix in prefixes}

    def _layer(self, table: str) -> _Layer:
        return self._layers.get(table) or _Layer()
