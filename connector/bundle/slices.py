"""The slice of the log that one record's life depends on.

A customer, its contacts, invoices with their lines, payments and sales decide on one another (a
balance is a sum of invoices), so whichever of them is asked for, all of them are taken, and so are
customers who pay for it or have it pay (a national account); a vendor stands alone. With them go
what was decided and done about them in HubSpot, the terms codes, mappings and settings of their
company, when all its rows were read for the first time, and what people asked for. Other customers
are left out, but for the newest fiscal period that anybody's sales have reached, since that moves
everybody's revenue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from connector import documents, paging
from connector.bundle.files import ERASED, Bundle, BundleEvent
from connector.errors import Misconfigured
from connector.naming import by_name
from connector.planning import MAPPING_STREAM
from connector.replaying import REPLAY_STREAM
from connector.reports import find
from connector.telemetry import product_version
from eventstore import EventStore, StoredEvent
from projections import bills, events, keys
from projections.source import ADDED_UP, wants_of_pass
from projections.tables import Account, Bill, Source

_OF_A_CUSTOMER: Final = (
    "AR_CustomerContact",
    "AR_Invoice",
    "AR_Payment",
    "AR_CustomerSalesHistory",
)
_SETTINGS: Final = (events.SourceDescribed, events.AgingDateAdvanced)
_NOBODY: Final = "00-0"  # who is said to have made the sales of the newest period


async def collect(store: EventStore, key: str) -> Bundle:
    """The slice of the record that `key` names, as it stands in the log: not for other eyes yet.

    Raises Misconfigured when it names none, or several that do not belong together.
    """
    names = await find(store, key) or await by_name(store, key)
    roots = {_root(name) for name in names}
    if len(roots) != 1:
        what = f"may be any of these: {', '.join(names)}" if names else "is not known to the log"
        raise Misconfigured(f"{key!r} {what}", where="KEY", remedy="Name one: ABC:01-ABF.")
    [root] = roots
    kind, external = keys.split_target(root)
    code = keys.company_code(external)
    source = await documents.one(store, "source", Source, code) or Source()
    group = await _together(store, external) if kind == "companies" else [external]
    streams = [
        name
        for one in group
        async for name in _streams(store, source.instance, code, kind, one.partition(":")[2])
    ]
    stored: list[StoredEvent] = []
    async for _, life in paging.histories(store, list(dict.fromkeys(streams))):
        stored += life
    stored += await _settings(store, code, {name.removeprefix("hubspot/") for name in streams})
    if source.instance:
        stored += await _first_passes(store, source.instance, code)
    stored.sort(key=lambda event: event.position)
    out = await _with_times(store, stored)
    if kind == "companies":
        out = await _with_newest_period(store, source, external, out)
    return Bundle(made_by=product_version(), key=root, head=(await store.head()).last, events=out)


def _root(name: str) -> str:
    """The company or vendor that a target belongs to."""
    kind, external = keys.split_target(name)
    return name if kind == "vendors" else keys.target("companies", keys.customer_of(external))


async def _together(store: EventStore, external: str) -> list[str]:
    """The customer and whoever pays for it or has it pay, and so on: their invoices are linked to
    both, and make both of them customers.
    """
    group, todo = {external}, [external]
    while todo:
        one = todo.pop()
        others = set()
        async for row in paging.each(store, "bought", f"{one}>"):
            others.add(keys.customer_of(row.key.partition(">")[2]))
        async for name, bill in documents.each(store, "bill", Bill, f"{one}:"):
            others |= bills.buyers(name, bill)
        todo += others - group
        group |= others
    return sorted(group)


async def _streams(
    store: EventStore, instance: str, code: str, kind: str, record: str
) -> AsyncIterator[str]:
    external = keys.external_key(code, record)
    if kind == "vendors":
        yield keys.sage_stream(instance, code, "AP_Vendor", record)
        yield keys.hubspot_stream(keys.target("vendors", external))
    else:
        yield keys.sage_stream(instance, code, "AR_Customer", record)
        for entity in _OF_A_CUSTOMER:
            prefix = keys.sage_stream(instance, code, entity, f"{record}:")
            async for name in paging.streams(store, prefix):
                yield name
                if entity == "AR_Invoice":
                    async for line in _lines(store, instance, code, name.rpartition("/")[2]):
                        yield line
        yield keys.hubspot_stream(keys.target("companies", external))
        yield keys.hubspot_stream(keys.target("contacts", external))
        for prefix in (
            *(keys.target(one, f"{external}:") for one in keys.PARTS),
            f"associations/contacts:{external}>",
            *(f"associations/{one}:{external}:" for one in keys.PARTS),
        ):
            async for name in paging.streams(store, keys.hubspot_stream(prefix)):
                yield name
    async for name in paging.streams(store, keys.sage_stream(instance, code, "AR_TermsCode", "")):
        yield name


async def _lines(store: EventStore, instance: str, code: str, invoice: str) -> AsyncIterator[str]:
    """The lines of an invoice (01-ABF:0100215-000001-IN), which are keyed without its customer."""
    first = keys.details_of(keys.external_key(code, invoice)).partition(":")[2]
    prefix = keys.sage_stream(instance, code, "AR_InvoiceDetail", first)
    async for name in paging.streams(store, prefix):
        yield name


async def _settings(store: EventStore, code: str, targets: set[str]) -> list[StoredEvent]:
    """Mappings, what is set for this company, and the replays of these targets (of no others)."""
    out = await store.history(MAPPING_STREAM)
    async for stream in paging.streams(store, "config/"):
        for event in await store.history(stream):
            payload = events.decode(event.type, event.data)
            if isinstance(payload, _SETTINGS) and payload.company == code:
                out.append(event)
    for event in await store.history(REPLAY_STREAM):
        request = events.decode(event.type, event.data)
        if isinstance(request, events.ReplayRequested):
            ours = [name for name in request.targets if name in targets]
            if ours:
                data = events.encode(events.ReplayRequested(ours, request.selection))
                out.append(msgspec.structs.replace(event, data=data))
    return out


async def _first_passes(store: EventStore, instance: str, code: str) -> list[StoredEvent]:
    """That all rows were read of what figures add up, without how many there were."""
    out = []
    for entity in ADDED_UP:
        stream = keys.poll_stream(instance, code, entity)
        for event in await store.history(stream):
            payload = events.decode(event.type, event.data)
            if wants_of_pass(stream, payload):
                told: events.Event = events.PollSkipped("cursor", "not served")
                if isinstance(payload, events.PollCompleted):
                    told = events.PollCompleted("cursor", 0, 0, 0)
                out.append(msgspec.structs.replace(event, data=events.encode(told)))
                break
    return out


async def _with_times(store: EventStore, stored: list[StoredEvent]) -> list[BundleEvent]:
    commits = await paging.commits(store, [event.position for event in stored])
    return [
        BundleEvent(
            position=event.position,
            stream=event.stream,
            version=event.version,
            type=event.type,
            time_us=commit.recorded_at_us if commit is not None else 0,
            data=msgspec.Raw(event.data) if event.data is not None else ERASED,
            cause=event.cause,
        )
        for event, commit in zip(stored, commits, strict=True)
    ]


async def _with_newest_period(
    store: EventStore, source: Source, external: str, out: list[BundleEvent]
) -> list[BundleEvent]:
    """The slice, begun with an empty sale of the newest fiscal period of the company."""
    account = await documents.one(store, "account", Account, external) or Account()
    if not source.latest_period or source.latest_period in account.sales or not out:
        return out
    division, _, number = _NOBODY.partition("-")
    year, _, period = source.latest_period.partition("-")
    row = {"ARDivisionNo": division, "CustomerNo": number, "FiscalYear": year}
    row |= {"FiscalPeriod": period, "DollarsSold": "0"}
    sale = events.RecordObserved([division, number, year, period], row, "")
    stream = keys.sage_stream(
        source.instance,
        keys.company_code(external),
        "AR_CustomerSalesHistory",
        f"{_NOBODY}:{source.latest_period}",
    )
    data = msgspec.Raw(events.encode(sale))
    first = BundleEvent(0, stream, 1, "RecordObserved", out[0].time_us, data)
    return [first, *out]
