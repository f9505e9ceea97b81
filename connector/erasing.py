"""Erasing a record: making the log, and with it everything else, agree with the list of the erased.

Of a listed record the log must hold no personal data. Where it does, the payloads of the record's
streams and of its HubSpot objects are blanked, and the same commit says what is left of them: the
accounting columns, and what HubSpot holds that is not personal. Then the read models are refolded
from that log, so that they cannot hold what it does not, and the file is written anew. Nothing
else may use the store meanwhile. Properties of ours in HubSpot that show personal data are emptied
by ordinary commands; records there are not deleted, that is for a person to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

import msgspec

from connector import (
    came_back,
    documents,
    erasure_list,
    mappings,
    old_undos,
    order_files,
    paging,
    planning,
    scratch,
    scrubbing,
)
from connector.erasure_list import Listed
from connector.errors import Misconfigured
from connector.harmless import Harmless, harmless_values
from connector.log_pages import entries_of
from connector.new_events import in_the_name_of, new_event
from connector.progress import Progress
from connector.projector import Projector
from connector.rebuild import outdated, rebuild
from connector.reports import find
from connector.sage100.fingerprint import fingerprint, stamp_of
from connector.sage100.likeness import NEWCOMERS
from connector.undo import UNDO_STREAM
from connector.waiting import rest
from eventstore import Clear, ErasureUnfinished, EventStore, NewEvent
from projections import asof, books, keys, personal
from projections.columns import ENTITY_OF, KIND_OF
from projections.events import (
    RecordErased,
    RecordObserved,
    RecordVanished,
    TargetErased,
)
from projections.folding import Entry, Folding
from projections.mapping import compiled
from projections.source import record_of
from projections.tables import ObjectBook, Source
from projections.workspace import Workspace

_LOOK_S: Final = 1.0
_ACCOUNTING: Final = ("invoices/", "line_items/")
_log: Final = logging.getLogger(__name__)


class Affected(msgspec.Struct, frozen=True):
    """What an erasure concerns: source records, HubSpot objects, and their ids there."""

    records: list[str]
    targets: list[str]
    hubspot_ids: dict[str, str]


# ------------------------------------------------------------ which records


async def record_meant(store: EventStore, key: str) -> str:
    """The stream of the customer, contact or vendor that a person means by `key`.

    Raises Misconfigured when it names none, several (they are listed), or what cannot be erased.
    """
    names = await find(store, key)
    if not names:
        raise Misconfigured(
            f"nothing in the log is known as {key!r}",
            where="KEY",
            remedy="Keys look like ABC:01-ABF; 'ml-connector history KEY' tries one out.",
        )
    if names[0].startswith("associations/"):
        raise Misconfigured(
            f"{names[0]} is a link between two records: nothing of it is personal",
            where="KEY",
            remedy="Name the customer, contact or vendor: ABC:01-ABF.",
        )
    streams: dict[str, None] = {}
    kept = [name for name in names if name.startswith(_ACCOUNTING)]
    for name in names:
        kind, external = keys.split_target(name)
        if name in kept:
            continue
        code, _, record = external.partition(":")
        # A customer's own contact has no record beside the customer's.
        entity = ENTITY_OF["companies" if ":" not in record and kind == "contacts" else kind]
        source = await documents.one(store, "source", Source, code) or Source()
        streams[keys.sage_stream(source.instance, code, entity, record)] = None
    if len(names) == len(kept) == 1:
        [name] = names
        raise Misconfigured(
            f"{name} is an invoice: accounting records are kept",
            where="KEY",
            remedy="Erase its customer: 'ml-connector erase "
            f"{keys.customer_of(keys.split_target(name)[1])}'. Its invoices then show nobody's "
            "name.",
        )
    if len(streams) + len(kept) > 1:
        raise Misconfigured(
            f"{key!r} may be any of these: {', '.join(names)}",
            where="KEY",
            remedy="Name one of them."
            + (" Invoices and their lines are accounting records, which are kept." if kept else ""),
        )
    return next(iter(streams))


async def affected(store: EventStore, stream: str) -> Affected:
    """What the erasure of this record concerns: a customer's contacts too."""
    record = record_of(stream)
    instance, kind = record.instance, KIND_OF[record.entity]
    records = [stream]
    targets = [keys.target(kind, record.key)]
    if record.entity == "AR_Customer":
        bare = record.key.partition(":")[2]
        prefix = keys.sage_stream(instance, record.company, "AR_CustomerContact", f"{bare}:")
        records += [name async for name in paging.streams(store, prefix)]
        targets.append(keys.target("contacts", record.key))
        prefix = keys.hubspot_stream(keys.target("contacts", f"{record.key}:"))
        names = paging.streams(store, prefix)
        targets += [name.removeprefix("hubspot/") async for name in names]
    known, ids = [], {}
    async for place, stored in paging.histories(store, [*map(keys.hubspot_stream, targets)]):
        name = place.removeprefix("hubspot/")
        if stored:
            known.append(name)
        doc = asof.target_at(entries_of(stored))
        if doc.hubspot_id:
            ids[name] = doc.hubspot_id
    return Affected(records, known, ids)


async def outstanding(store: EventStore, listed: Iterable[Listed]) -> list[Listed]:
    """Those of the list with which the log does not agree."""
    return [one for one in listed if not await _is_erased(store, one.record)]


async def _is_erased(store: EventStore, stream: str) -> bool:
    """Whether the log says so of this record, and holds nothing personal of it or under it."""
    entries = entries_of(await store.history(stream))
    if not any(isinstance(entry.payload, RecordErased) for entry in entries):
        return False
    found = await affected(store, stream)
    if await old_undos.hold(store, found.targets) or await came_back.holds(store, found.targets):
        return False
    for name in found.records:
        payloads = [entry.payload for entry in entries_of(await store.history(name))]
        if any(isinstance(one, RecordObserved) and not one.erased for one in payloads):
            return False
    return True


# ------------------------------------------------------------ making the log agree


async def enforce(
    store: EventStore, store_file: Path | None, progress: Progress | None = None
) -> int:
    """Erase what the list says and the log still holds; how many listed records that concerned.

    Nothing else may use the store meanwhile. Raises Misconfigured when the list cannot be read.
    """
    listed = await erasure_list.read(store_file) if store_file is not None else []
    if store_file is None or not listed:
        return 0
    todo = await outstanding(store, listed)
    for one in todo:
        await _erase(store, one)
        _log.warning("%s: personal data is erased from the log", one.record)
    # Also when a crash came between the log's erasure and this.
    goal = await scrubbing.behind(store)
    if goal is not None:
        harmless = await harmless_values(store, listed)
        await asyncio.to_thread(_forget_beside, store_file, harmless)
        await rebuild(store, Projector(store), verify=False, progress=progress)
        await scrubbing.scrub(store, goal)
    return len(todo)


def _forget_beside(store_file: Path, harmless: Harmless) -> None:
    """What lies beside the store holds values, too: plans, orders, copies of killed rehearsals."""
    planning.forget(store_file)
    try:
        order_files.forget(store_file, harmless)
    except order_files.OrdersClosed as problem:
        _log.error("orders that wait may hold what was erased: %s", problem)
    scratch.clear_left(store_file)


async def _erase(store: EventStore, listed: Listed) -> None:
    """Blank one record's streams, and say in the same commit what is left."""
    found = await affected(store, listed.record)
    mapping = await mappings.active(store)
    blank: list[str] = []
    then: list[NewEvent] = []
    for stream in found.records:
        entries = entries_of(await store.history(stream))
        then.append(new_event(stream, _record_left(stream, entries)))
        blank.append(stream)
    for name in found.targets:
        stream = keys.hubspot_stream(name)
        entries = entries_of(await store.history(stream))
        kind = keys.split_target(name)[0]
        rules = mapping.objects[kind] if mapping is not None else None
        then.append(new_event(stream, _target_left(kind, entries, rules)))
        blank.append(stream)
    if await old_undos.hold(store, found.targets):
        then += await old_undos.left(store)
        blank.append(UNDO_STREAM)
    with contextlib.suppress(ErasureUnfinished):  # the file is written anew in a moment
        await store.erase(
            blank,
            reason=listed.reason,
            meta=in_the_name_of(listed.by),
            then=then,
            also=[Clear(NEWCOMERS.name), outdated()],
        )


def _record_left(stream: str, entries: list[Entry]) -> RecordErased:
    record = record_of(stream)
    bare = record.key.partition(":")[2]
    parts: list[str] = []
    row: dict[str, str] = {}
    vanished = False
    for entry in entries:
        match entry.payload:
            case RecordObserved() | RecordErased() as seen:
                parts, row = (seen.key, seen.row) if seen.row else (parts, row)
                vanished = isinstance(seen, RecordErased) and seen.vanished
            case RecordVanished():
                vanished = True
            case _:
                pass
    left = personal.kept(record.entity, bare, row)
    digest = fingerprint(left) if left else ""
    return RecordErased(parts, left, digest, stamp_of(left), vanished=vanished)


def _target_left(
    kind: str, entries: list[Entry], mapping: compiled.CompiledObject | None
) -> TargetErased:
    doc = asof.target_at(entries)
    into = Folding(Workspace())
    into.work.load({"object_book": [kind]}, {})
    for entry in entries:
        books.fold_command(kind, entry.payload, into)
    book = into.work.get("object_book", ObjectBook, kind) or ObjectBook()
    held: dict[str, str] = {}
    cleared: list[str] = []
    if mapping is not None:
        hidden = personal.personal_properties(kind, mapping)
        known = {mapping.key, *mapping.by_property} - hidden
        held = {name: value for name, value in doc.held.items() if name in known}
        touched = {**doc.held, **doc.doubt, **doc.changes}
        cleared = sorted(
            name for name in hidden if mapping.by_property[name].owner == "sage" and name in touched
        )
    return TargetErased(
        hubspot_id=doc.hubspot_id,
        held=held,
        cleared=cleared if doc.hubspot_id else [],
        unkeyed=doc.unkeyed,
        lost=doc.lost,
        emitted=book.emitted,
        succeeded=book.succeeded,
        superseded=book.superseded + book.pending + book.held + book.parked,
        adopted=book.adopted,
        skipped=book.skipped,
    )


# ------------------------------------------------------------ beside a running service


@contextlib.asynccontextmanager
async def until_asked(
    store: EventStore, store_file: Path | None, stop: asyncio.Event
) -> AsyncIterator[asyncio.Event]:
    """Enforce the list; then an event that is set when `stop` is, or when the list has grown.

    What a reader beside keeps from being finished is tried again meanwhile.
    """
    known = erasure_list.size(store_file) if store_file is not None else 0
    await enforce(store, store_file)
    pause = asyncio.Event()

    async def look() -> None:
        told = False
        try:
            while not stop.is_set():
                try:
                    if store_file is not None and erasure_list.size(store_file) != known:
                        return
                except (OSError, Misconfigured) as problem:
                    if not told:
                        _log.error(
                            "the list of erased records cannot be looked at (%s): what is asked "
                            "for meanwhile is erased as soon as it can",
                            problem,
                        )
                    told = True
                await rest(stop, _LOOK_S)
        finally:
            pause.set()  # whatever happens here, nobody may wait for it in vain

    tasks = [asyncio.create_task(look()), asyncio.create_task(scrubbing.keep(store, pause))]
    try:
        yield pause
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
