"""The fold of what Sage 100 says: raw rows in, accounts, bills and open items out.

Every record keeps only its newest row, and every sum is made of contributions of such rows, so
rows may arrive in any order: an invoice before its customer, a payment before its invoice, terms
after both. Whatever may look different now is marked dirty; nothing is decided here. What adds up
all rows of an entity is told once all of them were read: until then half of what a customer owes
would look like all of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from projections import bills, contact, fiscal, invoice, keys
from projections import events as e
from projections.folding import Entry, Folding
from projections.tables import Account, Bill, Fanout, Fingerprint, PlainText, Source, SourceRow
from projections.workspace import Workspace

replace = msgspec.structs.replace
_NEW_ACCOUNT: Final = Account()
_SOURCE_ROWS: Final = {
    "AR_CustomerContact": "contact",
    "AP_Vendor": "vendor",
    "AR_InvoiceDetail": "detail",
}
# Entities whose rows a company's figures add up, and those that nobody waits for if not served.
ADDED_UP: Final = ("AR_Invoice", "AR_Payment", "AR_CustomerSalesHistory")
_DISPENSABLE: Final = frozenset({"AR_Payment"})


class Record(NamedTuple):
    """Which source record an event is about. `key` is the external one, ABC:01-ABF…"""

    instance: str
    company: str
    entity: str
    key: str


@functools.lru_cache(maxsize=2_048)
def record_of(stream: str) -> Record:
    """Read a sage/… stream name. Asked for twice per event, before and after rows are loaded."""
    _, instance, company, entity, key = stream.split("/", 4)
    return Record(instance, company, entity, keys.external_key(company, key))


def wants(record: Record, payload: e.Event, out: dict[str, set[str]]) -> None:
    """Add the rows that folding this event reads."""
    entity = record.entity
    if entity in {"AR_Invoice", "AR_Payment"}:
        out["bill"].add(_bill_key(record))
        out["account"].add(keys.customer_of(record.key))
        if entity == "AR_Invoice":
            out["source"].add(record.company)
            if isinstance(payload, e.RecordObserved):
                out["account"] |= {invoice.buyer(record.key, payload.row)} - {""}
    elif entity == "AR_Customer":
        out["account"].add(record.key)
    elif entity == "AR_CustomerSalesHistory":
        out["account"].add(keys.customer_of(record.key))
        out["source"].add(record.company)
    elif entity == "AR_CustomerContact":
        out["contact"].add(record.key)
        out["account"].add(keys.customer_of(record.key))
    elif entity in {"AP_Vendor", "AR_InvoiceDetail"} and isinstance(payload, e.RecordVanished):
        out[_SOURCE_ROWS[entity]].add(record.key)


def wants_also(record: Record, work: Workspace, out: dict[str, set[str]]) -> None:
    """Add the rows that only the ones `wants` names tell of: who bought what is billed so far."""
    if record.entity == "AR_Invoice":
        bill = work.get("bill", Bill, _bill_key(record))
        if bill is not None:
            out["account"] |= bills.buyers(record.key, bill)


def _bill_key(record: Record) -> str:
    if record.entity == "AR_Invoice":
        return keys.bill_of(record.key)
    return record.key.rpartition(":")[0]


def fold(entry: Entry, into: Folding) -> None:
    """Fold one event of a sage/… stream."""
    record = record_of(entry.stream)
    payload = entry.payload
    if isinstance(payload, e.RecordObserved):
        observed = _OBSERVED.get(record.entity)
        if observed is not None:
            observed(record, payload.row, entry.position, into)
            if payload.erased:
                _mark_erased(record, into)
    elif isinstance(payload, e.RecordErased):
        _erased(record, payload, entry.position, into)
    elif isinstance(payload, e.RecordVanished):
        _vanished(record, entry.position, into, withdrawn=payload.kind == "withdrawn")


def _erased(record: Record, payload: e.RecordErased, position: int, into: Folding) -> None:
    """What is left of a record takes the place of all that was said of it."""
    key = fingerprint_key(record.company, record.entity, record.key.partition(":")[2])
    into.work.put("erased", key, PlainText())
    observed = _OBSERVED.get(record.entity)
    if observed is None or not payload.row:
        return
    observed(record, payload.row, position, into)
    _mark_erased(record, into)
    if payload.vanished:
        _vanished(record, position, into)


def _mark_erased(record: Record, into: Folding) -> None:
    work = into.work
    if record.entity == "AR_Customer":
        account = work.get("account", Account, record.key) or _NEW_ACCOUNT
        work.put("account", record.key, replace(account, erased=True))
    elif record.entity in _SOURCE_ROWS:
        table = _SOURCE_ROWS[record.entity]
        found = work.get(table, SourceRow, record.key)
        if found is not None:
            work.put(table, record.key, replace(found, erased=True))


def _touch(record: Record, position: int, into: Folding) -> None:
    """What shows a contact, a vendor or a line of an invoice is to be decided on."""
    match record.entity:
        case "AR_CustomerContact":
            into.dirty[f"contacts/{record.key}"] = position
        case "AP_Vendor":
            into.dirty[f"vendors/{record.key}"] = position
        case "AR_InvoiceDetail":
            # A line's key does not say which customer's it is, so that is looked up later.
            into.fan_out(Fanout("details", f"{record.key.rpartition('-')[0]}-", position))


def _customer(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    before = into.work.get("account", Account, record.key) or _NEW_ACCOUNT
    after = replace(before, row=row, vanished=False)
    into.work.put("account", record.key, after)
    into.dirty[f"companies/{record.key}"] = position
    own, former = contact.primary_key(record.key, after), contact.primary_key(record.key, before)
    into.dirty[f"contacts/{own}"] = position
    if former is not None:
        into.dirty[f"contacts/{former}"] = position
    if after.invoices and own != former:
        # Its invoices are to be linked to another person.
        into.fan_out(Fanout("bills", f"{record.key}:", position))
        if former is not None:
            into.fan_out(Fanout("links", f"{record.key}:", position, note=f"contacts/{former}"))
    if after.contacts and _name(before.row) != _name(row):
        # Its contacts show the name of their company.
        into.fan_out(Fanout("contacts", f"{record.key}:", position))


def _name(row: dict[str, str] | None) -> str | None:
    return row.get("CustomerName", "") if row is not None else None


def _contact(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    if into.work.get("contact", SourceRow, record.key) is None:
        customer = keys.customer_of(record.key)
        account = into.work.get("account", Account, customer) or _NEW_ACCOUNT
        into.work.put("account", customer, replace(account, contacts=account.contacts + 1))
    into.work.put("contact", record.key, SourceRow(row))
    _touch(record, position, into)


def _terms(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    into.work.put("terms", record.key, SourceRow(row))
    into.fan_out(Fanout("accounts", f"{record.company}:", position))
    into.fan_out(Fanout("bills", f"{record.company}:", position))


def _vendor(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    into.work.put("vendor", record.key, SourceRow(row))
    _touch(record, position, into)


def _detail(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    into.work.put("detail", record.key, SourceRow(row))
    _touch(record, position, into)


def _sales(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    customer = keys.customer_of(record.key)
    period = record.key.rpartition(":")[2]
    account = into.work.get("account", Account, customer) or _NEW_ACCOUNT
    into.work.put(
        "account",
        customer,
        replace(account, sales={**account.sales, period: row.get("DollarsSold", "")}),
    )
    into.dirty[f"companies/{customer}"] = position
    source = into.work.get("source", Source, record.company) or Source()
    moved = fiscal.advance(source, period)
    if moved is not source:
        # The window of the last periods moves for every customer of the company.
        into.work.put("source", record.company, moved)
        into.fan_out(Fanout("accounts", f"{record.company}:", position))


def _unsold(record: Record, position: int, into: Folding) -> None:
    """Sales that never were, seen in a pass that was held. (Purged ones stay: they were made.)"""
    customer = keys.customer_of(record.key)
    period = record.key.rpartition(":")[2]
    account = into.work.get("account", Account, customer)
    if account is not None and period in account.sales:
        sales = {name: sold for name, sold in account.sales.items() if name != period}
        into.work.put("account", customer, replace(account, sales=sales))
        into.dirty[f"companies/{customer}"] = position


def _invoice(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    if not bills.see_invoice(record.key, row, position, into):
        return
    put_alias(into, row.get("InvoiceNo", ""), f"invoices/{record.key}")
    source = into.work.get("source", Source, record.company)
    if source is not None and source.columns.get("AR_InvoiceDetail"):
        # Its lines may have been read before it.
        into.fan_out(Fanout("details", keys.details_of(record.key), position))


def _payment(record: Record, row: dict[str, str], position: int, into: Folding) -> None:
    bills.see_payment(record.key, row, position, into)


def fold_fingerprint(entry: Entry, into: Folding) -> None:
    """The poller's own row of this record; folded only in a rebuild, else written by the poller."""
    record = record_of(entry.stream)
    key = fingerprint_key(record.company, record.entity, record.key.partition(":")[2])
    if isinstance(entry.payload, e.RecordObserved):
        seen = Fingerprint(entry.payload.fingerprint, entry.payload.stamp)
        into.work.put("fingerprint", key, seen)
    elif isinstance(entry.payload, e.RecordErased):
        if entry.payload.row:
            left = entry.payload
            seen = Fingerprint(left.fingerprint, left.stamp, vanished=left.vanished)
            into.work.put("fingerprint", key, seen)
    elif isinstance(entry.payload, e.RecordVanished):
        gone = Fingerprint(entry.payload.fingerprint, vanished=True)
        into.work.put("fingerprint", key, gone)


def wants_of_pass(stream: str, payload: e.Event | None) -> str:
    """The company whose `source` row this event of a poll/… stream may change; "" for none."""
    _, _, company, entity = stream.split("/", 3)
    read = isinstance(payload, e.PollCompleted) and entity in ADDED_UP
    spared = isinstance(payload, e.PollSkipped) and entity in _DISPENSABLE
    return company if read or spared else ""


def fold_pass(entry: Entry, into: Folding) -> None:
    """A first pass that came to its end: what its rows add up to is known from here on."""
    company = wants_of_pass(entry.stream, entry.payload)
    if not company:
        return
    entity = entry.stream.split("/", 3)[3]
    before = into.work.get("source", Source, company) or Source()
    if entity in before.read:
        return
    into.work.put("source", company, replace(before, read=(*before.read, entity)))
    into.fan_out(Fanout("accounts", f"{company}:", entry.position))


def fingerprint_key(company: str, entity: str, key: str) -> str:
    """The key of a record's row in the `fingerprint` table."""
    return f"{company}/{entity}/{key}"


def _vanished(record: Record, position: int, into: Folding, *, withdrawn: bool = False) -> None:
    """A row is gone from Sage 100. HubSpot's record stays; what was open no longer is.

    What is `withdrawn` never was: it adds to nothing any more.
    """
    work = into.work
    if record.entity == "AR_Invoice":
        bills.lose_invoice(record.key, position, into, withdrawn=withdrawn)
    elif record.entity == "AR_Payment" and withdrawn:
        bills.lose_payment(record.key, position, into)
    elif record.entity == "AR_CustomerSalesHistory" and withdrawn:
        _unsold(record, position, into)
    elif record.entity == "AR_Customer":
        account = work.get("account", Account, record.key)
        if account is not None:
            work.put("account", record.key, replace(account, vanished=True))
            into.dirty[f"companies/{record.key}"] = position
            own = contact.primary_key(record.key, account)
            if own is not None:
                into.dirty[f"contacts/{own}"] = position
    elif record.entity in _SOURCE_ROWS:
        table = _SOURCE_ROWS[record.entity]
        source_row = work.get(table, SourceRow, record.key)
        if source_row is not None:
            work.put(table, record.key, replace(source_row, vanished=True))
            _touch(record, position, into)


def put_alias(into: Folding, text: str, target: str) -> None:
    """Remember what a person might type to find a target: a number, or a HubSpot id."""
    into.work.put("alias", f"{text.rstrip(' ').lower()}>{target}", PlainText(target))


_OBSERVED: Final[dict[str, Callable[[Record, dict[str, str], int, Folding], None]]] = {
    "AR_Customer": _customer,
    "AR_CustomerContact": _contact,
    "AR_TermsCode": _terms,
    "AR_CustomerSalesHistory": _sales,
    "AR_Invoice": _invoice,
    "AR_InvoiceDetail": _detail,
    "AR_Payment": _payment,
    "AP_Vendor": _vendor,
}
