"""Playing a bundle again: what Sage 100 said is said again, and all else is decided and done anew.

Rows, settings, replays and what people undid or changed are appended in their order; wherever the
log had decided on something, the projector decides now and the writer writes, with the bundle's
mapping, into whatever HubSpot it is given. At the end the ledger of every object is compared with
the one that the bundle's own commands and outcomes come to: which exist, where each stands, and
what is held. Of what was erased the past cannot be played: it begins with what was left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from connector import paging, rows
from connector.bundle.files import ERASED, Bundle, BundleEvent, payload_of
from connector.bundle.seeds import DEALS, left_of_the_erased, newest_mapping
from connector.hubspot import schema
from connector.hubspot.api import HubSpot
from connector.hubspot.definitions import Definitions
from connector.hubspot.delivery import Surroundings
from connector.hubspot.writer import Writer
from connector.new_events import new_event
from connector.projector import Projector
from eventstore import EventStore, Meta, NewEvent
from projections import asof, events, keys, ledger, likeness
from projections.folding import Entry
from projections.mapping import compiled
from projections.tables import Target
from projections.workspace import Workspace

# What others did to a HubSpot object: told again, where commands and outcomes are made anew.
_PEOPLE: Final = (events.FieldsPinned, events.DriftFound, events.DealMatched)
_TURNS: Final = 50
_MOST_INPUTS: Final = 500


class Difference(msgspec.Struct, frozen=True):
    """One way in which the end is another: in a property, or "(state)" and the like of a target."""

    target: str
    what: str
    recorded: str
    played: str


class Played(msgspec.Struct, frozen=True):
    """What playing came to: how much was said, how many objects were compared, what differs."""

    key: str
    inputs: int
    targets: int
    values: int
    differences: list[Difference]


async def prepare(bundle: Bundle, store: EventStore, hubspot: HubSpot) -> None:
    """Create the properties that the bundle's mapping writes, in an empty HubSpot."""
    mapping = newest_mapping(bundle)
    await schema.setup(store, hubspot, mapping.source, mapping.digest)


async def play(
    bundle: Bundle,
    store: EventStore,
    hubspot: HubSpot,
    ids: Mapping[str, str] = MappingProxyType({}),
) -> Played:
    """Play it into an empty store and this HubSpot, for which `prepare` was called.

    `ids`: the HubSpot ids there of what `seeds` had to be put there, by target.
    """
    mapping = newest_mapping(bundle)
    current = [mapping]
    around = Surroundings(store, hubspot, lambda: current[0].source)
    around.definitions = Definitions(hubspot)
    projector, writer = Projector(store), Writer(around)
    inputs = 0
    waiting: list[BundleEvent] = []
    for name, left in left_of_the_erased(bundle).items():
        if name in ids:
            await _tell(store, name, msgspec.structs.replace(left, hubspot_id=ids[name]))
    for name, hubspot_id in ids.items():
        if keys.split_target(name)[0] == DEALS:
            await _tell(store, name, events.RecordAdopted(hubspot_id, "in the bundle", {}))

    async def settle() -> None:
        nonlocal inputs
        for event in waiting:
            payload = payload_of(event)
            if isinstance(payload, events.MappingActivated):
                current[0] = compiled.restore(payload.mapping)
        inputs += len(waiting)
        for part in paging.parts(waiting, _MOST_INPUTS):
            await store.append([_again(event) for event in part], meta=Meta(actor="reproduce"))
        waiting.clear()
        for _ in range(_TURNS):
            head = (await store.head()).last
            await projector.run_until_idle()
            await writer.run_until_idle()
            if (await store.head()).last == head:
                return

    for event in bundle.events:
        if event.data == ERASED:
            continue
        if event.stream.startswith("hubspot/"):
            if waiting:
                await settle()
            payload = payload_of(event)
            if isinstance(payload, _PEOPLE):
                await _tell(store, event.stream.removeprefix("hubspot/"), payload)
                await settle()
        else:
            waiting.append(event)
    await settle()
    targets, values, differences = await _compare(bundle, store)
    return Played(bundle.key, inputs, targets, values, differences)


async def _tell(store: EventStore, name: str, event: events.Event) -> None:
    """Put into the ledger of a record what people did, or what an erasure has left of it."""
    work = Workspace()
    await rows.load(store, work, {"target": [name]})
    doc = work.get("target", Target, name) or ledger.EMPTY
    stream = keys.hubspot_stream(name)
    ledger.track(work, name, event, doc.version + 1)
    await store.append(
        [new_event(stream, event)],
        expect={stream: doc.version},
        also=rows.writes(work),
        meta=Meta(actor="reproduce"),
    )


def _again(event: BundleEvent) -> NewEvent:
    schema = events.SCHEMAS.get(event.type, events.SCHEMA)
    return NewEvent(event.stream, event.type, bytes(event.data), schema)


async def _compare(bundle: Bundle, store: EventStore) -> tuple[int, int, list[Difference]]:
    recorded: dict[str, list[Entry]] = {}
    for event in bundle.events:
        if event.stream.startswith("hubspot/"):
            entry = Entry(event.position, event.stream, event.version, payload_of(event))
            recorded.setdefault(event.stream.removeprefix("hubspot/"), []).append(entry)
    mapping = newest_mapping(bundle)
    work = Workspace()
    await rows.load(store, work, {"target": recorded})
    values = 0
    out: list[Difference] = []
    for name, entries in sorted(recorded.items()):
        then = asof.target_at(entries)
        now = work.get("target", Target, name) or ledger.EMPTY
        values += len(then.held)
        rules = mapping.objects.get(keys.split_target(name)[0])
        out += _differences(name, then, now, rules)
    async for row in paging.each(store, "target"):
        if row.key not in recorded and keys.split_target(row.key)[0] != DEALS:
            out.append(Difference(row.key, "(known)", "no", "yes"))
    return len(recorded), values, out


def _differences(
    name: str, then: Target, now: Target, rules: compiled.CompiledObject | None
) -> Sequence[Difference]:
    out = []
    for what, one, other in (
        ("(in HubSpot)", _yes(then.hubspot_id), _yes(now.hubspot_id)),
        ("(state)", _state(then), _state(now)),
        ("(left out)", ", ".join(sorted(then.withheld)), ", ".join(sorted(now.withheld))),
    ):
        if one != other:
            out.append(Difference(name, what, one, other))
    for prop in sorted(then.held.keys() | now.held.keys()):
        one, other = then.held.get(prop, ""), now.held.get(prop, "")
        rule = rules.by_property.get(prop) if rules is not None else None
        if not likeness.same(one, other, rule.kind if rule is not None else ""):
            out.append(Difference(name, prop, one, other))
    return out


def _yes(hubspot_id: str) -> str:
    return "yes" if hubspot_id else "no"


def _state(doc: Target) -> str:
    return f"{doc.state} ({doc.reason})" if doc.state == "parked" else doc.state
