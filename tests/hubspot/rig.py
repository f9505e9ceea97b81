"""A writer at work: a real store, the simulated HubSpot over a socket, and commands by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from connector import rows
from connector.hubspot import journal
from connector.hubspot.answer import Answer
from connector.hubspot.api import HubSpot, WriteInput
from connector.hubspot.definitions import Definitions
from connector.hubspot.delivery import Surroundings, now_us
from connector.hubspot.limiter import Limiter
from connector.hubspot.matching import Matching
from connector.hubspot.schema import setup
from connector.hubspot.writer import Writer
from connector.sandbox.hubspot import HubSpotOptions, SimulatedHubSpot, faults
from connector.secret import Secret
from eventstore import (
    Checkpoint,
    EventStore,
    Meta,
    Put,
    Remove,
    Row,
    StoredEvent,
    Table,
    open_store,
)
from projections import events, keys
from projections.books import closes, fold_command
from projections.folding import Folding
from projections.mapping import compiled
from projections.tables import LANES, TABLES, Dirty, ObjectBook, Target
from projections.workspace import Workspace, decode, encode

MAPPING = compiled.parse(files("projections.mapping").joinpath("default.toml").read_text())
OPEN_TABLES = [Table(name, ranked) for name, (_, ranked) in TABLES.items()]


@asynccontextmanager
async def a_store(folder: Path) -> AsyncIterator[EventStore]:
    """A store on disk with every table; the same one each time for the same folder."""
    async with open_store(f"sqlite:///{folder / 'events.db'}", tables=OPEN_TABLES) as store:
        yield store


@asynccontextmanager
async def a_portal(
    *, ready: bool = True, times: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[SimulatedHubSpot]:
    """A simulated portal without limits, set up for the default mapping when `ready`.

    `times`: its clocks and its sleep, where they are not the real ones.
    """
    settings = {"limits": None, "keep_bodies": True} | options
    async with SimulatedHubSpot(HubSpotOptions(**settings), **(times or {})) as portal:
        if ready:
            granted, portal.options = portal.options, HubSpotOptions(limits=None)
            async with a_client(portal) as hubspot:
                await setup(_NoLog(), hubspot, MAPPING.source, MAPPING.digest)  # type: ignore[arg-type]
            portal.options = granted
            portal.calls.clear()
        yield portal


class _NoLog:
    async def append(self, *_: Any, **__: Any) -> None:
        """Setup's note is of no interest here."""


@asynccontextmanager
async def a_client(portal: SimulatedHubSpot, **options: Any) -> AsyncIterator[HubSpot]:
    """Our client for a portal."""
    kind: type[HubSpot] = options.pop("kind", HubSpot)
    limiter = options.pop("limiter", None) or Limiter("enterprise")
    token = Secret(options.pop("token", portal.options.token))
    async with kind(token, limiter, base_url=portal.base_url, **options) as hubspot:
        yield hubspot


class Untraced(HubSpot):
    """A client whose trace ids HubSpot ignores: one bad input refuses the whole batch."""

    async def batch_upsert(self, object_type: str, inputs: Sequence[WriteInput]) -> Answer:
        """Send the inputs without their trace ids."""
        return await self._objects(object_type, "upsert", {"inputs": _untraced(inputs)})

    async def batch_update(self, object_type: str, inputs: Sequence[WriteInput]) -> Answer:
        """The same for updates."""
        return await self._objects(object_type, "update", {"inputs": _untraced(inputs)})


def _untraced(inputs: Sequence[WriteInput]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = msgspec.to_builtins(inputs)
    for one in plain:
        del one["objectWriteTraceId"]
    return plain


class Fragile(HubSpot):
    """A HubSpot that breaks whenever it is sent the record with the key `breaker`."""

    breaker = ""

    async def batch_upsert(self, object_type: str, inputs: Sequence[WriteInput]) -> Answer:
        """Answer 500 for every batch that holds the record."""
        if any(one.id == self.breaker for one in inputs):
            return Answer(500, {"status": "error", "message": "internal error"})
        return await super().batch_upsert(object_type, inputs)


def at_once(_failures: int) -> float:
    """A back-off of nothing."""
    return 0.0


class Site:
    """One store, one portal, one writer at a time."""

    def __init__(self, store: EventStore, portal: SimulatedHubSpot, hubspot: HubSpot) -> None:
        self.store = store
        self.portal = portal
        self.hubspot = hubspot

    def writer(
        self,
        *,
        store: EventStore | None = None,
        delay_s: Callable[[int], float] = at_once,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_us: Callable[[], int] = now_us,
        definitions: Definitions | None = None,
        matching: Matching | None = None,
        **options: Any,
    ) -> Writer:
        """A new writer on the site's store (or on this one)."""
        around = Surroundings(
            store or self.store,
            self.hubspot,
            lambda: MAPPING.source,
            now_us=now_us,
            delay_s=delay_s,
            sleep=sleep,
            definitions=definitions,
            matching=matching,
        )
        return Writer(around, **options)

    def grant(self, *scopes: str) -> None:
        """Take all scopes from the token but these."""
        self.portal.options = msgspec.structs.replace(self.portal.options, scopes=scopes)

    def forget_property(self, object_type: str, name: str) -> None:
        """Make the portal lack a property."""
        del self.portal.schemas[object_type].properties[name]
        self.portal.property_changed(object_type, name)

    async def define(self, object_type: str, name: str) -> None:
        """A text property of the portal's own."""
        body = {"name": name, "label": name, "type": "string", "fieldType": "text"}
        body["groupName"] = "sage100"
        answer = await self.hubspot.create_properties(object_type, [body])
        assert answer.ok
        self.portal.calls.clear()

    def failure(self, status: int) -> faults.Action:
        """HubSpot in trouble."""
        return faults.html(status)

    async def emit(
        self, name: str, fill: Iterable[str] = (), /, reason: str = "test", **changes: str
    ) -> None:
        """A command as the projector emits it; an open one is superseded."""
        work = Workspace()
        await rows.load(self.store, work, {"target": [name]})
        doc = journal.target_of(work, name)
        entries = []
        version = doc.version
        if doc.state in {"pending", "held", "parked"}:
            gone = events.CommandSuperseded(doc.command, doc.state, version + 2)
            entries.append(journal.Entry(name, gone, None))
            version += 1
        emitted = events.CommandEmitted(
            command=version + 1,
            changes={prop: (None, value) for prop, value in changes.items()},
            reason=reason,
            create=not doc.hubspot_id,
            fill=list(fill),
        )
        entries.append(journal.Entry(name, emitted, None))
        await journal.append(self.store, work, entries)

    async def emit_all(self, commands: Mapping[str, Mapping[str, str]]) -> None:
        """Commands on new targets (name to properties), all at once."""
        work = Workspace()
        await rows.load(self.store, work, {"target": commands})
        entries = []
        for name, properties in commands.items():
            emitted = events.CommandEmitted(
                command=1,
                changes={prop: (None, value) for prop, value in properties.items()},
                reason="test",
                create=True,
            )
            entries.append(journal.Entry(name, emitted, None))
        await journal.append(self.store, work, entries)

    async def emit_many(self, prefix: str, count: int) -> list[str]:
        """So many new companies; their names."""
        names = [f"companies/ABC:01-{prefix}{number:04d}" for number in range(count)]
        for name in names:
            await self.emit(name, name=f"Company {name[-4:]}")
        return names

    async def release(self, name: str) -> None:
        """What the projector does when a held command's parents have arrived."""
        work = Workspace()
        await rows.load(self.store, work, {"target": [name]})
        doc = journal.target_of(work, name)
        released = events.CommandReleased(doc.command, "it exists")
        await journal.append(self.store, work, [journal.Entry(name, released, None)])

    async def adopt(self, name: str, hubspot_id: str) -> None:
        """A record that somebody else matched to this target."""
        work = Workspace()
        await rows.load(self.store, work, {"target": [name]})
        adopted = events.RecordAdopted(hubspot_id, "by hand", {})
        await journal.append(self.store, work, [journal.Entry(name, adopted, None)])

    async def lose(self, name: str, hubspot_id: str) -> None:
        """Somebody else has found that this target's record is gone from HubSpot."""
        work = Workspace()
        await rows.load(self.store, work, {"target": [name]})
        lost = events.RecordLost(hubspot_id, "by hand")
        await journal.append(self.store, work, [journal.Entry(name, lost, None)])

    async def projector_reaches_the_end(self) -> None:
        """Move the projector's checkpoint to the head of the log."""
        place = await self.store.checkpoint("projector")
        head = (await self.store.head()).last
        await self.store.append(
            [], checkpoint=Checkpoint("projector", head, place.position), meta=Meta()
        )

    async def mark_dirty(self, name: str) -> None:
        """As the projector, which means to decide on this target later."""
        row = Row(f"0/{name}", encode(Dirty(1)))
        await self.store.append([], also=[Put("dirty", [row])])

    async def mark_clean(self, name: str) -> None:
        """As the projector, which has decided."""
        await self.store.append([], also=[Remove("dirty", [f"0/{name}"])])

    async def target(self, name: str) -> Target:
        """The ledger's row of a target."""
        found = await self.store.rows({"target": [name]})
        return decode("target", found["target"][name].value)  # type: ignore[no-any-return]

    async def stream(self, name: str) -> list[events.Event]:
        """Everything that happened to a target."""
        stored = await self.store.history(keys.hubspot_stream(name))
        return [_decoded(event) for event in stored]

    async def types(self, name: str) -> list[str]:
        """The names of a target's events."""
        return [type(event).__name__ for event in await self.stream(name)]

    async def books_close(self) -> bool:
        """Whether every command of the log is accounted for, and the work lists agree."""
        into = Folding(Workspace())
        into.work.load({"object_book": LANES}, {})
        for stored in await self.store.read(0, limit=1_000_000):
            if stored.stream.startswith("hubspot/"):
                kind = keys.split_target(stored.stream[8:])[0]
                if kind in LANES:  # deals are HubSpot's own
                    fold_command(kind, _decoded(stored), into)
        for lane in LANES:
            book = into.work.get("object_book", ObjectBook, lane) or ObjectBook()
            pending = await self.store.count(f"outbox_{lane}")
            if not closes(book) or book.pending != pending:
                return False
        return await self.store.count("inflight") == 0


def _decoded(stored: StoredEvent) -> events.Event:
    event = events.decode(stored.type, stored.data)
    assert event is not None
    return event


@asynccontextmanager
async def a_site(folder: Path, **options: Any) -> AsyncIterator[Site]:
    """A store in `folder`, a portal that is set up, and a client."""
    async with (
        a_portal(**options) as portal,
        a_store(folder) as store,
        a_client(portal) as hubspot,
    ):
        yield Site(store, portal, hubspot)


async def succeeded(site: Site, name: str) -> events.CommandSucceeded:
    """The last event of a target, which is a success."""
    done = (await site.stream(name))[-1]
    assert isinstance(done, events.CommandSucceeded)
    return done


async def parked(site: Site, name: str) -> events.CommandParked:
    """The last event of a target, which is that it was parked."""
    end = (await site.stream(name))[-1]
    assert isinstance(end, events.CommandParked)
    return end
