"""One step of projecting: a page of the log in, changed rows and dirty targets out.

`wants` names the rows that folding the page reads, `fold` folds it. The ledger rows (`target` and
its work lists) are written by whoever appends the events, in the same transaction; only a rebuild
folds them here, which is what `ledger=True` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from projections import books, breaker, drift, keys, ledger, line, source
from projections import events as e
from projections.folding import Entry, Folding
from projections.tables import ActiveMapping, Dirty, Fanout, Source
from projections.workspace import Workspace

replace = msgspec.structs.replace
_raw_encoder = msgspec.json.Encoder(order="sorted")
_BY_MAPPING = "changed by the mapping"
_LINE_LINKS = "associations/line_items:"


def wants(entries: Sequence[Entry], *, ledger_too: bool = False) -> dict[str, set[str]]:
    """Table to keys that folding these entries reads."""
    out: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        stream = entry.stream
        if stream.startswith("sage/"):
            if entry.payload is not None:
                source.wants(source.record_of(stream), entry.payload, out)
            out["pass_book"].add(books.pass_key(stream))
        elif stream.startswith("hubspot/"):
            name = stream[8:]
            out["object_book"].add(name.partition("/")[0])
            if ledger_too:
                out["target"].add(name)
        elif stream.startswith("poll/"):
            out["pass_book"].add(books.pass_key(stream))
            out["source"] |= {source.wants_of_pass(stream, entry.payload)} - {""}
            if isinstance(entry.payload, e.MassChangeHeld):
                out["frozen"].add(breaker.company_of_pass(stream))
        elif isinstance(entry.payload, e.MassChangeReleased):
            out["frozen"].add(entry.payload.company)
        elif isinstance(entry.payload, e.SourceDescribed | e.AgingDateAdvanced):
            out["source"].add(entry.payload.company)
        elif isinstance(entry.payload, e.CallsCounted):
            out["calls_book"].add(books.CALLS)
        elif place := books.wants_of_writing(entry.payload):
            out[place[0]].add(place[1])
    return out


def wants_also(entries: Sequence[Entry], work: Workspace) -> dict[str, set[str]]:
    """What else they read, once the rows that `wants` names are loaded."""
    out: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        stream = entry.stream
        # Few entities ask for more; what their names hold is asked first, for it costs least.
        if "/AR_Invoice/" in stream and stream.startswith("sage/") and entry.payload is not None:
            source.wants_also(source.record_of(stream), work, out)
    return out


def fold(entries: Iterable[Entry], into: Folding, *, ledger_too: bool = False) -> None:
    """Fold a page whose wanted rows, of both kinds, are loaded."""
    for entry in entries:
        stream = entry.stream
        if stream.startswith("hubspot/"):
            _command(entry, stream[8:], into, ledger_too=ledger_too)
        elif stream.startswith("sage/"):
            source.fold(entry, into)
            if ledger_too:
                source.fold_fingerprint(entry, into)
            if isinstance(entry.payload, e.RecordObserved):
                books.count_observed(entry, into)
            elif isinstance(entry.payload, e.RecordVanished):
                books.count_vanished(entry, into)
            elif entry.payload is None:
                books.count_blank(entry, into)
        elif stream.startswith("poll/"):
            books.fold_pass(entry, into)
            source.fold_pass(entry, into)
            if isinstance(entry.payload, e.MassChangeHeld):
                breaker.fold_held(entry.stream, entry.position, entry.payload, into)
        else:
            _settings(entry, into)
    books.write_observed(into)


def fold_ledger(entries: Iterable[Entry], into: Folding) -> None:
    """Fold only the rows that are written together with their events: those of the ledger, and the
    poller's. They are ahead of the others where these have not come to the end of the log.
    """
    for entry in entries:
        if entry.payload is None:
            continue
        if entry.stream.startswith("hubspot/"):
            ledger.track(into.work, entry.stream[8:], entry.payload, entry.version)
        elif entry.stream.startswith("sage/"):
            source.fold_fingerprint(entry, into)


def _command(entry: Entry, name: str, into: Folding, *, ledger_too: bool) -> None:
    payload = entry.payload
    if payload is None:
        return
    kind = name.partition("/")[0]
    if ledger_too:
        ledger.track(into.work, name, payload, entry.version)
    books.fold_command(kind, payload, into)
    match payload:
        case e.CommandSucceeded():
            into.settled[name] = entry.position
            if kind != "associations":
                # Whatever the outcome is called, it may be the first to tell the HubSpot id.
                into.arrived[name] = entry.position
                source.put_alias(into, payload.hubspot_id, name)
                if not any(one.owner for one in payload.withheld.values()):
                    # One that waits itself lets go of nothing; else two would wake each other.
                    into.moved[f"{kind}:{payload.hubspot_id}"] = entry.position
            elif name.startswith(_LINE_LINKS):
                invoice = keys.parents(name)[1]
                into.force(invoice, Dirty(entry.position, line.ARRIVED))
            if payload.replaced:
                _replaced(name, entry.position, payload.outcome == "created", into)
        case e.CommandFailed() | e.CommandParked():
            into.settled[name] = entry.position
        case e.DealMatched():
            into.dirty[name] = entry.position
            if payload.former:
                former = keys.association(name, f"deals/{payload.former}")
                into.dirty[former] = entry.position
        case e.DriftFound():
            into.force(name, Dirty(entry.position, "", drift.REASON))
        case e.FieldsPinned():
            into.dirty[name] = entry.position
        case e.TargetErased():
            into.dirty[name] = entry.position
            if payload.hubspot_id and kind != "associations":
                source.put_alias(into, payload.hubspot_id, name)
        case e.RecordAdopted():
            into.arrived[name] = entry.position
            into.dirty[name] = entry.position
            source.put_alias(into, payload.hubspot_id, name)
        case e.RecordLost():
            into.force(name, Dirty(entry.position, "was gone from HubSpot and is created anew"))
        case _:
            pass


def _replaced(name: str, position: int, is_new: bool, into: Folding) -> None:
    """Another record stands in the place of the one we knew: its links are to be looked at.

    People merged what is not new, and of two values either may have stayed: write all of it.
    """
    if is_new:
        into.dirty[name] = position
    else:
        into.force(name, Dirty(position, "was merged with another record in HubSpot"))
    kind, key = keys.split_target(name)
    if kind == "companies":
        into.fan_out(Fanout("accounts", key, position))
        into.fan_out(Fanout("contacts", f"{key}:", position))
        into.fan_out(Fanout("bought", f"{key}>", position))
    if kind == "invoices":
        into.fan_out(Fanout("details", keys.details_of(key), position))
    if kind in {"companies", "contacts"}:
        into.fan_out(Fanout("bills", f"{keys.customer_of(key)}:", position))


def _settings(entry: Entry, into: Folding) -> None:
    work = into.work
    match entry.payload:
        case e.SourceDescribed() as described:
            before = work.get("source", Source, described.company) or Source()
            after = replace(
                before,
                instance=described.instance,
                currency=described.currency,
                timezone=described.timezone,
                aging_basis=described.aging_basis,
                aging_limits=tuple(described.aging_limits),
                revenue_periods=described.revenue_periods,
                columns={name: tuple(cols) for name, cols in described.columns.items()},
            )
            work.put("source", described.company, after)
            if after != before and before.instance:
                _touch_company(described.company, entry.position, into)
        case e.AgingDateAdvanced() as advanced:
            before = work.get("source", Source, advanced.company) or Source()
            as_of = advanced.date.replace("-", "")
            work.put("source", advanced.company, replace(before, as_of=as_of))
            into.fan_out(Fanout("open_items", f"{advanced.company}:", entry.position))
            if not before.as_of:
                into.fan_out(Fanout("accounts", f"{advanced.company}:", entry.position))
        case e.MappingActivated() as activated:
            raw = msgspec.Raw(_raw_encoder.encode(activated.mapping))
            work.put("mapping", "active", ActiveMapping(activated.digest, raw))
            for kind in ("accounts", "contacts", "bills", "vendors", "details"):
                into.fan_out(Fanout(kind, "", entry.position, why=_BY_MAPPING))
        case e.ReplayRequested() as request:
            for name in request.targets:
                into.force(name, Dirty(entry.position, f"replay: {request.selection}"))
        case e.MassChangeReleased() as released:
            breaker.fold_released(released, into)
        case e.CallsCounted() as counted:
            books.fold_calls(counted, into)
        case _:
            books.fold_writing(entry.payload, into)


def _touch_company(company: str, position: int, into: Folding) -> None:
    """Settings of a company changed: everything of it may look different."""
    prefix = keys.external_key(company, "")
    for kind in ("accounts", "contacts", "bills", "vendors", "details"):
        into.fan_out(Fanout(kind, prefix, position))
