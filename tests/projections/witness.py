"""A store that is watched: what its tables held after every commit, against what the log gives.

The rows of the projector stand where its checkpoint does, those that are written together with
their events at the log's end. Both are folded anew, event by event, and compared at every commit;
on the way, every position of the log gives the state that it has folded in pages of any size, and
that of each record folded alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from connector.log_pages import entries_of
from connector.projector import CHECKPOINT
from eventstore import Clear, Commit, EventStore, Put, Remove, Write
from projections import asof, projection
from projections.folding import Entry, Folding
from projections.tables import LANES, TABLES, WORK_LISTS
from projections.workspace import Workspace, decode

LEDGER: Final = frozenset(
    {
        *("fingerprint", "target", "inflight", "waiting", "parked", "blocked", "withheld"),
        *("garbage", "deal"),
        *(f"outbox_{lane}" for lane in LANES),
    }
)
FOLDS: Final = [table for table in TABLES if table not in WORK_LISTS]

Rows = dict[str, dict[str, bytes]]


class Done(NamedTuple):
    """One commit: the log's end and the projector's place after it, when, and what it wrote."""

    head: int
    projected: int
    time_us: int
    writes: tuple[Write, ...]


class Witness:
    """The store, and a note of every commit since `begin`."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.done: list[Done] = []
        self.times: list[tuple[int, int]] = []  # (µs, the log's end) of every commit ever
        self._before: Rows = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, events: Sequence[Any], **options: Any) -> Commit:
        """Append, and note it."""
        commit: Commit = await self._store.append(events, **options)
        moved = options.get("checkpoint")
        last = self.done[-1] if self.done else Done(0, 0, 0, ())
        projected = moved.position if moved is not None and moved.name == CHECKPOINT else None
        self.done.append(
            Done(
                commit.last if events else last.head,
                last.projected if projected is None else projected,
                commit.recorded_at_us,
                tuple(options.get("also", ())),
            )
        )
        self.times.append((commit.recorded_at_us, self.done[-1].head))
        return commit

    async def erase(self, *args: Any, **options: Any) -> Any:
        """What was live until now is compared with the log as it was: now it becomes another."""
        await self.check()
        erased = await self._store.erase(*args, **options)
        self.times.append((erased.commit.recorded_at_us, erased.commit.last))
        return erased

    async def begin(self) -> None:
        """The tables are compared with the log as it is from here on."""
        self._before = await self._live()
        head = await self._store.head()
        projected = (await self._store.checkpoint(CHECKPOINT)).position
        self.done = [Done(head.last, projected, head.recorded_at_us, ())]

    async def check(self) -> None:
        """At every commit since `begin` the tables held what the log gives up to there."""
        entries = entries_of(await self._store.read(0, limit=1_000_000))
        live = {table: dict(rows) for table, rows in self._before.items()}
        ledger, models = Fold(entries, ledger_only=True), Fold(entries)
        for done in self.done:
            _write(live, done.writes)
            ledger.go_to(done.head)
            models.go_to(done.projected)
            for table in FOLDS:
                given = (ledger if table in LEDGER else models).rows[table]
                assert live[table] == given, f"{table} at {done.head}, {done.projected}"
        assert await self._live() == live

    async def _live(self) -> Rows:
        return {
            table: {row.key: row.value for row in await self._store.scan(table, limit=100_000)}
            for table in FOLDS
        }


class Fold:
    """The log folded into rows, as far as one likes, so many events at a time."""

    def __init__(
        self, entries: list[Entry], *, page: int = 1, ledger_only: bool = False, whole: bool = False
    ) -> None:
        """`whole`: the rows of the ledger too, as a rebuild does."""
        self._entries = entries
        self._page = page
        self._ledger_only = ledger_only
        self._whole = whole or ledger_only
        self.rows: Rows = {table: {} for table in TABLES}
        self.position = 0

    def go_to(self, position: int) -> None:
        """Fold up to a position, which is not behind where it stands."""
        while self.position < position:
            part = self._entries[self.position : min(self.position + self._page, position)]
            work = Workspace()
            work.load(projection.wants(part, ledger_too=self._whole), self.rows)
            work.load(projection.wants_also(part, work), self.rows)
            into = Folding(work)
            if self._ledger_only:
                projection.fold_ledger(part, into)
            else:
                projection.fold(part, into, ledger_too=self._whole)
            for change in work.changes():
                rows = self.rows[change.table]
                rows |= {key: value for key, value, _ in change.puts}
                for key in change.removes:
                    rows.pop(key, None)
            self.position = part[-1].position


def _write(live: Rows, writes: Sequence[Write]) -> None:
    """Carry out what a commit wrote; tables that are no fold of the log are passed over."""
    for write in writes:
        if write.table not in live:
            continue
        match write:
            case Put():
                live[write.table] |= {row.key: row.value for row in write.rows}
            case Remove():
                for key in write.keys:
                    live[write.table].pop(key, None)
            case Clear():
                live[write.table].clear()
            case _:
                raise AssertionError("a rebuild begins a new comparison")


def every_position(entries: list[Entry], page: int) -> Iterator[tuple[int, Fold]]:
    """The log folded event by event, at each of its positions.

    It is the same in pages, and each record's ledger is that of its own events alone.
    """
    one_by_one, in_pages = Fold(entries, whole=True), Fold(entries, page=page, whole=True)
    streams: dict[str, list[Entry]] = {}
    for entry in entries:
        one_by_one.go_to(entry.position)
        if entry.stream.startswith("hubspot/"):
            alone = streams.setdefault(entry.stream, [])
            alone.append(entry)
            row = one_by_one.rows["target"].get(entry.stream.removeprefix("hubspot/"))
            told = asof.target_at(alone)
            assert (decode("target", row) if row is not None else asof.target_at([])) == told
        if entry.position % page == 0 or entry.position == len(entries):
            in_pages.go_to(entry.position)
            for table in FOLDS:
                assert in_pages.rows[table] == one_by_one.rows[table], f"{table} at {entry}"
        yield entry.position, one_by_one
