"""What a record was at a moment: each value that HubSpot had acknowledged, with its reason.

The reason goes from Sage 100 to HubSpot: the column, or the fact and what it was made of; with
which stamp, by poll or sweep; the mapping, the command and what led to it; the batch, HubSpot's
status and correlation id. Of what was erased since, that is told, and when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import paging
from connector.addresses import MAPPING_STREAM
from connector.histories import History, HistoryMoment, source_stream
from connector.log_pages import entries_of
from eventstore import EventStore
from projections import asof, events, keys, personal, pins, provenance
from projections.asof import HeldField
from projections.columns import ENTITY_OF
from projections.folding import Entry
from projections.mapping import compiled
from projections.provenance import Origin

_DIGEST: Final = 12  # characters of a mapping's digest that a command names
_PERSONAL: Final = frozenset({"companies", "contacts", "vendors"})


class FieldThen(msgspec.Struct, frozen=True):
    """What one HubSpot property held at a moment, since when, and what had led to it.

    `because`: the command in words; `cause`: what had led to that. `source`, `cells`, `seen`,
    `stamp` and `via`: Sage 100's side, as `provenance.Origin` has it. `erased`: when the value was
    erased from the log, "" where it was not.
    """

    field: str
    value: str | None
    since: str
    because: str
    position: int
    source: str = ""
    cells: dict[str, str] = {}
    seen: str = ""
    stamp: str = ""
    via: str = ""
    mapping: str = ""
    command: int = 0
    cause: str = ""
    batch: str = ""
    status: int = 0
    correlation_id: str = ""
    trace: str = ""
    erased: str = ""


class _Around(msgspec.Struct, frozen=True):
    """What the reasons are read from."""

    kind: str
    told: dict[int, HistoryMoment]
    entries: dict[int, Entry]
    streams: dict[str, list[Entry]]
    mappings: dict[str, compiled.CompiledMapping]
    invoices: list[Entry]


async def fields_at(store: EventStore, found: History, at_us: int) -> list[FieldThen]:
    """What HubSpot had acknowledged of a record at a time (µs UTC), each value with its reason."""
    # Times are shown to the millisecond, cut off: one that was copied means all of it.
    upto = await store.position_at(at_us // 1000 * 1000 + 999)
    entries = entries_of(await store.history(keys.hubspot_stream(found.target)))
    kind, _ = keys.split_target(found.target)
    around = _Around(
        kind=kind,
        told={each.moment.position: each for each in found.moments},
        entries={entry.position: entry for entry in entries},
        streams=await _sources(store, found.target),
        mappings=await _mappings(store),
        invoices=await _invoices(store, found.target),
    )
    until = [entry for entry in entries if entry.position <= upto]
    fields = [_field(one, around) for one in asof.held_at(until)]
    fields += _erased(entries, until, {one.field for one in fields}, around)
    return sorted(fields, key=lambda one: one.field)


async def _sources(store: EventStore, target: str) -> dict[str, list[Entry]]:
    """Entity to the events of the record that a target shows, of its customer, and of its terms."""
    kind, external = keys.split_target(target)
    customer = keys.target("companies", keys.customer_of(external))
    out: dict[str, list[Entry]] = {}
    for one in dict.fromkeys([target, customer] if kind in {"contacts", "invoices"} else [target]):
        stream = await source_stream(store, one)
        if stream:
            out[ENTITY_OF[keys.split_target(one)[0]]] = entries_of(await store.history(stream))
    own = out.get(ENTITY_OF.get(kind, ""), [])
    rows = [one.payload.row for one in own if isinstance(one.payload, events.RecordObserved)]
    code = rows[-1].get("TermsCode", "").rstrip(" ") if rows else ""
    if code:
        _, instance, company, _, _ = own[0].stream.split("/", 4)
        record = keys.record_key("AR_TermsCode", [code])
        stream = keys.sage_stream(instance, company, "AR_TermsCode", record)
        out["AR_TermsCode"] = entries_of(await store.history(stream))
    return out


async def _invoices(store: EventStore, target: str) -> list[Entry]:
    """The events of all invoices of a customer, which its aging is made of."""
    if keys.split_target(target)[0] != "companies":
        return []
    customer = await source_stream(store, target)
    prefix = customer.replace("/AR_Customer/", "/AR_Invoice/", 1) + ":"
    names = [name async for name in paging.streams(store, prefix)] if customer else []
    out: list[Entry] = []
    async for _, stored in paging.histories(store, names):
        out += entries_of(stored)
    return out


async def _mappings(store: EventStore) -> dict[str, compiled.CompiledMapping]:
    """Every mapping that was in force, by the beginning of its digest; none that is unreadable."""
    out: dict[str, compiled.CompiledMapping] = {}
    for stored in await store.history(MAPPING_STREAM):
        event = events.decode(stored.type, stored.data)
        if isinstance(event, events.MappingActivated):
            try:
                out[event.digest[:_DIGEST]] = compiled.restore(event.mapping)
            except compiled.MappingError:
                continue  # of an earlier version: its columns are not told
    return out


def _field(one: HeldField, around: _Around) -> FieldThen:
    acknowledged = around.entries[one.position].payload
    because = around.entries.get(one.because)
    told = around.told.get(one.because)
    emitted = because.payload if because is not None else None
    cause = around.told.get((told.moment.cause if told is not None else None) or 0)
    answer = around.told[one.position]
    out = FieldThen(
        one.field,
        one.value,
        answer.time,
        told.moment.text if told is not None else "",
        one.position,
        cause=cause.moment.text if cause is not None else "",
        trace=answer.trace,
    )
    if isinstance(acknowledged, events.CommandSucceeded):
        out = msgspec.structs.replace(
            out,
            command=acknowledged.command,
            batch=acknowledged.batch,
            status=acknowledged.status,
            correlation_id=acknowledged.correlation_id,
        )
        if one.field in acknowledged.kept:
            source = "HubSpot's own value, which the mapping only fills where it is empty"
            return msgspec.structs.replace(out, source=source)
    if not isinstance(emitted, events.CommandEmitted):
        return msgspec.structs.replace(out, source="what HubSpot's record held")
    out = msgspec.structs.replace(out, mapping=emitted.mapping)
    if one.field in emitted.expected or emitted.reason == pins.REASON:
        return msgspec.structs.replace(out, source="an undo: what stood there before")
    return _with_origin(out, one, _origin(one, emitted, around), around)


def _origin(one: HeldField, emitted: events.CommandEmitted, around: _Around) -> Origin:
    mapping = around.mappings.get(emitted.mapping)
    section = mapping.objects.get(around.kind) if mapping is not None else None
    rule = section.by_property.get(one.field) if section is not None else None
    if rule is not None:
        found = provenance.origin(rule, ENTITY_OF[around.kind], around.streams, one.because)
        if rule.source.startswith("aging."):
            # The terms at hand are the customer's own, not those of its invoices.
            items = provenance.open_invoices(around.invoices, one.because)
            found = Origin(found.source, items)
        return found
    is_key = section is not None and one.field == section.key
    return Origin("the record's key in Sage 100" if is_key else "")


def _with_origin(out: FieldThen, one: HeldField, found: Origin, around: _Around) -> FieldThen:
    seen = around.told.get(found.position)
    blank = [
        entry
        for entries in around.streams.values()
        for entry in entries
        if entry.payload is None and entry.position <= one.because
    ]
    source = found.source
    if blank and not found.position:
        when = _erased_on(around.streams.get(ENTITY_OF.get(around.kind, ""), []), around.told)
        source += f" (what Sage 100 showed was erased{f' on {when}' if when else ''})"
    return msgspec.structs.replace(
        out,
        source=source,
        cells=found.cells,
        seen=seen.time if seen is not None else "",
        stamp=found.stamp,
        via=found.via,
    )


def _erased_on(entries: Sequence[Entry], told: Mapping[int, HistoryMoment]) -> str:
    """When the record of these events was erased, "" when it was not."""
    for entry in entries:
        if isinstance(entry.payload, events.TargetErased | events.RecordErased):
            return told[entry.position].time if entry.position in told else ""
    return ""


def _erased(
    entries: Sequence[Entry], until: Sequence[Entry], known: set[str], around: _Around
) -> list[FieldThen]:
    """The properties whose values at that moment nobody can tell any more."""
    if not any(entry.payload is None for entry in until):
        return []
    stands = next((one for one in entries if isinstance(one.payload, events.TargetErased)), None)
    if stands is None:
        return []
    left = stands.payload
    assert isinstance(left, events.TargetErased)  # noqa: S101 - it was looked for
    names = set(left.cleared)
    if around.kind in _PERSONAL:
        for mapping in around.mappings.values():
            names |= personal.personal_properties(around.kind, mapping.objects[around.kind])
    if stands.position > until[-1].position:
        names |= left.held.keys()  # of that time nothing at all is known any more
    when = _erased_on([stands], around.told)
    return [
        FieldThen(name, None, "", f"erased from the log on {when}", stands.position, erased=when)
        for name in sorted(names - known)
    ]
