"""Making a plan from the log as it stands, keeping it, and finding out whether it still holds.

The projector is let loose on an overlay of the store, with the mapping in question put in force
there, until it has nothing left to decide; what is open then is what would be sent. No call is
made, nothing is written but the plan's own file, which keeps the mapping so that `apply` needs
nothing but the digest. Passes that find nothing do not move the log as far as plans go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from connector import breaker, documents, paging, rows, withheld
from connector.addresses import refuse_moved
from connector.breaker import HeldCompany
from connector.errors import ConnectorError, Misconfigured
from connector.hubspot.limiter import Limiter
from connector.new_events import new_event
from connector.overlay import Overlay
from connector.ownership import make_folder
from connector.projector import Projector
from connector.rebuild import can_be_read
from connector.whole_files import DRAFT, write_whole
from eventstore import EventStore, StoredEvent
from projections import events, plan
from projections.mapping import compiled
from projections.plan import Change, Plan
from projections.tables import LANES, PlainText, Target
from projections.workspace import Workspace

Tier = Literal["free", "starter", "professional", "enterprise"]

MAPPING_STREAM: Final = "config/mapping"
# Events after which a plan still says what would be done.
BOOKKEEPING: Final = frozenset(
    {
        *("PollStarted", "PollCompleted", "PollFailed", "SweepCompleted"),
        *("PollDeferred", "PollSkipped"),
        *("CallsCounted", "TrustRefused", "SchemaEnsured"),
        *("WritingStopped", "WritingResumed", "LaneHeld", "LaneReleased"),
        "LogonReleased",
    }
)
_PAGE: Final = 500
_TRIES: Final = 3
_LARGEST_BYTES: Final = 8 << 20
_PLANS_KEPT: Final = 50
_SHORTEST: Final = 8  # characters of a digest that name a plan


class PlanRefused(ConnectorError):
    """The plan is not what would be done any more."""

    category = "plan_refused"
    default_remedy = "Make a new plan ('ml-connector plan'), look at it, and apply that one."


class Made(msgspec.Struct, frozen=True):
    """A plan; `frozen`: companies whose changes it leaves out, since a person has to release them.

    `changes`: all of them, when they were asked for.
    """

    plan: Plan
    mapping: compiled.CompiledMapping
    frozen: list[HeldCompany]
    changes: list[Change]


class Kept(msgspec.Struct, frozen=True):
    """A plan's file: what `apply` needs. `mapping`: its content, empty when it is in force.

    `source`: the file that was named for it, "" for the configured one.
    """

    digest: str
    position: int
    records: int
    mapping: dict[str, Any] = {}
    source: str = ""


async def in_force(store: EventStore) -> events.MappingActivated | None:
    """The newest MappingActivated of the log; None in a new store."""
    for stored in reversed(await store.history(MAPPING_STREAM)):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.MappingActivated):
            return event
    return None


async def make(
    store: EventStore,
    mapping: compiled.CompiledMapping,
    tier: Tier,
    *,
    everything: bool = False,
) -> Made:
    """What would be sent with this mapping. Raises NoFigures, AddressMoved, PlanRefused.

    When the log moves meanwhile, it is made again, a few times.
    """
    await _check_model(store)
    for _ in range(_TRIES):
        head = await store.head()
        made = await _make(Overlay(store, head), head.last, mapping, tier, everything=everything)
        if await moved(store, head.last) is None:
            return made
    raise PlanRefused(
        "The log moves faster than a plan can be made.",
        remedy="Try again when the running service has less to do, or stop it meanwhile.",
    )


async def _check_model(store: EventStore) -> None:
    if not await can_be_read(store):
        raise Misconfigured(
            "the read models are of another version of ml-connector",
            where="store",
            remedy="Start the service, or run 'ml-connector rebuild', then plan again.",
        )


async def _make(
    store: Overlay,
    position: int,
    mapping: compiled.CompiledMapping,
    tier: Tier,
    *,
    everything: bool,
) -> Made:
    active = await in_force(store)
    new_mapping = active is None or active.digest != mapping.digest
    if new_mapping:
        await refuse_moved(store, mapping)
        activated = events.MappingActivated(mapping.digest, compiled.content(mapping))
        await store.append([new_event(MAPPING_STREAM, activated)])
    await Projector(store).run_until_idle()
    planning = plan.Planning(
        mapping.source,
        mapping.digest,
        position,
        new_mapping=new_mapping,
        known=await _refused_values(store),
    )
    changes = []
    for lane in LANES:
        async for name, doc in _open_targets(store, lane):
            change = planning.add(name, doc)
            if everything:
                changes.append(change)
    return Made(
        planning.finish(calls_per_minute(tier)), mapping, await breaker.held(store), changes
    )


async def _refused_values(store: EventStore) -> dict[tuple[str, str, str], str]:
    """Values that were left out of records because HubSpot would take them in none."""
    out: dict[tuple[str, str, str], str] = {}
    async for name, doc in withheld.ledgers(store):
        kind = name.partition("/")[0]
        for prop, one in doc.withheld.items():
            if not one.owner:  # else it is refused for another record's sake
                out[kind, prop, one.value] = one.reason
    return out


async def _open_targets(store: EventStore, lane: str) -> AsyncIterator[tuple[str, Target]]:
    """Targets of a lane with an open command, by name."""
    names: set[str] = set()
    for table, prefix, name_of in _lists(lane):
        async for row in paging.each(store, table, prefix):
            names.add(name_of(row.key))
    # A held command stands behind each parent it waits for, under the parents' names.
    async for _, waiting in documents.each(store, "waiting", PlainText):
        if waiting.text.startswith(f"{lane}/"):
            names.add(waiting.text)
    for part in paging.parts(sorted(names), _PAGE):
        work = Workspace()
        await rows.load(store, work, {"target": part})
        for name in part:
            doc = work.get("target", Target, name)
            if doc is not None and doc.state != "idle":
                yield name, doc


def _lists(lane: str) -> list[tuple[str, str, Callable[[str], str]]]:
    return [
        (f"outbox_{lane}", "", str),
        ("inflight", f"{lane}/", str),
        ("parked", f"{lane}/", str),
    ]


def calls_per_minute(tier: Tier) -> dict[str, float]:
    """What each gate of the limiter lets through in a minute."""
    return {gate.gate: gate.limit * 60 / gate.window_s for gate in Limiter(tier).state().gates}


async def moved(store: EventStore, position: int) -> StoredEvent | None:
    """The first event after a position that may change what a plan says; None: there is none."""
    async for page in paging.log(store, position):
        for event in page:
            if event.type not in BOOKKEEPING:
                return event
    return None


# ------------------------------------------------------------ the plan's file


def folder_of(store_file: Path) -> Path:
    """Where the plans made of this store lie."""
    return store_file.with_name(store_file.name + ".plans")


async def keep(store_file: Path, made: Made, source: str = "") -> Path:
    """Keep a plan for `apply`, readable by its owner only; where it lies. `source`: see Kept."""
    content = compiled.content(made.mapping) if made.plan.new_mapping else {}
    kept = Kept(made.plan.digest, made.plan.position, made.plan.records, content, source)
    return await asyncio.to_thread(_write, store_file, kept)


def _write(store_file: Path, kept: Kept) -> Path:
    folder = folder_of(store_file)
    make_folder(folder, store_file)
    path = folder / f"{kept.digest}.plan"
    write_whole(path, msgspec.json.encode(kept), beside=store_file)
    plans = sorted(folder.glob("*.plan"), key=lambda each: each.stat().st_mtime_ns)
    for old in plans[:-_PLANS_KEPT]:
        old.unlink(missing_ok=True)
    return path


def forget(store_file: Path) -> None:
    """Drop every plan, and what a process that was killed left of one: they hold mappings, and no
    plan of a log that has been erased from says what would be done.
    """
    for pattern in ("*.plan", f"*{DRAFT}"):
        for path in folder_of(store_file).glob(pattern):
            path.unlink(missing_ok=True)


async def find(store_file: Path, digest: str) -> Kept:
    """The plan that a digest, or its beginning, names. Raises Misconfigured."""
    return await asyncio.to_thread(_find, folder_of(store_file), digest.strip().lower())


def _find(folder: Path, digest: str) -> Kept:
    names = sorted(path for path in folder.glob("*.plan") if path.stem.startswith(digest))
    if len(digest) < _SHORTEST or len(names) != 1:
        raise Misconfigured(
            f"{digest!r} names {'no plan' if not names else 'no single plan'}",
            where=str(folder),
            remedy=f"'ml-connector plan' prints the digest; its first {_SHORTEST} characters do.",
        )
    try:
        if names[0].stat().st_size > _LARGEST_BYTES:
            raise msgspec.DecodeError("it is too large")
        return msgspec.json.decode(names[0].read_bytes(), type=Kept)
    except msgspec.MsgspecError as problem:
        raise Misconfigured(
            f"the plan cannot be read: {problem}", where=str(names[0]), remedy="Plan again."
        ) from None


async def mapping_of(store: EventStore, kept: Kept) -> compiled.CompiledMapping:
    """The mapping a kept plan was made with. Raises PlanRefused."""
    active = await in_force(store)
    if not kept.mapping and active is None:
        raise PlanRefused("No mapping is in force in this store.")
    try:
        return compiled.restore(kept.mapping or (active.mapping if active is not None else {}))
    except compiled.MappingError as problem:
        raise PlanRefused(
            f"This version cannot read the plan's mapping: {problem}",
            where=f"plan {kept.digest[:12]}",
        ) from None


async def check(store: EventStore, kept: Kept, tier: Tier) -> Made:
    """The plan made anew, the same to the letter. Raises PlanRefused."""
    event = await moved(store, kept.position)
    if event is not None:
        applied = events.decode(event.type, event.data)
        if isinstance(applied, events.PlanApplied) and applied.digest == kept.digest:
            raise PlanRefused(
                f"This plan has been applied already, at position {event.position}.",
                where=f"plan {kept.digest[:12]}",
                remedy="'ml-connector status' says how far it has come.",
            )
        raise PlanRefused(
            f"The log has moved since this plan was made: {event.type} at position "
            f"{event.position} ({event.stream}).",
            where=f"plan {kept.digest[:12]}, made at position {kept.position}",
        )
    mapping = await mapping_of(store, kept)
    head = await store.head()
    made = await _make(Overlay(store, head), kept.position, mapping, tier, everything=False)
    if made.plan.digest != kept.digest:
        raise PlanRefused(
            f"What would be done now is another plan ({made.plan.digest[:12]}).",
            where=f"plan {kept.digest[:12]}",
        )
    return made
